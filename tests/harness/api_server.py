# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small API server on the loopback: server-side apply with owners of fields, labels, resource versions, controllers that are quick."""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.server_side_apply import applied, immutable, merge

SERVED = {
    ("", "v1"): {
        "namespaces": ("Namespace", False),
        "configmaps": ("ConfigMap", True),
        "secrets": ("Secret", True),
        "services": ("Service", True),
        "pods": ("Pod", True),
        "nodes": ("Node", False),
        "persistentvolumeclaims": ("PersistentVolumeClaim", True),
        "persistentvolumes": ("PersistentVolume", False),
        "serviceaccounts": ("ServiceAccount", True),
    },
    ("apps", "v1"): {
        "deployments": ("Deployment", True),
        "statefulsets": ("StatefulSet", True),
        "daemonsets": ("DaemonSet", True),
    },
    ("autoscaling", "v2"): {"horizontalpodautoscalers": ("HorizontalPodAutoscaler", True)},
    ("batch", "v1"): {"jobs": ("Job", True), "cronjobs": ("CronJob", True)},
    ("admissionregistration.k8s.io", "v1"): {"mutatingwebhookconfigurations": ("MutatingWebhookConfiguration", False)},
    ("rbac.authorization.k8s.io", "v1"): {
        "roles": ("Role", True),
        "rolebindings": ("RoleBinding", True),
        "clusterroles": ("ClusterRole", False),
        "clusterrolebindings": ("ClusterRoleBinding", False),
    },
    ("coordination.k8s.io", "v1"): {"leases": ("Lease", True)},
    ("apiextensions.k8s.io", "v1"): {"customresourcedefinitions": ("CustomResourceDefinition", False)},
}


class Server(ThreadingHTTPServer):
    """Objects by their path.

    :ivar writes: what was written and not merely tried: method and path.
    :ivar busy: how many requests are refused for a moment.
    :ivar refuse: an answer (status and Status object) for applies of a path.
    :ivar bad: images whose pods never start.
    :ivar slow: images whose Jobs do not end.
    :ivar ran: names of the Jobs that were created, in that order.
    :ivar orphaned: paths of the objects that were deleted without their dependents.
    :ivar only_served: objects of kinds that are not served are refused.
    :ivar forbidden: paths that this user may not read.
    :ivar before: called with method and path before each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.writes: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.busy = 0
        self.refuse: dict[str, tuple[int, dict[str, Any]]] = {}
        self.bad: set[str] = set()
        self.slow: set[str] = set()
        self.forbidden: set[str] = set()
        self.ran: list[str] = []
        self.orphaned: list[str] = []
        self.only_served = False
        self.before: Callable[[str, str, bool], None] = lambda method, path, dry: None
        self.gate = threading.RLock()
        self.put(
            "/api/v1/namespaces/default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        )

    def put(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Keep an object, as the server would after a write."""
        old = self.objects.get(path) or {}
        metadata = content.setdefault("metadata", {})
        metadata["resourceVersion"] = str(next(self.numbers))
        metadata.setdefault("uid", (old.get("metadata") or {}).get("uid") or "uid-%d" % next(self.numbers))
        metadata.setdefault("creationTimestamp", "2026-01-01T00:%02d:%02dZ" % divmod(next(self.numbers), 60))
        self.objects[path] = content
        if content.get("kind") == "Job" and not old:
            self.ran.append(metadata["name"])
        self.control(content)
        if content.get("kind") == "Job" and content["status"] and content["spec"].get("ttlSecondsAfterFinished") == 0:
            del self.objects[path]  # the TTL controller was faster than anybody who looks
        return content

    def control(self, content: dict[str, Any]) -> None:
        """Do what the controllers do."""
        kind, spec = content.get("kind"), content.get("spec") or {}
        if kind in ("Deployment", "StatefulSet"):
            images = {one.get("image") for one in spec.get("template", {}).get("spec", {}).get("containers", [])}
            ready = 0 if images & self.bad else spec.get("replicas", 1)
            content["status"] = {
                "observedGeneration": 0,
                "replicas": spec.get("replicas", 1),
                "updatedReplicas": spec.get("replicas", 1),
            }
            content["status"].update(
                readyReplicas=ready, availableReplicas=ready, currentRevision="r", updateRevision="r"
            )
            content["status"]["conditions"] = [{"type": "Available", "status": "True" if ready else "False"}]
        elif kind == "Job":
            images = {one.get("image") for one in spec.get("template", {}).get("spec", {}).get("containers", [])}
            end = {"type": "Failed" if images & self.bad else "Complete", "status": "True"}
            content["status"] = {} if images & self.slow else {"conditions": [end]}
        elif kind == "CustomResourceDefinition":
            content["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        elif kind == "PersistentVolumeClaim":
            content["status"] = {"phase": "Bound"}

    def served(self) -> dict[tuple[str, str], dict[str, tuple[str, bool]]]:
        """What is served, kinds of definitions included."""
        found = {key: dict(value) for key, value in SERVED.items()}
        for content in self.objects.values():
            if content.get("kind") == "CustomResourceDefinition":
                spec = content["spec"]
                for version in spec["versions"]:
                    found.setdefault((spec["group"], version["name"]), {})[spec["names"]["plural"]] = (
                        spec["names"]["kind"],
                        spec["scope"] == "Namespaced",
                    )
        return found

    def names(self, kind: str) -> list[str]:
        """Names of the objects of a kind."""
        return sorted(one["metadata"]["name"] for one in self.objects.values() if one.get("kind") == kind)

    def find(self, kind: str, name: str) -> dict[str, Any]:
        """The object of a kind and name."""
        (found,) = [one for one in self.objects.values() if one.get("kind") == kind and one["metadata"]["name"] == name]
        return found

    def statuses(self) -> list[str]:
        """Status of each revision, oldest first."""
        records = [one for one in self.objects.values() if one.get("type") == "slipway.kube/release"]
        records = [one for one in records if "slipway.kube/part" not in one["metadata"]["labels"]]
        records.sort(key=lambda one: int(one["metadata"]["labels"]["slipway.kube/revision"]))
        return [one["metadata"]["labels"]["slipway.kube/status"] for one in records]


class Handler(BaseHTTPRequestHandler):
    """Answers as the API server does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each answer waits 40 ms for an acknowledgement
    server: Server

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        aggregated = content.get("kind") == "APIGroupDiscoveryList"
        more = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" if aggregated else ""
        self.send_header("Content-Type", f"application/json{more}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refused(self, status: int, reason: str, message: str = "", causes: Any = ()) -> None:
        self.answer(
            status, {"kind": "Status", "reason": reason, "message": message, "details": {"causes": list(causes)}}
        )

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        dry = query.get("dryRun") == "All"
        self.server.before(self.command, parts.path, dry)
        with self.server.gate:
            if self.server.busy > 0:
                self.server.busy -= 1
                return self.refused(500, "InternalError", "etcdserver: leader changed")
            self.server.asked.append(f"{self.command} {parts.path}{' (dry)' if dry else ''}")
            getattr(self, "on_" + self.command.lower())(parts.path, query, body, dry)

    do_GET = do_PATCH = do_DELETE = do_POST = do_PUT = handle_any

    def on_get(self, path: str, query: dict[str, str], body: Any, dry: bool) -> None:
        if path in self.server.forbidden:
            return self.refused(403, "Forbidden", "forbidden")
        if path in ("/api", "/apis"):
            return self.answer(200, discovery(self.server.served(), path))
        if path in resource_lists(self.server.served()):
            return self.answer(200, resource_lists(self.server.served())[path])
        if path == "/version":
            return self.answer(200, {"major": "1", "minor": "37", "gitVersion": "v1.37.2"})
        documents = {"/".join(filter(None, key)): (key, kinds) for key, kinds in SERVED.items()}
        documents = {("apis/" if "/" in name else "api/") + name: pair for name, pair in documents.items()}
        if path == "/openapi/v3":
            links = {name: {"serverRelativeURL": "/openapi/v3/" + name} for name in documents}
            return self.answer(200, {"paths": links})
        if path.startswith("/openapi/v3/"):
            return self.answer(200, described(*documents[path[len("/openapi/v3/") :]]))
        if path in self.server.objects:
            return self.answer(200, self.server.objects[path])
        kind = self.collection(path)
        if kind is None:
            return self.refused(404, "NotFound", "not found")
        wanted = [
            content
            for key, content in sorted(self.server.objects.items())
            if (key.rpartition("/")[0] == path or self.everywhere(path, key))
            and selected(content, query.get("labelSelector", ""))
        ]
        if "PartialObjectMetadata" in self.headers.get("Accept", ""):
            wanted = [{"metadata": content["metadata"]} for content in wanted]
        else:
            wanted = [
                {key: value for key, value in content.items() if key not in ("kind", "apiVersion")}
                for content in wanted
            ]
        return self.answer(200, {"kind": kind + "List", "apiVersion": "v1", "items": wanted})

    def everywhere(self, path: str, key: str) -> bool:
        root, _slash, plural = path.rpartition("/")
        return key.startswith(root + "/namespaces/") and key.split("/")[-2] == plural

    def collection(self, path: str) -> str | None:
        plural = path.rpartition("/")[2]
        return next((kinds[plural][0] for kinds in self.server.served().values() if plural in kinds), None)

    def on_post(self, path: str, query: dict[str, str], body: Any, dry: bool) -> None:
        path = f"{path}/{body['metadata']['name']}"
        if path in self.server.objects:
            return self.refused(409, "AlreadyExists", "already exists")
        self.server.writes.append(("POST", path))
        return self.answer(201, self.server.put(path, body))

    def on_put(self, path: str, query: dict[str, str], body: Any, dry: bool) -> None:
        old = self.server.objects.get(path)
        if old is None:
            return self.refused(404, "NotFound", "not found")
        if body["metadata"].get("resourceVersion") not in (None, old["metadata"]["resourceVersion"]):
            return self.refused(409, "Conflict", "the object has been modified")
        self.server.writes.append(("PUT", path))
        return self.answer(200, self.server.put(path, body))

    def on_delete(self, path: str, query: dict[str, str], body: Any, dry: bool) -> None:
        old = self.server.objects.get(path)
        if old is None:
            return self.refused(404, "NotFound", "not found")
        for name, wanted in (body.get("preconditions") or {}).items():
            if wanted != old["metadata"][name]:
                return self.refused(409, "Conflict", f"the {name} in the precondition does not match")
        self.server.writes.append(("DELETE", path))
        if body.get("propagationPolicy") == "Orphan":
            self.server.orphaned.append(path)
        if old["metadata"].get("finalizers"):
            old["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:00:00Z")
            return self.answer(200, self.server.put(path, old))
        for key in [key for key in self.server.objects if key.startswith(path + "/")]:
            del self.server.objects[key]
        return self.answer(200, self.server.objects.pop(path))

    def on_patch(self, path: str, query: dict[str, str], body: Any, dry: bool) -> None:
        if "apply" not in self.headers["Content-Type"]:
            return self.patched(path, body)
        if path in self.server.refuse:
            status, content = self.server.refuse[path]
            return self.answer(status, {"kind": "Status", **content})
        if self.server.only_served and self.collection(path.rpartition("/")[0]) is None:
            return self.refused(404, "NotFound", "the server could not find the requested resource")
        parent = "/".join(path.split("/")[:5])
        if path.startswith("/api/v1/namespaces/") and parent not in self.server.objects and parent != path:
            return self.refused(404, "NotFound", f'namespaces "{path.split("/")[4]}" not found')
        old = self.server.objects.get(path)
        uid = body["metadata"].pop("uid", None)
        if uid is not None and (old is None or uid != old["metadata"]["uid"]):
            return self.refused(
                409, "Conflict", "uid mismatch: the provided object specified uid, and no existing object"
            )
        after, conflicts = applied(old or {}, body, query["fieldManager"], query.get("force") == "true")
        if conflicts:
            return self.refused(409, "Conflict", "conflict", conflicts)
        if old and immutable(old) != immutable(after):
            causes = [{"field": "spec.selector", "message": "Invalid value: {}: field is immutable"}]
            return self.refused(422, "Invalid", "spec.selector: field is immutable", causes)
        if dry:
            return self.answer(200, after)
        self.server.writes.append(("APPLY", path))
        return self.answer(200, self.server.put(path, after))

    def patched(self, path: str, body: Any) -> None:
        old = self.server.objects.get(path)
        if old is None:
            return self.refused(404, "NotFound", "not found")
        new = copy.deepcopy(old)
        if isinstance(body, list):
            for change in body:
                if (
                    change["path"] == "/metadata/resourceVersion"
                    and change["value"] != old["metadata"]["resourceVersion"]
                ):
                    return self.refused(409, "Conflict", "the object has been modified")
                new["metadata"][change["path"].rpartition("/")[2]] = change["value"]
        else:
            version = (body.get("metadata") or {}).get("resourceVersion")
            if version not in (None, old["metadata"]["resourceVersion"]):
                return self.refused(409, "Conflict", "the object has been modified")
            merge(new, body)
        self.server.writes.append(("PATCH", path))
        return self.answer(200, self.server.put(path, new))

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def selected(content: dict[str, Any], selector: str) -> bool:
    """Whether an object bears the labels."""
    labels = content["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        key, _equals, value = part.partition("=")
        if part.startswith("!"):
            if part[1:] in labels:
                return False
        elif key not in labels or (value and labels[key] != value):
            return False
    return True


def described(version: tuple[str, str], kinds: Any) -> dict[str, Any]:
    """Schemas of the kinds of a group, which allow everything but an unknown field beside these."""
    schemas = {
        kind: {
            "type": "object",
            "properties": {
                name: {"x-kubernetes-preserve-unknown-fields": True}
                for name in ("apiVersion", "kind", "metadata", "data", "spec", "rules", "roleRef", "subjects")
            },
            "x-kubernetes-group-version-kind": [{"group": version[0], "version": version[1], "kind": kind}],
        }
        for kind, _inside in kinds.values()
    }
    return {"components": {"schemas": schemas}}


def discovery(served: Any, path: str) -> dict[str, Any]:
    """Aggregated discovery."""
    items = []
    for (group, version), kinds in served.items():
        if (group == "") == (path == "/api"):
            resources = [
                {"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced" if inside else "Cluster"}
                for plural, (kind, inside) in kinds.items()
            ]
            items.append({"metadata": {"name": group}, "versions": [{"version": version, "resources": resources}]})
    return {"kind": "APIGroupDiscoveryList", "items": items}


def resource_lists(served: Any) -> dict[str, dict[str, Any]]:
    """Discovery of each version of a group, by its path."""
    found = {}
    for (group, version), kinds in served.items():
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        resources = [
            {"name": plural, "kind": kind, "namespaced": inside, "verbs": ["get", "list", "create", "patch", "delete"]}
            for plural, (kind, inside) in kinds.items()
        ]
        name = f"{group}/{version}" if group else version
        found[path] = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}
    return found


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the time of a test."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
