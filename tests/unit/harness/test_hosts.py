# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from harness.hosts import unready
from harness.kill import Kill, carry_out


class FakeHost:
    """A host that answers kubectl from a table."""

    def __init__(self, name: str, nodes: dict[str, str], pods: dict[str, str]) -> None:
        self.name, self.nodes, self.pods = name, nodes, pods

    def kubectl(self, _verb: str, kind: str, *_arguments: str) -> Any:
        if kind == "nodes":
            conditions = {name: [{"type": "Ready", "status": ready}] for name, ready in self.nodes.items()}
            return {
                "items": [
                    {"metadata": {"name": name}, "status": {"conditions": found}} for name, found in conditions.items()
                ]
            }
        return {
            "items": [
                {
                    "metadata": {"namespace": "kube-system", "name": name},
                    "status": {"phase": phase, "containerStatuses": [{"ready": phase == "Running"}]},
                }
                for name, phase in self.pods.items()
            ]
        }


def wrong(nodes: dict[str, str], pods: dict[str, str]) -> list[str]:
    return unready([FakeHost("cp1", nodes, pods), FakeHost("w1", nodes, pods)])  # type: ignore[list-item]


def test_a_sound_cluster_has_every_host_ready_and_every_pod_running() -> None:
    assert not wrong({"cp1": "True", "w1": "True"}, {"coredns": "Running"})


def test_a_missing_node_one_that_is_not_ready_and_a_pod_that_does_not_run_are_named() -> None:
    assert wrong({"cp1": "True"}, {}) == ["w1 is no node"]
    assert wrong({"cp1": "True", "w1": "Unknown"}, {}) == ["node w1 is not Ready"]
    assert wrong({"cp1": "True", "w1": "True"}, {"coredns": "Pending"}) == ["pod kube-system/coredns is Pending"]


class FakeRun:
    """A run that is over already."""

    output = "PLAY RECAP"

    class process:
        @staticmethod
        def poll() -> int:
            return 0


@pytest.mark.parametrize("kind", ["init", "join", "playbook", "power", "sources"])
def test_a_kill_that_finds_nothing_to_end_is_a_failed_test(kind: str) -> None:
    hosts = [FakeHost("cp1", {}, {}), FakeHost("w1", {}, {})]
    with pytest.raises(AssertionError, match=r"never seen|nothing was killed"):
        carry_out(Kill(1, kind, 0.0), FakeRun(), hosts, hosts[0], 1.0)  # type: ignore[arg-type]
