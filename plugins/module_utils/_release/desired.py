# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is to contain, ready to be sent: complete, placed in namespaces, marked as its own, hooks named by their content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import (
    BadObject,
    Kinds,
    Object,
    Reference,
    defined_kinds,
    flatten,
    place,
    read_discovery,
    reference,
)
from .errors import ReleaseError
from .fingerprint import digest
from .manifest import DISCOVERY
from .ownership import Identity, identity, stamp, tidy
from .record import intent_digest
from .settings import Settings

LONGEST = 63  # a Job's name is a label of its pods


@dataclass
class Desired:
    """The objects and hooks of one run.

    :ivar kinds: how every kind among them is served, now or after the definitions among them.
    :ivar served: the kinds that the cluster serves now.
    """

    objects: list[Object] = field(default_factory=list)
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=dict)
    served: Kinds = field(default_factory=dict)

    @property
    def all(self) -> list[Object]:
        """Objects and hooks."""
        return self.objects + [content for part in self.hooks.values() for content in part]

    @property
    def digest(self) -> str:
        """What stands for the intent."""
        return intent_digest(self.objects, self.hooks)

    def path(self, name: Reference) -> str:
        """Give the path of an object."""
        return self.kinds[(name.api_version, name.kind)].path(name)


def discover(client: Client) -> Kinds:
    """Ask which kinds the cluster serves, in two requests
    (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery)."""
    return read_discovery(client.each(lambda path: client.get(path, accept=DISCOVERY), ("/api", "/apis")))


def desire(settings: Settings, served: Kinds) -> Desired:
    """Make the objects of a call what is to be applied.

    :param served: the kinds that the cluster serves.
    :raises ReleaseError: some are no objects, come twice, or are of kinds that are not served; all are named.
    """
    problems: list[str] = []
    parts: dict[str, list[Object]] = {}
    for part, contents in [("objects", settings.objects)] + [
        (when, settings.hooks.get(when) or []) for when in ("pre", "post")
    ]:
        try:
            parts[part] = [tidy(content) for content in flatten(contents)]
        except BadObject as error:
            problems += [(f"{part} hook: {line}" if part != "objects" else line) for line in str(error).split("\n")]
            parts[part] = []
    kinds = dict(served)
    for key, resource in defined_kinds(content for part in parts.values() for content in part).items():
        kinds.setdefault(key, resource)
    for part, contents in parts.items():
        made = []
        for content in contents:
            try:
                if part != "objects":
                    content = named_by_content(content)
                marked = stamp(content, settings.name, settings.namespace)
                made += place([marked], kinds, settings.namespace)
            except (BadObject, ValueError) as error:
                text = str(error)
                problems.append(text if isinstance(error, BadObject) else f"{reference(content)}: {text}.")
        parts[part] = made
    problems += twice([content for contents in parts.values() for content in contents])
    if problems:
        raise ReleaseError("\n".join(problems))
    hooks = {when: parts[when] for when in ("pre", "post")}
    return Desired(parts["objects"], hooks, kinds, served)


def named_by_content(content: Object) -> Object:
    """Give a hook's Job a name that says what it does: the same hook is known again, a changed one is another Job.

    Jobs cannot be changed once they are made (https://kubernetes.io/docs/concepts/workloads/controllers/job/).
    """
    if content.get("kind") != "Job":
        return content
    suffix = "-" + digest(content)[:8]
    name = content["metadata"]["name"][: LONGEST - len(suffix)].rstrip("-.") + suffix
    return dict(content, metadata=dict(content["metadata"], name=name))


def twice(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the objects that are there more than once, now that all have their namespace."""
    seen: set[Identity] = set()
    problems = []
    for content in contents:
        name = reference(content)
        if identity(name) in seen:
            problems.append(f"{name} is there twice. Leave one of the two out, or give it another name.")
        seen.add(identity(name))
    return problems
