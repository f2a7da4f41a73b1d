# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks themselves, with wrong input: nothing connects to a host before it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.marked import HOSTS, run

TWO_SCREENS = 50  # lines


def test_the_mark_is_left_if_nothing_is_wrong(tmp_path: Path) -> None:
    code, output, contacted = run(tmp_path, "cluster")
    assert code != 0 and set(contacted) == {"192.0.2.11", "192.0.2.21", "192.0.2.22"}, output


@pytest.mark.parametrize(
    ("playbook", "arguments", "parts"),
    [
        ("cluster", ["-e", "kube_versoin=1.36.3"], ["kube_versoin", "kube_version"]),
        (
            "cluster",
            ["-e", "kube_api_port=http", "-e", "kernel_modules=a,b"],
            ["kube_api_port", "'http'", "kernel_modules"],
        ),
        (
            "cluster",
            ["-e", '{"swap_state": ["absent"], "worker_timeout": -1}'],
            ["swap_state", "worker_timeout", "'-1'"],
        ),
        ("cluster", ["-e", "slipway_confirm=perhaps"], ["slipway_confirm", "'perhaps'"]),
        ("addons", ["-e", "slipway_confrim=true"], ["slipway_confrim", "slipway_confirm"]),
        ("upgrade", ["-e", "kube_version=1.38", "-e", "upgrade_btach=2"], ["upgrade_batch", "'1.38'"]),
        ("addons", ["-e", '{"kube_addons": ["metalb"]}'], ["metalb", "metallb"]),
        (
            "addons",
            ["-e", '{"kube_addons": ["network_policy"], "kube_network_plugin": "calico"}'],
            ["Calico enforces NetworkPolicy itself", "Remove network_policy from kube_addons"],
        ),
        ("restore", ["-e", "restore_archiv=x", "-e", "restore_confirm=kubernetes"], ["restore_archive"]),
        ("reset", ["-e", "reset_confrim=kubernetes", "--limit", "w2"], ["reset_confirm"]),
        ("reset", ["-e", "reset_confirm=kubernetes", "-e", "reset_packages=perhaps"], ["'perhaps'", "true or false"]),
        ("node_remove", ["-e", "node_remove_node=w2"], ["node_remove_nodes"]),
        ("node_drain", ["-e", "node_drain_nodes=w2", "-e", "node_drain_state=drain"], ["'drain'", "drained"]),
        ("backup", ["-e", "backup_hours=5"], ["backup_hours", "'5'", "1, 2, 3, 4, 6, 8, 12, 24"]),
        ("bundle", ["-e", "bundle_stat=planned"], ["bundle_state"]),
    ],
)
def test_wrong_input_is_refused_before_a_host_is_contacted(
    tmp_path: Path, playbook: str, arguments: list[str], parts: list[str]
) -> None:
    code, output, contacted = run(tmp_path, playbook, *arguments)
    assert (code != 0, contacted) == (True, []), output
    assert [part for part in parts if part not in output] == [] and "remedy: " in output, output
    assert "ERROR [slipway:" in output and len(output.splitlines()) <= TWO_SCREENS, output


def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    code, output, contacted = run(tmp_path, "certificates", "-e", "certificates_rotate_authorities=ca,foo")
    assert (code != 0, contacted) == (True, []), output
    assert "'ca,foo'" in output and "front-proxy-ca" in output and "[slipway:variables]" in output


def test_a_group_that_is_misspelt_is_refused(tmp_path: Path) -> None:
    code, output, contacted = run(tmp_path, "cluster", hosts=HOSTS.replace("kube_worker", "kube_workers"))
    assert (code != 0, contacted) == (True, []), output
    assert "kube_workers" in output and "is kube_worker;" in output and "w1, w2" in output


STANDBY = HOSTS + "    kube_standby: {hosts: {s1: {ansible_host: 192.0.2.31}}}\n"


@pytest.mark.parametrize(
    ("playbook", "arguments", "hosts", "part"),
    [
        ("scale", [], HOSTS, "[slipway:no_standby_hosts]"),
        ("scale", ["-e", "scale_min=2", "-e", "scale_max=1"], STANDBY, "scale_min is 2 and scale_max is 1"),
        ("scale", ["-e", "scale_idle_afer=1"], STANDBY, "scale_idle_after"),
        ("scale", [], STANDBY.replace("s1:", "w1:"), "[slipway:groups_disjoint]"),
        ("reset", ["-e", "reset_confrim=kubernetes"], STANDBY, "reset_confirm"),
    ],
)
def test_a_pool_that_cannot_be_right_is_refused(
    tmp_path: Path, playbook: str, arguments: list[str], hosts: str, part: str
) -> None:
    code, output, contacted = run(tmp_path, playbook, *arguments, hosts=hosts)
    assert code != 0 and part in output, output
    assert contacted == [] or "scale_min=2" in arguments, output


def test_a_pool_that_is_silent_does_not_prevent_a_run(tmp_path: Path) -> None:
    code, output, contacted = run(tmp_path, "cluster", hosts=STANDBY)
    assert set(contacted) == {"192.0.2.11", "192.0.2.21", "192.0.2.22", "192.0.2.31"}
    assert code != 0 and "    cp1, w1, w2: this host was contacted" in output, output


def test_the_list_of_runs_contacts_no_host(tmp_path: Path) -> None:
    code, output, contacted = run(tmp_path, "history")
    assert (code, contacted) == (0, []) and "There are no records in" in output, output
    code, output, contacted = run(tmp_path, "history", "-e", "history_count=0")
    assert code != 0 and contacted == [] and "[slipway:variables]" in output
