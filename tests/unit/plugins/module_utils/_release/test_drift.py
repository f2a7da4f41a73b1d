# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has changed in the cluster since a revision was deployed."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import ignored
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.modules import release_info

CONFIG = "/api/v1/namespaces/default/configmaps/c"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/d"


def edit(server: Any, path: str, change: Any, owned: dict[str, Any]) -> None:
    """Change an object as C(kubectl edit) does, which takes over the fields that it changes."""
    live = copy.deepcopy(server.objects[path])
    change(live)
    for entry in live["metadata"]["managedFields"]:
        for section, fields in owned.items():
            for name in fields:
                entry["fieldsV1"].get(section, {}).pop(name, None)
    entry = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T03:04:05Z", "fieldsV1": owned}
    live["metadata"]["managedFields"].append(entry)
    server.put(path, live)


def info(releases: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    """What the module C(release_info) returns."""
    monkeypatch.setattr(release_info, "connect", lambda *_given, **_options: releases.client())
    given = {"name": "web", "namespace": "default", "drift": True, **options}
    module: Any = SimpleNamespace(params={**dict.fromkeys(release_info.OPTIONS), **given}, get_bin_path=None)
    return release_info.show(module)


def test_what_was_changed_and_what_the_new_revision_changes_are_told_apart(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [
        some("ConfigMap", "c", data={"a": "1", "b": "1"}),
        some("ConfigMap", "gone"),
        some("ConfigMap", "same", data={"a": "1"}),
        workload("d"),
    ]
    releases.run(objects)
    assert releases.run(objects, check=True)["drift"] == [] == info(releases, monkeypatch)["drift"]
    edit(server, CONFIG, lambda one: one["data"].update(a="edited"), {"f:data": {"f:a": {}}})
    edit(server, DEPLOYMENT, lambda one: one["spec"].update(replicas=4), {"f:spec": {"f:replicas": {}}})
    del server.objects[CONFIG[:-1] + "gone"]
    writes = len(server.writes)
    objects[0] = some("ConfigMap", "c", data={"a": "1", "b": "2"})
    objects[2] = some("ConfigMap", "same", data={"a": "2"})
    answer = releases.run(objects, check=True, force_conflicts=True)
    who = {"manager": "kubectl-edit", "time": "2026-01-02T03:04:05Z"}
    found = {one["name"]: (one["change"], one["fields"]) for one in answer["drift"]}
    assert found == {
        "c": ("changed", [{"field": "/data/a", "revision": "1", "cluster": "edited", **who}]),
        "d": ("changed", [{"field": "/spec/replicas", "revision": 1, "cluster": 4, **who}]),
        "gone": ("deleted", []),
    }
    told = [line for line in answer["warnings"] if line.startswith("Changed in the cluster since revision 1: ")]
    assert told and "ConfigMap default/c (/data/a by kubectl-edit)" in told[0] and "default/gone (deleted)" in told[0]
    assert {one["name"]: one["action"] for one in answer["objects"]} == {
        "c": "change",
        "gone": "create",
        "same": "change",
        "d": "change",
    }
    assert info(releases, monkeypatch)["drift"] == answer["drift"]
    with pytest.raises(ReleaseError, match="kubectl-edit owns") as caught:
        releases.run(objects, check=True)
    assert caught.value.drift == answer["drift"], "a conflict is drift as well"
    assert len(server.writes) == writes
    assert releases.run(objects, force_conflicts=True)["status"] == "deployed"
    assert releases.run(objects, check=True)["drift"] == []


def test_fields_of_others_and_values_of_secrets(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [{"kind": "ConfigMap", "name": "c", "fields": ["/data/theirs"]}]
    options = {"ignore_differences": entries, "ignored": ignored.read(entries)}
    objects = [
        some("ConfigMap", "c", data={"theirs": "1"}),
        some("Secret", "s", stringData={"password": "c4n4ry-recorded"}),
    ]
    releases.run(objects, **options)
    edit(server, CONFIG, lambda one: one["data"].update(theirs="2"), {"f:data": {"f:theirs": {}}})
    secret = "/api/v1/namespaces/default/secrets/s"
    edit(
        server, secret, lambda one: one["data"].update(password="YzRuNHJ5LWVkaXRlZA=="), {"f:data": {"f:password": {}}}
    )
    (one,) = info(releases, monkeypatch)["drift"]
    (field,) = one["fields"]
    assert (one["kind"], field["field"]) == ("Secret", "/data/password")
    assert field["revision"] != field["cluster"] and "********" in field["revision"]
    assert "c4n4ry" not in str(one) and "YzRu" not in str(one)


def test_an_unfinished_release_has_no_drift(
    server: Any, releases: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.bad.add("app:broken")
    assert releases.run([workload("d", "app:broken")])["status"] == "failed"
    with pytest.raises(ReleaseError, match="Revision 1 of release web in namespace default has the status failed"):
        info(releases, monkeypatch)
    with pytest.raises(ReleaseError, match="require name and namespace"):
        info(releases, monkeypatch, name=None)


def test_items_of_lists_are_compared_by_their_names(server: Any, releases: Any, workload: Any) -> None:
    deployment = workload("d")
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"].append({"name": "side", "image": "side:1"})
    releases.run([deployment])

    def swap(live: dict[str, Any]) -> None:
        containers = live["spec"]["template"]["spec"]["containers"]
        containers[1]["image"] = "side:2"
        containers.reverse()

    fields = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"side"}': {"f:image": {}}}}}}
    edit(server, DEPLOYMENT, swap, {"f:spec": fields})
    (one,) = releases.run([deployment], check=True, force_conflicts=True)["drift"]
    assert [field["field"] for field in one["fields"]] == ["/spec/template/spec/containers/1/image"]
    assert (one["fields"][0]["cluster"], one["fields"][0]["manager"]) == ("side:2", "kubectl-edit")


def test_a_revision_that_the_server_refuses_now_is_no_reason_to_fail(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c", data={"a": "1"}), some("ConfigMap", "old", data={"a": "1"})])
    edit(server, CONFIG[:-1] + "old", lambda one: one["data"].update(a="2"), {"f:data": {"f:a": {}}})
    server.refuse[CONFIG[:-1] + "old"] = (422, {"message": "not any more", "reason": "Invalid", "code": 422})
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], check=True)
    assert not answer.get("failed") and answer["drift"] == []
    (warning,) = [line for line in answer["warnings"] if "since revision 1" in line]
    assert "cannot be told" in warning and "not any more" in warning


def test_names_that_are_no_text_do_not_end_a_dry_run(server, releases, some):
    service = some("Service", "w", spec={"selector": {"a": "b"}, "ports": [{"name": {"exact": "x"}, "port": 80}]})
    releases.run([service, some("ConfigMap", "c", data={"a": "1"})])
    path = "/api/v1/namespaces/default/services/w"
    live = copy.deepcopy(server.objects[path])
    live["spec"]["ports"][0]["port"] = 81
    server.put(path, live)
    answer = releases.run([service, some("ConfigMap", "c", data={"a": "2"})], check=True, force_conflicts=True)
    assert [one["name"] for one in answer["drift"]] == ["w"]
