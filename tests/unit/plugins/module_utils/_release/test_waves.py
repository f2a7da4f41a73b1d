# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a later wave follow when those of the earlier ones are ready."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import reference
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.planned import PlannedObject
from ansible_collections.slipway.kube.plugins.module_utils._release.waves import split, wave_of


def in_wave(content: dict[str, Any], number: str) -> dict[str, Any]:
    content["metadata"]["annotations"] = {"slipway.kube/wave": number}
    return content


def test_objects_are_sorted_by_annotation_and_option(some: Any, workload: Any) -> None:
    contents = [
        some("Namespace", "shop"),
        in_wave(workload("database"), "-1"),
        workload("migrate", kind="Job"),
        workload("web"),
        in_wave(workload("cache"), "0"),
    ]
    entries = [{"kind": "Deployment", "name": "web", "namespace": None, "wave": 2}, {"kind": "Deployment", "wave": 1}]
    waves = split([PlannedObject(reference(one), "create", one, wave=wave_of(one, entries)) for one in contents])
    assert [[one.name.name for one in wave] for wave in waves] == [
        ["shop", "database"],
        ["migrate", "cache"],
        ["web"],
    ]
    assert split([]) == []


def test_a_later_wave_waits_for_the_earlier_one(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    objects = [workload("database", "app:broken"), in_wave(workload("web"), "1")]
    plan = releases.run(objects, check=True)["changes"]
    assert plan[1:] == ["Deployment default/database: create", "Deployment default/web: create in wave 1"]
    answer = releases.run(objects)
    assert answer["failed"] and server.names("Deployment") == ["database"], "the second wave was not applied"
    server.bad.clear()
    server.control(server.find("Deployment", "database"))
    answer = releases.run(objects)
    assert answer["status"] == "deployed" and server.names("Deployment") == ["database", "web"]
    assert "Waiting for wave 1 of 2." in answer["progress"]
    assert not releases.run(objects)["changed"]
    applied = [path.rpartition("/")[2] for method, path in server.writes if method == "APPLY"]
    assert applied == ["database", "web"]


def test_a_run_in_several_calls_goes_on_with_its_wave(server: Any, releases: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    objects = [workload("migrate", "app:slow", kind="Job"), workload("web")]
    waves = [{"kind": "Deployment", "wave": 1}]
    first = releases.engine(objects, run_id="mine", timeout=60, waves=waves)
    first.settings.pause_after = 0.2
    assert first.run()["finished"] is False and server.names("Deployment") == []
    server.slow.clear()
    server.control(server.find("Job", "migrate"))
    answer = releases.run(objects, run_id="mine", timeout=60, waves=waves)
    assert answer["status"] == "deployed" and server.ran == ["migrate"]
    other = releases.run(objects, check=True, waves=[{"kind": "DaemonSet", "wave": 1}])
    assert "waves[1]: the release contains no DaemonSet." in other["warnings"]


def test_without_waiting_the_order_is_kept(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:1")
    assert releases.run([in_wave(workload("b"), "-1"), workload("a")], wait=False)["status"] == "deployed"
    applied = [path.rpartition("/")[2] for method, path in server.writes if method == "APPLY"]
    assert applied == ["b", "a"]


def test_a_run_that_is_killed_anywhere_is_finished(server: Any, releases: Any, workload: Any) -> None:
    at = 1
    while releases.killed(at, [workload("a"), in_wave(workload("b"), "1")]):
        assert releases.run([workload("a"), in_wave(workload("b"), "1")])["status"] == "deployed", f"write {at}"
        releases.remove()
        at += 1
    assert at > 4


@pytest.mark.parametrize("number", ["first", "1.5"])
def test_what_is_no_number_is_refused(releases: Any, workload: Any, number: str) -> None:
    with pytest.raises(
        ReleaseError, match=r"Deployment default/a: the annotation slipway.kube/wave is '.*slipway:object_invalid"
    ):
        releases.engine([in_wave(workload("a"), number)])
