# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings with which no kubelet runs stop none for long: they are tried on one node, told with the kubelet's reason, and put back."""

from __future__ import annotations

import json
import os

from harness.hosts import hosts_of, unready
from harness.playbook import Run, inventory_of, output_of, run
from harness.web import OLD

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)


def cluster(name: str, *arguments: str, **variables: object) -> Run:
    given = json.dumps({"kube_version": OLD, "verify_mode": "light", **variables})
    return run("slipway.kube.cluster", INVENTORY, FOLDER / name, "-e", given, *arguments)


def starts() -> dict[str, str]:
    """Return when the kubelet of each node was started."""
    command = (
        "systemctl",
        "show",
        "--property=ExecMainStartTimestampMonotonic,ActiveState,SubState",
        "kubelet.service",
    )
    return {host.name: host.execute(*command)[1] for host in hosts_of(SCENARIO)}


def test_a_field_that_no_kubelet_knows_is_refused_before_anything_is_touched() -> None:
    refused = cluster("unknown_field", kubernetes_kubelet_config={"maxPodz": 200})
    assert refused.process.returncode != 0 and not refused.changed()
    assert "Write maxPods." in refused.output and "[slipway:kubelet_settings]" in refused.output


def test_a_value_that_the_kubelet_refuses_is_put_back_on_the_first_node_and_no_other_is_touched() -> None:
    before = starts()
    refused = cluster("refused_value", kubernetes_kubelet_arguments={"topology-manager-policy": "wrong"})
    print(f"told after {refused.seconds:.0f} s")
    assert refused.process.returncode != 0
    after = starts()
    assert {name for name in before if after[name] != before[name]} == {"cp1"}
    assert "SubState=running" in after["cp1"] and not unready(hosts_of(SCENARIO))
    for part in (
        "topologyManagerPolicy",
        "must be one of",
        "[slipway:unit_settings]",
        "The kubelet of w1 was not touched.",
    ):
        assert part in refused.output, part


def test_nothing_of_it_is_left() -> None:
    again = cluster("after_refused_value").succeeded()
    assert not again.changed(), "\n".join(again.changed())


def test_a_value_that_it_takes_reaches_all_nodes() -> None:
    before = starts()
    planned = cluster("planned_value", "--check", "--diff", kubernetes_kubelet_arguments={"v": "1"}).succeeded()
    done = cluster("value", kubernetes_kubelet_arguments={"v": "1"}).succeeded()
    assert sorted(done.changed()) == sorted(planned.changed()) and {one[:3] for one in done.changed()} == {
        "cp1",
        "w1:",
        "w2:",
    }
    assert all(after != before[name] for name, after in starts().items())
