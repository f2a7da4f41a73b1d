# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of problems, waiving, and that every check's name is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.modules import preflight
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import checks
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.problem import Problem, count, drop_waived, render

ROOT = Path(__file__).resolve().parents[5]


def test_every_registered_check_has_a_name_and_runs():
    text = "".join(path.read_text() for path in Path(checks.__file__).parent.glob("*.py"))
    used = re.findall(r'@CHECKS\.(?:host|cluster)\("(\w+)"', text)
    assert set(used) == set(checks.NAMES)
    assert len(used) == len(
        re.findall(r"^def check_\w+\((?:host: Host|cluster: Cluster)\) -> Iterator", text, re.MULTILINE)
    )
    assert len(checks.NAMES) == len(set(checks.NAMES))


def test_names_are_documented():
    specs = yaml.safe_load((ROOT / "roles/preflight/meta/argument_specs.yml").read_text())["argument_specs"]
    choices = yaml.safe_load(preflight.DOCUMENTATION)["options"]["waive"]["choices"]
    assert sorted(choices) == sorted(checks.NAMES)
    for entry in ("main", "check_inventory"):
        assert specs[entry]["options"]["preflight_waive"]["choices"] == choices


def test_variables_that_the_checks_read_are_evaluated():
    text = "".join(path.read_text() for path in Path(checks.__file__).parent.glob("*.py"))
    read = set(re.findall(r'variables(?:\.get\(|\[)"(\w+)"', text))
    # Only requests_for has these, and what Variables adds.
    added = {"addon_images", "ansible_host", "between", "control_plane", "etcd", "external_etcd", "kube_host"}
    assert read - added <= set(checks.VARIABLES)


def test_the_same_problem_of_several_hosts_is_reported_once():
    problems = [
        Problem("memory", "w1", "Too little.", "1 GiB", "More."),
        Problem("memory", "w2", "Too little.", "1 GiB", "More."),
        Problem("memory", "w3", "Too little.", "2 GiB", "More."),
        Problem("groups", "", "None.", "empty", "Add."),
    ]
    assert render(problems) == (
        "ERROR [slipway:memory] Too little.\n    w1, w2: 1 GiB\n    w3: 2 GiB\n    remedy: More.\n"
        "ERROR [slipway:groups] None.\n    evidence: empty\n    remedy: Add."
    )
    assert count(problems, "error") == "2 errors"


def test_a_problem_of_many_hosts_fits_on_the_screen():
    problems = [Problem("addresses", f"w{number}", "Wrong.", f"it is {number}", "Correct.") for number in range(100)]
    lines = render(problems).splitlines()
    assert len(lines) == 13
    assert lines[1:3] == ["    w0: it is 0", "    w1: it is 1"] and lines[-2].startswith(
        "    and 90 more hosts: w10, w11, "
    )
    assert "w99" in lines[-2]


def test_errors_come_first(cluster):
    warning, error = Problem("a", "w1", "A", "", "", "warning"), Problem("b", "w1", "B", "", "")
    assert drop_waived(cluster, [warning, error, error], []) == [error, warning]


@pytest.mark.parametrize(
    ("names", "of_w1", "kept"),
    [([], [], ["w1", "w2", ""]), (["mtu"], [], []), ([], ["mtu"], ["w2"]), ([], ["clock"], ["w1", "w2", ""])],
)
def test_waiving_by_name_for_all_or_for_one_host(cluster, names, of_w1, kept):
    cluster.hosts["w1"].variables["preflight_waive"] = of_w1
    problems = [Problem("mtu", host, "M", "", "") for host in ("w1", "w2", "")]
    assert [problem.host for problem in drop_waived(cluster, problems, names)] == kept


@pytest.mark.parametrize(
    ("waived", "evidence"),
    [
        ([], None),
        (["clock", "etcd_quorum"], None),
        (["clok"], "clok (the most similar name is clock)"),
        (["clock", "xyzzy"], "xyzzy"),
        ("clock", "it is not a list"),
        (3, "it is not a list"),
        ([["clock"]], "['clock']"),
    ],
)
def test_a_misspelt_name_in_preflight_waive_is_refused_in_the_inventory(cluster, findings, waived, evidence):
    cluster.hosts["w1"].variables["preflight_waive"] = waived
    problems = drop_waived(cluster, checks.check_inventory(cluster), [])
    assert findings(problems) == ([("waived_names", "w1", "error")] if evidence else [])
    assert not evidence or problems[0].evidence == evidence
