# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module is called until it is finished; its results are merged, and contain no Secret."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.action import release
from ansible_collections.slipway.kube.plugins.doc_fragments.sources import ModuleDocFragment
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import PARTS, SOURCE_OPTIONS
from ansible_collections.slipway.kube.plugins.plugin_utils import hooks, release_runner
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

CANARY = "c4n4ry-of-a-secret"
ENCODED = base64.b64encode(CANARY.encode()).decode()
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": CANARY}}


class Module:
    """A stand-in for the module: records its arguments, and returns one answer after another."""

    def __init__(self, action: Any, answers: list[dict[str, Any]]) -> None:
        self.calls: list[dict[str, Any]] = []
        self.quiet: list[bool] = []
        self.action = action
        self.answers = iter(answers)

    def __call__(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        assert module_name == "slipway.kube.release"
        self.calls.append(module_args)
        quiet = self.action._play_context.no_log and self.action._connection._play_context.no_log
        self.quiet.append(quiet and self.action._connection.always_pipeline_modules)
        return next(self.answers)

    def payload(self, call: int = 0) -> Any:
        """Return what was passed to the module."""
        return json.loads(zlib.decompress(base64.b64decode(self.calls[call]["_payload"])))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that were shown."""
    lines: list[str] = []
    monkeypatch.setattr(release_runner.display, "display", lambda text, **_more: lines.append(text))
    return lines


def prepared(make_action: Callable[..., Any], answers: list[dict[str, Any]], **arguments: Any) -> tuple[Any, Module]:
    """Return an action whose module returns these answers."""
    action = make_action(**arguments)
    module = Module(action, answers)
    action._execute_module = module
    return action, module


def row(name: str, action: str) -> dict[str, str]:
    """Return an object as the module returns it."""
    return {"api_version": "v1", "kind": "ConfigMap", "namespace": "web", "name": name, "action": action}


def test_slices_become_one_result(make_action: Callable[..., Any], shown: list[str]) -> None:
    answers: list[dict[str, Any]] = [
        {
            "changed": True,
            "finished": False,
            "objects": [row("a", "create"), row("b", "none")],
            "diff": [{"after": "x"}],
            "progress": ["one"],
            "warnings": ["w"],
            "requests": 5,
            "seconds": {"apply": 1.0, "wait": 9.0},
            "invocation": {"module_args": {}},
        },
        {
            "changed": False,
            "finished": False,
            "objects": [row("a", "none")],
            "progress": ["one", "two"],
            "requests": 2,
            "diff": [],
        },
        {
            "changed": False,
            "finished": True,
            "objects": [row("a", "none"), row("c", "delete")],
            "progress": ["two", "three", "three"],
            "warnings": ["w", "v"],
            "pruned": [row("c", "delete")],
            "requests": 3,
            "seconds": {"wait": 2.5},
            "status": "deployed",
            "revision": 4,
        },
    ]
    action, module = prepared(make_action, answers)
    result = release_runner.run_release(
        action, {}, {"name": "shop", "files": ["x"], "timeout": 60, "context": None}, [SECRET], {"post": []}
    )
    assert shown == ["  one", "  two", "  three"]
    assert result == {
        "changed": True,
        "finished": True,
        "objects": [row("a", "create"), row("b", "none"), row("c", "delete")],
        "diff": [{"after": "x"}],
        "progress": ["one", "two", "three"],
        "warnings": ["w", "v"],
        "pruned": [row("c", "delete")],
        "requests": 10,
        "seconds": {"apply": 1.0, "wait": 11.5},
        "status": "deployed",
        "revision": 4,
    }
    assert {frozenset(call) for call in module.calls} == {
        frozenset(["name", "timeout", "pause_after", "_run_id", "_payload"])
    }
    assert (
        len({call["_run_id"] for call in module.calls}) == 1 and module.calls[0]["pause_after"] == release_runner.SLICE
    )
    assert module.payload() == {"objects": [SECRET], "hooks": {when: [] for when in PARTS}}
    assert module.quiet == [True] * 3 and not action._play_context.no_log
    assert not action._connection.always_pipeline_modules


def test_a_failure_ends_it_and_keeps_what_was_changed(make_action: Callable[..., Any], shown: list[str]) -> None:
    answers = [
        {"changed": True, "finished": False, "objects": [row("a", "create")], "progress": []},
        {"changed": False, "failed": True, "finished": False, "msg": "why", "objects": [], "findings": [1]},
        {"msg": "never asked"},
    ]
    action, module = prepared(make_action, answers)
    result = release_runner.run_release(action, {}, {"name": "shop"}, [], {})
    assert (result["failed"], result["msg"], result["changed"], result["findings"]) == (True, "why", True, [1])
    assert result["objects"] == [row("a", "create")] and len(module.calls) == 2


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "Traceback"}, {"unreachable": True, "msg": "gone"}])
def test_an_answer_without_a_word_on_slices_is_the_last(
    make_action: Callable[..., Any], answer: dict[str, Any]
) -> None:
    action, _module = prepared(make_action, [answer])
    assert release_runner.run_release(action, {}, {"name": "shop"}, [])["msg"] == answer["msg"]


def test_values_of_secrets_are_hidden_wherever_they_come(make_action: Callable[..., Any], shown: list[str]) -> None:
    answer = {
        "failed": True,
        "msg": f"Invalid value: {CANARY}",
        "progress": [f"log: password={CANARY}"],
        "findings": [{"logs": [f"x {ENCODED} y"]}],
        "module_stdout": CANARY,
    }
    action, module = prepared(make_action, [answer])
    result = release_runner.run_release(action, {}, {"name": "shop"}, [SECRET])
    assert CANARY not in str(result) + str(shown) and ENCODED not in str(result)
    assert result["msg"] == "Invalid value: ********"
    assert CANARY not in str(module.calls) and ENCODED not in str(module.calls)


# --- the action ------------------------------------------------------------------------------------------------------


def test_the_options_are_documented_as_they_are_taken() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(documented) == set(SOURCE_OPTIONS)

    def compare(specified: dict[str, Any], told: dict[str, Any]) -> None:
        for name, option in specified.items():
            for key in ("type", "elements", "required", "default"):
                assert option.get(key) == told[name].get(key), (name, key)
            compare(option.get("options", {}), told[name].get("suboptions", {}))

    compare(SOURCE_OPTIONS, documented)


def test_the_action_reads_and_hands_over(make_action: Callable[..., Any], shown: list[str]) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {list: 'a, b'}\n"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "annotations": {"slipway.kube/hook": "post"}},
    }
    action, module = prepared(make_action, [{"changed": True, "finished": True}], name="shop", manifests=text)
    assert action.run(task_vars={})["changed"] is True
    assert module.payload()["objects"][0]["data"] == {"list": "a, b"} and "manifests" not in module.calls[0]
    action, module = prepared(make_action, [{"changed": True}], name="shop", manifests=[text, job])
    action.run(task_vars={})
    assert [hook["metadata"]["name"] for hook in module.payload()["hooks"]["post"]] == ["j"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "The release has no objects. Set at least one of manifests, files, templates, kustomize, helm"),
        ({"manifests": []}, "The release has no objects"),
        (
            {"manifest": [{}], "kubconfig": "x"},
            "manifest: unknown option; did you mean manifests?\nkubconfig: unknown option",
        ),
        ({"manifests": ["# nothing\n"]}, "The sources contain no objects"),
        ({"helm": {"values": {}}}, "missing required arguments: chart"),
        (
            {"helm": {"chrt": "x", "valeus": {}}},
            "helm.chrt: unknown option; did you mean chart?\nhelm.valeus: unknown option; did you mean values?",
        ),
        (
            {"manifests": [{"kind": "Secret", "data": {"a": CANARY}}], "files": "none.yml"},
            "none.yml: no such file",
        ),
    ],
)
def test_bad_sources_never_reach_the_module(
    make_action: Callable[..., Any], arguments: dict[str, Any], told: str
) -> None:
    action, module = prepared(make_action, [], name="shop", **arguments)
    result = action.run(task_vars={})
    assert result["failed"] and told in result["msg"] and not module.calls
    assert CANARY not in str(result)


def test_a_release_that_goes_away_needs_no_source(make_action: Callable[..., Any], shown: list[str]) -> None:
    action, module = prepared(make_action, [{"changed": True}], name="shop", state="absent")
    assert action.run(task_vars={})["changed"]
    assert module.payload() == {"objects": [], "hooks": {when: [] for when in PARTS}}


# --- the order of hooks ----------------------------------------------------------------------------------------------


def hook(name: str, after: str = "", kind: str = "Job") -> dict[str, Any]:
    """Return a hook."""
    return {"kind": kind, "metadata": {"name": name, "annotations": {"slipway.kube/hook-after": after}}}


def order(*given: dict[str, Any]) -> list[str]:
    """Return the names in their order."""
    return [hooks.name_of(one) for one in hooks.in_order(given, "pre")]


def test_hooks_come_after_those_they_wait_for() -> None:
    assert order(hook("c", "b, a"), hook("a"), hook("b", "a"), hook("d")) == ["a", "b", "c", "d"]
    assert order(hook("b"), hook("a")) == ["b", "a"]
    assert order(hook("z", "a"), hook("a", kind="ServiceAccount"), hook("a")) == ["a", "a", "z"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([hook("a", "b"), hook("b", "c"), hook("c", "b")], "wait for each other: b -> c -> b"),
        ([hook("a", "a")], "wait for each other: a -> a"),
        (
            [hook("a", "x"), hook("b", "y")],
            "slipway.kube/hook-after names the unknown hook 'x' .available: a, b",
        ),
    ],
)
def test_cycles_and_unknown_hooks_are_refused(given: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(InputError, match=told):
        order(*given)


def test_a_cycle_stops_the_action(make_action: Callable[..., Any]) -> None:
    jobs = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "annotations": {"slipway.kube/hook": "pre", "slipway.kube/hook-after": other}},
        }
        for name, other in (("a", "b"), ("b", "a"))
    ]
    action, module = prepared(make_action, [], name="shop", manifests=jobs)
    assert "wait for each other: a -> b -> a" in action.run(task_vars={})["msg"] and not module.calls
    assert release.source_arguments({"state": "absent"}) == {}
