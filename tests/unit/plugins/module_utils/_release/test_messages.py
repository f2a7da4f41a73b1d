# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says of itself: counts, changes, and what the next run does."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import flatten
from ansible_collections.slipway.kube.plugins.module_utils._release.report import plural


def test_a_number_has_its_noun() -> None:
    assert [plural(count, "object") for count in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]


def test_a_deletion_in_several_calls_counts_all_of_it(server: Any, releases: Any, some: Any) -> None:
    held = some("ConfigMap", "held", metadata={"finalizers": ["x.io/held"]})
    releases.run([held, some("ConfigMap", "a"), some("Service", "b")])
    first = releases.remove(run_id="mine", timeout=60, pause_after=0.1)
    assert not first["finished"] and any("2 of 3 objects deleted" in line for line in first["progress"])
    del server.objects["/api/v1/namespaces/default/configmaps/held"]
    assert releases.remove(run_id="mine", timeout=60)["msg"] == "Deleted release web in namespace default: 3 objects."
    releases.run([some("ConfigMap", "a")])
    assert releases.remove()["msg"].endswith(": 1 object.")


@pytest.mark.parametrize("at", range(3, 7))
def test_the_end_of_a_killed_run_is_a_change_only_if_objects_change(
    server: Any, releases: Any, some: Any, workload: Any, at: int
) -> None:
    objects = [some("ConfigMap", "c", data={"a": "1"}), workload("d")]
    releases.run([some("ConfigMap", "c")])
    assert releases.killed(at, objects) and server.statuses()[-1] == "pending"
    predicted = releases.run(objects, check=True)
    acts = any(one["action"] != "none" for one in predicted["objects"])
    assert predicted["changed"] is acts
    assert acts or "nothing to do. Revision 2, which was interrupted or failed, would be finished." in predicted["msg"]
    answer = releases.run(objects)
    assert (answer["status"], answer["revision"]) == ("deployed", 2)
    assert answer["changed"] is predicted["changed"]
    assert not releases.run(objects)["changed"]


def test_a_failed_revision_is_finished_once_its_objects_are_ready(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:1")
    for _time in range(3):
        answer = releases.run([workload("d")])
        assert (answer["status"], answer["revision"]) == ("failed", 1)
    server.bad.clear()
    server.control(server.find("Deployment", "d"))
    answer = releases.run([workload("d")])
    assert (answer["status"], answer["revision"], answer["changed"]) == ("deployed", 1, False)
    assert server.statuses() == ["deployed"]


def test_a_failed_hook_runs_again_in_the_same_revision(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    hooks = {"post": [workload("check", "app:broken", kind="Job")]}
    for _time in range(2):
        answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
        assert (answer["status"], answer["revision"]) == ("failed", 1)
    assert len(server.ran) == 2
    server.bad.clear()
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert (answer["status"], answer["revision"], answer["changed"]) == ("deployed", 1, True)


def test_a_failed_job_needs_no_hand(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    for made in (
        releases.run([some("ConfigMap", "c")], hooks={"pre": [workload("migrate", "app:broken", kind="Job")]}),
        releases.run([workload("report", "app:broken", kind="Job")]),
    ):
        assert "delete the Job" not in made["msg"] and "run this again, which creates the Job again" in made["msg"]


def test_a_hook_is_told_once_although_the_call_pauses(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    hooks = {"pre": [workload("migrate", "app:slow", kind="Job")]}
    told = []
    for _call in range(3):
        told += releases.run([some("ConfigMap", "c")], run_id="mine", timeout=60, pause_after=0.1, hooks=hooks)[
            "progress"
        ]
    assert len([line for line in told if line.startswith("Running pre hook migrate-")]) == 1


def test_items_of_a_typed_list_need_no_kind() -> None:
    whole = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "a"}, "data": {"x": "1"}}]}
    assert flatten([whole]) == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    ]
    mixed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}],
    }
    assert flatten([mixed])[0]["kind"] == "Secret"
