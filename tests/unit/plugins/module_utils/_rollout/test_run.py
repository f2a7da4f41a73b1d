# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action from the first look to the end of waiting, against an API that lives in a dictionary."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import Finding
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.waiting import Outlook
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._rollout import run
from ansible_collections.slipway.kube.plugins.module_utils._rollout.changes import Request, RolloutError
from ansible_collections.slipway.kube.plugins.module_utils._rollout.history import REVISION
from ansible_collections.slipway.kube.plugins.module_utils._rollout.report import counts, result

APPS = "/apis/apps/v1/namespaces/shop/"
PODS = "/api/v1/namespaces/shop/pods"


def template(image: str) -> dict[str, Any]:
    """A pod template of one container."""
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}


def workload(kind: str = "Deployment", image: str = "web:2", **status: Any) -> dict[str, Any]:
    """A ready workload of two pods, as the API server gives it."""
    numbers = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "1", "generation": 1},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)},
        "status": {"observedGeneration": 1, **numbers, **status},
    }


def replica_set(number: int, image: str) -> dict[str, Any]:
    """A ReplicaSet that keeps a revision of it."""
    owner = {"uid": "u", "controller": True}
    metadata = {"name": f"web-{number}", "annotations": {REVISION: str(number)}, "ownerReferences": [owner]}
    return {"kind": "ReplicaSet", "metadata": metadata, "spec": {"template": template(image)}}


class Cluster:
    """The objects, and what was written. C(conflicts): how many writes come too late."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {APPS + one["kind"].lower() + "s/" + one["metadata"]["name"]: one for one in objects}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.written: list[tuple[str, str, Any, bool]] = []
        self.deleted: list[str] = []
        self.conflicts = 0
        self.forbidden: list[str] = []

    def find(self, path: str) -> Any:
        return copy.deepcopy(self.objects.get(path))

    def items(self, path: str, query: Any = None) -> list[dict[str, Any]]:
        if path in self.forbidden:
            raise ApiError(403, "Forbidden", "no", "GET", path)
        return copy.deepcopy(self.lists.get(path, []))

    def patch(self, path: str, content: Any, kind: str, manager: str, dry_run: bool) -> Any:
        assert manager.startswith("slipway.kube.rollout")
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "the object has been modified", "PATCH", path)
        self.written.append((path, kind, content, dry_run))
        live = copy.deepcopy(self.objects[path])
        live["metadata"]["resourceVersion"] = "2"
        if kind == "json" and content[0]["path"] == "/metadata/managedFields":
            live["metadata"]["managedFields"] = content[0]["value"]
        elif kind == "json":
            live["spec"]["template"] = next(step["value"] for step in content if step["path"] == "/spec/template")
        elif "template" in content["spec"]:
            live["spec"]["template"]["metadata"].update(content["spec"]["template"].get("metadata", {}))
            for given in content["spec"]["template"].get("spec", {}).get("containers", []):
                live["spec"]["template"]["spec"]["containers"][0].update(given)
        else:
            live["spec"].update(content["spec"])
        if not dry_run:
            self.objects[path] = live
        return live

    def delete(self, path: str, uid: str | None = None) -> bool:
        self.deleted.append(path)
        self.lists[PODS] = []
        return True

    def each(self, function: Callable[[Any], Any], items: Any) -> list[Any]:
        return [function(item) for item in items]


def rollout(cluster: Cluster, action: str, kind: str = "Deployment", dry_run: bool = False, **more: Any) -> run.Rollout:
    """An action on the workload."""
    wanted = Request(action, Reference("apps/v1", kind, "shop", "web"), **more)
    return run.Rollout(cluster, wanted, dry_run)  # type: ignore[arg-type]


@pytest.fixture
def cluster() -> Cluster:
    """A Deployment with two revisions."""
    made = Cluster(workload())
    made.lists[APPS + "replicasets"] = [replica_set(1, "web:1"), replica_set(2, "web:2")]
    return made


@pytest.fixture
def outlooks(monkeypatch: pytest.MonkeyPatch) -> list[Outlook]:
    """What looks say, one after the other; without any left all is ready. Nobody sleeps."""
    queue: list[Outlook] = []

    class Watch:
        def __init__(self, *_arguments: Any) -> None:
            pass

        def look(self) -> Outlook:
            return queue.pop(0) if queue else Outlook()

    monkeypatch.setattr(run, "Watch", Watch)
    monkeypatch.setattr(run.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(run, "explain_faults", lambda *_arguments, **_options: [FAULT])
    return queue


NAME = Reference("apps/v1", "Deployment", "shop", "web")
FAULT = Finding(
    "image_not_found", "error", NAME, "image web:9 was not found in the registry", advice="Correct the tag."
)


def test_undo_is_written_once_and_says_what_it_did(cluster: Cluster, outlooks: list[Outlook]) -> None:
    made = rollout(cluster, "undo")
    answer = made.act()
    ((path, kind, _content, dry_run),) = cluster.written
    assert (path, kind, dry_run) == (APPS + "deployments/web", "json", False)
    assert answer.changed and answer.what == "is rolled back to revision 1 (web:1)"
    assert answer.diff[0]["before"]["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert answer.diff[0]["after"]["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    made.wait(time.monotonic() + 5)
    told = result(made.request, answer, True, False)
    assert told["ready"] and told["revision"] == 1 and told["waited_for"] == ["Deployment shop/web"]
    assert told["msg"] == "Deployment shop/web is rolled back to revision 1 (web:1); it is ready: 2 of 2 pods ready."
    again = rollout(cluster, "undo", revision=1).act()
    assert not again.changed and len(cluster.written) == 1


def test_a_change_that_comes_too_late_is_planned_again(cluster: Cluster, outlooks: list[Outlook]) -> None:
    cluster.conflicts = 3
    assert rollout(cluster, "undo").act().changed and len(cluster.written) == 1
    cluster.conflicts = 99
    with pytest.raises(ApiError, match="409"):
        rollout(cluster, "restart").act()


def test_a_dry_run_writes_nothing(cluster: Cluster) -> None:
    answer = rollout(cluster, "set_image", dry_run=True, images={"web": "web:3"}).act()
    assert answer.changed and [dry_run for *_rest, dry_run in cluster.written] == [True]
    assert cluster.objects[APPS + "deployments/web"]["spec"]["template"] == template("web:2")
    told = result(Request("set_image", NAME), answer, False, True)
    assert told["msg"] == "Deployment shop/web would change: gets new images (web: web:2 -> web:3)."


def test_a_dry_run_of_what_is_not_there_yet_says_so() -> None:
    answer = rollout(Cluster(), "scale", dry_run=True, replicas=2).act()
    assert answer.changed and "a dry run cannot predict" in answer.warnings[0]
    assert not rollout(Cluster(), "status", dry_run=True).act().changed
    assert result(Request("scale", NAME), answer, False, True)["msg"] == "Deployment shop/web does not exist yet."


def test_what_is_not_there_is_told_with_what_is() -> None:
    cluster = Cluster()
    cluster.lists[APPS + "deployments"] = [{"metadata": {"name": "webs"}}]
    with pytest.raises(RolloutError, match=r"shop/web does not exist\. Namespace shop has webs\. Did you mean webs\?"):
        rollout(cluster, "status").act()
    cluster.forbidden = [APPS + "deployments"]
    with pytest.raises(RolloutError, match="has no Deployment"):
        rollout(cluster, "status").act()


def test_scale_shows_the_workload_and_warns_of_an_autoscaler(cluster: Cluster) -> None:
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 4}
    scalers = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
    cluster.lists[scalers] = [{"metadata": {"name": "web"}, "spec": target}]
    answer = rollout(cluster, "scale", replicas=3).act()
    assert cluster.written[0][:2] == (APPS + "deployments/web", "merge")
    assert answer.diff[0]["after"]["spec"]["replicas"] == 3 and "status" not in answer.diff[0]["after"]
    assert "between 1 and 4" in answer.warnings[0]
    cluster.forbidden = [scalers]
    assert rollout(cluster, "scale", replicas=1).act().warnings == [], "who may not see autoscalers may scale"


def test_fields_go_back_to_who_applies_manifests(cluster: Cluster, outlooks: list[Outlook]) -> None:
    image = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}}
    applied = {"manager": "slipway.kube", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    mine = {"manager": "slipway.kube.rollout", "operation": "Update", "fieldsV1": image}
    cluster.objects[APPS + "deployments/web"]["metadata"]["managedFields"] = [applied, mine]
    rollout(cluster, "undo").act()
    (_path, _kind, content, dry_run) = cluster.written[1]
    assert [entry["manager"] for entry in content[0]["value"]] == ["slipway.kube"] and not dry_run
    assert content[0]["value"][0]["fieldsV1"] == image
    rollout(cluster, "undo", dry_run=True).act()
    assert len(cluster.written) == 3, "a dry run returns nothing"


def test_hopeless_waiting_ends_with_the_cause_and_the_way_back(cluster: Cluster, outlooks: list[Outlook]) -> None:
    outlooks += [
        Outlook(waiting=[(NAME, "1 of 2 replicas updated")]),
        Outlook(waiting=[(NAME, "0 ready")], hopeless=True),
    ]
    made = rollout(cluster, "status")
    made.act()
    with pytest.raises(run.RolloutFailed) as error:
        made.wait(time.monotonic() + 60)
    lines = str(error.value).split("\n")
    assert (
        lines[0]
        == "Deployment shop/web: revision 2 cannot become ready, detected after 0 s: 0 ready. [slipway:wait_hopeless]"
    )
    assert lines[1] == "ERROR Deployment shop/web: image web:9 was not found in the registry [slipway:image_not_found]"
    assert lines[-1] == "To roll back, use action undo (revision 1: web:1)."
    assert error.value.findings == [FAULT]


def test_the_end_of_the_time_is_told_as_such(cluster: Cluster, outlooks: list[Outlook]) -> None:
    outlooks += [Outlook(waiting=[(NAME, "1 of 2 replicas updated")])]
    made = rollout(cluster, "undo")
    made.act()
    with pytest.raises(run.RolloutFailed, match="revision 1 is not ready after 0 s: 1 of 2 replicas updated") as error:
        made.wait(time.monotonic())
    assert "To roll back" not in str(error.value)


def test_a_paused_deployment_never_finishes(cluster: Cluster, outlooks: list[Outlook]) -> None:
    live = cluster.objects[APPS + "deployments/web"]
    live["spec"]["paused"] = True
    made = rollout(cluster, "status")
    made.act()
    made.wait(time.monotonic() + 5)
    live["status"]["updatedReplicas"] = 0
    with pytest.raises(run.RolloutFailed, match=r"is paused \(0 of 2 replicas updated.*action resume"):
        made.wait(time.monotonic() + 5)


def stateful_set() -> Cluster:
    """A StatefulSet that has gone back, and the broken pod that it waits for."""
    made = Cluster(workload("StatefulSet", "web:1", updateRevision="good", currentRevision="good", readyReplicas=1))
    owner = {"uid": "u", "controller": True}
    metadata = {"name": "web-1", "uid": "p", "labels": {"controller-revision-hash": "bad"}, "ownerReferences": [owner]}
    state = {"waiting": {"reason": "ImagePullBackOff"}}
    made.lists[PODS] = [{"metadata": metadata, "status": {"containerStatuses": [{"name": "web", "state": state}]}}]
    data = {"spec": {"template": dict(template("web:1"), **{"$patch": "replace"})}}
    kept = {"metadata": {"name": "web-good", "ownerReferences": [owner]}, "revision": 3, "data": data}
    made.lists[APPS + "controllerrevisions"] = [kept]
    return made


def test_a_stateful_set_is_freed_from_a_pod_of_the_revision_before(outlooks: list[Outlook]) -> None:
    cluster = stateful_set()
    outlooks += [Outlook(waiting=[(NAME, "1 of 2 replicas ready")], hopeless=True)]
    made = rollout(cluster, "undo", "StatefulSet", revision=3)
    answer = made.act()
    assert not answer.changed and cluster.written == []
    made.wait(time.monotonic() + 60)
    assert cluster.deleted == [PODS + "/web-1"] and answer.replaced == ["shop/web-1"]
    assert answer.changed, "a pod was deleted"


def test_looking_deletes_no_pod_but_says_that_it_is_blocking_pods(outlooks: list[Outlook]) -> None:
    cluster = stateful_set()
    outlooks += [Outlook(waiting=[(NAME, "1 of 2 replicas ready")], hopeless=True)]
    made = rollout(cluster, "status", "StatefulSet")
    made.act()
    with pytest.raises(run.RolloutFailed, match=r"Pod web-1 belongs to an older revision and blocks the StatefulSet"):
        made.wait(time.monotonic() + 60)
    assert cluster.deleted == []


def test_a_blocking_pod_is_kept_and_named_on_request(outlooks: list[Outlook]) -> None:
    cluster = stateful_set()
    outlooks += [Outlook(waiting=[(NAME, "1 of 2 replicas ready")], hopeless=True)]
    made = rollout(cluster, "undo", "StatefulSet", revision=3, delete_blocking_pods=False)
    made.act()
    with pytest.raises(run.RolloutFailed, match=r"Pod web-1 belongs to an older revision and blocks the StatefulSet"):
        made.wait(time.monotonic() + 60)
    assert cluster.deleted == []
    made = rollout(cluster, "restart", "StatefulSet", delete_blocking_pods=False)
    made.act()
    made.settle()
    assert cluster.deleted == [] and "Pod shop/web-1 belongs to another revision" in made.outcome.warnings[-1]


def test_who_does_not_wait_has_the_stateful_set_freed_too(outlooks: list[Outlook]) -> None:
    cluster = stateful_set()
    made = rollout(cluster, "restart", "StatefulSet")
    made.act()
    made.settle()
    assert cluster.deleted == [PODS + "/web-1"]
    untouched = rollout(stateful_set(), "undo", "StatefulSet", revision=3)
    untouched.act()
    untouched.settle()
    assert untouched.outcome.replaced == [], "nothing was changed, so nothing is done"


def test_the_template_of_a_revision(cluster: Cluster) -> None:
    made = rollout(cluster, "history", revision=1)
    made.act()
    assert made.template() == template("web:1")
    missing = rollout(cluster, "history", revision=7)
    missing.act()
    with pytest.raises(RolloutError, match="has no revision 7; it has 1, 2"):
        missing.template()


def test_pods_are_counted_by_kind() -> None:
    assert counts(workload()) == {"wanted": 2, "updated": 2, "ready": 2, "available": 2}
    numbers = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 2, "numberReady": 1}
    daemon_set = {"kind": "DaemonSet", "spec": {"template": {}}, "status": numbers}
    assert counts(daemon_set) == {"wanted": 3, "updated": 2, "ready": 1, "available": 0}
    assert counts({}) == {"wanted": 0, "updated": 0, "ready": 0, "available": 0}


def test_a_name_that_is_none_stays_one_part_of_a_path(cluster: Cluster) -> None:
    wanted = Request("status", Reference("apps/v1", "Deployment", "shop", "web/scale"))
    assert run.Rollout(cluster, wanted, False)._path(wanted.name).endswith("/deployments/web%2Fscale")  # type: ignore[arg-type]
