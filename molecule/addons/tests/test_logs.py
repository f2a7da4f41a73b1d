# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs: a line of a pod is found in seconds, whoever restarts, and once."""

from __future__ import annotations

import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, eventually, workload
from harness.origin import addons
from harness.playbook import Run, run

pytestmark = pytest.mark.skipif(not addons(["logs"]), reason="the origin has no logs: make test-all")

PARTS = ["local_path_storage", "logs"]
SERVICE = "/api/v1/namespaces/logs/services/victoria-logs:9428/proxy/select/logsql/query"
SPACE = "lines"


def play(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    return run("slipway.kube.addons", kube.inventory, folder, "-e", json.dumps(variables), *arguments)


def find(kube: Kube, line: str) -> list[str]:
    """Return the lines of the namespace that contain some words."""
    query = urllib.parse.quote(f'{{kubernetes.pod_namespace="{SPACE}"}} "{line}"')
    # While VictoriaLogs restarts, the answer is an error.
    answer = kube.kubectl("get", "--raw", f"{SERVICE}?query={query}", check=False).splitlines()
    return [line for line in answer if line.startswith("{")]


def left(kube: Kube) -> set[str]:
    """Return what could stay of the add-ons in the cluster."""
    kinds = "namespaces,clusterroles,clusterrolebindings,storageclasses,persistentvolumes"
    return set(kube.kubectl("get", kinds, "--output=name").split())


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    kube.remove_namespaces([SPACE])
    return left(kube)


@pytest.fixture(scope="module")
def logged(kube: Kube, before: set[str]) -> Run:
    """The run that deployed and verified it; then pods on all nodes that write a line each second."""
    done = play(kube, kube.inventory.parent / "output-logs", kube_addons=PARTS).succeeded()
    print(f"\nlocal-path storage and logs deployed and verified in {done.seconds:.0f} s")
    kube.make_namespace(SPACE)
    script = "n=0; while :; do n=$((n+1)); echo line-$n-end of $HOSTNAME; sleep 1; done"
    writers = workload(kube.agnhost, "DaemonSet", command=["sh", "-c", script], args=[], readinessProbe=None)
    del writers["spec"]["replicas"]
    writers["spec"]["template"]["spec"]["tolerations"] = [{"operator": "Exists"}]
    kube.apply([writers], SPACE)
    kube.kubectl(f"--namespace={SPACE}", "rollout", "status", "daemonset/web", "--timeout=120s")
    return done


def test_it_is_deployed_verified_and_a_second_run_changes_nothing(kube: Kube, logged: Run, folder: Path) -> None:
    assert "Wait until VictoriaLogs has the line" in {event.task.split(" : ")[-1] for event in logged.events}
    again = play(kube, folder, kube_addons=PARTS).succeeded()
    assert not again.changed(), again.changed()


def test_a_line_of_every_node_is_found_in_seconds(kube: Kube, logged: Run) -> None:
    nodes = {one["metadata"]["name"] for one in kube.get("nodes")}

    def found() -> bool:
        return {json.loads(line)["kubernetes.pod_node_name"] for line in find(kube, "line-1-end")} == nodes

    eventually(found, 30, "a line of every node")
    pod = kube.get("pods", namespace=SPACE)[0]["metadata"]["name"]
    started = time.monotonic()
    kube.kubectl(f"--namespace={SPACE}", "exec", pod, "--", "sh", "-c", "echo now-it-is-written >/proc/1/fd/1")
    eventually(lambda: find(kube, "now-it-is-written"), 30, "the line that was just written")
    print(f"\na line was found {time.monotonic() - started:.1f} s after it was written")


def test_every_line_is_there_once_whoever_restarts(kube: Kube, logged: Run) -> None:
    kube.kubectl("--namespace=logs", "delete", "pod", "victoria-logs-0", "--wait=true")
    kube.kubectl("--namespace=logs-nodes", "rollout", "restart", "daemonset/vlagent")
    kube.kubectl("--namespace=logs-nodes", "rollout", "status", "daemonset/vlagent", "--timeout=120s")
    kube.kubectl("--namespace=logs", "rollout", "status", "statefulset/victoria-logs", "--timeout=120s")
    pods = {one["metadata"]["name"] for one in kube.get("pods", namespace=SPACE)}
    written = {pod: kube.kubectl(f"--namespace={SPACE}", "logs", pod).count("-end of ") for pod in pods}
    for pod, count in written.items():
        eventually(
            lambda pod=pod, count=count: find(kube, f"line-{count}-end of {pod}"), 60, f"the newest line of {pod}"
        )
        lines = [json.loads(line)["_msg"] for line in find(kube, f"end of {pod}")]
        wanted = {f"line-{number}-end of {pod}" for number in range(1, count + 1)}
        assert wanted <= set(lines) and len(lines) == len(set(lines)), (
            wanted - set(lines),
            len(lines),
            len(set(lines)),
        )
    print(f"\n{sum(written.values())} lines, each found once")


def test_it_goes_with_its_data_and_its_storage(kube: Kube, logged: Run, before: set[str], folder: Path) -> None:
    kube.remove_namespaces([SPACE])
    play(kube, folder, kube_addons_set="none").succeeded()
    eventually(lambda: left(kube) == before, 60, f"as before: {left(kube) ^ before}")
