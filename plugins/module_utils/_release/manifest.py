# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Want, have and changes for the objects of a manifest: all is asked first (the server's dry run), then all is done."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import (
    BadObject,
    Kinds,
    Object,
    Reference,
    content_of,
    defined_kinds,
    difference,
    place,
    read_discovery,
    reference,
    stages,
)
from .._kube.redaction import without_values

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ManifestError(Exception):
    """Objects cannot be brought to what is wanted; the message lists every reason."""


@dataclass
class Step:
    """What becomes of one object: C(create), C(change), C(delete) or C(none)."""

    name: Reference
    action: str
    content: Object = field(default_factory=dict)
    before: Object = field(default_factory=dict)
    after: Object = field(default_factory=dict)

    @property
    def diff(self) -> dict[str, Any]:
        """Ansible's diff of this object."""
        return difference(self.name, self.before, self.after)

    def as_dict(self) -> dict[str, str]:
        """What the module returns of this object."""
        return dict(self.name.as_dict(), action=self.action)


def served_kinds(client: Client, contents: Sequence[Mapping[str, Any]]) -> Kinds:
    """Ask which kinds the server serves, and add those that the objects themselves define."""
    kinds = read_discovery(client.each(lambda path: client.get(path, accept=DISCOVERY), ("/api", "/apis")))
    for key, resource in defined_kinds(contents).items():
        kinds.setdefault(key, resource)
    return kinds


def creations(contents: Sequence[Object], namespace: str) -> list[Step]:
    """Plan for a cluster that is not there yet: every object is created. Nothing is asked."""
    return [Step(reference(content), "create", content, {}, content_of(content)) for content in contents]


class Manifest:
    """Some objects and the cluster they are for."""

    def __init__(
        self,
        client: Client,
        contents: Sequence[Object],
        namespace: str,
        manager: str,
        force: bool,
        skip_unknown: bool = False,
    ) -> None:
        """Find out how the server serves these objects.

        :param contents: the objects, from :func:`objects.flatten`.
        :param namespace: where objects live that name no namespace.
        :param manager: field manager that owns what is applied.
        :param force: take over fields that other managers own.
        :param skip_unknown: leave out objects of kinds that are not served, as there can be none of them.
        :raises BadObject: a kind is not served.
        """
        self.client = client
        self.manager = manager
        self.force = force
        self.kinds = served_kinds(client, contents)
        known = [
            content
            for content in contents
            if not skip_unknown or (content["apiVersion"], content["kind"]) in self.kinds
        ]
        self.contents = place(known, self.kinds, namespace)

    def path(self, name: Reference) -> str:
        """Give the path of an object."""
        return self.kinds[(name.api_version, name.kind)].path(name)

    def plan(self) -> list[Step]:
        """Compare every object with what the server says it would become.

        :raises ManifestError: the server would refuse some; all of them are named.
        """
        return self._collect(self._plan_one, self.contents)

    def plan_absence(self) -> list[Step]:
        """Find which of the objects are there."""
        return self._collect(self._plan_absence_of, self.contents)

    def run(self, steps: Sequence[Step], deadline: float) -> None:
        """Apply what is to be created or changed, stage by stage; definitions are served before what uses them.

        :param deadline: time.monotonic() until which definitions may take to be served.
        :raises ManifestError: the server refused some; all of them are named.
        """
        for stage in stages(step.content for step in steps if step.action in ("create", "change")):
            self._collect(self._send, stage)
            self._await_definitions(stage, deadline)

    def remove(self, steps: Sequence[Step], deadline: float, wait: bool) -> None:
        """Delete what is there, in the opposite order, and wait until it is gone.

        :raises ManifestError: something is still there at the deadline; its finalizers are named.
        """
        for stage in reversed(stages(step.before for step in steps if step.action == "delete")):
            names = [reference(content) for content in stage]
            self._collect(lambda content: self.client.delete(self.path(reference(content))), stage)
            while wait:
                left = [
                    live for live in self.client.each(lambda name: self.client.find(self.path(name)), names) if live
                ]
                if not left:
                    break
                if time.monotonic() > deadline:
                    raise ManifestError("\n".join(_lingering(live) for live in left))
                time.sleep(0.5)

    def live(self, names: Sequence[Reference]) -> list[Object | None]:
        """Read objects as they are; None for those that are not there."""
        return self.client.each(lambda name: self.client.find(self.path(name)), names)

    def _plan_one(self, content: Object) -> Step:
        name = reference(content)
        created = {
            (step["kind"], step["metadata"]["name"])
            for step in self.contents
            if step["kind"] in ("Namespace", "CustomResourceDefinition")
        }
        live = self.client.find(self.path(name))
        if live is None and not self._can_ask(name, created):
            return Step(name, "create", content, {}, content_of(content))
        answer = self.client.apply(self.path(name), content, self.manager, self.force, dry_run=True)
        if live is None:
            return Step(name, "create", content, {}, content_of(content))
        before, after = content_of(live), content_of(answer)
        return Step(name, "none" if before == after else "change", content, before, after)

    def _can_ask(self, name: Reference, created: Any) -> bool:
        """Whether a dry run means something: not for objects whose namespace or kind comes with the same manifest."""
        if name.namespace and self.client.find("/api/v1/namespaces/" + name.namespace) is None:
            if ("Namespace", name.namespace) in created:
                return False
            raise ManifestError(
                f"{name}: there is no namespace {name.namespace}. Add it to the objects, or create it first."
            )
        definition = f"{self.kinds[name.api_version, name.kind].plural}.{name.api_version.partition('/')[0]}"
        if ("CustomResourceDefinition", definition) in created:
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + definition
            return self.client.find(path) is not None
        return True

    def _plan_absence_of(self, content: Object) -> Step:
        name = reference(content)
        live = self.client.find(self.path(name))
        return Step(name, "delete" if live else "none", content, content_of(live), {})

    def _send(self, content: Object) -> None:
        self.client.apply(self.path(reference(content)), content, self.manager, self.force, dry_run=False)

    def _await_definitions(self, stage: Sequence[Object], deadline: float) -> None:
        names = [reference(content) for content in stage if content["kind"] == "CustomResourceDefinition"]
        while names:
            pending = [(name, live) for name, live in zip(names, self.live(names)) if not _established(live)]
            if not pending:
                return
            if time.monotonic() > deadline:
                raise ManifestError(
                    "\n".join(
                        "{} is not served yet: {}".format(
                            name, json.dumps(((live or {}).get("status") or {}).get("conditions"))
                        )
                        for name, live in pending
                    )
                )
            names = [name for name, _live in pending]
            time.sleep(0.2)

    def _collect(self, function: Callable[[Object], Any], contents: Sequence[Object]) -> list[Any]:
        """Call a function for every object and raise all refusals together."""

        def attempt(content: Object) -> Any:
            try:
                return function(content)
            except ManifestError as error:
                return error
            except ApiError as error:
                return ManifestError(explain(error, reference(content), self.manager))

        results = self.client.each(attempt, contents)
        problems = [str(result) for result in results if isinstance(result, ManifestError)]
        if problems:
            raise ManifestError("\n".join(problems))
        return results


def refusals(client: Client, kinds: Kinds, rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which rules forbid to go on: an object that must not be there, or that has another content than expected.

    :param rules: each names an object (api_version, kind, namespace, name), says C(why), and may give C(fields):
        dotted paths with the values that are accepted.
    """

    def judge(rule: Mapping[str, Any]) -> str | None:
        name = Reference(rule["api_version"], rule["kind"], rule.get("namespace") or "", rule["name"])
        resource = kinds.get((name.api_version, name.kind))
        live = client.find(resource.path(name)) if resource else None
        evidence = broken_rule(rule, live)
        return None if evidence is None else f"{name} {evidence} {rule['why']}"

    return [text for text in client.each(judge, rules) if text]


def broken_rule(rule: Mapping[str, Any], live: Mapping[str, Any] | None) -> str | None:
    """Give the evidence that an object breaks a rule, or None where it does not."""
    if live is None:
        return None
    if not rule.get("fields"):
        return "is in the cluster."
    found = []
    for path, accepted in rule["fields"].items():
        value: Any = live
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value not in (accepted if isinstance(accepted, list) else [accepted]):
            found.append(f"{path} is {json.dumps(value)}")
    return "is in the cluster, and its " + ", ".join(found) + "." if found else None


def explain(error: ApiError, name: Reference, manager: str) -> str:
    """Say why the server refused an object, with the evidence and the remedy, and without a value that may be secret."""
    error = without_values(error)
    if error.status == 409 and error.reason == "Conflict" and error.causes:
        fields = ", ".join(sorted({cause.get("field", "") for cause in error.causes}))
        owners = ", ".join(sorted({cause.get("message", "").replace("conflict with ", "") for cause in error.causes}))
        return f"{name}: others own fields that {manager} would set: {fields} (owned by {owners}). Leave these fields out, or take them over with force: true."
    if error.status == 401:
        return f"{name}: the API server does not accept who the kubeconfig says you are: {error.message}. Renew its certificate or token."
    if error.status == 403 and error.reason == "Forbidden":
        return f"{name}: forbidden: {error.message}. Use a kubeconfig that may do this, or grant it with a Role."
    if error.status in (400, 422) or "failed to create typed patch object" in error.message:
        details = "; ".join(f"{cause.get('field', '?')}: {cause.get('message', '')}" for cause in error.causes)
        remedy = (
            "Correct the object."
            if "immutable" not in error.message
            else "What cannot be changed must be deleted first (state: absent)."
        )
        return f"{name}: the API server refuses it: {(details or error.message).rstrip('.')}. {remedy}"
    if error.transient:
        return f"{name}: the API server is not able to answer now: {error.message}. Try again; see the health of etcd and of the control plane."
    return f"{name}: {error}"


def _established(definition: Mapping[str, Any] | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or []
    return any(condition.get("type") == "Established" and condition.get("status") == "True" for condition in conditions)


def _lingering(live: Object) -> str:
    finalizers = (live.get("metadata") or {}).get("finalizers") or (live.get("spec") or {}).get("finalizers")
    return "{} is still there; {}".format(
        reference(live),
        f"it waits for finalizers: {', '.join(finalizers)}. What handles them must run."
        if finalizers
        else "what it owns is being deleted. Give it more time.",
    )


__all__ = [
    "BadObject",
    "Manifest",
    "ManifestError",
    "Step",
    "broken_rule",
    "creations",
    "explain",
    "refusals",
    "served_kinds",
]
