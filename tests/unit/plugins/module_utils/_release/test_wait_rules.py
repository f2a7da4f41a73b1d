# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user says about waiting."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import pack, read_settings
from ansible_collections.slipway.kube.plugins.module_utils._release.wait_rules import WaitRules

DEFINITION = {
    "group": "x.io",
    "scope": "Namespaced",
    "names": {"kind": "Thing", "plural": "things"},
    "versions": [{"name": "v1", "served": True, "storage": True}],
}


@pytest.fixture
def thing(server: Any, some: Any) -> Any:
    """Returns what makes a thing whose controller writes this status."""
    server.put(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.x.io",
        some("CustomResourceDefinition", "things.x.io", "apiextensions.k8s.io/v1", spec=DEFINITION),
    )
    statuses: dict[str, Any] = {}
    control = server.control

    def controlled(content: dict[str, Any]) -> None:
        control(content)
        if content.get("kind") == "Thing":
            content["status"] = statuses.get(content["metadata"]["name"], {})

    server.control = controlled

    def make(status: dict[str, Any], name: str = "t", **spec: Any) -> dict[str, Any]:
        statuses[name] = status
        return some("Thing", name, "x.io/v1", spec=spec)

    return make


@pytest.mark.parametrize(
    ("entry", "status", "missing"),
    [
        ({"jsonpath": ".status.phase", "value": "Green"}, {"phase": "Green"}, ""),
        ({"jsonpath": ".status.phase", "value": "Green"}, {"phase": "Red"}, ".status.phase is Red instead of Green"),
        ({"jsonpath": ".status.phase", "value": "Green"}, {}, "it has no .status.phase"),
        ({"jsonpath": ".status.phase"}, {"phase": "Red"}, ""),
        ({"jsonpath": ".status.ok", "value": True}, {"ok": True}, ""),
        ({"jsonpath": ".status.n", "value": 3}, {"n": 2}, ".status.n is 2 instead of 3"),
        (
            {"jsonpath": ".status.all[*].ok", "value": "true"},
            {"all": [{"ok": True}, {"ok": False}]},
            "is false instead of true",
        ),
        ({"condition": "Synced"}, {"conditions": [{"type": "Synced", "status": "True"}]}, ""),
        ({"condition": "Synced"}, {}, "condition Synced is not there instead of True"),
        (
            {"condition": "Busy", "value": False},
            {"conditions": [{"type": "Busy", "status": "True", "reason": "Copying", "message": "3 of 9"}]},
            "condition Busy is True instead of false (Copying: 3 of 9)",
        ),
        ({"condition": "Busy", "value": False}, {"conditions": [{"type": "Busy", "status": "False"}]}, ""),
        ({"jsonpath": ".status.phase", "value": "Green", "name": "other"}, {"phase": "Red"}, ""),
    ],
)
def test_an_object_is_ready_when_the_user_says_so(
    releases: Any, thing: Any, entry: dict[str, Any], status: dict[str, Any], missing: str
) -> None:
    answer = releases.run([thing(status)], wait_conditions=[{"kind": "Thing", **entry}])
    assert bool(answer.get("failed")) is bool(missing), answer["msg"]
    assert missing in answer["msg"] and (
        not missing or "Not ready within the timeout: Thing default/t" in answer["msg"]
    )


@pytest.mark.parametrize(("seen", "ready"), [(2, False), (3, True), (-1, True), (None, True)])
def test_a_status_of_an_earlier_generation_proves_nothing(seen: int | None, ready: bool) -> None:
    rules = WaitRules([{"kind": "Thing", "jsonpath": ".status.phase", "value": "Green"}])
    status = {"phase": "Green", **({} if seen is None else {"observedGeneration": seen})}
    made = rules.judge({"kind": "Thing", "metadata": {"name": "t", "generation": 3}, "status": status})
    assert made == ((True, "") if ready else (False, "its controller has not observed the latest generation yet"))


def test_a_condition_replaces_the_rule_of_the_kind(server: Any, releases: Any, workload: Any, some: Any) -> None:
    server.bad.add("app:1")
    entry = {"kind": "Deployment", "jsonpath": ".status.updatedReplicas", "value": 1}
    assert releases.run([workload("d")], wait_conditions=[entry])["waited_for"] == ["Deployment default/d"]
    answer = releases.run([some("ConfigMap", "c")], wait_conditions=[{"kind": "ConfigMap", "jsonpath": ".data.filled"}])
    assert answer["failed"] and "ConfigMap default/c: it has no .data.filled" in answer["msg"]


def test_what_the_user_leaves_out_is_not_waited_for(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    server.slow.add("app:long")
    objects = [workload("d", "app:broken"), workload("batch", "app:long", kind="Job"), workload("e")]
    entries = [
        {"kind": "Deployment", "name": "d"},
        {"kind": "Job"},
        {"kind": "Job", "namespace": "elsewhere", "name": "x"},
    ]
    answer = releases.run(objects, wait_except=entries)
    assert answer["waited_for"] == ["Deployment default/e"]
    assert answer["warnings"] == ["wait_except[3]: the release contains no Job elsewhere/x."]
    answer = releases.run(objects, wait_except=entries[1:2], on_failure="keep")
    assert answer["failed"] and "Deployment default/d" in answer["msg"]


def test_what_is_stopped_on_purpose_is_not_waited_for_and_told(
    server: Any, releases: Any, workload: Any, thing: Any
) -> None:
    server.bad.add("app:broken")
    server.slow.add("app:long")
    paused, suspended = workload("d", "app:broken"), workload("j", "app:long", kind="Job")
    paused["spec"]["paused"] = suspended["spec"]["suspend"] = True
    waiting = {"conditions": [{"type": "Ready", "status": "False"}]}
    answer = releases.run([paused, suspended, thing(waiting, suspend=True)])
    assert answer["status"] == "deployed" and answer["waited_for"] == []
    assert sorted(answer["warnings"]) == [
        "Deployment default/d is not waited for, because its spec.paused is true.",
        "Job default/j is not waited for, because its spec.suspend is true.",
        "Thing default/t is not waited for, because its spec.suspend is true.",
    ]
    paused["metadata"]["annotations"] = {"slipway.kube/wait": "false"}
    assert releases.run([paused])["warnings"] == []
    assert releases.run([thing(waiting)])["failed"]


def test_a_job_that_runs_longer_than_the_timeout_is_told_so(server: Any, releases: Any, workload: Any) -> None:
    server.slow.add("app:long")
    answer = releases.run([workload("import", "app:long", kind="Job")])
    assert (
        "Job default/import may still be running: raise timeout, or do not wait for a long batch Job" in answer["msg"]
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({}, "wait_conditions[1]: set either condition or jsonpath."),
        ({"condition": "A", "jsonpath": ".a"}, "wait_conditions[1]: set either condition or jsonpath."),
        ({"jsonpath": ".a[?(@.b>1)]"}, "wait_conditions[1].jsonpath: '.a[?(@.b>1)]' is not a supported JSONPath at"),
    ],
)
def test_bad_conditions_are_refused(entry: dict[str, Any], told: str) -> None:
    options = {"name": "web", "_payload": pack([{}], {}), "wait_conditions": [{"kind": "A", **entry}]}
    with pytest.raises(ReleaseError) as caught:
        read_settings(options)
    assert told in str(caught.value)
