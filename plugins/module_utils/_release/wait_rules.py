# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user says about waiting: when objects are ready, and which are not waited for."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube import json_path
from .._kube.custom_readiness import outdated
from .._kube.objects import Reference, is_custom, mapping, reference
from .._kube.readiness import Readiness, condition, generation_seen
from .ownership import declines_waiting

# An object whose controller does nothing while this field is true; a CronJob is ready in any case.
STOPPED = ("paused", "suspend")
STOPPABLE = ("Deployment", "Job")


def matches(entry: Mapping[str, Any], name: Reference) -> bool:
    """Return whether an entry is about an object; an entry without a name or a namespace is about all."""
    return (
        entry["kind"] == name.kind
        and entry.get("name") in (None, "", name.name)
        and entry.get("namespace") in (None, "", name.namespace)
    )


def problems(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Explain what is wrong with the entries of the option C(wait_conditions)."""
    found = []
    for number, entry in enumerate(entries, 1):
        where = f"wait_conditions[{number}]"
        if bool(entry.get("condition")) == bool(entry.get("jsonpath")):
            found.append(f"{where}: set either condition or jsonpath.")
        if entry.get("jsonpath"):
            try:
                json_path.parse(entry["jsonpath"])
            except json_path.BadPath as error:
                found.append(f"{where}.jsonpath: {error}. Fields, [0], [*], ['key'] and [?(@.type==\"Ready\")] are.")
    return found


class WaitRules:
    """The rules of one run.

    :ivar conditions: entries of the option C(wait_conditions).
    :ivar exceptions: entries of the option C(wait_except). :ivar waves: those of the option C(waves).
    """

    def __init__(
        self,
        conditions: Sequence[Mapping[str, Any]] = (),
        exceptions: Sequence[Mapping[str, Any]] = (),
        waves: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.conditions = [
            (entry, json_path.parse(entry["jsonpath"]) if entry.get("jsonpath") else None) for entry in conditions
        ]
        self.exceptions = list(exceptions)
        self.waves = list(waves)

    def judge(self, live: Mapping[str, Any]) -> Readiness | None:
        """Return whether an object is ready by the user's conditions, and what is missing; None if none is about it."""
        mine = [pair for pair in self.conditions if matches(pair[0], reference(live))]
        if not mine:
            return None
        if (live.get("metadata") or {}).get("deletionTimestamp"):
            return False, "it is being deleted"
        generation = (live.get("metadata") or {}).get("generation", 0)
        # Flux begins with -1, and leaves it so for objects that have no status.
        if 0 <= generation_seen(mapping(live.get("status")), generation) < generation:
            return False, "its controller has not observed the latest generation yet"
        missing = [why for why in (_missing(entry, steps, live) for entry, steps in mine) if why]
        return not missing, "; ".join(missing)

    def has_condition(self, content: Mapping[str, Any]) -> bool:
        """Return whether a condition of the user is about an object."""
        return any(matches(entry, reference(content)) for entry, _steps in self.conditions)

    def excepts(self, content: Mapping[str, Any]) -> bool:
        """Return whether an object is not waited for, because the user says so or because it is stopped on purpose."""
        name = reference(content)
        if declines_waiting(content) or any(matches(entry, name) for entry in self.exceptions):
            return True
        return bool(stopped(content)) and not self.has_condition(content)

    def notices(self, contents: Sequence[Mapping[str, Any]], waits: bool = True) -> list[str]:
        """Return sentences about objects that are not waited for without the user having said so, and about rules that match none.

        :param waits: whether the run waits; otherwise only the waves matter.
        """
        lines = [
            f"{reference(content)} is not waited for, because its spec.{stopped(content)} is true."
            for content in contents
            if waits and stopped(content) and self.excepts(content) and not declines_waiting(content)
        ]
        names = [reference(content) for content in contents]
        for option, entries in (
            ("wait_conditions", [entry for entry, _steps in self.conditions] if waits else []),
            ("wait_except", self.exceptions if waits else []),
            ("waves", self.waves),
        ):
            for number, entry in enumerate(entries, 1):
                if not any(matches(entry, name) for name in names):
                    what = "/".join(str(entry[part]) for part in ("namespace", "name") if entry.get(part))
                    kind = entry["kind"]
                    lines.append(f"{option}[{number}]: the release contains no {f'{kind} {what}'.rstrip()}.")
        return lines


def stopped(content: Mapping[str, Any]) -> str:
    """Return the field that tells the controller of an object to do nothing (C(paused) or C(suspend)), empty if none does."""
    if content.get("kind") not in STOPPABLE and not is_custom(content):
        return ""
    spec = mapping(content.get("spec"))
    return next((field for field in STOPPED if spec.get(field) is True), "")


def _missing(entry: Mapping[str, Any], steps: Any, live: Mapping[str, Any]) -> str:
    """Return what an object lacks of a condition of the user, empty if nothing."""
    wanted = entry.get("value")
    if steps is None:
        found = condition(live, entry["condition"])
        wanted = "True" if wanted is None else json_path.as_text(wanted)
        if outdated(found, live):
            return f"condition {entry['condition']} is about an earlier generation"
        if str(found.get("status") or "").lower() == wanted.lower():
            return ""
        why = f" ({found.get('reason')}: {found.get('message')})" if found.get("reason") else ""
        return f"condition {entry['condition']} is {found.get('status') or 'not there'} instead of {wanted}{why}"
    values = json_path.values(steps, live)
    if not values:
        return f"it has no {entry['jsonpath']}"
    other = [value for value in values if wanted is not None and json_path.as_text(value) != json_path.as_text(wanted)]
    if not other:
        return ""
    return f"{entry['jsonpath']} is {json_path.as_text(other[0])} instead of {json_path.as_text(wanted)}"
