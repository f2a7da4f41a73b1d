# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What results say to a person."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.results import (
    changes_of,
    problem_of,
    shown_of,
    unknown_of,
    warnings_of,
)

CENSORED = {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"}
MESSAGE = "The disk is full.\nEvidence: 0 bytes are free on /var.\nRemedy: remove files."


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ({"msg": MESSAGE, "failed": True}, MESSAGE),
        ({"msg": ["one", "two"]}, "one\ntwo"),
        ({"msg": "non-zero return code", "stderr": "a\nb: no", "stdout": "out"}, "non-zero return code\n  a\n  b: no"),
        ({"msg": "non-zero return code", "stderr": "", "stdout": "out"}, "non-zero return code\n  out"),
        ({"msg": "it said: no", "stderr": "no"}, "it said: no"),
        (
            {"module_stderr": "Traceback\nKeyError: 1", "msg": "MODULE FAILURE"},
            "MODULE FAILURE\n  Traceback\n  KeyError: 1",
        ),
        ({**CENSORED, "changed": False}, CENSORED["censored"]),
        ({}, "no message; the log has the whole result"),
        (
            {
                "msg": "One or more items failed",
                "results": [
                    {"item": "a", "failed": True, "msg": "bad"},
                    {"item": "b", "failed": False, "msg": "good"},
                    {"item": {"password": "secret"}, "failed": True, "msg": "worse"},
                    {"item": "c", "_ansible_no_log": True, "failed": True, **CENSORED},
                ],
            },
            f"a: bad\nworse\n{CENSORED['censored']}",
        ),
    ],
)
def test_a_problem_is_its_message_with_evidence(result, wanted):
    assert problem_of(result) == wanted


def test_of_a_long_output_the_end_is_quoted():
    text = problem_of({"msg": "failed", "stderr": "\n".join(f"line {number}" for number in range(100))})
    assert text.splitlines()[0] == "failed"
    assert text.splitlines()[1:] == [f"  line {number}" for number in range(90, 100)]


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ({"msg": "The cluster is ready.", "changed": False, "_ansible_verbose_always": True}, "The cluster is ready."),
        ({"msg": ["NODE  ROLE", "cp1   control-plane"]}, "NODE  ROLE\ncp1   control-plane"),
        ({"answer": 42, "changed": False, "failed": False}, "answer: 42"),
        ({"answer": {"a": 1}}, 'answer: {\n  "a": 1\n}'),
        (
            {"results": [{"msg": "one", "item": 1}, {"msg": "two", "skipped": True}], "msg": "All items completed"},
            "one",
        ),
        ({**CENSORED}, ""),
        ({"msg": []}, ""),
    ],
)
def test_what_debug_shows(result, wanted):
    assert shown_of(result) == wanted


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ({"changed": True, "changes": ["Write /etc/hosts", "Start kubelet"]}, ["Write /etc/hosts", "Start kubelet"]),
        ({"changed": True, "changes": {"before": 1}}, []),
        ({"changed": True}, []),
        ({"results": [{"item": "a", "changed": True}, {"item": "b"}, {"changed": True, "changes": ["x"]}]}, ["a", "x"]),
        ({"results": [{"item": "a", "changed": True, "_ansible_no_log": True}]}, []),
        ({**CENSORED, "changes": ["secret"]}, []),
    ],
)
def test_what_a_task_changes(result, wanted):
    assert changes_of(result) == wanted


def test_warnings_are_texts_or_structures_around_one():
    structure = SimpleNamespace(event=SimpleNamespace(msg="newer"))
    assert warnings_of({"warnings": ["older", structure]}) == ["older", "newer"]
    assert warnings_of({}) == []
    assert warnings_of({**CENSORED, "warnings": ["secret"]}) == []


def test_a_censored_loop_says_nothing_of_its_items():
    result = {
        **CENSORED,
        "failed": True,
        "results": [{"item": "secret", "failed": True, "msg": "secret", "changed": True}],
    }
    assert (problem_of(result), shown_of(result), changes_of(result)) == (CENSORED["censored"], "", [])


@pytest.mark.parametrize(
    "result",
    [
        {"msg": "Command would have run if not in check mode"},
        {"msg": "remote module (ping) does not support check mode"},
        {"false_condition": "not ansible_check_mode", "skip_reason": "Conditional result was False"},
        {"false_condition": "wanted and not (ansible_check_mode and layer is changed)"},
        {"false_condition": "ansible_check_mode is false"},
        {"results": [{"changed": True}, {"skipped": True, "false_condition": "not ansible_check_mode"}]},
    ],
)
def test_check_mode_does_not_know_what_it_leaves_out(result):
    assert unknown_of(result, True)


@pytest.mark.parametrize(
    "result",
    [
        {"false_condition": "inventory_hostname == 'w1'"},
        {"false_condition": "ansible_check_mode and missing | length > 0"},
        {"false_condition": False},
        {"results": [{"changed": True}, {"skipped": True, "false_condition": "item"}]},
        {"results": [{"changed": True, "msg": "check mode"}]},
        {"censored": "hidden", "false_condition": "not ansible_check_mode"},
    ],
)
def test_other_tasks_that_are_skipped_are_known(result):
    assert not unknown_of(result, True)
    assert not unknown_of({"msg": "check mode"}, False)


def test_objects_of_a_cluster_are_changes():
    objects = [
        {"api_version": "apps/v1", "kind": "Deployment", "namespace": "web", "name": "web", "action": "change"},
        {"api_version": "v1", "kind": "Namespace", "namespace": "", "name": "web", "action": "create"},
        {"api_version": "v1", "kind": "Service", "namespace": "web", "name": "web", "action": "none"},
    ]
    pruned = [{"api_version": "v1", "kind": "Service", "namespace": "web", "name": "old"}]
    assert changes_of({"objects": objects, "pruned": pruned}) == [
        "Deployment web/web: change",
        "Namespace web: create",
        "Service web/old: delete",
    ]
    assert changes_of({"objects": ["text"], "pruned": None}) == changes_of({"objects": 3}) == []
