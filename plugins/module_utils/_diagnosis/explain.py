# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain objects that do not become ready: apply all rules to their namespaces and read the relevant logs."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Any, Iterable, Iterator, Sequence

from .._kube.api import ApiError, Client, now_of
from .._kube.objects import Reference
from .._kube.redaction import Redactor
from .finding import Finding, redact_findings
from .logs import add_logs
from .node_scaling import add_node_scaling
from .ranking import ranked
from .reading import read_kind
from .rules import all_findings
from .sources import CLUSTER_KINDS, NAMESPACED_KINDS, SOURCES
from .view import View

# The kinds that are read in the namespaces of the objects, and in the whole cluster.
INSIDE = tuple(kind for kind in NAMESPACED_KINDS if kind != "ResourceQuota")
OUTSIDE = tuple(kind for kind in CLUSTER_KINDS if kind not in ("Namespace", "APIService", "CustomResourceDefinition"))
# For more namespaces than this, namespaced kinds are listed for the whole cluster.
MANY = 4


def explain_faults(client: Client, names: Sequence[Reference], hide: Iterable[str] = ()) -> list[Finding]:
    """Return the root causes of why objects are not ready.

    :param names: the objects.
    :param hide: texts to redact, for example the values of the Secrets among the objects.
    :returns: findings, the most important first; empty if there is no fault.
    :raises Unreachable: the API server does not respond.
    """
    namespaces = sorted({name.namespace for name in names if name.namespace})
    view = read_view(client, namespaces)
    found = [finding for finding in ranked(all_findings(view)) if concerns(finding, names)]
    add_node_scaling(client, found)
    add_logs(client, found)
    redact_findings(found, Redactor(values=hide))
    return found


def concerns(finding: Finding, names: Sequence[Reference]) -> bool:
    """Return whether a finding is about one of the given objects, or affects one."""
    # Without the API version: an object may be referenced by several.
    return any(str(name) in (str(finding.object), *finding.others) for name in names)


@contextmanager
def paused_collection() -> Iterator[None]:
    """Disable cyclic garbage collection while hundreds of thousands of dictionaries are created: it would take half of the time."""
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
    """Read namespaces for the rules, with parallel requests; a list that may not be read is recorded, not an error.

    :param namespaces: empty for all.
    :param kinds: kinds that are read in these namespaces.
    :param whole: kinds that are read in the whole cluster.
    :param homes: the Namespace objects, if they were read.
    :raises Unreachable: the API server does not respond.
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
                # One list of the whole cluster is cheaper than one for each of many namespaces.
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
    return View(objects, now_of(client), namespaces, unseen)
