# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to each object, found out before anything is: from the record's digests, or by the server's own dry run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, content_of, mapping, reference
from .._kube.readiness import condition
from .._kube.schema import Schema
from . import field_migration, prune
from .api_errors import NEVER_REPLACED, conflicts, is_immutable, told
from .desired import Desired
from .errors import ReleaseError
from .fingerprint import digest, have
from .live_state import Live, known, look
from .manifest import Step
from .ownership import MANAGER, PRECIOUS, RELEASE, foreign, identity, key
from .record import DEPLOYED, Record
from .settings import Settings

Digests = Dict[str, List[str]]
# How the API server says so: of a field that it drops, and of one that it cannot merge.
UNKNOWN_FIELD = ("unknown field", "not declared in schema")


@dataclass
class Want(Step):
    """What becomes of one object: C(create), C(change), C(replace), C(delete), C(run) (a hook) or C(none).

    :ivar quiet: it is sent although its content does not change: fields of another manager are taken over.
    :ivar force: conflicts are settled in our favour.
    :ivar why: why it is replaced.
    :ivar wanted: digest of what was wanted, before replicas were left to an autoscaler.
    """

    quiet: bool = False
    force: bool = False
    wanted: str = ""
    why: str = ""


@dataclass
class Plan:
    """What a run would do.

    :ivar digests: what was wanted of each object and what the server has of it, for those with nothing to do.
    :ivar unasked: objects that could only be held against the schema, because their namespace or kind comes with this release.
    """

    steps: list[Want] = field(default_factory=list)
    hooks: list[Want] = field(default_factory=list)
    prunes: list[Want] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    digests: Digests = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    namespaces: list[Want] = field(default_factory=list)
    unasked: list[Reference] = field(default_factory=list)

    @property
    def all(self) -> list[Want]:
        """Every step, in the order of the work."""
        return self.namespaces + self.steps + self.hooks + self.prunes

    @property
    def actions(self) -> list[str]:
        """What becomes of each object."""
        return [step.action for step in self.all]

    @property
    def work(self) -> bool:
        """Whether anything has to be sent."""
        return any(step.action != "none" or step.quiet for step in self.all)


def candidates(desired: Desired, latest: Record | None) -> list[Reference]:
    """Name what earlier revisions contain, finished or not, and this one does not."""
    if latest is None:
        return []
    now = {identity(reference(content)) for content in desired.all}
    gone = {identity(name): name for name in latest.references + latest.inherited if identity(name) not in now}
    return list(gone.values())


class Planner:
    """Compares what is wanted with what the cluster has."""

    def __init__(self, client: Client, settings: Settings, desired: Desired, latest: Record | None) -> None:
        """Look at the cluster: one list for each kind and namespace.

        :param latest: the newest record of the release.
        """
        self.client = client
        self.settings = settings
        self.desired = desired
        self.latest = latest
        self.done: Digests = (latest.state.get("digests") or {}) if latest else {}
        self.old = [name for name in (known(one, desired.served) for one in candidates(desired, latest)) if name]
        names = [reference(content) for content in desired.all] + self.old
        self.live: Live = look(client, desired.served, settings.name, names)
        self.missing, self.ending = self._namespaces()
        self.nowhere = self.missing | self.ending
        self._schema = Schema(client, desired.objects)

    def plan(self) -> Plan:
        """Find out what has to be done.

        :raises ReleaseError: the cluster would refuse some of it; every refusal is named, nothing was sent.
        """
        problems = self._namespace_problems()
        absent = [content for content in self.desired.all if self._needs_schema(content)]
        problems += self._schema_problems(absent)
        results = self.client.each(self._attempt, self.desired.objects)
        hooks = [content for part in self.desired.hooks.values() for content in part]
        hook_results = self.client.each(self._attempt_hook, hooks)
        problems += [str(result) for result in results + hook_results if isinstance(result, ReleaseError)]
        if problems:
            raise ReleaseError("\n".join(dict.fromkeys(problems)))
        plan = Plan(
            [result for result in results if isinstance(result, Want)],
            [result for result in hook_results if isinstance(result, Want)],
        )
        plan.unasked = [reference(content) for content in absent]
        for step in plan.steps:
            live = self.live.get(identity(step.name))
            if step.action == "none" and not step.quiet and live is not None:
                plan.digests[key(step.name)] = [step.wanted, have(live)]
        if self.settings.namespace in self.missing and self._creates(self.settings.namespace) == "option":
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.settings.namespace}}
            plan.namespaces.append(Want(reference(space), "create", space, {}, space))
        if self.settings.prune:
            gone, plan.kept = self.to_prune()
            plan.prunes = [Want(reference(live), "delete", {}, content_of(live), {}) for live in gone]
        plan.warnings = self._warnings(plan)
        return plan

    def _attempt(self, content: Object) -> Want | ReleaseError:
        try:
            return self._plan_one(content)
        except ReleaseError as error:
            return error

    def _attempt_hook(self, content: Object) -> Want | ReleaseError:
        """Ask about a hook. A Job that ran to its end for this or an earlier revision is not run again."""
        name = reference(content)
        if name.kind != "Job":
            return self._attempt(content)
        if key(name) in (self.latest.state.get("hooks_done") or [] if self.latest else []):
            return Want(name, "none", content)
        answer = self._attempt(content)
        return answer if isinstance(answer, ReleaseError) else Want(name, "run", content, {}, content_of(content))

    def _plan_one(self, content: Object) -> Want:
        name, wanted = reference(content), digest(content)
        live = self.live.get(identity(name))
        if live is None:
            if not self._needs_schema(content) and name.namespace not in self.nowhere:
                self._ask(content, None)
            return Want(name, "create", content, {}, content_of(content), False, self.settings.force_conflicts, wanted)
        self._see_that_it_is_ours(name, live)
        if (live.get("metadata") or {}).get("deletionTimestamp"):
            if name.kind in PRECIOUS:
                raise ReleaseError(
                    f"{name} is being deleted. Wait until it is gone, or see what its finalizers wait for."
                )
            return replaced(content, live, wanted, "it is being deleted")
        if name.kind == "Job" and failed(live):
            return replaced(content, live, wanted, "it failed, and a Job is not started again otherwise")
        if self.done.get(key(name)) == [wanted, have(live)] and not field_migration.migration(
            live, self.settings.take_over
        ):
            same = Want(name, "none", content)
            same.wanted = wanted
            return same
        try:
            return self._compare(content, live, wanted)
        except _Immutable as error:
            if self.settings.replace != "immutable" or name.kind in NEVER_REPLACED:
                raise ReleaseError(told(error.refusal, name, live, content, self.settings.replace)) from None
            return replaced(content, live, wanted, "fields that cannot be changed differ")

    def _compare(self, content: Object, live: Object, wanted: str) -> Want:
        name = reference(content)
        managers = self.settings.take_over
        answer, content, force = self._ask(content, live)
        quiet = bool(field_migration.migration(live, managers))
        if quiet:
            answer = field_migration.without_taken(live, answer, managers)
        before, after = content_of(live), content_of(answer)
        return Want(name, "none" if before == after else "change", content, before, after, quiet, force, wanted)

    def _ask(self, content: Object, live: Object | None) -> tuple[Object, Object, bool]:
        """Have the server apply an object as if. Gives its answer, the content it is for, and whether conflicts must be settled."""
        name = reference(content)
        path = self.desired.path(name)
        force = self.settings.force_conflicts
        if live is not None and autoscaled(content, self.desired.objects):
            content = with_replicas_of(live, content)
        for _attempt in range(3):
            try:
                return self.client.apply(path, content, MANAGER, force, dry_run=True), content, force
            except ApiError as error:
                owners = conflicts(error)
                if owners and not force and all(manager in self.settings.take_over for manager, _part in owners):
                    force = True
                elif owners and scaled_by_others(owners, content, self.desired.objects):
                    content = without_replicas(content)
                elif live is not None and is_immutable(error):
                    raise _Immutable(error) from error
                else:
                    raise ReleaseError(self._told(error, content, live)) from error
        raise ReleaseError(f"{name}: the server refuses it again and again. Run this once more.")

    def _told(self, error: ApiError, content: Object, live: Object | None) -> str:
        """Say why an object is refused; of a field that is unknown also what it was meant to be."""
        if any(words in error.message for words in UNKNOWN_FIELD):
            problems = self._schema.problems(content)
            if problems:
                return "\n".join(problems)
        return told(error, reference(content), live, content, self.settings.replace)

    def _see_that_it_is_ours(self, name: Reference, live: Object) -> None:
        other = foreign(live, self.settings.name, self.settings.namespace)
        if other and not self.settings.force_conflicts:
            raise ReleaseError(
                f"{name} belongs to release {other}. Leave it out, or move it to this release with force_conflicts: true."
            )

    def _namespaces(self) -> tuple[set[str], set[str]]:
        """Find the wanted namespaces that are not there, and those that are being deleted."""
        inhabited = {name[2] for name in self.live} | ({self.settings.namespace} if self.latest else set())
        wanted = {reference(content).namespace for content in self.desired.all} | {self.settings.namespace}
        ask = sorted(wanted - inhabited - {""})
        found = dict(zip(ask, self.client.each(self._namespace, ask)))
        ending = {
            name for name, live in found.items() if live and (live.get("status") or {}).get("phase") == "Terminating"
        }
        return {name for name, live in found.items() if live is None}, ending

    def _namespace(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self.client.find("/api/v1/namespaces/" + name)
        except ApiError as error:
            if error.status == 403:
                return {}  # who may work inside of a namespace need not be allowed to see it
            raise

    def _creates(self, namespace: str) -> str:
        """Say what creates a namespace: C(object), C(option), or nothing."""
        if any(
            content["kind"] == "Namespace" and content["metadata"]["name"] == namespace
            for content in self.desired.objects
        ):
            return "object"
        return "option" if self.settings.create_namespace and namespace == self.settings.namespace else ""

    def _namespace_problems(self) -> list[str]:
        problems = [
            f"Namespace {name} is being deleted. Wait until it is gone, then run this again."
            for name in sorted(self.ending)
        ]
        for namespace in sorted(self.missing):
            if self._creates(namespace):
                continue
            within = [
                str(reference(content)) for content in self.desired.all if reference(content).namespace == namespace
            ]
            remedy = "Create it, add it to the objects"
            remedy += ", or say create_namespace: true." if namespace == self.settings.namespace else "."
            problems.append(
                "There is no namespace {}, in which {} is to be. {}".format(
                    namespace,
                    within[0] + (f" and {len(within) - 1} more" if within[1:] else "") if within else "the record",
                    remedy,
                )
            )
        return problems

    def _needs_schema(self, content: Object) -> bool:
        """Whether a dry run cannot be asked for, because the object's namespace or kind comes with this release."""
        name = reference(content)
        if identity(name) in self.live:
            return False
        return (name.api_version, name.kind) not in self.desired.served or bool(
            name.namespace and name.namespace in self.missing and self._creates(name.namespace)
        )

    def _schema_problems(self, contents: Sequence[Object]) -> list[str]:
        return [problem for content in contents for problem in self._schema.problems(content)]

    def path(self, name: Reference) -> str:
        """Give the path of an object, also of one that the release no longer contains."""
        kinds = self.desired.kinds if (name.api_version, name.kind) in self.desired.kinds else self.desired.served
        return kinds[(name.api_version, name.kind)].path(name)

    def to_prune(self) -> tuple[list[Object], list[str]]:
        """Find what earlier revisions contain, this one does not, and may be deleted; and why the rest stays."""
        found = prune.sort_out(
            [self.live[identity(name)] for name in self.old if identity(name) in self.live],
            [
                self.live[identity(reference(content))]
                for content in self.desired.all
                if identity(reference(content)) in self.live
            ],
            self.desired.objects,
            self.settings,
        )
        return prune.spare_used_definitions(self.client, found)

    def _warnings(self, plan: Plan) -> list[str]:
        lines = []
        for step in plan.steps:
            live = self.live.get(identity(step.name))
            labels = ((live or {}).get("metadata") or {}).get("labels") or {}
            if live is not None and not labels.get(RELEASE) and self.done.get(key(step.name)) is None:
                lines.append(f"{step.name} was there before and becomes part of release {self.settings.name}.")
            if step.action == "replace":
                lines.append(f"{step.name} is deleted and made anew, because {step.why}.")
        return lines


class _Immutable(Exception):
    """An object is refused because of fields that cannot be changed."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def replaced(content: Object, live: Object, wanted: str, why: str) -> Want:
    """Plan an object to be deleted and made anew."""
    want = Want(reference(content), "replace", content, content_of(live), content_of(content))
    want.wanted, want.why = wanted, why
    return want


def failed(job: Mapping[str, Any]) -> bool:
    """Whether a Job has ended without success (https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions)."""
    found: list[str] = [condition(dict(job), kind).get("status", "") for kind in ("Failed", "FailureTarget")]
    return "True" in found


def scaled_by_others(
    owners: Mapping[tuple[str, str], Sequence[str]], content: Object, objects: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the only conflict is about replicas that an autoscaler of this release has set through C(scale)."""
    if any(part != "scale" or set(fields) != {".spec.replicas"} for (_manager, part), fields in owners.items()):
        return False
    return autoscaled(content, objects)


def autoscaled(content: Object, objects: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an autoscaler of this release decides how many pods a workload has."""
    name = reference(content)
    targets = [
        (mapping(mapping(other.get("spec")).get("scaleTargetRef")), reference(other).namespace)
        for other in objects
        if other.get("kind") == "HorizontalPodAutoscaler"
    ]
    return any(
        (target.get("kind"), target.get("name"), space) == (name.kind, name.name, name.namespace)
        for target, space in targets
    )


def with_replicas_of(live: Object, content: Object) -> Object:
    """Keep the number of pods where nobody but us has set it: a field that its only owner leaves out falls back to one pod.

    When the autoscaler sets another number, it is its own from then on
    (https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
    """
    owners = {
        (entry.get("manager"), entry.get("subresource") or "")
        for entry in (live.get("metadata") or {}).get("managedFields") or []
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    replicas, spec = mapping(live.get("spec")).get("replicas"), content.get("spec") or {}
    if not isinstance(spec, dict) or "replicas" in spec or replicas is None or owners != {(MANAGER, "")}:
        return content
    return dict(content, spec=dict(spec, replicas=replicas))


def without_replicas(content: Object) -> Object:
    """Leave the number of replicas to the autoscaler."""
    spec = {name: value for name, value in mapping(content.get("spec")).items() if name != "replicas"}
    return dict(content, spec=spec)


def good(latest: Record | None) -> bool:
    """Whether the newest record tells of a release that is as it was wanted."""
    return latest is not None and latest.status == DEPLOYED
