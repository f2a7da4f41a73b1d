# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to each object, decided before anything is changed: from recorded digests, or by the server's dry run."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import (
    RELEASE,
    Kinds,
    Object,
    Reference,
    content_of,
    defined_kinds,
    indirect_kinds,
    reference,
)
from .._kube.schema import Schema
from . import canary, field_migration, prune
from .api_errors import NEVER_REPLACED, conflicts, explain_refusal, is_immutable
from .chart_hooks import ENDING, LASTING, applies, last_of_each_name, only_upgrades
from .claims import keeps_pods
from .desired import Desired
from .errors import ReleaseError
from .excuses import UNKNOWN_FIELD, excuse, overlaid
from .fingerprint import digest, live_digest
from .helm_records import left_by_helm
from .jobs import done_jobs
from .live_state import Live, read_live, served_as
from .namespaces import Namespaces
from .ownership import PRECIOUS, foreign, identity, key
from .planned import Digests, Plan, PlannedObject, has_failed, replaced
from .replicas import (
    SCALER,
    Autoscalers,
    autoscaled,
    is_left,
    overruled,
    scaled_by_others,
    with_replicas,
    with_replicas_of,
    without_replicas,
)
from .revision import FAILED, PENDING, Revision
from .settings import CANARY, Settings
from .waves import recorded, wave_of


def no_longer_contained(desired: Desired, latest: Revision | None) -> list[Reference]:
    """Name the objects that earlier revisions contain, finished or not, and this one does not."""
    if latest is None:
        return []
    now = {identity(reference(content)) for content in desired.all}
    return list(
        {identity(name): name for name in latest.references + latest.inherited if identity(name) not in now}.values()
    )


class Planner:
    """Compares the desired objects with the live ones. Settings without a name are for objects that belong to no release."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        desired: Desired,
        latest: Revision | None = None,
        upgrade: bool = False,
    ) -> None:
        """Read the live objects: one list for each kind and namespace.

        :param latest: the newest revision of the release.
        :param upgrade: whether a revision is deployed.
        """
        self.client = client
        self.settings = settings
        self.desired = desired
        self.latest = latest
        self.upgrade = upgrade
        self.recorded: Digests = (latest.state.get("digests") or {}) if latest else {}
        old = (served_as(name, desired.served) for name in no_longer_contained(desired, latest))
        self.old = [name for name in old if name]
        names = [reference(content) for content in desired.all] + self.old
        self.live: Live = read_live(client, desired.served, settings.name, names)
        if latest is not None and latest.status in (PENDING, FAILED) and desired.is_intent_of(latest):
            # The record of a revision is written once. What a chart makes anew is applied as it was recorded.
            desired.keep_ignored({identity(reference(content)): content for content in latest.all})
        desired.keep_ignored(self.live)
        occupied = {name[2] for name in self.live}
        self.namespaces = Namespaces(client, settings, desired, occupied, latest is not None)
        self.autoscalers = Autoscalers(client, desired.objects, self._leaving_autoscalers())
        self._schema = Schema(client, desired.objects)
        self._indirect = indirect_kinds(desired.objects)
        self._changing: Kinds = {}

    def plan(self) -> Plan:
        """Decide what has to be done.

        :raises ReleaseError: the cluster would refuse some objects; the message names every refusal. Nothing was changed.
        """
        problems = self.namespaces.problems()
        unknown = [content for content in self.desired.all if self._needs_schema(content)]
        if self.settings.name:
            problems += [problem for content in unknown for problem in self._not_valid(content)]
        results = self._attempt_all(self.desired.objects)
        hooks = [(when, content) for when, part in self.desired.hooks.items() if when != CANARY for content in part]
        hooks = last_of_each_name(hooks, self.upgrade)
        hook_results = self.client.each(self._attempt_hook, hooks)
        problems += [str(result) for result in results + hook_results if isinstance(result, ReleaseError)]
        if problems:
            raise ReleaseError("\n".join(dict.fromkeys(problems)))
        plan = Plan(
            [result for result in results if isinstance(result, PlannedObject)],
            [result for result in hook_results if isinstance(result, PlannedObject)],
        )
        for planned in plan.objects:
            planned.wave = wave_of(planned.content, self.settings.waves)
        canaries = self.desired.hooks.get(CANARY) or []
        plan.schema_only = [reference(content) for content in unknown if content not in canaries]
        plan.schema_only += [planned.name for planned in plan.objects if planned.untried]
        for planned in plan.objects:
            live = self.live.get(identity(planned.name))
            if planned.action == "none" and not planned.takes_over and live is not None:
                plan.digests[key(planned.name)] = [planned.digest, live_digest(live)]
        home = self.settings.namespace
        if home in self.namespaces.missing and self.namespaces.creates(home) == "option":
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}}
            plan.namespaces.append(PlannedObject(reference(space), "create", space, {}, space))
        if self.settings.prune and self.latest is not None:
            unneeded, plan.kept = self.to_prune()
            plan.prunes = [
                PlannedObject(reference(live), "delete", {}, content_of(live), wave=wave_of(live, self.waves))
                for live in unneeded
            ]
        plan.overruled = overruled(self.desired.objects, self.autoscalers.leaving)
        for content in canaries:
            self._add_canary(plan, content)
        if canary.planned(plan, canaries):
            canary.check_again(
                plan, [one for when, one in hooks if when == "post" and applies(one, when, self.upgrade)]
            )
        self._spare_hooks(plan, hooks)
        plan.warnings = self._warnings(plan)
        return plan

    @property
    def waves(self) -> list[Mapping[str, Any]]:
        """The entries with which the objects of the release, and those that it no longer contains, are or were applied."""
        return [*self.settings.waves, *recorded(self.latest.state if self.latest else {})]

    def _add_canary(self, plan: Plan, content: Object) -> None:
        live = self.live.get(identity(reference(content)))
        # A revision that is restored was tried when it was deployed first.
        upgrade = self.upgrade and self.settings.revision is None
        sized = canary.tries(content, plan, self.live, upgrade)
        canary.add_to(plan, content, self._attempt(sized) if sized else None, live)

    def _spare_hooks(self, plan: Plan, hooks: Sequence[tuple[str, Object]]) -> None:
        """Plan no hooks of upgrades and rollbacks for a run that would do nothing else."""
        late = {key(reference(one)) for when, one in hooks if only_upgrades(one, when) or when not in LASTING}
        if not late:
            return
        others = [planned for planned in plan.all if key(planned.name) not in late]
        same = self.latest is not None and self.desired.is_intent_of(self.latest)
        if same and not any(planned.action != "none" or planned.takes_over for planned in others):
            plan.hooks = [
                PlannedObject(one.name, "none", one.content) if key(one.name) in late else one for one in plan.hooks
            ]

    def path(self, name: Reference) -> str:
        """Return the URL path of an object, including one that the release no longer contains."""
        kinds = self.desired.kinds if (name.api_version, name.kind) in self.desired.kinds else self.desired.served
        return kinds[(name.api_version, name.kind)].path(name)

    def to_prune(self) -> tuple[list[Object], list[str]]:
        """Find the objects that earlier revisions contain, this one does not, and that may be deleted; and why the others stay."""
        current = [self.live.get(identity(reference(content))) for content in self.desired.all]
        return prune.spare_used_definitions(
            self.client,
            prune.select(
                [self.live[identity(name)] for name in self.old if identity(name) in self.live],
                [live for live in current if live is not None],
                self.desired.objects,
                self.settings,
            ),
        )

    def _leaving_autoscalers(self) -> list[Object]:
        lives = [self.live[identity(name)] for name in self.old if identity(name) in self.live]
        scalers = [live for live in lives if live.get("kind") == SCALER]
        return prune.select(scalers, [], self.desired.objects, self.settings)[0] if self.settings.prune else []

    def leaving(self) -> list[Object]:
        """Return the objects of earlier revisions that are already being deleted."""
        lives = [self.live[identity(name)] for name in self.old if identity(name) in self.live]
        return [live for live in lives if (live.get("metadata") or {}).get("deletionTimestamp")]

    def _attempt_all(self, contents: Sequence[Object]) -> list[PlannedObject | ReleaseError]:
        """Plan objects; what defines kinds first, because a dry run of their custom resources tells nothing when they change."""
        results: dict[int, PlannedObject | ReleaseError] = {}
        definitions = [content for content in contents if content["kind"] == "CustomResourceDefinition"]
        others = [content for content in contents if content["kind"] != "CustomResourceDefinition"]
        makers = [content for content in others if indirect_kinds([content])]
        for some in (definitions, makers, [content for content in others if not indirect_kinds([content])]):
            results.update(zip(map(id, some), self.client.each(self._attempt, some)))
            planned = [results[id(content)] for content in definitions + makers if id(content) in results]
            changed = [one for one in planned if isinstance(one, PlannedObject) and one.action != "none"]
            self._changing = defined_kinds(one.content for one in changed)
        return [results[id(content)] for content in contents]

    def _attempt(self, content: Object) -> PlannedObject | ReleaseError:
        try:
            return self._plan_one(content)
        except ReleaseError as error:
            return error

    def _attempt_hook(self, hook: tuple[str, Object]) -> PlannedObject | ReleaseError:
        """Plan a hook, given with when it runs. A Job that completed for this or an earlier revision does not run again."""
        when, content = hook
        name = reference(content)
        live = self.live.get(identity(name))
        try:
            self._check_owner(name, live or {})
        except ReleaseError as error:
            return error
        if self.settings.revision is not None:
            runs = when.endswith("-rollback") and name.kind in ENDING
            return PlannedObject(name, "run" if runs else "none", content)
        if when not in LASTING:
            # It runs with a rollback or the deletion; what the server refuses is reported when it becomes part of the release.
            known = self.latest is not None and content in (self.latest.hooks.get(when) or [])
            tried = None if known else self._attempt(content)
            return tried if isinstance(tried, ReleaseError) else PlannedObject(name, "none", content)
        if not applies(content, when, self.upgrade):
            return PlannedObject(name, "none", content)
        if name.kind not in ENDING:
            return self._attempt(content)
        if self.latest is not None and key(name) in (self.latest.state.get("hooks_done") or []):
            return PlannedObject(name, "none", content)
        planned = self._attempt(content)
        return (
            planned
            if isinstance(planned, ReleaseError)
            else PlannedObject(name, "run", content, {}, content_of(content))
        )

    def _plan_one(self, content: Object) -> PlannedObject:
        name, desired = reference(content), digest(content)
        live = self.live.get(identity(name))
        if live is None and self._has_ended(content):
            return PlannedObject(name, "none", content, digest=desired)
        if live is None:
            force, untried, spaces = self.settings.force_conflicts, "", self.namespaces
            if not self._needs_schema(content) and name.namespace not in spaces.missing | spaces.terminating:
                tried = self._dry_run(content, None)
                untried = tried if isinstance(tried, str) else ""
            after = content_of(content)
            return PlannedObject(name, "create", content, {}, after, force=force, digest=desired, untried=untried)
        self._check_owner(name, live)
        if (live.get("metadata") or {}).get("deletionTimestamp"):
            if name.kind in PRECIOUS:
                raise ReleaseError(
                    f"{name} is being deleted. Wait until it is gone, or check what its finalizers wait for. [slipway:object_terminating]"
                )
            return replaced(content, live, desired, "it is being deleted")
        if self.settings.name and name.kind == "Job" and has_failed(live):
            return replaced(content, live, desired, "it failed, and a failed Job cannot be restarted")
        takes_over = bool(field_migration.migration(live, self.settings.take_over))
        if self.recorded.get(key(name)) == [desired, live_digest(live)] and not takes_over:
            return PlannedObject(name, "none", content, digest=desired)
        result = self._dry_run(content, live)
        if result is None:
            keeps = keeps_pods(content, live)
            if keeps and autoscaled(content, self.desired.objects):
                content = with_replicas(live, content)
            return replaced(content, live, desired, "immutable fields differ", keeps)
        if isinstance(result, str):
            before, after = content_of(live), overlaid(content_of(live), content)
            force = self.settings.force_conflicts
            return PlannedObject(name, "change", content, before, after, takes_over, force, desired, untried=result)
        answer, sent, force = result
        # With the digest of what is wanted, the next run would not look whether the autoscaler is still there.
        desired, content = (digest(sent) if is_left(content, sent) else desired), sent
        if takes_over:
            answer = field_migration.without_taken(live, answer, self.settings.take_over)
        before, after = content_of(live), content_of(answer)
        action = "none" if before == after else "change"
        return PlannedObject(name, action, content, before, after, takes_over, force, desired)

    def _has_ended(self, content: Object) -> bool:
        """Return whether an object that does not exist is a Job that a deployed revision has run and its TTL has deleted."""
        done = (self.latest.state.get("jobs_done") or {}) if self.latest else {}
        mine = done_jobs([content], self.desired.ignored)
        return bool(mine) and mine.items() <= done.items()

    def _dry_run(self, content: Object, live: Object | None) -> tuple[Object, Object, bool] | str | None:
        """Apply an object as a dry run.

        :returns: the server's answer, the content that it is for, and whether conflicts must be resolved by force; None if immutable
            fields differ and the object will be replaced; or why a dry run is not possible.
        :raises ReleaseError: the server refuses the object.
        """
        path = self.desired.path(reference(content))
        force = self.settings.force_conflicts
        if live is not None:
            content = self.autoscalers.leave(content, live)
            if autoscaled(content, self.desired.objects):
                content = with_replicas_of(live, content)
        for _attempt in range(3):
            try:
                return self.client.apply(path, content, self.settings.manager, force, dry_run=True), content, force
            except ApiError as error:
                owners = conflicts(error)
                taken = all(manager in self.settings.take_over for manager, _part in owners)
                if owners and not force and (taken or scaled_by_others(owners, content, self.autoscalers.leaving)):
                    force = True
                elif owners and scaled_by_others(owners, content, self.desired.objects):
                    content = without_replicas(content)
                elif live is not None and is_immutable(error) and self._may_replace(content):
                    return None
                else:
                    return self._excuse(error, content, live)
        raise ReleaseError(
            f"{reference(content)}: the server refused the dry run three times. Run this again."
            " [slipway:dry_run_refused]"
        )

    def _excuse(self, error: ApiError, content: Object, live: Object | None) -> str:
        """Return why a dry run is not possible, after the object was validated against the schema.

        :raises ReleaseError: the run would be refused as well.
        """
        why = excuse(error, content, self.desired.all, self._changing)
        if not why:
            raise ReleaseError(self._explain(error, content, live)) from error
        problems = self._not_valid(content)
        if problems:
            raise ReleaseError("\n".join(problems)) from error
        return why

    def _not_valid(self, content: Object) -> list[str]:
        if (content["apiVersion"], content["kind"]) in self._indirect:
            return []  # its schema is made by a controller
        return [f"{problem} [slipway:object_invalid]" for problem in self._schema.problems(content)]

    def _may_replace(self, content: Object) -> bool:
        return self.settings.replace == "immutable" and content["kind"] not in NEVER_REPLACED

    def _explain(self, error: ApiError, content: Object, live: Object | None) -> str:
        """Explain why an object is refused; for an unknown field, also name the field that was probably meant."""
        if any(words in error.message for words in UNKNOWN_FIELD):
            problems = self._not_valid(content)
            if problems:
                return "\n".join(problems)
        in_release = bool(self.settings.name)
        return explain_refusal(error, reference(content), live, content, self.settings.replace, in_release)

    def _check_owner(self, name: Reference, live: Object) -> None:
        problem = foreign(name, live, self.settings.name, self.settings.namespace) if self.settings.name else ""
        if problem and not self.settings.force_conflicts:
            raise ReleaseError(problem)

    def _needs_schema(self, content: Object) -> bool:
        """Return whether a dry run is not possible, because the object's namespace or kind comes with this release."""
        name = reference(content)
        if identity(name) in self.live:
            return False
        return (name.api_version, name.kind) not in self.desired.served or bool(
            name.namespace and name.namespace in self.namespaces.missing and self.namespaces.creates(name.namespace)
        )

    def _warnings(self, plan: Plan) -> list[str]:
        lines = list(self.autoscalers.notices)
        taken = [self.live.get(identity(planned.name)) for planned in plan.objects if planned.takes_over]
        lines += left_by_helm(self.client, [live for live in taken if live is not None])
        for planned in plan.objects if self.settings.name else []:
            live = self.live.get(identity(planned.name))
            labels = ((live or {}).get("metadata") or {}).get("labels") or {}
            if live is not None and not labels.get(RELEASE) and self.recorded.get(key(planned.name)) is None:
                lines.append(f"{planned.name} already exists and becomes part of release {self.settings.name}.")
            if planned.action == "replace":
                lines.append(f"{planned.name} is {planned.way}.")
        for planned in plan.objects:
            if planned.untried:
                lines.append(f"{planned.name} was only validated against the schema, because {planned.untried}.")
        return lines
