# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StatefulSet that is replaced: its pods stay and are adopted, and its claims grow to the size of the new templates."""

from __future__ import annotations

from typing import Any, Mapping

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, mapping, mappings, reference
from .._kube.quantities import amount
from .ownership import MANAGER


def keeps_pods(content: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Return whether the pods of a StatefulSet can stay while it is deleted and created again: the new one must select them.

    Others would keep their names, which the new StatefulSet needs for its own. And the controller must be able to renew them: it never
    deletes an adopted pod that lacks a claim (https://github.com/kubernetes/kubernetes/issues/141876), and takes no notice of the Service in
    their DNS names.
    """
    if content.get("kind") != "StatefulSet":
        return False
    spec, before = mapping(content.get("spec")), mapping(live.get("spec"))
    if _claims(spec) - _claims(before) or (spec.get("serviceName") or "") != (before.get("serviceName") or ""):
        return False
    selector, old = mapping(spec.get("selector")), mapping(before.get("selector"))
    template = mapping(mapping(before.get("template")).get("metadata"))
    labels, wanted = mapping(template.get("labels")), mapping(selector.get("matchLabels"))
    if selector.get("matchExpressions"):
        return selector == old
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def small_claims(client: Client, content: Object) -> list[tuple[Object, Any]]:
    """Return the claims of a StatefulSet that are smaller than its templates want, each with the wanted size.

    :raises ApiError: they may not be listed.
    """
    name = reference(content)
    sizes = {}
    for template in mappings(mapping(content.get("spec")).get("volumeClaimTemplates")):
        prefix = f"{mapping(template.get('metadata')).get('name')}-{name.name}-"
        sizes[prefix] = _size(template)
    if not any(sizes.values()):
        return []
    found = []
    for live in client.items(f"/api/v1/namespaces/{name.namespace}/persistentvolumeclaims"):
        prefix, _dash, ordinal = live["metadata"]["name"].rpartition("-")
        wanted = sizes.get(prefix + "-") if ordinal.isdigit() else None
        if wanted and amount(wanted) > amount(_size(live)):
            found.append((live, wanted))
    return found


def grow_claims(client: Client, content: Object, replaced: bool) -> list[str]:
    """Request the size of the templates for claims that are smaller (https://kubernetes.io/docs/concepts/storage/persistent-volumes/).

    :param replaced: whether the StatefulSet was there before.
    :returns: a sentence for each claim, also for those that cannot grow.
    """
    try:
        small = small_claims(client, content)
    except ApiError as error:
        if not replaced and error.status == 403:
            return []  # there was no StatefulSet, and normally there are no claims
        return [f"Whether the claims of {reference(content)} are large enough is not known: {error.message}"]
    lines = []
    for live, wanted in small:
        name = _named(live)
        patch = {"spec": {"resources": {"requests": {"storage": wanted}}}}
        try:
            client.patch(
                f"/api/v1/namespaces/{name.namespace}/persistentvolumeclaims/{name.name}", patch, manager=MANAGER
            )
            lines.append(f"{name} grows from {_size(live)} to {wanted}.")
        except ApiError as error:
            lines.append(f"{name} stays at {_size(live)} instead of {wanted}: {error.message}")
    return lines


def growth(client: Client, content: Object) -> list[str]:
    """Return what :func:`grow_claims` would request; nothing if it cannot be known."""
    try:
        small = small_claims(client, content)
    except ApiError:
        return []
    return [f"{_named(live)} is to grow from {_size(live)} to {wanted}." for live, wanted in small]


def _claims(spec: Mapping[str, Any]) -> set[str]:
    return {str(mapping(one.get("metadata")).get("name")) for one in mappings(spec.get("volumeClaimTemplates"))}


def _named(live: Object) -> Reference:
    metadata = live["metadata"]
    return Reference("v1", "PersistentVolumeClaim", metadata["namespace"], metadata["name"])


def _size(claim: Mapping[str, Any]) -> Any:
    resources = mapping(mapping(claim.get("spec")).get("resources"))
    return mapping(resources.get("requests")).get("storage")
