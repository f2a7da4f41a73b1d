# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that belong to no release: planned, applied and deleted by the same code as a release."""

from __future__ import annotations

import json
from typing import Any, Mapping, Sequence

from .._diagnosis.waiting import Watch
from .._kube.api import Client
from .._kube.objects import Kinds, Object, Reference, content_of, place, reference
from .._kube.readiness import WAITED_FOR
from .._kube.redaction import Redactor
from .apply import Sender
from .deletion import delete_in_order, wait_until_gone
from .desired import Desired, discover, with_defined
from .live_state import read_live
from .ownership import declines_waiting, identity
from .plan import Planner
from .planned import PlannedObject
from .settings import Settings
from .waiting import not_ready, wait_until_ready


def read_desired(client: Client, contents: Sequence[Object], namespace: str, skip_unknown: bool = False) -> Desired:
    """Place objects in their namespaces, by the kinds that the server serves and those that the objects define.

    :param contents: the objects, from :func:`objects.flatten`.
    :param namespace: the namespace of objects that name none.
    :param skip_unknown: leave out objects of kinds that are not served, as none of them can exist.
    :raises BadObject: a kind is not served.
    """
    served = discover(client)
    kinds = with_defined(served, contents)
    known = [content for content in contents if not skip_unknown or (content["apiVersion"], content["kind"]) in kinds]
    return Desired(place(known, kinds, namespace), {}, kinds, served)


def plan_apply(client: Client, desired: Desired, namespace: str, manager: str, force: bool) -> list[PlannedObject]:
    """Compare every object with the server's dry run of it.

    :param manager: the field manager that owns the applied fields.
    :param force: take over fields that other managers own.
    :raises ReleaseError: the server would refuse some; the message names all of them.
    """
    settings = Settings("", namespace, force_conflicts=force, manager=manager)
    return Planner(client, settings, desired).plan().objects


def apply(client: Client, desired: Desired, planned: Sequence[PlannedObject], manager: str, deadline: float) -> None:
    """Apply what has to be created or changed.

    :param deadline: time.monotonic() by which everything must be accepted.
    :raises OperationFailed: the server refused some objects; the message names all of them.
    """
    Sender(client, desired.path, deadline, manager=manager, in_release=False, early=desired.early).send(planned)


def wait_for_workloads(client: Client, desired: Desired, deadline: float) -> list[str]:
    """Wait until the workloads among the objects are ready.

    :returns: the workloads.
    :raises OperationFailed: the deadline has passed, or a pod can never start; with the diagnosis.
    """
    awaited = [content for content in desired.objects if not declines_waiting(content)]
    names = [reference(content) for content in awaited if content.get("kind") in WAITED_FOR]
    watch = Watch(client, names, desired.path, grace=0)
    outlook = wait_until_ready(watch, deadline)
    if outlook.waiting:
        raise not_ready(watch, outlook, Redactor(desired.objects).values)
    return [str(name) for name in names]


def plan_deletion(client: Client, desired: Desired) -> tuple[list[PlannedObject], list[Object]]:
    """Find which of the objects exist.

    :returns: what becomes of each object, and the live objects.
    """
    names = [reference(content) for content in desired.objects]
    live = read_live(client, desired.served, "", names)
    planned = [
        PlannedObject(name, "delete" if identity(name) in live else "none", {}, content_of(live.get(identity(name))))
        for name in names
    ]
    return planned, list(live.values())


def delete(client: Client, desired: Desired, lives: Sequence[Object], deadline: float, wait: bool) -> None:
    """Delete objects in reverse apply order.

    :param wait: wait after each stage until its objects are gone.
    :raises OperationFailed: the server refused a deletion, or an object still exists at the deadline.
    """
    delete_in_order(
        client,
        desired.path,
        lives,
        deadline,
        (lambda stage: wait_until_gone(client, desired.path, stage, deadline)) if wait else None,
    )


def predict_creation(contents: Sequence[Object]) -> list[PlannedObject]:
    """Plan for a cluster that does not exist yet: every object is created. No request is sent."""
    return [PlannedObject(reference(content), "create", content, {}, content_of(content)) for content in contents]


def refusals(client: Client, kinds: Kinds, rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each rule that forbids to continue, because an object exists or has another content than expected.

    :param rules: each names an object (api_version, kind, namespace, name), gives C(why), and may give C(fields):
        dotted paths with the values that are accepted.
    """

    def check(rule: Mapping[str, Any]) -> str | None:
        name = Reference(rule["api_version"], rule["kind"], rule.get("namespace") or "", rule["name"])
        resource = kinds.get((name.api_version, name.kind))
        evidence = broken_rule(rule, client.find(resource.path(name)) if resource else None)
        return None if evidence is None else f"{name} {evidence} {rule['why']}"

    return [text for text in client.each(check, rules) if text]


def broken_rule(rule: Mapping[str, Any], live: Mapping[str, Any] | None) -> str | None:
    """Return the evidence that an object violates a rule, or None if it does not."""
    if live is None:
        return None
    if not rule.get("fields"):
        return "exists in the cluster."
    found = []
    for path, accepted in rule["fields"].items():
        value: Any = live
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value not in (accepted if isinstance(accepted, list) else [accepted]):
            found.append(f"its {path} is {json.dumps(value)}")
    return f"exists in the cluster, and {', '.join(found)}." if found else None
