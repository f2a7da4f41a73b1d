# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The basic set: deployed by the playbook `cluster`, used as its users do, refused where something is in the way, removed without a trace.

The tests follow each other: the first one has the objects of the cluster before any add-on, with which the last ones compare.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, eventually, workload
from harness.origin import addons, cache
from harness.playbook import ROOT, Run, addresses, executions, run

# The basic set, without what the origin was not asked to build.
BASIC = addons(["metrics_server", "local_path_storage", "metallb", "gateway_api", "traefik"])
CHECKS = {
    "metrics_server": "Wait until the metrics API has values of every node",
    "local_path_storage": "Run a pod that uses it",
    "metallb": "Reach the address from outside of the cluster",
    "gateway_api": "Check that the kinds are served",
    "traefik": "Reach the host name through this address",
}
MINE = str(ROOT / "molecule" / "addons" / "mine")


def play(kube: Kube, folder: Path, *arguments: str, book: str = "addons", **variables: Any) -> Run:
    return run(f"slipway.kube.{book}", kube.inventory, folder, "-e", json.dumps(variables), *arguments)


def get(address: str, host: str, path: str = "/hostname") -> str:
    """Return what a web server answers at an address; empty if it does not answer as it should."""
    request = urllib.request.Request(f"http://{address}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    kube.remove_namespaces(["slipway-verify"])
    return kube.objects()


@pytest.fixture(scope="module")
def basic(kube: Kube, before: set[str]) -> Run:
    """The run that deployed the add-ons, and verified each by what it is for."""
    folder = kube.inventory.parent / "output-basic"
    started = time.monotonic()
    done = play(kube, folder, book="cluster", kube_addons=BASIC).succeeded()
    print(f"\nthe cluster got its add-ons in {time.monotonic() - started:.0f} s")
    return done


def test_the_cluster_gets_its_addons_and_each_does_what_it_is_for(basic: Run) -> None:
    changed = {event.task for event in basic.events if event.status == "changed"}
    assert any("Deploy the add-ons" in task for task in changed)
    done = {event.task.split(" : ")[-1] for event in basic.events if event.status == "ok"}
    assert {CHECKS[name] for name in BASIC} <= done


def test_a_second_run_changes_nothing_and_costs_a_look_and_an_execution_for_each(
    kube: Kube, basic: Run, folder: Path
) -> None:
    again = play(kube, folder, "-vvv", kube_addons=BASIC).succeeded()
    assert not again.changed(), again.changed()
    # The facts of the host, the look at the cluster, and one for each add-on.
    counted = executions(again.output, addresses(kube.inventory))
    assert counted["cp1"] <= 2 + len(BASIC) and counted["w1"] == 0, counted
    print(f"\nnothing to do in {again.seconds:.1f} s")


def test_a_dry_run_tells_what_would_go_and_changes_nothing(kube: Kube, basic: Run, folder: Path) -> None:
    there = kube.objects()
    assert not play(kube, folder / "same", "--check", kube_addons=BASIC).succeeded().changed()
    said = play(kube, folder / "off", "--check", kube_addons_set="none").succeeded().changed()
    assert any("Remove the add-ons" in line for line in said)
    assert kube.objects() == there


def test_kubectl_top_as_the_tutorials_type_it(kube: Kube, basic: Run) -> None:
    assert "cp1" in kube.kubectl("top", "nodes") and "w1" in kube.kubectl("top", "nodes")
    print("\n" + kube.kubectl("top", "pods", "--all-namespaces"))


def test_an_autoscaler_follows_real_load_from_outside(kube: Kube, basic: Run) -> None:
    """Between 2 and 10 replicas at 50 % CPU, up under load on an Ingress (or a load balancer), and down again without it."""
    kind = "ingress" if "traefik" in BASIC else "service"
    kube.make_namespace("autoscaled")
    web = workload(kube.agnhost, resources={"requests": {"cpu": "20m", "memory": "16Mi"}})
    del web["spec"]["replicas"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    limits = {
        "scaleTargetRef": target,
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [cpu],
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": 15,
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            }
        },
    }
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "app.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    kube.apply(
        [
            web,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {
                    "type": "ClusterIP" if kind == "ingress" else "LoadBalancer",
                    "selector": {"app": "web"},
                    "ports": [{"port": 80, "targetPort": 8080}],
                },
            },
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "web"},
                "spec": limits,
            },
            # Without a class: the one of Traefik is the default.
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "web"},
                "spec": {"rules": [rule]},
            },
        ],
        "autoscaled",
    )

    def address() -> str:
        found = (kube.get(kind, "web", "autoscaled")["status"].get("loadBalancer") or {}).get("ingress") or [{}]
        return str(found[0].get("ip", ""))

    def replicas() -> int:
        return int(kube.get("deployment", "web", "autoscaled")["status"].get("readyReplicas") or 0)

    there = eventually(address, 60, f"the {kind} has an address")
    assert there.startswith("10.123.15.2")
    eventually(lambda: get(there, "app.example.com").startswith("web-"), 60, f"the {kind} answers")
    eventually(lambda: replicas() == 2, 120, "two replicas at rest")
    stop, done = threading.Event(), []

    def load() -> None:
        while not stop.is_set():
            done.append(bool(get(there, "app.example.com")))

    threads = [threading.Thread(target=load, daemon=True) for _number in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    eventually(lambda: replicas() >= 4, 240, "four replicas under load")
    print(
        f"\n2 to 4 replicas in {time.monotonic() - started:.0f} s, {len(done)} requests, {done.count(False)} without an answer"
    )
    stop.set()
    started = time.monotonic()
    eventually(lambda: replicas() == 2, 240, "two replicas again")
    print(f"back to 2 in {time.monotonic() - started:.0f} s")
    assert done.count(False) <= len(done) / 100
    kube.remove_namespaces(["autoscaled"])


def test_an_autoscaler_follows_memory_that_is_really_used(kube: Kube, basic: Run) -> None:
    """From one pod to three while each uses twice what it requests, and back when they do not."""
    kube.make_namespace("remembering")
    used = ["stress", "--mem-total=60Mi", "--mem-alloc-size=20Mi", "--mem-alloc-sleep=100ms"]
    web = workload(
        kube.agnhost, args=used, readinessProbe=None, resources={"requests": {"cpu": "5m", "memory": "32Mi"}}
    )
    del web["spec"]["replicas"]
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    limits = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [memory],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 15}},
    }
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    kube.apply([web, {**scaler, "spec": limits}], "remembering")

    def replicas() -> int:
        return int(kube.get("deployment", "web", "remembering")["status"].get("readyReplicas") or 0)

    started = time.monotonic()
    eventually(lambda: replicas() == 3, 240, "three replicas while memory is used")
    print(f"\n1 to 3 replicas in {time.monotonic() - started:.0f} s")
    web["spec"]["template"]["spec"]["containers"][0]["args"] = ["pause"]
    started = time.monotonic()
    kube.apply([web], "remembering")
    eventually(lambda: replicas() == 1, 300, "one replica when memory is not used")
    print(f"back to 1 in {time.monotonic() - started:.0f} s")
    kube.remove_namespaces(["remembering"])


def test_data_survives_its_pod_and_forbids_that_its_storage_goes(kube: Kube, basic: Run, folder: Path) -> None:
    kube.make_namespace("data")
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    web = workload(kube.agnhost, "StatefulSet", volumeMounts=[{"name": "data", "mountPath": "/data"}])
    web["spec"]["volumeClaimTemplates"] = [claim]  # without a class: the default
    kube.apply([web], "data")
    kube.kubectl("--namespace=data", "rollout", "status", "statefulset/web", "--timeout=120s")
    kube.kubectl("--namespace=data", "exec", "web-0", "--", "sh", "-c", "echo kept >/data/file")
    kube.kubectl("--namespace=data", "delete", "pod", "web-0", "--wait=true")
    kube.kubectl("--namespace=data", "rollout", "status", "statefulset/web", "--timeout=120s")
    assert kube.kubectl("--namespace=data", "exec", "web-0", "--", "cat", "/data/file").strip() == "kept"
    refused = play(kube, folder, kube_addons=[name for name in BASIC if name != "local_path_storage"])
    assert refused.process.returncode != 0
    assert "1 persistent volumes of rancher.io/local-path" in refused.output and not refused.changed()
    kube.remove_namespaces(["data"])
    eventually(lambda: not kube.get("persistentvolumes"), 120, "the volume goes with its claim")


@pytest.mark.skipif("gateway_api" not in BASIC, reason="the origin was not asked for the Gateway API")
def test_a_route_forbids_that_its_kind_goes(kube: Kube, basic: Run, folder: Path) -> None:
    kube.make_namespace("routed")
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"}, "spec": {}}
    kube.apply([route], "routed")
    refused = play(kube, folder, kube_addons=[name for name in BASIC if name != "gateway_api"])
    assert refused.process.returncode != 0 and not refused.changed()
    assert "1 objects of its kinds, which would be deleted with them: HTTPRoute routed/web" in refused.output
    kube.remove_namespaces(["routed"])


@pytest.mark.parametrize(
    ("settings", "evidence"),
    [
        ({}, "missing required arguments: addresses"),
        ({"metallb": {"addresses": ["10.123.15.10-10.123.15.30"]}}, "contains an address of this host"),
        ({"metallb": {"addresses": ["10.250.0.0/24"]}}, "the nodes are in 10.123.15.0/24"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_changed(
    kube: Kube, folder: Path, settings: dict[str, Any], evidence: str
) -> None:
    book = "cluster" if "10.250" in str(settings) else "addons"  # the networks of the hosts are in their facts
    refused = play(kube, folder, book=book, kube_addons=["metallb"], kube_addons_settings=settings)
    assert refused.process.returncode != 0 and evidence in refused.output, refused.output[-3000:]
    assert not refused.changed()


def test_an_addon_that_is_switched_off_leaves_nothing(kube: Kube, before: set[str], basic: Run, folder: Path) -> None:
    assert kube.objects() - before
    play(kube, folder, kube_addons_set="none").succeeded()
    eventually(lambda: kube.objects() == before, 60, f"as before: {kube.objects() ^ before}")
    assert not play(kube, folder, kube_addons_set="none").succeeded().changed()


def test_an_installation_of_somebody_else_is_refused_and_can_be_adopted(
    kube: Kube, before: set[str], basic: Run, folder: Path
) -> None:
    theirs = workload(kube.agnhost, name="metrics-server")
    kube.apply([theirs], "kube-system")
    chosen = {"kube_addons": ["metrics_server", "hello"], "kube_addons_paths": [MINE]}
    refused = play(kube, folder / "refused", **chosen)
    assert refused.process.returncode != 0 and not refused.changed()
    assert "Deployment kube-system/metrics-server (field manager kubectl-client-side-apply)" in refused.output
    play(kube, folder / "adopted", kube_addons_adopt=["metrics_server"], **chosen).succeeded()
    live = kube.get("deployment", "metrics-server", "kube-system")
    assert "metrics-server:v" in live["spec"]["template"]["spec"]["containers"][0]["image"]
    assert kube.get("configmap", "hello")["data"] == {"text": "version 1"}
    assert not play(kube, folder / "again", **chosen).succeeded().changed()
    play(kube, folder / "off", kube_addons_set="none").succeeded()
    eventually(lambda: kube.objects() == before, 60, f"as before: {kube.objects() ^ before}")


@pytest.mark.skipif(
    shutil.which("helm", path=str(cache() / "programs")) is None, reason="there is no helm: make programs"
)
def test_an_addon_of_a_users_own_folder_can_be_a_chart(
    kube: Kube, before: set[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{cache() / 'programs'}:{os.environ['PATH']}")
    chosen = {"kube_addons": ["greeting"], "kube_addons_paths": [MINE]}
    chosen["kube_addons_settings"] = {"greeting": {"text": "Good morning"}}
    play(kube, folder / "deployed", **chosen).succeeded()
    assert kube.get("configmap", "greeting")["data"] == {"text": "Good morning"}
    assert not play(kube, folder / "again", **chosen).succeeded().changed()
    play(kube, folder / "off", kube_addons_set="none").succeeded()
    eventually(lambda: kube.objects() == before, 60, f"as before: {kube.objects() ^ before}")
