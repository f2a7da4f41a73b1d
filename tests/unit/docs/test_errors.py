# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every code that a message can carry is in the catalogue, nothing else is there, and no code ever vanishes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import error_catalogue
import pytest

HERE = Path(__file__).resolve().parent
SECTIONS = error_catalogue.sections()
CODES = {code for section in SECTIONS.values() for code in section["codes"]}
FAULTS = set(SECTIONS["cluster"]["codes"]) | set(SECTIONS["workloads"]["codes"])
# Texts of the diagnosis that look like the name of a fault: keys of what it reads and returns.
NOT_FAULTS = {
    *("_requested_percent", "api_services", "control_plane", "coredns_forward_healthcheck_broken_total", "cron_jobs"),
    *("failed_on", "network_policy", "pods_by_phase", "pods_healthy", "schedule_hours"),
}
# Calls that make a finding, and which of their arguments is the fault. str.find and Client.find have one argument.
FAULT_AT = {"Finding": 0, "ImageFault": 0, "find": 0, "_suspended": 0, "pod_finding": 2}


def given_faults() -> set[str]:
    """Return the texts that calls give directly as a fault."""
    found = set()
    for path in sorted(error_catalogue.DIAGNOSIS.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            at = FAULT_AT.get(ast.unparse(call.func).rpartition(".")[2]) if isinstance(call, ast.Call) else None
            if at is None or len(call.args) < at + 2:
                continue
            argument = call.args[at]
            chosen = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
            found |= {one.value for one in chosen if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_every_preflight_check_is_in_the_catalogue_and_the_other_way_around() -> None:
    files, required = error_catalogue.checks()
    assert set(files) == set(SECTIONS["preflight"]["codes"])
    assert [code for code, texts in required.items() if not all(texts)] == []


def test_every_fault_is_in_the_catalogue_and_the_other_way_around() -> None:
    named = error_catalogue.names_of_diagnosis()
    assert {name for name in named if "_" in name.strip("_")} - NOT_FAULTS - FAULTS == set()
    assert given_faults() - FAULTS == set()
    assert FAULTS - set(named) == set()


def test_every_code_in_a_message_is_in_the_catalogue_and_the_other_way_around() -> None:
    messages = error_catalogue.messages()
    assert set(messages) - CODES == set()
    for section in ("changes", "releases", "tools", "failures"):
        assert set(SECTIONS[section]["codes"]) - set(messages) == set()


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("_upgrade/refusals.py", (ast.Yield,)),
        ("_kubeadm/leaving.py", (ast.Raise,)),
        ("_kubeadm/removal.py", (ast.Raise,)),
        ("_reset/identity.py", (ast.Raise,)),
    ],
)
def test_every_refusal_of_a_plan_has_a_code(path: str, reported: tuple[type[ast.AST], ...]) -> None:
    tree = ast.parse((error_catalogue.ROOT / "plugins/module_utils" / path).read_text())
    texts = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, reported)]
    # A bare raise passes on what the API server said, and _not_drained returns a message with its code.
    texts = [text for text in texts if text != "raise" and "_not_drained(" not in text]
    assert texts and [text for text in texts if not error_catalogue.CODE.search(text)] == []


@pytest.mark.parametrize(
    ("folder", "error", "failures"),
    [
        ("plugins/plugin_utils/bundle", "BundleError", {}),
        ("plugins/module_utils/_kubeadm", "ArchiveError", {}),
    ],
)
def test_every_refusal_and_failure_of_a_tool_has_a_code(folder: str, error: str, failures: dict[str, int]) -> None:
    without: Counter[str] = Counter()
    for path in sorted((error_catalogue.ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).startswith(f"{error}("):
                text = ast.unparse(node.exc)
                without[path.name] += not re.search(r"\[slipway:|DAMAGED|REPAIR", text)
    assert +without == Counter(failures)


def test_every_refusal_of_add_ons_and_of_a_lab_has_a_code() -> None:
    addons = (error_catalogue.ROOT / "plugins/plugin_utils/addons/refusals.py").read_text()
    assert set(error_catalogue.CODE.findall(addons)) == {
        *(
            "addon_unmanaged",
            "storage_two_defaults",
            "addon_has_volumes",
            "addon_has_objects",
            "addon_kernel",
            "addon_conflict",
            "addon_redundant",
        ),
    }
    assert len(error_catalogue.CODE.findall(addons)) == 7


def test_codes_are_unique_and_none_vanishes() -> None:
    """A code that was published stays: a new one is added to the list, and one that is no longer raised keeps its entry."""
    codes = [code for section in SECTIONS.values() for code in section["codes"]]
    assert [code for code, times in Counter(codes).items() if times > 1] == []
    assert sorted(codes) == (HERE / "error_codes.txt").read_text().split()


def test_every_entry_says_what_it_means_why_it_matters_and_what_to_do() -> None:
    for name, section in SECTIONS.items():
        wanted = ["why", "do"] if name == "preflight" else ["means", "why", "do"]
        for code, text in section["codes"].items():
            assert list(text) == wanted, code
            assert all(re.search(r"[.)`]$", value) and len(value) > 10 for value in text.values()), code


def test_the_page_has_an_entry_for_every_code_with_the_place_where_it_is_raised() -> None:
    page = error_catalogue.errors_page()
    entries = re.findall(r"^### (\w+)\n\n(.+)\n\n- \*\*Why.+\n- \*\*What.+\n- \*\*Raised in:\*\* `(.+)`$", page, re.M)
    assert {code for code, _means, _where in entries} == CODES
    for _code, _means, where in entries:
        assert all((error_catalogue.ROOT / path).is_file() for path in where.split("`, `"))
