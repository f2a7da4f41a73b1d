# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client and the manifest against a small API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Client, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._release import manifest as core
from ansible_collections.slipway.kube.plugins.module_utils._release.api_errors import explain
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import OperationFailed, ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.manifest import (
    broken_rule,
    predict_creation,
    refusals,
)
from ansible_collections.slipway.kube.plugins.module_utils._release.planned import PlannedObject
from harness.api_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """A server for the time of a test."""
    with serving() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    """A client of that server."""
    return Client(Credentials(f"http://127.0.0.1:{server.server_port}"), timeout=5, patience=2, threads=2)


def some(kind: str, name: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
    """An object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def definition() -> dict[str, Any]:
    """A definition of the kind Thing."""
    spec = {
        "group": "x.io",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [{"name": "v1"}],
    }
    return some("CustomResourceDefinition", "things.x.io", "apiextensions.k8s.io/v1", spec=spec)


class Manifest:
    """What the module does with some objects, step by step."""

    def __init__(self, client: Client, contents: list[dict[str, Any]], namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.desired = core.read_desired(client, contents, namespace)
        self.kinds = self.desired.kinds
        self.lives: list[dict[str, Any]] = []

    def plan(self) -> list[PlannedObject]:
        return core.plan_apply(self.client, self.desired, self.namespace, "tests", force=False)

    def run(self, planned: list[PlannedObject], deadline: float) -> None:
        core.apply(self.client, self.desired, planned, "tests", deadline)

    def plan_absence(self) -> list[PlannedObject]:
        planned, self.lives = core.plan_deletion(self.client, self.desired)
        return planned

    def remove(self, deadline: float, wait: bool) -> None:
        core.delete(self.client, self.desired, self.lives, deadline, wait)

    def wait(self, seconds: float) -> list[str]:
        return core.wait_for_workloads(self.client, self.desired, time.monotonic() + seconds)


def manifest(client: Client, contents: list[dict[str, Any]], namespace: str = "default") -> Manifest:
    """Some objects for that server."""
    return Manifest(client, contents, namespace)


def actions(steps: list[Any]) -> list[str]:
    """What becomes of each object."""
    return [step.action for step in steps]


CONTENTS = [
    some("Thing", "t", "x.io/v1"),
    some("ConfigMap", "c", data={"a": "1"}),
    definition(),
    some("Namespace", "web"),
]


def test_all_is_made_in_order_and_nothing_the_second_time(server: Server, client: Client) -> None:
    first = manifest(client, CONTENTS, "web")
    steps = first.plan()
    assert actions(steps) == ["create"] * 4 and server.writes == []
    first.run(steps, time.monotonic() + 5)
    paths = [path for _verb, path in server.writes]
    assert sorted(paths[:2]) == [
        "/api/v1/namespaces/web",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.x.io",
    ]
    assert sorted(paths[2:]) == ["/api/v1/namespaces/web/configmaps/c", "/apis/x.io/v1/namespaces/web/things/t"]
    second = manifest(client, CONTENTS, "web")
    steps = second.plan()
    assert actions(steps) == ["none"] * 4
    second.run(steps, time.monotonic() + 5)
    assert len(server.writes) == 4


def test_only_what_differs_is_sent_and_shown(server: Server, client: Client) -> None:
    manifest(client, CONTENTS, "web").run(manifest(client, CONTENTS, "web").plan(), time.monotonic() + 5)
    del server.writes[:]
    changed = [*CONTENTS[:1], some("ConfigMap", "c", data={"a": "2"}), *CONTENTS[2:]]
    other = manifest(client, changed, "web")
    steps = other.plan()
    assert actions(steps) == ["none", "change", "none", "none"]
    assert (steps[1].diff["before"]["data"], steps[1].diff["after"]["data"]) == ({"a": "1"}, {"a": "2"})
    other.run(steps, time.monotonic() + 5)
    assert server.writes == [("APPLY", "/api/v1/namespaces/web/configmaps/c")]


def test_an_interrupted_run_is_finished(server: Server, client: Client) -> None:
    first = manifest(client, CONTENTS, "web")
    first.run(
        [step for step in first.plan() if step.name.kind in ("Namespace", "CustomResourceDefinition")],
        time.monotonic() + 5,
    )
    again = manifest(client, CONTENTS, "web")
    steps = again.plan()
    assert sorted(actions(steps)) == ["create", "create", "none", "none"]


def test_removal_goes_backwards_and_is_quiet_when_repeated(server: Server, client: Client) -> None:
    manifest(client, CONTENTS, "web").run(manifest(client, CONTENTS, "web").plan(), time.monotonic() + 5)
    del server.writes[:]
    absent = manifest(client, CONTENTS, "web")
    steps = absent.plan_absence()
    absent.remove(time.monotonic() + 5, wait=True)
    assert actions(steps) == ["delete"] * 4
    assert {path.rsplit("/", 1)[1] for _verb, path in server.writes[:2]} == {"c", "t"}
    assert actions(manifest(client, CONTENTS, "web").plan_absence()) == ["none"] * 4


def test_all_refusals_come_at_once_and_nothing_is_sent(server: Server, client: Client) -> None:
    causes = [{"field": ".data.a", "message": 'conflict with "kubectl"'}]
    server.refuse["/api/v1/namespaces/default/configmaps/c"] = (
        409,
        {"reason": "Conflict", "message": "x", "details": {"causes": causes}},
    )
    server.refuse["/apis/apps/v1/namespaces/default/deployments/d"] = (
        422,
        {
            "reason": "Invalid",
            "message": "field is immutable",
            "details": {"causes": [{"field": "spec.selector", "message": "field is immutable"}]},
        },
    )
    wanted = [some("ConfigMap", "c", data={"a": "1"}), some("Deployment", "d", "apps/v1"), some("Namespace", "fine")]
    with pytest.raises(ReleaseError) as caught:
        manifest(client, wanted).plan()
    first, second = str(caught.value).split("\n")
    assert first == (
        "ConfigMap default/c: other field managers have set these fields to different values: kubectl owns data.a. "
        "Omit these fields, or take them over with force: true. [slipway:field_conflict]"
    )
    assert second.startswith(
        "Deployment default/d: the API server rejected the object: spec.selector: field is immutable."
    )
    assert "state: absent" in second
    assert server.writes == []


def test_a_namespace_that_is_nowhere_is_named(client: Client) -> None:
    with pytest.raises(ReleaseError, match="Namespace gone does not exist; it is needed for ConfigMap gone/c"):
        manifest(client, [some("ConfigMap", "c")], "gone").plan()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ApiError(401, "Unauthorized", "Unauthorized"), "the API server rejected the credentials of the kubeconfig"),
        (ApiError(403, "Forbidden", 'User "x" cannot patch'), "forbidden: User"),
        (ApiError(503, "", "busy"), "Try again"),
        (
            ApiError(400, "BadRequest", 'strict decoding error: unknown field "spec.x"'),
            'unknown field "spec.x". Correct the object.',
        ),
        (ApiError(418, "Teapot", "short and stout", "PATCH", "/x"), "PATCH /x: 418 Teapot"),
    ],
)
def test_refusals_are_explained(error: ApiError, says: str) -> None:
    text = explain(error, Reference("v1", "ConfigMap", "n", "c"))
    assert text.startswith("ConfigMap n/c: ") and says in text


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, ".data.pin: expected string, got &value.valueUnstructured{Value:4711471147}"),
        (422, 'Secret "s" is invalid: data: Invalid value: {"a":"4711471147"}'),
        (400, "strict decoding error: x: Invalid value: " + "4711471147" * 20),
    ],
)
def test_what_the_server_repeats_of_a_value_is_not_told(
    server: Server, client: Client, status: int, message: str
) -> None:
    server.refuse["/api/v1/namespaces/default/secrets/s"] = (status, {"reason": "Invalid", "message": message})
    with pytest.raises(ReleaseError) as caught:
        manifest(client, [some("Secret", "s", data={"pin": 4711471147})]).plan()
    assert "Secret default/s" in str(caught.value) and "4711471147" not in str(caught.value)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(server: Server, client: Client) -> None:
    server.busy = 2
    assert client.find("/api/v1/namespaces/default") is not None


def test_a_silent_server_is_explained() -> None:
    silent = Client(Credentials("http://127.0.0.1:9"), timeout=1, patience=0)
    with pytest.raises(Unreachable, match=r"API server at http://127.0.0.1:9 does not answer: .*Check that it runs"):
        silent.get("/api")


def test_the_cluster_that_is_not_there_gets_everything() -> None:
    assert actions(predict_creation(CONTENTS)) == ["create"] * 4


RULE = {"api_version": "v1", "kind": "ConfigMap", "namespace": "default", "name": "c", "why": "Do this."}


def test_what_must_not_be_there_is_refused(server: Server, client: Client) -> None:
    kinds = manifest(client, []).kinds
    unknown = dict(RULE, api_version="x.io/v1", kind="Thing")
    assert refusals(client, kinds, [RULE, unknown]) == []
    server.objects["/api/v1/namespaces/default/configmaps/c"] = some("ConfigMap", "c", spec={"mode": "A"})
    assert refusals(client, kinds, [RULE, unknown]) == ["ConfigMap default/c exists in the cluster. Do this."]
    assert broken_rule(dict(RULE, fields={"spec.mode": "A"}), {"spec": {"mode": "A"}}) is None
    assert broken_rule(dict(RULE, fields={"spec.mode": ["B", None]}), {"spec": {}}) is None
    assert (
        broken_rule(dict(RULE, fields={"spec.mode": ["B", None]}), {"spec": {"mode": "A"}})
        == 'exists in the cluster, and its spec.mode is "A".'
    )


def test_waiting_ends_when_ready_and_explains_when_not(server: Server, client: Client) -> None:
    wanted = some("Deployment", "d", "apps/v1", spec={"replicas": 1, "selector": {"matchLabels": {"a": "b"}}})
    deployed = manifest(client, [wanted])
    deployed.run(deployed.plan(), time.monotonic() + 5)
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    del server.objects[path]["status"]  # no controller is there yet
    with pytest.raises(
        OperationFailed,
        match=r"Not ready within the timeout: Deployment default/d: its controller has not observed it yet.",
    ):
        deployed.wait(0)
    counts = {"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    server.objects[path] = dict(server.objects[path], status=counts)
    assert deployed.wait(0) == ["Deployment default/d"]
    del server.objects[path]
    with pytest.raises(OperationFailed, match="it no longer exists"):
        deployed.wait(0)
