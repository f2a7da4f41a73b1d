# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong inventories and variables, made from the argument specifications of the roles: each is refused on the control node, in words that help.

A variable that is added to a specification is covered without a change here.
"""

from __future__ import annotations

import copy
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_inventory, check_variables
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.names import is_typo, suggest_variable
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.problem import Problem, render
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.values import RANGES, SPLIT_LISTS
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.variables import Variables

ROLES = Path(__file__).resolve().parents[3] / "roles"
TWO_SCREENS = 50  # lines
LOADER = DataLoader()


def specifications() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (role, name, option) of each variable."""
    seen = set()
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in (entry.get("options") or {}).items():
                if name not in seen:
                    seen.add(name)
                    yield path.parents[1].name, name, option


SPECIFIED = list(specifications())
OPTIONS = {name: option for _role, name, option in SPECIFIED}
ROLE = {name: role for role, name, _option in SPECIFIED}


class Cached(Variables):
    """Reads each file of the roles once for all inventories."""

    read: ClassVar[dict[Path, dict[str, Any]]] = {}

    def load(self, path: Path) -> dict[str, Any]:
        if path not in self.read:
            self.read[path] = super().load(path)
        return copy.deepcopy(self.read[path])


class HostVars(dict):
    """Stands for the object of this name in Ansible, which returns the raw variables of a host."""

    def raw_get(self, host: str) -> dict[str, Any]:
        return self.get(host, {})


def problems_of(hosts: dict[str, dict[str, Any]], groups: dict[str, list[str]] | None = None) -> list[Problem]:
    """Return the problems of an inventory, of one control plane and one worker if no groups are given."""
    groups = groups or {"kube_control_plane": [*hosts][:1], "kube_worker": [*hosts][1:], "kube_cluster": [*hosts]}
    hostvars = HostVars({name: {"inventory_hostname": name, **values} for name, values in hosts.items()})
    own = {"inventory_hostname": "localhost", "hostvars": hostvars, "ansible_play_hosts_all": ["localhost"]}
    cluster = Cached(LOADER, {**own, "groups": {"all": [*hosts], "ungrouped": [], **groups}}).cluster()
    return [problem for problem in check_inventory(cluster) if problem.severity == "error"]


def two_hosts(**variables: Any) -> dict[str, dict[str, Any]]:
    """Return the variables of two hosts: these, and an address."""
    return {name: {"ansible_host": f"192.0.2.1{number}", **variables} for number, name in enumerate(("cp1", "w1"))}


def wrong_values(name: str, option: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield (wrong value, what the message says is right)."""
    kind = option["type"]
    strings = kind in ("str", "path")
    right = {"int": "whole number", "float": "number", "bool": "true or false", "list": "list", "dict": "dict"}
    word = option["choices"][0] if option.get("choices") and kind != "list" else right.get(kind, "")
    word = word if isinstance(word, str) else str(word)
    yield None, "default"
    if kind == "dict":
        yield "key=value", f'{{"{name}": '
        yield ["element"], word
    elif kind == "list":
        if ROLE[name] not in SPLIT_LISTS:
            yield "one,two", f'{{"{name}": '
        yield {"key": 1}, word
    else:
        yield ["element"], word
        yield {"key": 1}, word
    if kind in ("int", "float", "bool"):
        yield "plenty", word
    if kind in ("int", "float"):
        yield True, word
        yield (RANGES.get(name, (0, None))[0] or 0) - 1, word
        if most := RANGES.get(name, (0, None))[1]:
            yield str(most + 1), str(most)
    if strings and not option.get("choices"):
        yield True, "string" if kind == "str" else "path"
    if option.get("choices") and name != "preflight_waive":  # see test_checks.py
        yield (["nonsense"] if kind == "list" else "77" if kind == "int" else "nonsense"), str(option["choices"][0])
    if kind == "list" and option.get("elements") in ("str", "dict"):
        inner = "string" if option["elements"] == "str" else "dict"
        yield [["inner"]], option["choices"][0] if option.get("choices") and name != "preflight_waive" else inner
    if option.get("options") and kind == "dict":
        (key, inner), *_others = option["options"].items()
        yield {"keey": "x"}, key
        yield {key: ["x"]}, inner["choices"][0] if inner.get("choices") else "string"
    if option.get("options") and kind == "list":
        key, *_others = option["options"]
        yield [{"keey": "x"}], key


CASES = [(name, value, right) for name, option in OPTIONS.items() for value, right in wrong_values(name, option)]
ROUNDS = max(len([case for case in CASES if case[0] == name]) for name in OPTIONS)


def test_there_are_enough_cases() -> None:
    assert len(OPTIONS) > 200 and len(CASES) > 800
    assert set(RANGES) <= {name for name, option in OPTIONS.items() if option["type"] in ("int", "float")}


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_wrong_value_of_any_variable_is_refused_and_named(turn: int) -> None:
    cases = {}
    for name in OPTIONS:
        mine = [case for case in CASES if case[0] == name]
        if turn < len(mine):
            cases[name] = mine[turn][1:]
    problems = problems_of(two_hosts(**{name: value for name, (value, _right) in cases.items()}))
    bad = []
    for name, (value, right) in cases.items():
        report = [problem for problem in problems if f" {name} " in problem.what]
        text = render(report)
        said = "null" if value is None else str(value) if isinstance(value, (int, str)) else ""
        said = "true" if value is True else said
        if OPTIONS[name].get("no_log") or OPTIONS[name]["type"] in ("list", "dict") and isinstance(value, str):
            said = ""  # it may be secret
            assert str(value) not in text or value is None or value is True, text
        complete = report and {problem.host for problem in report} == {"cp1", "w1"} and said in text and right in text
        if not complete or len(text.splitlines()) > TWO_SCREENS or any(not problem.remedy for problem in report):
            bad.append(f"{name}: {value!r} ({said}, {right}): {text or 'ACCEPTED'}")
    assert not bad, "\n".join(bad)
    # The defaults stand in for the wrong values, so nothing else is said.
    assert {problem.check for problem in problems} == {"variables"}, render(problems)


def typos(name: str) -> set[str]:
    """Return misspellings of a name: two letters swapped, one missing, one doubled, one wrong; in each of its words."""
    found, start = set(), 0
    for word in name.split("_"):
        end = start + len(word)
        middle = (start + end) // 2
        if len(word) > 3:
            found.add(name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :])
            found.add(name[:middle] + name[middle + 1 :])
            found.add(name[:middle] + name[middle] + name[middle:])
            found.add(name[: end - 1] + "x" + name[end:])
        start = end + 1
    return found - set(OPTIONS)


def plausible(typo: str, suggested: str, names: set[str]) -> bool:
    """Return whether a suggestion is the name that was misspelt, or another one that is as near: http for httpx, of https."""
    return suggested in names or suggested in OPTIONS and is_typo(typo, suggested)


def test_a_misspelt_name_of_any_variable_is_refused_with_the_right_one() -> None:
    names: dict[str, set[str]] = {}
    for name in OPTIONS:
        for typo in typos(name):
            names.setdefault(typo, set()).add(name)  # several, where two names differ in one letter
    assert len(names) > 1500
    problems = problems_of(two_hosts(**dict.fromkeys(names, "x")))
    found = {problem.what.split()[-1].rstrip("."): problem.evidence.split()[-1] for problem in problems}
    missed = [
        f"{typo}: {found.get(typo, 'ACCEPTED')}"
        for typo in names
        if not plausible(typo, found.get(typo, ""), names[typo])
    ]
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize(
    "name",
    [
        *("backup_host", "backup_user", "node_exporter_version", "node_role", "network_team", "cube_version"),
        *("mirror_of_mine", "worker_count", "verify_ssl", "lab_owner", "kernel_version", "health_url", "swap_size"),
        *("etcd_data_dir", "upgrade_window", "certificates_path", "restore_from", "docker_version", "ansible_user"),
        *("kubernetes_dashboard_host", "containerd_registry_user", "control_plane_owner", "app_version", "bundle_user"),
    ],
)
def test_a_variable_of_the_user_is_none_of_ours(name: str) -> None:
    assert suggest_variable(name, ROLE) is None


def test_a_user_s_variable_that_gives_ours_its_value_is_none_of_ours() -> None:
    assert suggest_variable("node_ip", ROLE) == "kube_node_ip"
    assert suggest_variable("node_ip", ROLE, ["kube_node_ip", "node_ip"]) is None
    # A file and the command line may have both.
    assert suggest_variable("kube_versoin", ROLE, ["kube_version", "kube_versoin"]) == "kube_version"


GROUPS = {"kube_control_plane": ["cp1"], "kube_worker": ["w1"], "kube_cluster": ["cp1", "w1"]}
HOSTS = two_hosts()


def both(**variables: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    return two_hosts(**variables), GROUPS


# Inventories that contradict themselves; what the message must contain: the variable or host, the value, what would be right.
CONTRADICTIONS: dict[str, tuple[tuple[dict[str, Any], dict[str, list[str]]], list[str]]] = {
    "no control plane": (
        (HOSTS, {"kube_worker": ["cp1", "w1"], "kube_cluster": ["cp1", "w1"]}),
        ["kube_control_plane"],
    ),
    "empty control plane": (({}, {"kube_control_plane": [], "kube_cluster": []}), ["kube_control_plane", "Add"]),
    "no group of all nodes": (
        (HOSTS, {"kube_control_plane": ["cp1"], "kube_worker": ["w1"]}),
        ["kube_cluster", "cp1", "w1"],
    ),
    "worker not in the cluster": (
        (HOSTS, {**GROUPS, "kube_cluster": ["cp1"]}),
        ["w1", "kube_worker a child of kube_cluster"],
    ),
    "host without a role": (
        ({**HOSTS, "w2": {}}, {**GROUPS, "kube_cluster": ["cp1", "w1", "w2"]}),
        ["w2", "neither", "kube_worker"],
    ),
    "misspelt group": (
        (HOSTS, {**GROUPS, "kube_worker": [], "kube_workers": ["w1"]}),
        ["kube_workers", "kube_worker,"],
    ),
    "misspelt group of control planes": (
        (HOSTS, {"kube_controlplane": ["cp1"], "kube_worker": ["w1"], "kube_cluster": ["cp1", "w1"]}),
        ["kube_controlplane", "kube_control_plane"],
    ),
    "host in two groups": ((HOSTS, {**GROUPS, "kube_worker": ["cp1", "w1"]}), ["cp1", "kube_worker"]),
    "duplicate address": (
        ({name: {"ansible_host": "192.0.2.9"} for name in HOSTS}, GROUPS),
        ["cp1, w1", "192.0.2.9", "unique"],
    ),
    "duplicate node address": (both(kube_node_ip="192.0.2.9"), ["kube_node_ip", "192.0.2.9", "unique"]),
    "duplicate node name": (both(kube_node_name="node"), ["kube_node_name", "node", "unique"]),
    "name that is no DNS label": (
        (
            {"cp_1": {}, "w1": {}},
            {"kube_control_plane": ["cp_1"], "kube_worker": ["w1"], "kube_cluster": ["cp_1", "w1"]},
        ),
        ["cp_1", "lowercase"],
    ),
    "name in upper case": (both(kube_node_name="Node"), ["Node", "lowercase"]),
    "host called as its group": (
        (
            {"cp1": {}, "kube_worker": {}},
            {**GROUPS, "kube_worker": ["kube_worker"], "kube_cluster": ["cp1", "kube_worker"]},
        ),
        ["kube_worker", "Rename"],
    ),
    "node address that is none": (both(kube_node_ip="192.0.2.300"), ["kube_node_ip", "192.0.2.300", "IP address"]),
    "several control planes without an endpoint": (
        (HOSTS, {"kube_control_plane": ["cp1", "w1"], "kube_cluster": ["cp1", "w1"]}),
        ["cp1, w1", "kube_control_plane_endpoint", "load balancer"],
    ),
    "endpoint that is a URL": (both(kube_control_plane_endpoint="https://api:6443"), ["https://api:6443", "HOST:PORT"]),
    "port that is none": (both(kube_control_plane_endpoint="api.example.com:66443"), ["66443", "HOST:PORT"]),
    "endpoint and virtual address": (
        both(kube_control_plane_endpoint="192.0.2.5", kube_control_plane_vip="192.0.2.6"),
        ["192.0.2.5", "192.0.2.6", "kube_control_plane_vip"],
    ),
    "virtual address of a node": (both(kube_control_plane_vip="192.0.2.10"), ["kube_control_plane_vip", "192.0.2.10"]),
    "virtual address that is none": (both(kube_control_plane_vip="api.example.com"), ["api.example.com", "address"]),
    "version that is incomplete": (both(kube_version=1.37), ["kube_version", "1.37", "MAJOR.MINOR.PATCH"]),
    "version that is not supported": (both(kube_version="1.20.4"), ["1.20.4", "kube_versions"]),
    "two versions": (
        ({"cp1": {"kube_version": "1.37.2"}, "w1": {"kube_version": "1.36.3"}}, GROUPS),
        ["1.37.2", "1.36.3"],
    ),
    "two pod networks": (
        ({"cp1": {"kube_pod_subnet": "10.1.0.0/16"}, "w1": {"kube_pod_subnet": "10.2.0.0/16"}}, GROUPS),
        ["kube_pod_subnet", "10.1.0.0/16", "10.2.0.0/16", "once"],
    ),
    "overlap of pods and Services": (
        both(kube_pod_subnet="10.96.0.0/16"),
        ["kube_pod_subnet", "10.96.0.0/16", "kube_service_subnet"],
    ),
    "overlap of pods and hosts": (both(kube_pod_subnet="192.0.0.0/16"), ["kube_pod_subnet", "192.0.2.10", "Choose"]),
    "network with host bits": (both(kube_pod_subnet="10.244.0.1/16"), ["kube_pod_subnet", "10.244.0.1/16", "PREFIX"]),
    "network that is none": (both(kube_service_subnet="services"), ["kube_service_subnet", "services", "PREFIX"]),
    "pod network too small": (both(kube_pod_subnet="10.244.0.0/24"), ["10.244.0.0/24", "larger"]),
    "pod network too large": (both(kube_pod_subnet="11.0.0.0/7"), ["kube_pod_subnet"]),
    "Service network too large": (both(kube_service_subnet="10.0.0.0/8"), ["10.0.0.0/8", "/12"]),
    "address families that differ": (
        both(kube_pod_subnet="10.244.0.0/16,fd00:1::/48", kube_service_subnet="10.96.0.0/16"),
        ["kube_pod_subnet", "kube_service_subnet", "IPv6"],
    ),
    "node without the family of pods": (
        ({"cp1": {"kube_node_ip": "fd00::1"}, "w1": {}}, GROUPS),
        ["fd00::1", "kube_node_ip", "kube_pod_subnet"],
    ),
    "DNS domain that is none": (both(kube_dns_domain="Cluster_Local"), ["kube_dns_domain", "Cluster_Local"]),
    "forwarder that is a name": (both(kube_dns_forwarders=["dns.example.com"]), ["dns.example.com", "ADDRESS"]),
    "host entry without an address": (both(kube_dns_hosts={"mirror": ["a.example.com"]}), ["kube_dns_hosts", "mirror"]),
    "unknown add-on": (both(kube_addons=["metalb"]), ["metalb", "kube_addons"]),
    "add-on without its setting": (both(kube_addons=["metallb"]), ["metallb", "addresses"]),
    "setting of an unknown add-on": (both(kube_addons_settings={"metalb": {}}), ["metalb", "kube_addons"]),
    "load balancer addresses of a node": (
        both(kube_addons=["metallb"], kube_addons_settings={"metallb": {"addresses": ["192.0.2.1-192.0.2.20"]}}),
        ["192.0.2.1-192.0.2.20", "cp1"],
    ),
    "label that is none": (both(kube_node_labels={"a b": "c"}), ["a b", "PREFIX"]),
    "label that is no string": (both(kube_node_labels={"gpu": True}), ["gpu", "quotes"]),
    "taint with an unknown effect": (
        both(kube_node_taints=[{"key": "a", "effect": "NoSchedul"}]),
        ["kube_node_taints", "NoSchedul", "NoSchedule"],
    ),
    "mirror without a URL": (
        both(kube_registry_mirrors={"registry.k8s.io": [{"uri": "x"}]}),
        ["registry.k8s.io", "url"],
    ),
    "proxy that is none": (both(kube_http_proxy="proxy:3128"), ["kube_http_proxy", "http://"]),
    "check that does not exist": (both(preflight_waive=["memroy"]), ["memroy", "memory"]),
    "pod security without the namespace of the system": (
        both(control_plane_pod_security={"enforce": "baseline"}, control_plane_pod_security_exempt=[]),
        ["control_plane_pod_security", "kube-system"],
    ),
    "processes of a pod": (both(control_plane_pod_pids_limit=5), ["control_plane_pod_pids_limit", "5", "100"]),
}


@pytest.mark.parametrize("case", CONTRADICTIONS, ids=str)
def test_an_inventory_that_contradicts_itself_is_refused(case: str) -> None:
    (hosts, groups), parts = CONTRADICTIONS[case]
    problems = problems_of(hosts, groups)
    text = render(problems)
    assert problems and len(text.splitlines()) <= TWO_SCREENS
    assert [part for part in parts if part not in text] == [], text
    assert all(problem.what and problem.evidence and problem.remedy for problem in problems)


def test_without_hosts_the_variables_of_the_command_line_are_checked() -> None:
    hostvars = HostVars(localhost={"inventory_hostname": "localhost", "bundle_prun": "x", "bundle_state": "packd"})
    own = {"inventory_hostname": "localhost", "hostvars": hostvars, "groups": {"all": []}, "ansible_play_hosts_all": []}
    problems = check_variables(Cached(LOADER, own).cluster())
    assert sorted(problem.check for problem in problems) == ["variable_names", "variables"]
    assert "bundle_prune" in render(problems) and "packed" in render(problems)


TOP = Path(__file__).resolve().parents[3]
GUIDES = [TOP / "README.md", *sorted((TOP / "docs" / "guides").glob("*.md"))]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_what_a_guide_sets_is_accepted(page: Path) -> None:
    """Variables of the command line, and those that are shown as a part of group_vars."""
    text = re.sub(r"^```yaml.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
    values: list[dict[str, Any]] = []
    for command in re.findall(r"ansible-playbook slipway\.kube\.\w+[^\n`]*", text):
        pairs = [word.split("=", 1) for word in shlex.split(command, comments=True) if re.match(r"\w+=", word)]
        values.append(dict(pairs))
    for block in re.findall(r"(?:^    \S.*\n(?:^    .*\n)*)", text, re.MULTILINE):
        if re.match(r"    [a-z]+_\w+:", block):
            values.append(LOADER.load(textwrap.dedent(block)))
    for some in values:
        known = {name: value for name, value in some.items() if name in OPTIONS}
        wrong = [problem for problem in problems_of(two_hosts(**known)) if problem.check == "variables"]
        assert not wrong, f"{known}: {render(wrong)}"
