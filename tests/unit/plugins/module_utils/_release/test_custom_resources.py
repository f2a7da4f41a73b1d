# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom resources: when they are sent, and what may come with them in one release."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import apply
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError

NO_ENDPOINTS = {
    "reason": "InternalError",
    "message": 'Internal error occurred: failed calling webhook "w.example.org": no endpoints available for service "w"',
}
CERTIFICATE = "/apis/certs.example.org/v1/namespaces/default/certificates/tls"


def definition(*fields: str, plural: str = "certificates", kind: str = "Certificate") -> dict[str, Any]:
    """A CustomResourceDefinition with these fields in its spec."""
    group = "certs.example.org"
    properties = {name: {"type": "string"} for name in fields}
    parts = {"metadata": {"type": "object"}, "spec": {"type": "object", "properties": properties}}
    schema = {"type": "object", "properties": parts}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture
def certificate(some: Any) -> dict[str, Any]:
    """An object that a controller turns into a Secret."""
    return dict(some("Certificate", "tls", "certs.example.org/v1", spec={"secretName": "tls"}))


def installed(server: Any, content: dict[str, Any]) -> None:
    """Put a definition into the cluster that no release contains."""
    server.put(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{content['metadata']['name']}", content)


def sent(server: Any) -> list[str]:
    """The plurals of what was applied, in that order."""
    return [path.split("/")[-2] for method, path in server.writes if method == "APPLY"]


def test_a_kind_that_a_controller_makes_of_another_object_is_waited_for(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_FOR", 0.0)
    templates = definition("crd", plural="constrainttemplates", kind="ConstraintTemplate")
    templates["spec"].update(group="templates.gatekeeper.sh", scope="Cluster")
    installed(server, templates)
    template = some(
        "ConstraintTemplate",
        "labels",
        "templates.gatekeeper.sh/v1",
        spec={"crd": {"spec": {"names": {"kind": "Labels"}}}},
    )
    constraints = [some("Labels", f"all-{at}", "constraints.gatekeeper.sh/v1beta1") for at in range(6)]
    tries: list[str] = []

    def controller(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and "/labels/all-" in path:
            tries.append(path)
            if len(tries) == 8:
                made = definition("x", plural="labels", kind="Labels")
                made["spec"].update(group="constraints.gatekeeper.sh", scope="Cluster")
                made["spec"]["versions"][0]["name"] = "v1beta1"
                installed(server, made)

    server.before = controller
    server.only_served = True
    answer = releases.run([*constraints, template], timeout=10)
    assert answer["status"] == "deployed", answer
    assert sent(server)[0] == "constrainttemplates" and len(sent(server)) == 7 and len(tries) > 8
    assert not releases.run([*constraints, template])["changed"]
    removed = releases.remove(timeout=5)
    assert [one["kind"] for one in removed["pruned"]][-1] == "ConstraintTemplate"


def test_a_kind_that_is_never_made_is_named_with_what_defines_it(server: Any, releases: Any, some: Any) -> None:
    templates = definition("crd", plural="constrainttemplates", kind="ConstraintTemplate")
    templates["spec"].update(group="templates.gatekeeper.sh", scope="Cluster")
    installed(server, templates)
    crd = {"spec": {"names": {"kind": "Labels"}}}
    template = some("ConstraintTemplate", "labels", "templates.gatekeeper.sh/v1", spec={"crd": crd})
    server.only_served = True
    answer = releases.run([some("Labels", "all", "constraints.gatekeeper.sh/v1beta1"), template])
    assert "Labels all: the API server does not serve its kind" in answer["msg"], answer["msg"]
    assert "a controller defines for ConstraintTemplate labels. See" in answer["msg"]


def test_a_parameter_that_a_changed_template_adds_is_used_at_once(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_EVERY", 0.01)
    for group, plural, kind, version in (
        ("templates.gatekeeper.sh", "constrainttemplates", "ConstraintTemplate", "v1"),
        ("constraints.gatekeeper.sh", "labels", "Labels", "v1beta1"),
    ):
        made = definition("crd", "labels", "more", plural=plural, kind=kind)
        made["spec"].update(group=group, scope="Cluster")
        made["spec"]["versions"][0]["name"] = version
        installed(server, made)

    def objects(**parameters: str) -> list[Any]:
        crd = {"spec": {"names": {"kind": "Labels"}, "validation": dict(parameters)}}
        template = some("ConstraintTemplate", "labels", "templates.gatekeeper.sh/v1", spec={"crd": crd})
        return [template, some("Labels", "all", "constraints.gatekeeper.sh/v1beta1", spec=dict(parameters))]

    releases.run(objects(labels="a"))
    message = 'strict decoding error: unknown field "spec.more"'
    path = "/apis/constraints.gatekeeper.sh/v1beta1/labels/all"
    server.refuse = {path: (400, {"reason": "BadRequest", "message": message})}
    tries: list[str] = []

    def controller(method: str, asked: str, dry: bool) -> None:
        if method == "PATCH" and asked == path and not dry:
            tries.append(asked)
            if len(tries) == 3:
                server.refuse = {}

    server.before = controller
    answer = releases.run(objects(labels="a", more="b"), timeout=10)
    assert answer["status"] == "deployed" and len(tries) == 3, answer


def test_what_makes_a_secret_is_there_before_the_hooks_and_workloads_that_use_it(
    server: Any, releases: Any, workload: Any, certificate: Any
) -> None:
    installed(server, definition("secretName"))
    releases.run([workload("d"), certificate], hooks={"pre": [workload("migrate", kind="Job")]})
    assert sent(server) == ["certificates", "jobs", "certificates", "deployments"]


def test_an_operator_of_the_release_comes_before_what_its_webhook_checks(
    server: Any, releases: Any, workload: Any, certificate: Any
) -> None:
    installed(server, definition("secretName"))

    def webhook(method: str, path: str, dry: bool) -> None:
        if method == "POST" and "secrets" in path:
            server.refuse[CERTIFICATE] = (500, NO_ENDPOINTS)
        elif method == "PATCH" and "deployments" in path and not dry:
            server.refuse.clear()

    server.before = webhook
    hooks = {"pre": [workload("migrate", kind="Job")]}
    assert releases.run([workload("operator"), certificate], hooks=hooks)["status"] == "deployed"
    assert sent(server) == ["jobs", "deployments", "certificates"]


def test_objects_of_a_kind_that_comes_with_the_release_follow_their_operator(
    server: Any, releases: Any, workload: Any, certificate: Any
) -> None:
    releases.run([workload("operator"), certificate, definition("secretName")])
    assert sent(server) == ["customresourcedefinitions", "deployments", "certificates"]


def test_objects_that_a_webhook_of_the_release_checks_follow_it(
    server: Any, releases: Any, some: Any, workload: Any, certificate: Any
) -> None:
    installed(server, definition("secretName"))
    hooks = [{"name": "w.example.org", "rules": [{"apiGroups": ["certs.example.org"]}]}]
    webhook = some("MutatingWebhookConfiguration", "w", "admissionregistration.k8s.io/v1", webhooks=hooks)
    releases.run([workload("operator"), certificate, webhook], hooks={"pre": [workload("migrate", kind="Job")]})
    assert sent(server)[:2] == ["jobs", "deployments"]


UNDECLARED = {
    "reason": "InternalError",
    "message": "failed to create typed patch object (default/tls; certs.example.org/v1, Kind=Certificate): "
    ".spec.duration: field not declared in schema",
}


def learns(server: Any, patience: int = 0) -> Any:
    """The server knows the new field so many requests after its definition was applied."""
    left = [-1]

    def before(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and "customresourcedefinitions" in path and not dry:
            left[0] = patience
        elif method == "PATCH" and path == CERTIFICATE and not dry and left[0] >= 0:
            left[0] -= 1
            if left[0] < 0:
                server.refuse.clear()

    return before


@pytest.mark.parametrize("patience", [0, 1])
def test_a_definition_and_an_object_with_its_new_field_are_upgraded_at_once(
    server: Any, releases: Any, some: Any, certificate: Any, patience: int
) -> None:
    releases.run([definition("secretName"), certificate])
    server.refuse[CERTIFICATE] = (500, UNDECLARED)
    server.before = learns(server, patience)
    newer = dict(certificate, spec={"secretName": "tls", "duration": "24h"})
    objects = [definition("secretName", "duration"), newer]
    predicted = releases.run(objects, check=True)
    assert predicted["schema_only"] == ["Certificate default/tls"]
    answer = releases.run(objects, timeout=5)
    assert answer["status"] == "deployed" and [one["action"] for one in answer["objects"]] == ["change", "change"]
    assert server.find("Certificate", "tls")["spec"]["duration"] == "24h"
    assert "because its CustomResourceDefinition changes with this release" in answer["warnings"][0]
    assert not releases.run(objects)["changed"]


def test_a_field_that_the_new_definition_does_not_have_either_is_refused_with_a_suggestion(
    server: Any, releases: Any, certificate: Any
) -> None:
    releases.run([definition("secretName"), certificate])
    server.refuse[CERTIFICATE] = (500, UNDECLARED)
    wrong = dict(certificate, spec={"secretName": "tls", "duraton": "24h"})
    with pytest.raises(ReleaseError, match=r"spec.duraton is not a known field; did you mean spec.duration\?"):
        releases.run([definition("secretName", "duration"), wrong])
    with pytest.raises(ReleaseError, match=r"spec.duraton is not a known field"):
        releases.run([definition("secretName"), wrong])


def finalized(server: Any) -> Any:
    """The operator removes its finalizer at the second look, as long as it is there."""
    looks = [0]

    def before(method: str, path: str, dry: bool) -> None:
        live = server.objects.get(CERTIFICATE)
        if method == "GET" and path == CERTIFICATE and live and live["metadata"].get("deletionTimestamp"):
            looks[0] += 1
            if looks[0] > 1 and "operator" in server.names("Deployment"):
                del server.objects[CERTIFICATE]

    return before


def deleted(server: Any) -> list[str]:
    """The plurals of what was deleted, in that order, without records."""
    return [path.split("/")[-2] for method, path in server.writes if method == "DELETE" and "/secrets/" not in path][:3]


def held(server: Any, releases: Any, workload: Any, certificate: Any, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Deploy an operator with an object that has a finalizer of the operator."""
    objects = [workload("operator"), definition("secretName"), certificate]
    releases.run([*objects, *more])
    server.find("Certificate", "tls")["metadata"]["finalizers"] = ["certs.example.org/revoke"]
    server.before = finalized(server)
    return objects


def test_a_removal_waits_for_custom_resources_before_their_operator_goes(
    server: Any, releases: Any, workload: Any, certificate: Any
) -> None:
    held(server, releases, workload, certificate)
    answer = releases.remove(timeout=5)
    assert not answer.get("failed"), answer["msg"]
    assert deleted(server) == ["certificates", "deployments", "customresourcedefinitions"]
    assert server.names("Certificate") == server.names("Deployment") == []


def test_an_operator_stays_while_its_custom_resource_cannot_be_finalized(
    server: Any, releases: Any, workload: Any, certificate: Any
) -> None:
    held(server, releases, workload, certificate)
    server.before = lambda method, path, dry: None
    answer = releases.remove(timeout=0.4)
    assert answer["failed"] and "it has the finalizers certs.example.org/revoke" in answer["msg"]
    assert server.names("Deployment") == ["operator"]
    server.before = finalized(server)
    assert not releases.remove(timeout=5).get("failed") and server.names("Deployment") == []


def test_pruning_waits_for_custom_resources_as_well_also_after_it_was_interrupted(
    server: Any, releases: Any, some: Any, workload: Any, certificate: Any
) -> None:
    held(server, releases, workload, certificate, some("ConfigMap", "c"))
    server.before = lambda method, path, dry: None
    answer = releases.run([some("ConfigMap", "c")], timeout=0.4)
    assert answer["status"] == "deployed" and "certs.example.org/revoke" in answer["warnings"][-1]
    assert server.names("Deployment") == ["operator"]
    server.before = finalized(server)
    releases.run([some("ConfigMap", "c", data={"a": "1"})], timeout=5)
    assert server.names("Certificate") == server.names("Deployment") == server.names("CustomResourceDefinition") == []
