# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the module ``release`` against kubectl, Helm and kubernetes.core, and ``health_info`` over kwok's nodes and pods.

All of them deploy the same objects to the same cluster, one after the other, each into a namespace of its own, with images that
are there already; applying and waiting are timed apart. The order of the tools turns with every size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.objects import application, fleet, nodes
from harness.kube import Kube
from harness.origin import versions
from harness.playbook import ROOT, output_of, run

Times = dict[str, float]
MOST_ONE_BY_ONE = 100  # objects; kubernetes.core takes a second for each, so ten minutes for 500
PATIENCE = 900  # seconds that anything may take


class Bench:
    """The benchmark's cluster and the programs that are measured."""

    def __init__(self, lab: str, programs: Path) -> None:
        """Prepare.

        :param programs: folder with kubectl, helm and kwok, as the bundle has them.
        """
        self.kube = Kube(lab)
        self.programs = programs
        self.folder = output_of(lab)
        self.pause = f"registry.k8s.io/pause:{versions()['pause']}"
        self.environment = {**os.environ, "KUBECONFIG": str(self.kube.kubeconfig)}

    def timed(self, *command: str) -> float:
        """Run a command; return its seconds.

        :raises SystemExit: it failed.
        """
        started = time.monotonic()
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)[:300]}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return time.monotonic() - started

    def kubectl(self, *arguments: str) -> float:
        return self.timed(str(self.programs / "kubectl"), *arguments)

    # --- the same objects, four ways ------------------------------------------------------------------------------
    def with_kubectl(self, objects: list[dict[str, Any]], namespace: str) -> Times:
        path = self._manifest(objects, namespace)
        spent = {"apply": self.kubectl("apply", "--server-side", f"--namespace={namespace}", f"--filename={path}")}
        started = time.monotonic()
        for one in objects:
            if one["kind"] == "Deployment":
                self.kubectl("rollout", "status", f"--namespace={namespace}", f"deployment/{one['metadata']['name']}")
        return self._sum(spent, time.monotonic() - started)

    def with_helm(self, objects: list[dict[str, Any]], namespace: str) -> Times:
        chart = self.folder / f"chart-{namespace}"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: part\nversion: 1.0.0\n")
        (chart / "templates" / "all.yaml").write_text(yaml.safe_dump_all(objects))
        helm = (str(self.programs / "helm"), "upgrade", "--install", "part", str(chart), f"--namespace={namespace}")
        # Helm applies and waits in one command.
        return {"all": self.timed(*helm, "--wait", "--timeout=15m")}

    def with_release(self, objects: list[dict[str, Any]], namespace: str) -> Times:
        return self._playbook("release", objects, namespace)

    def with_kubernetes_core(self, objects: list[dict[str, Any]], namespace: str) -> Times:
        return self._playbook("kubernetes_core", objects, namespace)

    def _playbook(self, tool: str, objects: list[dict[str, Any]], namespace: str) -> Times:
        path = self._manifest(objects, namespace)
        answer = self.folder / f"{tool}-{namespace}.json"
        values = {
            "bench_tool": tool,
            "bench_manifest": str(path),
            "bench_namespace": namespace,
            "bench_kubeconfig": str(self.kube.kubeconfig),
            "bench_answer": str(answer),
            "bench_timeout": PATIENCE,
        }
        book = ROOT / "tests" / "benchmarks" / "deploy.yml"
        done = run(
            str(book), self.kube.inventory, self.folder / f"{tool}-{namespace}", "-e", json.dumps(values)
        ).succeeded()
        return {**json.loads(answer.read_text()), "all": done.seconds}

    def _manifest(self, objects: list[dict[str, Any]], namespace: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{namespace}.yml"
        path.write_text(yaml.safe_dump_all(objects))
        return path

    @staticmethod
    def _sum(spent: Times, wait: float) -> Times:
        return {**spent, "wait": wait, "all": spent["apply"] + wait}

    # --- what is measured -----------------------------------------------------------------------------------------
    def size(self, count: int, turn: int) -> dict[str, Any]:
        """Deploy so many objects with every tool: first, again, and with one object changed."""
        tools: dict[str, Callable[[list[dict[str, Any]], str], Times]] = {
            "kubectl": self.with_kubectl,
            "release": self.with_release,
            "helm": self.with_helm,
            "kubernetes.core": self.with_kubernetes_core,
        }
        names = [tool for tool in tools if tool != "kubernetes.core" or count <= MOST_ONE_BY_ONE]
        found: dict[str, Any] = {"objects": count}
        for tool in names[turn % len(names) :] + names[: turn % len(names)]:
            namespace = f"bench-{count}-{tool.replace('.', '-')}"
            objects = application(count, namespace, self.pause)
            self.kube.make_namespace(namespace)
            try:
                found[tool] = {"first": tools[tool](objects, namespace)}
                found[tool]["again"] = tools[tool](objects, namespace)
                objects[0]["data"]["setting"] = "another value"
                found[tool]["one changed"] = tools[tool](objects, namespace)
            finally:
                self.kube.remove_namespaces([namespace])
                print(f"  {count} objects, {tool}: {json.dumps(found.get(tool))}", flush=True)
        return found

    def health(self, node_count: int, pod_count: int) -> dict[str, Any]:
        """Ask health_info about a large cluster whose nodes and pods kwok keeps; return time, memory and requests."""
        namespace = "bench-fleet"
        kwok = subprocess.Popen(
            [
                str(self.programs / "kwok"),
                f"--kubeconfig={self.kube.kubeconfig}",
                "--manage-all-nodes=false",
                "--node-lease-duration-seconds=160",  # renewed four times in it
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                f"--config={ROOT / 'tests' / 'benchmarks' / 'kwok.yml'}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "kwok.log").open("wb"),
        )
        try:
            self.kube.make_namespace(namespace)
            path = self._manifest([*nodes(node_count), *fleet(pod_count, namespace)], namespace)
            self.kubectl("apply", "--server-side", f"--filename={path}")
            end = time.monotonic() + PATIENCE
            while self._running(namespace) < pod_count:
                if time.monotonic() > end:
                    sys.exit(f"{self._running(namespace)} of {pod_count} pods run after {PATIENCE} s")
                time.sleep(5)
            return {"nodes": node_count, "pods": pod_count, **self._ask_health()}
        finally:
            self.kube.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
            self.kube.kubectl("delete", "nodes", "--selector=type=kwok", "--wait=false")
            kwok.terminate()
            kwok.wait()

    def _running(self, namespace: str) -> int:
        items = self.kube.get("deployment", namespace=namespace) or []
        return sum(one.get("status", {}).get("readyReplicas", 0) for one in items)

    def _ask_health(self) -> dict[str, Any]:
        """Run the module as Ansible runs it, but where its memory can be seen."""
        arguments = {"ANSIBLE_MODULE_ARGS": {"kubeconfig": str(self.kube.kubeconfig)}}
        module = "ansible_collections.slipway.kube.plugins.modules.health_info"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".cache" / "collections")}
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(arguments).encode())
        process.stdin.close()
        answer = json.loads(process.stdout.read())
        _pid, _status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if answer.get("failed"):
            sys.exit(f"health_info: {answer['msg']}")
        most = usage.ru_maxrss / 1024
        errors = sum(one["severity"] == "error" for one in answer["findings"])
        return {"seconds": seconds, "memory": most, "requests": answer["requests"], "errors": errors}
