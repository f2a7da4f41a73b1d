# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stored revision that the user chooses is applied again, as a new one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.action.release import source_arguments
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import pack, read_settings
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError


@pytest.fixture
def history(server: Any, releases: Any, some: Any, workload: Any) -> None:
    """Revisions 1 to 4; the third one failed and was rolled back."""
    secret = some("Secret", "s", stringData={"password": "canary-of-revision-1"})
    hooks = {
        "pre": [workload("migrate", kind="Job")],
        "pre-rollback": [workload("stop", kind="Job")],
        "post-rollback": [workload("start", kind="Job")],
    }
    releases.run([some("ConfigMap", "c", data={"a": "1"}), some("ConfigMap", "first"), secret], hooks=hooks)
    releases.run([some("ConfigMap", "c", data={"a": "2"}), some("ConfigMap", "second")])
    server.bad.add("app:broken")
    releases.run([workload("d", "app:broken")])
    releases.run([some("ConfigMap", "c", data={"a": "4"}), some("ConfigMap", "second")])
    server.ran.clear()


def test_a_revision_comes_back_as_a_new_one(server: Any, releases: Any, history: None) -> None:
    predicted = releases.run([], check=True, revision=1)
    answer = releases.run([], revision=1)
    assert (answer["status"], answer["revision"]) == ("deployed", 5)
    assert answer["msg"].endswith("It has the objects of revision 1.")
    assert server.names("ConfigMap") == ["c", "first"] and server.find("ConfigMap", "c")["data"] == {"a": "1"}
    assert base64.b64decode(server.find("Secret", "s")["data"]["password"]) == b"canary-of-revision-1"
    assert [name.rpartition("-")[0] for name in server.ran] == ["stop", "start"], "and not the hook of the release"
    assert server.statuses() == ["superseded", "superseded", "rolled-back", "superseded", "deployed"]
    rows = [
        {(one["name"], one["action"]) for one in made["objects"] if one["action"] != "none"}
        for made in (predicted, answer)
    ]
    assert rows[0] == rows[1] and predicted["changed"] and "canary" not in str(answer) + str(predicted)
    server.ran.clear()
    again = releases.run([], revision=1)
    assert (again["changed"], again["revision"]) == (False, 5) and server.ran == []


def test_what_was_restored_is_what_its_sources_say(
    server: Any, releases: Any, some: Any, workload: Any, history: None
) -> None:
    releases.run([], revision=2)
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"}), some("ConfigMap", "second")])
    assert (answer["changed"], answer["revision"]) == (False, 5)


def test_a_hook_that_ran_with_the_revision_does_not_run_after_its_return(
    server: Any, releases: Any, some: Any, workload: Any, history: None
) -> None:
    releases.run([], revision=1)
    server.ran.clear()
    hooks = {"pre": [workload("migrate", kind="Job")]}
    releases.run([some("ConfigMap", "c", data={"a": "9"})], hooks=hooks)
    assert server.ran == []


def test_a_return_that_fails_goes_back_to_where_it_came_from(
    server: Any, releases: Any, workload: Any, some: Any
) -> None:
    releases.run([workload("d", "app:1")])
    releases.run([workload("d", "app:2")])
    server.bad.add("app:1")
    answer = releases.run([], revision=1)
    assert answer["failed"] and answer["rolled_back_to"] == 2
    containers = server.find("Deployment", "d")["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == "app:2"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (3, "Revision 3 of release web in namespace default has the status rolled-back"),
        (9, "has no revision 9; it has: 1, 2, 3, 4"),
    ],
)
def test_a_revision_that_cannot_come_back_is_refused(
    server: Any, releases: Any, history: None, number: int, told: str
) -> None:
    del server.writes[:]
    with pytest.raises(ReleaseError) as caught:
        releases.run([], revision=number)
    assert told in str(caught.value) and server.writes == []


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_begin_with_one(number: int) -> None:
    with pytest.raises(ReleaseError, match="The first one is 1"):
        read_settings({"name": "web", "revision": number, "_payload": pack([], {})})


@pytest.mark.parametrize("more", [{"manifests": [{"kind": "A"}]}, {"state": "absent"}])
def test_a_revision_has_its_objects_already(more: dict[str, Any]) -> None:
    assert source_arguments({"name": "web", "revision": 2}) == {}
    with pytest.raises(InputError, match="revision: restores the objects of a stored revision, so omit"):
        source_arguments({"name": "web", "revision": 2, **more})


@pytest.mark.parametrize("at", [2, 4, 6, 8, 10])
def test_a_return_that_is_killed_is_finished_by_the_next_run(
    server: Any, releases: Any, history: None, at: int
) -> None:
    releases.killed(at, [], revision=1)
    answer = releases.run([], revision=1)
    assert answer["status"] == "deployed" and server.names("ConfigMap") == ["c", "first"]
    assert not releases.run([], revision=1)["changed"]
