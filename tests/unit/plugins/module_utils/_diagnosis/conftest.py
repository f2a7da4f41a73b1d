# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that answers from lists, and small objects to put into it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis import explain as explaining
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import Finding
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.ranking import ranked
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.rules import all_findings
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.sources import SOURCES
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.view import View
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError

FIXTURES = Path(__file__).parent / "fixtures"
NOW = 1_800_000_000.0
KINDS = tuple(kind for kind, source in SOURCES.items() if source.namespaced)
WHOLE = tuple(kind for kind, source in SOURCES.items() if not source.namespaced)


def stamp(ago: float = 0.0, now: float = NOW) -> str:
    """A time so many seconds before *now*, as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - ago))


class Cluster:
    """Stands for a client: answers lists, page by page, from what was put into it."""

    def __init__(self, lists: dict[str, list[dict[str, Any]]] | None = None) -> None:
        self.lists = {kind: list(items) for kind, items in (lists or {}).items()}
        self.asked: list[str] = []
        self.texts: dict[str, str | Exception] = {}
        self.forbidden: set[str] = set()

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [function(item) for item in items]

    def get(self, path: str, query: Any = None, patience: Any = None, accept: str = "application/json") -> Any:
        self.asked.append(path)
        path, _mark, rest = path.partition("?")
        query = dict(parse_qsl(rest))
        source, namespace = self._source(path)
        if source.kind in self.forbidden:
            raise ApiError(403, "Forbidden", f"{source.plural} is forbidden", "GET", path)
        if source.names_only:
            assert "PartialObjectMetadataList" in accept, "contents of Secrets and ConfigMaps are nobody's business"
        found = [
            item for item in self.lists.get(source.kind, []) if namespace in ("", item["metadata"].get("namespace"))
        ]
        fields = dict(field.split("=") for field in query.get("fieldSelector", "").split(",") if field)
        found = [item for item in found if all(item.get(name, wanted) == wanted for name, wanted in fields.items())]
        label, _equals, value = query.get("labelSelector", "").partition("=")
        found = [item for item in found if not label or (item["metadata"].get("labels") or {}).get(label) == value]
        begin, size = int(query.get("continue", 0)), int(query.get("limit", 10**9))
        more = {"continue": str(begin + size)} if begin + size < len(found) else {}
        return {"metadata": more, "items": json.loads(json.dumps(found[begin : begin + size]))}

    def find(self, path: str) -> dict[str, Any] | None:
        collection, _slash, name = path.rpartition("/")
        if collection == "/api/v1/namespaces":
            return {"metadata": {"name": name}}
        try:
            source, namespace = self._source(collection)
        except ApiError:
            return None
        for item in self.lists.get(source.kind, []):
            if item["metadata"]["name"] == name and (item["metadata"].get("namespace") or "") == namespace:
                return dict(json.loads(json.dumps(item)), kind=source.kind, apiVersion=source.api_version)
        return None

    def text(self, path: str, query: Any = None, timeout: float | None = None) -> str:
        answer = self.texts.get(path, ApiError(404, "NotFound", "not found", "GET", path))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def _source(path: str) -> tuple[Any, str]:
        for source in SOURCES.values():
            if path == source.path(""):
                return source, ""
            begin, _plural, _namespace = source.path("?").partition("?")
            if source.namespaced and path.startswith(begin) and path.endswith("/" + source.plural):
                return source, path[len(begin) : -len(source.plural) - 1]
        raise ApiError(404, "NotFound", "not found", "GET", path)


def view_of(lists: dict[str, list[dict[str, Any]]], namespaces: Iterable[str] = ()) -> View:
    """What the rules see of a cluster that has these objects and no others, trimmed as it is when it is read."""
    return explaining.read_view(Cluster(lists), list(namespaces), KINDS, WHOLE)


def findings_of(lists: dict[str, list[dict[str, Any]]], namespaces: Iterable[str] = ()) -> list[Finding]:
    """What is found in a cluster that has these objects and no others."""
    return ranked(all_findings(view_of(lists, namespaces)))


def meta(name: str, namespace: str = "shop", age: float = 600, **more: Any) -> dict[str, Any]:
    """The metadata of an object of some age."""
    return {"name": name, "namespace": namespace, "uid": "uid-" + name, "creationTimestamp": stamp(age), **more}


def node(name: str = "w1", ready: str = "True", age: float = 86400, **more: Any) -> dict[str, Any]:
    """A node; *more* are further conditions by their type."""
    said = [
        {"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "m", "lastTransitionTime": stamp(300)}
    ]
    said += [{"type": kind, "status": status} for kind, status in more.items()]
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}, "creationTimestamp": stamp(age)},
        "spec": {},
        "status": {
            "conditions": said,
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }


def pod(
    name: str = "web-1-a", state: dict[str, Any] | None = None, owner: str = "web-1", age: float = 600, **more: Any
) -> dict[str, Any]:
    """A pod of ReplicaSet web-1 (of Deployment web), ready where no state of its container is given."""
    ready = state is None
    container = {
        "name": "app",
        "image": "r/app:1",
        "ready": ready,
        "restartCount": 0,
        "state": {"running": {"startedAt": stamp(age)}},
    }
    container.update(state or {})
    owners = [{"kind": "ReplicaSet", "name": owner, "apiVersion": "apps/v1", "controller": True}] if owner else []
    labels = more.pop("labels", {"app": "web", "pod-template-hash": "1"})
    spec = {
        "nodeName": "w1",
        "containers": [{"name": "app", "image": "r/app:1", **more.pop("container", {})}],
        **more.pop("spec", {}),
    }
    return {
        "metadata": meta(name, age=age, labels=labels, ownerReferences=owners, **more.pop("metadata", {})),
        "spec": spec,
        "status": {
            "phase": "Running" if ready else "Pending",
            "podIP": "10.244.1.2",
            "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
            **more,
        },
    }


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """The status of a container that waits."""
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def crashed(code: int = 1, reason: str = "Error", restarts: int = 3, **more: Any) -> dict[str, Any]:
    """The status of a container that ends again and again."""
    ended = {"exitCode": code, "reason": reason, "finishedAt": stamp(5), **more}
    return waiting("CrashLoopBackOff", restartCount=restarts, lastState={"terminated": ended})


def deployment(ready: int = 1, wanted: int = 1, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """Deployment web and its ReplicaSet web-1."""
    counts = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
    labels = {"app": "web"}
    container = {"name": "app", "image": "r/app:1", **more.pop("container", {})}
    made = {
        "metadata": meta("web", generation=1, annotations={"deployment.kubernetes.io/revision": "1"}),
        "spec": {
            "replicas": wanted,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {"observedGeneration": 1, **counts, **more},
    }
    owner = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1", "controller": True}
    replica_set = {
        "metadata": meta(
            "web-1",
            labels={"pod-template-hash": "1"},
            ownerReferences=[owner],
            annotations={"deployment.kubernetes.io/revision": "1"},
        ),
        "spec": {"replicas": wanted},
        "status": counts,
    }
    return {"Deployment": [made], "ReplicaSet": [replica_set]}


def service(name: str = "web", selector: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A Service that leads to port 8080 of app=web."""
    chosen = {"app": "web"} if selector is None else selector
    return {"metadata": meta(name), "spec": {"selector": chosen, "ports": [{"port": 80, "targetPort": 8080}], **spec}}


def endpoints(name: str = "web", ready: int = 1, namespace: str = "shop") -> dict[str, Any]:
    """The EndpointSlice of a Service with so many ready endpoints."""
    return {
        "metadata": meta(name + "-x", namespace, labels={"kubernetes.io/service-name": name}),
        "ports": [{"port": 8080}],
        "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": True}}] * ready,
    }


def event(kind: str, name: str, reason: str, message: str, ago: float = 5, **more: Any) -> dict[str, Any]:
    """A warning about an object."""
    about = {"kind": kind, "namespace": "shop", "name": name, **more.pop("about", {})}
    return {
        "metadata": {"name": name + ".1", "namespace": "shop"},
        "involvedObject": about,
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": stamp(ago),
        **more,
    }


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
