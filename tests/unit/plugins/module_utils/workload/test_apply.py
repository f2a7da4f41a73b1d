# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client and the manifest against a small API server made here: plain HTTP on the loopback, objects in a dictionary."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.slipway.kube.plugins.module_utils.workload.api import ApiError, Client, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils.workload.apply import (
    Manifest,
    ManifestError,
    broken_rule,
    creations,
    explain,
    refusals,
)
from ansible_collections.slipway.kube.plugins.module_utils.workload.kubeconfig import Credentials
from ansible_collections.slipway.kube.plugins.module_utils.workload.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils.workload.wait import NotReady, wait_ready

SERVED = {
    "/api": [("", "v1", [("namespaces", "Namespace", "Cluster"), ("configmaps", "ConfigMap", "Namespaced")])],
    "/apis": [
        ("apps", "v1", [("deployments", "Deployment", "Namespaced")]),
        ("apiextensions.k8s.io", "v1", [("customresourcedefinitions", "CustomResourceDefinition", "Cluster")]),
    ],
}


class Server(ThreadingHTTPServer):
    """Keeps objects by their path. C(busy): how many requests it still refuses for a moment."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, dict[str, Any]] = {
            "/api/v1/namespaces/default": {"kind": "Namespace", "metadata": {"name": "default"}}
        }
        self.writes: list[tuple[str, str]] = []
        self.refuse: dict[str, tuple[int, dict[str, Any]]] = {}
        self.busy = 0


class Handler(BaseHTTPRequestHandler):
    """GET, PATCH (apply) and DELETE, as the API server answers them."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        objects = self.server.objects
        if self.server.busy > 0:
            self.server.busy -= 1
            return self.answer(
                500, {"kind": "Status", "reason": "InternalError", "message": "etcdserver: leader changed"}
            )
        if self.command == "PATCH" and parts.path in self.server.refuse:
            return self.answer(
                self.server.refuse[parts.path][0], {"kind": "Status", **self.server.refuse[parts.path][1]}
            )
        if self.command == "GET" and parts.path in SERVED:
            return self.answer(200, discovery(parts.path))
        if self.command == "PATCH":
            assert self.headers["Content-Type"] == "application/apply-patch+yaml" and query["fieldManager"] == "tests"
            before = objects.get(parts.path, {})
            after = {
                **before,
                **body,
                "metadata": {**before.get("metadata", {}), **body["metadata"], "resourceVersion": str(time.time())},
            }
            if body["kind"] == "CustomResourceDefinition":
                after["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
            if query.get("dryRun") != "All":
                objects[parts.path] = after
                self.server.writes.append(("apply", parts.path))
            return self.answer(200, after)
        if parts.path not in objects:
            return self.answer(404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
        if self.command == "DELETE":
            self.server.writes.append(("delete", parts.path))
            return self.answer(200, objects.pop(parts.path))
        return self.answer(200, objects[parts.path])

    do_GET = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def discovery(path: str) -> dict[str, Any]:
    """Aggregated discovery of what this server serves."""
    items = []
    for group, version, resources in SERVED[path]:
        served = [
            {"resource": plural, "responseKind": {"kind": kind}, "scope": scope} for plural, kind, scope in resources
        ]
        items.append({"metadata": {"name": group}, "versions": [{"version": version, "resources": served}]})
    return {"kind": "APIGroupDiscoveryList", "items": items}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server for the time of a test."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def client(server: Server) -> Client:
    """A client of that server."""
    return Client(Credentials("http://127.0.0.1:%d" % server.server_port), timeout=5, patience=2, threads=2)


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


def manifest(client: Client, contents: list[dict[str, Any]], namespace: str = "default") -> Manifest:
    """Some objects for that server."""
    return Manifest(client, contents, namespace, "tests", force=False)


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
    assert server.writes == [("apply", "/api/v1/namespaces/web/configmaps/c")]


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
    absent.remove(steps, time.monotonic() + 5, wait=True)
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
    with pytest.raises(ManifestError) as caught:
        manifest(client, wanted).plan()
    first, second = str(caught.value).split("\n")
    assert first == (
        'ConfigMap default/c: others own fields that tests would set: .data.a (owned by "kubectl"). '
        "Leave these fields out, or take them over with force: true."
    )
    assert second.startswith("Deployment default/d: the API server refuses it: spec.selector: field is immutable.")
    assert "state: absent" in second
    assert server.writes == []


def test_a_namespace_that_is_nowhere_is_named(client: Client) -> None:
    with pytest.raises(ManifestError, match="there is no namespace gone"):
        manifest(client, [some("ConfigMap", "c")], "gone").plan()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ApiError(401, "Unauthorized", "Unauthorized"), "does not accept who the kubeconfig says you are"),
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
    text = explain(error, Reference("v1", "ConfigMap", "n", "c"), "tests")
    assert text.startswith("ConfigMap n/c: ") and says in text


def test_a_server_that_is_busy_for_a_moment_is_asked_again(server: Server, client: Client) -> None:
    server.busy = 2
    assert client.find("/api/v1/namespaces/default") is not None


def test_a_silent_server_is_explained() -> None:
    silent = Client(Credentials("http://127.0.0.1:9"), timeout=1, patience=0)
    with pytest.raises(Unreachable, match=r"API server at http://127.0.0.1:9 does not answer: .*See that it runs"):
        silent.get("/api")


def test_the_cluster_that_is_not_there_gets_everything() -> None:
    assert actions(creations(CONTENTS, "web")) == ["create"] * 4


RULE = {"api_version": "v1", "kind": "ConfigMap", "namespace": "default", "name": "c", "why": "Do this."}


def test_what_must_not_be_there_is_refused(server: Server, client: Client) -> None:
    kinds = manifest(client, []).kinds
    unknown = dict(RULE, api_version="x.io/v1", kind="Thing")
    assert refusals(client, kinds, [RULE, unknown]) == []
    server.objects["/api/v1/namespaces/default/configmaps/c"] = some("ConfigMap", "c", spec={"mode": "A"})
    assert refusals(client, kinds, [RULE, unknown]) == ["ConfigMap default/c is in the cluster. Do this."]
    assert broken_rule(dict(RULE, fields={"spec.mode": "A"}), {"spec": {"mode": "A"}}) is None
    assert broken_rule(dict(RULE, fields={"spec.mode": ["B", None]}), {"spec": {}}) is None
    assert (
        broken_rule(dict(RULE, fields={"spec.mode": ["B", None]}), {"spec": {"mode": "A"}})
        == 'is in the cluster, and its spec.mode is "A".'
    )


def test_waiting_ends_when_ready_and_explains_when_not(server: Server, client: Client) -> None:
    wanted = some("Deployment", "d", "apps/v1", spec={"replicas": 1, "selector": {"matchLabels": {"a": "b"}}})
    deployed = manifest(client, [wanted])
    deployed.run(deployed.plan(), time.monotonic() + 5)
    with pytest.raises(
        NotReady, match=r"Not ready after 0 s:\nDeployment default/d: its controller has not seen it yet."
    ):
        wait_ready(client, deployed.path, deployed.contents, 0)
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    counts = {"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    server.objects[path] = dict(server.objects[path], status=counts)
    assert wait_ready(client, deployed.path, deployed.contents, 0) == ["Deployment default/d"]
    del server.objects[path]
    with pytest.raises(NotReady, match="it is gone"):
        wait_ready(client, deployed.path, deployed.contents, 0)
