# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays for an external etcd have hosts only where the inventory has such a group, and role etcd has the settings of a stacked etcd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables, trust_as_template

ROOT = Path(__file__).parents[3]
STACKED = {"kube_control_plane": ["cp1"], "kube_worker": ["w1"], "kube_cluster": ["cp1", "w1"]}
EXTERNAL = {**STACKED, "kube_etcd": ["etcd1"], "kube_cluster": ["cp1", "w1", "etcd1"]}


def evaluate(value: Any, **variables: Any) -> Any:
    return Templar(loader=DataLoader(), variables=variables).template(value)


def hosts(playbook: str, groups: dict[str, list[str]]) -> dict[str, Any]:
    """Return the hosts of the plays whose hosts depend on the groups, by the names of the plays."""
    plays = load_variables(ROOT / "playbooks" / f"{playbook}.yml")
    plays = [play for play in plays if "kube_etcd" in str(play.get("hosts"))]
    return {play["name"]: evaluate(play["hosts"], groups=groups) for play in plays}


EVERY = ["kube_control_plane", "kube_worker", "kube_etcd"]


@pytest.mark.parametrize(
    ("playbook", "expected"),
    [
        ("cluster", [EVERY, EVERY, ["etcd1"]]),  # inspected, prepared, made members
        ("upgrade", [EVERY, ["etcd1"]]),
        ("reset", [EVERY, ["etcd1"]]),
    ],
)
def test_hosts_of_etcd_take_part_and_nobody_is_taken_for_them(playbook: str, expected: list[list[str]]) -> None:
    assert list(hosts(playbook, EXTERNAL).values()) == expected
    without = [one[:2] if one == EVERY else "!all" for one in expected]
    assert list(hosts(playbook, STACKED).values()) == without


def test_certificates_of_etcd_are_renewed_before_those_of_control_planes() -> None:
    renewed = [["kube_control_plane", "kube_etcd"], ["etcd1"]]
    assert list(hosts("certificates", STACKED).values()) == [["kube_control_plane"], "!all", EVERY[:2], EVERY[:2]]
    assert list(hosts("certificates", EXTERNAL).values()) == [*renewed, EVERY, EVERY]


def test_the_settings_of_a_stacked_etcd_apply() -> None:
    own = load_variables(ROOT / "roles/etcd/vars/main.yml")
    stacked = load_variables(ROOT / "roles/control_plane/defaults/main.yml")
    assert own["__etcd_cipher_suites"] == stacked["control_plane_tls_cipher_suites"]
    for name in ("control_plane_etcd_quota_mib", "control_plane_tls_min_version"):
        assert f"{name} | default({stacked[name]!r})" in own["__etcd_config"]
    patches = {"etcd0+json.json": [], "kube-apiserver0.json": {}}
    assert evaluate(own["__etcd_patches"], control_plane_patches=patches) == {"etcd0+json.json": []}
    assert evaluate(own["__etcd_patches"]) == {}


@pytest.mark.parametrize(
    ("unknown", "running", "users", "refused"),
    [
        ([], [], [], []),
        ([], ["etcd1"], ["cp1"], []),
        (["etcd3"], ["etcd1"], ["cp1"], []),
        (["etcd3"], [], [], ["etcd_hosts"]),
        ([], [], ["cp1"], ["etcd_quorum_lost"]),
    ],
)
def test_an_etcd_that_may_exist_is_not_made_anew(
    unknown: list[str], running: list[str], users: list[str], refused: list[str]
) -> None:
    tasks = load_variables(ROOT / "roles/etcd/tasks/create.yml")
    known = {"__etcd_unknown": unknown, "__etcd_running": running, "__etcd_users": users}
    found = []
    for task in tasks:
        if "ansible.builtin.assert" in task:
            given = task["ansible.builtin.assert"]
            if not evaluate(trust_as_template("{{ " + given["that"] + " }}"), **known):
                found.append(evaluate(given["fail_msg"], **known).rpartition("slipway:")[2].strip("] "))
    assert found == refused


@pytest.mark.parametrize(
    ("servers", "reference", "asked"),
    [(["https://1:2379"], "cp2", False), (["https://9:2379"], "cp2", True), (["https://1:2379"], "cp1", True)],
)
def test_what_an_interrupted_run_left_of_the_members_is_finished(
    servers: list[str], reference: str, asked: bool
) -> None:
    (task,) = [
        one
        for one in load_variables(ROOT / "roles/control_plane/tasks/main.yml")
        if "use_etcd" in str(one.get("ansible.builtin.include_tasks"))
    ]
    known = {
        "kube_host": {"cluster": {"member": True, "etcd_servers": servers}},
        "__control_plane_etcd_endpoints": ["https://1:2379"],
        "__control_plane_etcd_hosts": ["etcd1"],
        "inventory_hostname": "cp1",
        "kube_reference_control_plane": reference,
    }
    condition = trust_as_template("{{ " + task["when"] + " }}")
    assert evaluate(condition, **known) is asked
    nothing = {"__control_plane_etcd_endpoints": [], "__control_plane_etcd_hosts": []}
    assert evaluate(condition, **{**known, **nothing}) is False


@pytest.mark.parametrize(
    ("groups", "saved_by", "saved"),
    [
        (STACKED, "", False),
        (EXTERNAL, "", False),  # an earlier run has upgraded the members, and its snapshot is not recent
        (EXTERNAL, "etcd1", True),
    ],
)
def test_an_upgrade_has_one_snapshot(groups: dict[str, list[str]], saved_by: str, saved: bool) -> None:
    own = load_variables(ROOT / "roles/upgrade/vars/main.yml")
    hostvars = {name: {"__upgrade_snapshot_saved": True} if name == saved_by else {} for name in groups["kube_cluster"]}
    assert evaluate(own["__upgrade_saved"], groups=groups, hostvars=hostvars) is saved
    (before,) = [
        task for task in load_variables(ROOT / "roles/upgrade/tasks/main.yml") if "slipway.kube.etcd_snapshot" in task
    ]
    condition = trust_as_template("{{ " + before["when"][0] + " }}")
    known = {**own, "groups": groups, "hostvars": hostvars, "__upgrade_plan": {"snapshot": True}}
    assert evaluate(condition, **known) is not saved


def test_a_control_plane_that_is_not_known_may_have_a_cluster() -> None:
    own = load_variables(ROOT / "roles/etcd/vars/main.yml")
    hostvars: dict[str, dict[str, Any]] = {
        name: {"kube_host": {"cluster": {"member": False}}} for name in ("etcd1", "cp1")
    }
    known = {**own, "groups": EXTERNAL, "hostvars": hostvars}
    assert evaluate(own["__etcd_unknown"], **known) == [] and evaluate(own["__etcd_users"], **known) == []
    hostvars["cp1"] = {}
    assert evaluate(own["__etcd_unknown"], **known) == ["cp1"]


def test_a_host_of_etcd_may_be_named_for_its_reboot() -> None:
    own = load_variables(ROOT / "roles/node/vars/main.yml")
    plan = load_variables(ROOT / "roles/node/tasks/plan_reboot.yml")
    task, silent = (
        next(one["vars"] for one in plan if variable in one.get("vars", {}))
        for variable in ("__node_unknown", "__node_silent")
    )
    hostvars: dict[str, dict[str, Any]] = {
        name: {"kube_node_name": f"node-{name}"} for name in EXTERNAL["kube_cluster"]
    }
    known = {
        **own,
        **silent,
        "groups": EXTERNAL,
        "hostvars": hostvars,
        "node_reboot_hosts": ["etcd1", "w1", "node-cp1"],
    }
    assert evaluate(task["__node_unknown"], **known) == []
    assert sorted(evaluate(silent["__node_silent"], **known)) == ["cp1", "etcd1", "w1"]
    groups = {**EXTERNAL, "kube_maintained": ["etcd1", "w1"]}
    assert hosts("node_reboot", groups)["Reboot the hosts of an external etcd"] == ["etcd1"]
    assert hosts("node_reboot", {**groups, "kube_maintained": ["w1"]})["Reboot the hosts of an external etcd"] == "!all"
    assert hosts("node_reboot", STACKED)["Reboot the hosts of an external etcd"] == "!all"


def test_a_lost_host_of_etcd_has_the_address_of_its_connection() -> None:
    own = load_variables(ROOT / "roles/node/vars/main.yml")
    hostvars: dict[str, dict[str, Any]] = {
        "cp1": {"kube_node_ip": "192.0.2.1,fd00::1", "ansible_host": "198.51.100.1"},
        "w1": {},
        "etcd1": {"ansible_host": "192.0.2.31"},
    }
    found = evaluate(own["__node_addresses"], **own, groups=EXTERNAL, hostvars=hostvars)
    assert found == {"cp1": ["192.0.2.1", "fd00::1"], "w1": ["w1"], "etcd1": ["192.0.2.31"]}


@pytest.mark.parametrize(
    ("groups", "reset", "refused"),
    [
        (STACKED, ["w1"], False),
        (STACKED, ["cp1", "w1"], False),
        (EXTERNAL, ["w1"], False),
        (EXTERNAL, ["etcd1", "w1"], True),
        (EXTERNAL, ["cp1", "w1"], False),
        (EXTERNAL, ["cp1", "w1", "etcd1"], False),
    ],
)
def test_the_whole_etcd_of_a_cluster_that_is_kept_is_not_reset(
    groups: dict[str, list[str]], reset: list[str], refused: bool
) -> None:
    own = load_variables(ROOT / "roles/reset/vars/main.yml")
    (given,) = [
        task["ansible.builtin.assert"]
        for task in load_variables(ROOT / "roles/reset/tasks/confirm.yml")
        if "etcd" in str(task.get("ansible.builtin.assert"))
    ]
    known = {**own, "groups": groups, "ansible_play_hosts_all": reset}
    assert evaluate(trust_as_template("{{ " + given["that"] + " }}"), **known) is not refused


def rotation(planned: dict[str, tuple[list[str], list[str]]], of: str, on: str = "cp1", asked: str = "all") -> Any:
    """Return a variable of role certificates.

    :param planned: what is rotated on each host according to its folder, and what would be rotated.
    """
    own = load_variables(ROOT / "roles/certificates/vars/main.yml")
    hostvars: dict[str, dict[str, Any]] = {
        name: {"inventory_hostname": name, "kube_host": {"cluster": {"healthy": True}}}
        for name in ("cp1", "etcd1", "w1")
    }
    for name, (rotating, rotate) in planned.items():
        hostvars[name]["__certificates_planned"] = {"rotating": rotating, "rotate": rotating or rotate}
    known = {**own, **hostvars[on], "groups": EXTERNAL, "hostvars": hostvars, "ansible_play_hosts_all": ["cp1", "w1"]}
    return evaluate(trust_as_template("{{ " + of + " }}"), **known, certificates_rotate_authorities=asked)


def test_hosts_of_etcd_are_asked_for_their_authority_and_control_planes_for_the_others() -> None:
    assert rotation({}, "__certificates_asked", "cp1", "ca, etcd-ca") == ["ca"]
    assert rotation({}, "__certificates_asked", "etcd1", "ca, etcd-ca") == ["etcd-ca"]
    assert rotation({}, "__certificates_asked", "etcd1", "ca") == []
    assert rotation({}, "__certificates_asked", "etcd1") == rotation({}, "__certificates_asked") == ["all"]
    assert [rotation({}, "__certificates_worker", on) for on in ("cp1", "etcd1", "w1")] == [False, False, True]


@pytest.mark.parametrize(
    ("plane", "member", "begins", "etcd"),
    [
        (([], ["ca"]), ([], ["etcd-ca"]), ["ca"], ["etcd1"]),
        (([], ["ca"]), ([], []), ["ca"], []),
        (([], []), ([], ["etcd-ca"]), [], ["etcd1"]),
        ((["ca"], []), ([], ["etcd-ca"]), ["ca"], []),  # one that was interrupted goes on with what it began with
        (([], ["ca"]), (["etcd-ca"], []), [], ["etcd1"]),
    ],
)
def test_no_rotation_begins_while_another_is_unfinished(plane: Any, member: Any, begins: Any, etcd: Any) -> None:
    planned = {"cp1": plane, "etcd1": member}
    assert rotation(planned, "__certificates_begins") == begins
    assert rotation(planned, "__certificates_etcd_rotates") == etcd
    assert rotation(planned, "__certificates_etcd_absent") == ["etcd1"], "such a run is refused"


def test_several_control_planes_use_all_members_and_leave_none_of_them_when_a_join_is_repeated() -> None:
    own = load_variables(ROOT / "roles/control_plane/vars/main.yml")
    groups = {**EXTERNAL, "kube_control_plane": ["cp1", "cp2"], "kube_etcd": ["etcd1", "etcd2"]}
    hostvars: dict[str, dict[str, Any]] = {
        name: {"kube_node_ip": f"fd00::{number}", "kube_host": {"cluster": {"member": True}}}
        for number, name in enumerate(["cp1", "cp2", "w1", "etcd1", "etcd2"], 1)
    }
    known = {**own, "groups": groups, "hostvars": hostvars, "inventory_hostname": "cp2"}
    urls = ["https://[fd00::4]:2379", "https://[fd00::5]:2379"]
    assert evaluate(own["__control_plane_etcd_endpoints"], **known) == urls
    assert evaluate(own["__control_plane_other_etcd"], **known) == [], "a control plane is no member"
    stacked = {**known, "groups": {**groups, "kube_etcd": []}}
    assert evaluate(own["__control_plane_other_etcd"], **stacked) == ["https://[fd00::1]:2379"]
    given = load_variables(ROOT / "roles/control_plane/tasks/use_etcd.yml")[0]
    assert (
        given["throttle"] == 1
        and given["slipway.kube.etcd_member"]["endpoints"] == "{{ __control_plane_etcd_endpoints }}"
    )
