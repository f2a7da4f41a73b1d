# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scenario's cluster as an administrator has it, and the collection's modules as their user calls them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.hosts import hosts_of
from harness.origin import versions
from harness.playbook import ROOT, Run, inventory_of, start

CALL = ROOT / "molecule" / "applications" / "call.yml"
LEAVING = 120  # seconds that a namespace may take to go
# What the control plane makes and unmakes by itself at any time.
PASSING = (
    "componentstatuses",
    "events",
    "leases",
    "endpointslices",
    "endpoints",
    "pods",
    "replicasets",
    "controllerrevisions",
    "metrics.k8s.io",
)


class Kube:
    """The cluster of the lab of that name."""

    def __init__(self, lab: str) -> None:
        self.host = next(host for host in hosts_of(lab) if host.name == "cp1")
        self.inventory = inventory_of(lab)
        self.kubeconfig = self.inventory.parent / "kubeconfig"
        self.agnhost = f"registry.k8s.io/e2e-test-images/agnhost:{versions()['agnhost']}"

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl on the control plane; return what it says.

        :raises AssertionError: it failed, and *check* is set.
        """
        command = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments]
        if stdin:
            text = base64.b64encode(stdin.encode()).decode()
            command = ["sh", "-c", 'text=$1; shift; echo "$text" | base64 -d | "$@"', "sh", text, *command]
        code, output = self.host.execute(*command)
        assert not check or code == 0, f"kubectl {' '.join(arguments)}: {output}"
        return output

    def apply(self, objects: str | list[dict[str, Any]], namespace: str = "default") -> None:
        """Apply a manifest with kubectl, as somebody else than the collection."""
        text = (
            objects if isinstance(objects, str) else json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )
        self.kubectl(f"--namespace={namespace}", "apply", "--filename=-", stdin=text)

    def get(self, kind: str, name: str = "", namespace: str = "default") -> Any:
        """Return an object, or the items of a kind; None where there is none."""
        names = [name] if name else []
        text = self.kubectl("get", kind, *names, f"--namespace={namespace}", "--ignore-not-found", "--output=json")
        found = json.loads(text) if text.strip() else None
        return found if name or not found else found["items"]

    def objects(self) -> set[str]:
        """Return the kinds, namespaces and names of the objects of the cluster."""
        kinds = self.kubectl("api-resources", "--verbs=list", "--output=name").split()
        kinds = [kind for kind in kinds if not kind.startswith(PASSING) and not kind.endswith(PASSING)]
        listed = json.loads(self.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json"))["items"]
        names = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in listed}
        return {"/".join(name) for name in names if not name[2].startswith(("bootstrap-token-", "slipway-verify"))}

    def memory(self, namespace: str) -> dict[str, int]:
        """Return the megabytes that the pods of a namespace use, as their kubelets say."""
        used = {}
        for node in self.kubectl("get", "nodes", "--output=name").split():
            path = f"/api/v1/nodes/{node.partition('/')[2]}/proxy/stats/summary"
            for pod in json.loads(self.kubectl("get", "--raw", path))["pods"]:
                if pod["podRef"]["namespace"] == namespace:
                    used[pod["podRef"]["name"]] = pod.get("memory", {}).get("workingSetBytes", 0) // 1_000_000
        return used

    def make_namespace(self, name: str, **labels: str) -> None:
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])

    def remove_namespaces(self, names: Iterable[str]) -> None:
        """Delete namespaces and wait until they are gone."""
        self.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=false")
        end = time.monotonic() + LEAVING
        while self.kubectl("get", "namespace", *names, "--ignore-not-found", "--output=name").strip():
            assert time.monotonic() < end, f"namespaces do not go: {', '.join(names)}"
            time.sleep(0.5)


@dataclass
class Call:
    """A call of a module that is under way or has ended."""

    run: Run
    path: Path

    def wait(self) -> Call:
        self.run.wait()
        return self

    @property
    def answer(self) -> dict[str, Any]:
        """What the module returned."""
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    @property
    def failed(self) -> bool:
        return self.run.process.returncode != 0

    @property
    def message(self) -> str:
        return str(self.answer.get("msg", ""))

    def ok(self) -> Call:
        """Return the call, or raise AssertionError with what was said where it failed."""
        assert not self.failed, self.run.output[-6000:]
        return self


def begin(kube: Kube, folder: Path, module: str, options: dict[str, Any], *arguments: str) -> Call:
    """Start a call of a module on the control node."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "result.json"
    path.unlink(missing_ok=True)
    given = {"kubeconfig": str(kube.kubeconfig), **options}
    values = {"call_module": module, "call_options": given, "call_result": str(path)}
    (folder / "call.json").write_text(json.dumps(values))
    return Call(start(str(CALL), kube.inventory, folder, "-e", f"@{folder / 'call.json'}", *arguments), path)


def call(kube: Kube, folder: Path, module: str, options: dict[str, Any], *arguments: str) -> Call:
    """Call a module on the control node and wait for its end, whatever that is."""
    return begin(kube, folder, module, options, *arguments).wait()


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first true result of a condition."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)
    return result


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(
    image: str, kind: str = "Deployment", name: str = "web", replicas: int = 1, **container: Any
) -> dict[str, Any]:
    """Give a workload that answers HTTP; *container* changes its container."""
    main = {
        "name": "web",
        "image": image,
        "args": ["netexec", "--http-port=8080", "--udp-port=-1"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
        **container,
    }
    labels = {"app": name}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]},
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
