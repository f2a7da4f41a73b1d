# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explaining objects that do not become what they are to be: all rules over their namespaces, and the logs that prove it."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Reference
from .._kube.redaction import Redactor
from .finding import Finding, redact_findings
from .logs import add_logs
from .ranking import ranked
from .reading import SOURCES, read_kind
from .rules import all_findings
from .view import View

# What is read of the namespaces of the objects, and of the whole cluster.
INSIDE = (
    "Pod",
    "Event",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "EndpointSlice",
    "Ingress",
    "PersistentVolumeClaim",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
)
OUTSIDE = (
    "Node",
    "PersistentVolume",
    "StorageClass",
    "IngressClass",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
)

# Above so many namespaces, lists of the whole cluster are read.
MANY = 4


def explain(
    client: Client,
    names: Sequence[Reference],
    path: Callable[[Reference], str],
    logs: bool = True,
    hide: Iterable[str] = (),
) -> list[Finding]:
    """Find the root causes why some objects are not as they should be.

    :param names: the objects.
    :param path: gives the path of an object.
    :param logs: read the last lines of containers that ended or are not ready.
    :param hide: texts that must not be shown, for example the values of the Secrets among the objects.
    :returns: findings, the first to be read first; empty where nothing is wrong.
    :raises Unreachable: the API server does not answer.
    """
    del path
    namespaces = sorted({name.namespace for name in names if name.namespace})
    view = read_view(client, namespaces)
    found = [finding for finding in ranked(all_findings(view)) if concerns(finding, names)]
    if logs:
        add_logs(client, found)
    redact_findings(found, Redactor(values=hide))
    return found


def concerns(finding: Finding, names: Sequence[Reference]) -> bool:
    """Whether a finding is about one of some objects: its own fault, or one from which it suffers."""
    if any(finding.object == name or _same(finding.object, name) for name in names):
        return True
    told = set(finding.others)
    return any(str(name) in told for name in names)


def _same(one: Reference, other: Reference) -> bool:
    # The same object may be named by another version of its API.
    return (one.kind, one.namespace, one.name) == (other.kind, other.namespace, other.name)


@contextmanager
def paused_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among hundreds of thousands of new dictionaries: there are none, and it takes half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def read_view(
    client: Client,
    namespaces: Sequence[str],
    kinds: Sequence[str] = INSIDE,
    whole: Sequence[str] = OUTSIDE,
    homes: Sequence[dict[str, Any]] = (),
) -> View:
    """Read namespaces for the rules, several lists at once; what may not be read is noted, not fatal.

    :param namespaces: all where it is empty.
    :param homes: the namespaces themselves, as far as they were read.
    :raises Unreachable: the API server does not answer.
    """
    many = len(namespaces) > MANY
    wanted: list[tuple[str, str]] = [
        (kind, namespace) for kind in kinds for namespace in ([""] if many or not namespaces else namespaces)
    ]
    wanted += [(kind, "") for kind in whole]
    objects: dict[str, list[Any]] = {}
    unseen: dict[str, str] = {}
    inside = frozenset(namespaces)

    def read(pair: tuple[str, str]) -> tuple[list[dict[str, Any]] | None, str]:
        kind, namespace = pair
        try:
            if not (many and kind in kinds):
                return read_kind(client, kind, namespace), ""
            try:
                # One list of the whole cluster costs less than one of each of many namespaces.
                return [item for item in read_kind(client, kind) if item["metadata"].get("namespace") in inside], ""
            except ApiError as error:
                if error.status != 403:
                    raise
            return [item for name in namespaces for item in read_kind(client, kind, name)], ""
        except ApiError as error:
            if error.status == 404:
                return [], ""
            return None, error.message or error.reason

    with paused_collection():
        lists = client.each(read, wanted)
    for (kind, namespace), (items, why) in zip(wanted, lists):
        if items is None:
            unseen[SOURCES[kind].plural + (" in " + namespace if namespace else "")] = why
        else:
            objects.setdefault(kind, []).extend(items)
    if homes:
        objects["Namespace"] = [dict(home, kind="Namespace", apiVersion="v1") for home in homes]
    return View(objects, time.time(), namespaces, unseen)
