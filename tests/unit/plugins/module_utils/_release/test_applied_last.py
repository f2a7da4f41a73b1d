# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are applied last: a Service is switched to a new version when that is ready."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import execution
from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand


def switched(some: Any, workload: Any, version: str, image: str = "app:1") -> list[dict[str, Any]]:
    """A Deployment for each version, and the Service that is switched to it."""
    metadata = {"annotations": {"slipway.kube/apply": "last"}}
    service = some("Service", "web", metadata=metadata, spec={"selector": {"version": version}})
    return [service, workload(f"web-{version}", image, label=version)]


def test_what_is_applied_last_follows_when_the_rest_is_ready(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SETTLE", 0.0)
    hooks = {"post": [workload("check", kind="Job")]}
    assert releases.run(switched(some, workload, "a"))["status"] == "deployed"
    server.writes.clear()
    answer = releases.run(switched(some, workload, "b"), hooks=hooks)
    assert answer["status"] == "deployed" and [one["name"] for one in answer["pruned"]] == ["web-a"]
    order = [
        next(at for at, line in enumerate(server.writes) if line[0] == method and path in line[1])
        for method, path in (("APPLY", "/web-b"), ("APPLY", "/check-"), ("APPLY", "services/web"), ("DELETE", "/web-a"))
    ]
    assert order == sorted(order), server.writes
    assert server.find("Service", "web")["spec"]["selector"] == {"version": "b"}
    writes = len(server.writes)
    assert not releases.run(switched(some, workload, "b"), hooks=hooks)["changed"] and len(server.writes) == writes
    server.bad.add("app:broken")
    answer = releases.run(switched(some, workload, "c", "app:broken"), hooks=hooks)
    assert answer["rolled_back_to"] == 2 and server.names("Deployment") == ["web-b"]
    assert not [line for line in server.writes[writes:] if "services/web" in line[1]], "the Service was never switched"


def test_a_run_in_several_calls_applies_last_what_it_has_left(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SETTLE", 0.0)
    releases.run(switched(some, workload, "a"))
    server.slow.add("app:slow")
    given = {"run_id": "mine", "timeout": 60, "hooks": {"post": [workload("check", "app:slow", kind="Job")]}}
    first = releases.engine(switched(some, workload, "b"), **given)
    first.settings.pause_after = 0.2  # type: ignore[assignment]
    assert first.run()["finished"] is False
    assert server.find("Service", "web")["spec"]["selector"] == {"version": "a"}
    server.slow.clear()
    (job,) = server.names("Job")
    server.put(f"/apis/batch/v1/namespaces/default/jobs/{job}", server.find("Job", job))
    answer = releases.run(switched(some, workload, "b"), **given)
    assert answer["status"] == "deployed" and server.names("Deployment") == ["web-b"]
    assert server.find("Service", "web")["spec"]["selector"] == {"version": "b"}


def test_versions_of_an_application_are_switched(server: Any, releases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "SETTLE", 0.0)

    def deploy(image: str, strategy: str = "BlueGreen") -> dict[str, Any]:
        given = {"name": "web", "namespace": "default", "image": image, "ports": {"http": 8080}, "strategy": strategy}
        made = expand(read({**given, "service_account": "default"}))
        answer: dict[str, Any] = releases.run(made.objects, hooks=made.hooks)
        return answer

    def version() -> Any:
        return server.find("Service", "web")["spec"]["selector"].get("slipway.kube/version")

    assert deploy("web:1", "RollingUpdate")["status"] == "deployed" and server.names("Deployment") == ["web"]
    assert deploy("web:2")["status"] == "deployed" and server.names("Deployment") == [f"web-{version()}"]
    assert not deploy("web:2")["changed"]
    before = version()
    server.bad.add("web:3")
    assert deploy("web:3")["rolled_back_to"] == 2 and (version(), server.names("Deployment")) == (
        before,
        [f"web-{before}"],
    )
    assert server.find("Service", "web-preview")["spec"]["selector"]["slipway.kube/version"] == before
    assert deploy("web:4")["status"] == "deployed" and version() != before
    assert deploy("web:4", "RollingUpdate")["status"] == "deployed" and server.names("Deployment") == ["web"]
    assert version() is None and server.names("Service") == ["web"]


@pytest.mark.parametrize("kind", ["Job", "Deployment"])
def test_a_marked_object_that_was_broken_is_corrected(server, releases, some, workload, monkeypatch, kind):
    monkeypatch.setattr(execution, "SETTLE", 0.0)
    server.bad.add("app:bad")

    def last(image):
        one = workload("j", image, kind=kind)
        one["metadata"]["annotations"] = {"slipway.kube/apply": "last"}
        return [some("ConfigMap", "c"), one]

    assert releases.run(last("app:bad"))["status"] != "deployed"
    assert releases.run(last("app:1"))["status"] == "deployed"


def test_a_call_that_continues_does_not_judge_again_what_is_applied(server, releases, some, workload, monkeypatch):
    monkeypatch.setattr(execution, "SETTLE", 0.0)

    def objects(version):
        service = some("Service", "web", spec={"selector": {"version": version}})
        service["metadata"]["annotations"] = {"slipway.kube/apply": "last"}
        return [
            service,
            workload(f"web-{version}", "app:1", label=version),
            some("ConfigMap", "c", data={"a": version}),
        ]

    releases.run(objects("a"))
    server.slow.add("app:slow")
    given = {"run_id": "mine", "timeout": 60, "hooks": {"post": [workload("check", "app:slow", kind="Job")]}}
    first = releases.engine(objects("b"), **given)
    first.settings.pause_after = 0.2
    assert first.run()["finished"] is False
    path = "/api/v1/namespaces/default/configmaps/c"
    live = copy.deepcopy(server.objects[path])
    live["data"]["a"] = "x"
    for entry in live["metadata"]["managedFields"]:
        entry["fieldsV1"].get("f:data", {}).pop("f:a", None)
    live["metadata"]["managedFields"].append(
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}}
    )
    server.put(path, live)
    server.slow.clear()
    (job,) = server.names("Job")
    server.put(f"/apis/batch/v1/namespaces/default/jobs/{job}", server.find("Job", job))
    assert releases.run(objects("b"), **given)["status"] == "deployed"
    assert server.names("Deployment") == ["web-b"]
