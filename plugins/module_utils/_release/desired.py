# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired objects of a release: complete, placed in namespaces, labelled, with hook Jobs named by their content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import (
    BadObject,
    Kinds,
    Object,
    Reference,
    defined_kinds,
    flatten,
    mappings,
    place,
    read_discovery,
    reference,
)
from . import waves
from .chart_hooks import ENDING, runs
from .errors import ReleaseError
from .fingerprint import digest
from .ignored import Ignored, with_live, without
from .ownership import Identity, identity, normalize, stamp
from .revision import Revision, intent_digest
from .settings import PARTS, Settings
from .store import Store

# Kubernetes 1.30 and later serve v2, 1.27 and later v2beta1 with the same fields; what is older answers with plain lists.
DISCOVERY = ",".join(
    [f"application/json;g=apidiscovery.k8s.io;v={one};as=APIGroupDiscoveryList" for one in ("v2", "v2beta1")]
    + ["application/json"]
)
LONGEST = 63  # a Job's name becomes a label of its pods


@dataclass
class Desired:
    """The objects and hooks of one run.

    :ivar kinds: how every kind among them is served, now or after the CustomResourceDefinitions among them are applied.
    :ivar served: the kinds that the cluster serves now.
    :ivar ignored: fields that keep the value that the cluster has.
    """

    objects: list[Object] = field(default_factory=list)
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    kinds: Kinds = field(default_factory=dict)
    served: Kinds = field(default_factory=dict)
    ignored: Sequence[Ignored] = ()

    @property
    def all(self) -> list[Object]:
        """Objects and hooks."""
        return self.objects + [content for part in self.hooks.values() for content in part]

    def is_intent_of(self, revision: Revision) -> bool:
        """Return whether a revision intends the same, apart from ignored fields."""

        def stripped(contents: Sequence[Object]) -> list[Object]:
            return [without(content, self.ignored) for content in contents]

        mine, theirs = (
            intent_digest(stripped(one.objects), {when: stripped(part) for when, part in one.hooks.items()})
            for one in (self, revision)
        )
        return mine == theirs

    def keep_ignored(self, live: Mapping[Identity, Object]) -> None:
        """Set ignored fields to the value that the cluster has."""

        def kept(contents: Sequence[Object]) -> list[Object]:
            return [with_live(content, live.get(identity(reference(content))), self.ignored) for content in contents]

        self.objects = kept(self.objects)
        self.hooks = {when: kept(part) for when, part in self.hooks.items()}

    @property
    def early(self) -> set[tuple[str, str]]:
        """The served kinds whose definition and admission webhooks do not come with this release: their controllers are there already."""
        configurations = [one for one in self.objects if str(one.get("kind")).endswith("WebhookConfiguration")]
        hooks = [hook for content in configurations for hook in mappings(content.get("webhooks"))]
        rules = [rule for hook in hooks for rule in mappings(hook.get("rules"))]
        listed = [rule.get("apiGroups") for rule in rules]
        groups = {str(group) for some in listed if isinstance(some, list) for group in some}
        others = set(self.served) - set(defined_kinds(self.objects))
        return {pair for pair in others if pair[0].rpartition("/")[0] not in groups and "*" not in groups}

    def path(self, name: Reference) -> str:
        """Return the URL path of an object."""
        return self.kinds[(name.api_version, name.kind)].path(name)


def discover(client: Client) -> Kinds:
    """Query which kinds the cluster serves, in two requests
    (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery).

    :raises ReleaseError: the server is too old for that.
    """
    documents = client.each(lambda path: client.get(path, accept=DISCOVERY), ("/api", "/apis"))
    if any("items" not in document for document in documents):
        raise ReleaseError(
            f"The API server at {client.credentials.server} does not support aggregated discovery, which Kubernetes 1.27 "
            "and later have. Upgrade the cluster, or deploy to it with kubernetes.core. [slipway:server_too_old]"
        )
    return read_discovery(documents)


def chart_view(client: Client, release: str, namespace: str) -> dict[str, Any]:
    """Query what a Helm chart may use: the version of the cluster, its APIs, and whether the release is upgraded
    (https://helm.sh/docs/chart_template_guide/builtin_objects/).

    :returns: the module's result, with C(kube_version) (empty if this user may not query it), C(api_versions) and C(upgrade).
    """
    store = Store(client, release, namespace)
    store.refresh()
    try:
        version = client.get("/version").get("gitVersion") or ""
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        version = ""
    return {
        "changed": False,
        "finished": True,
        "kube_version": version,
        "upgrade": bool(store.last_deployed()),
        "api_versions": names_of(discover(client)),
        "requests": client.requests,
    }


def names_of(kinds: Iterable[tuple[str, str]]) -> list[str]:
    """Name kinds as C(.Capabilities.APIVersions.Has) expects them: by version, and by version and kind."""
    return sorted({name for version, kind in kinds for name in (version, f"{version}/{kind}")})


def with_defined(served: Kinds, contents: Iterable[Mapping[str, Any]]) -> Kinds:
    """Add the kinds that CustomResourceDefinitions among some objects define to those that the cluster serves."""
    return {**defined_kinds(contents), **served}


def build_desired(settings: Settings, served: Kinds) -> Desired:
    """Build the objects to apply from the objects of a call.

    :param served: the kinds that the cluster serves.
    :raises ReleaseError: some are not valid objects, occur twice, or are of kinds that are not served; the message names all.
    """
    problems: list[str] = []
    parts: dict[str, list[Object]] = {}
    for part, contents in [("objects", settings.objects)] + [(when, settings.hooks.get(when) or []) for when in PARTS]:
        try:
            parts[part] = [normalize(content) for content in flatten(contents, distinct=part == "objects")]
        except BadObject as error:
            problems += [(f"{part} hook: {line}" if part != "objects" else line) for line in str(error).split("\n")]
            parts[part] = []
    kinds = with_defined(served, (content for part in parts.values() for content in part))
    for part, contents in parts.items():
        placed = []
        for content in contents:
            try:
                if part != "objects":
                    content = named_by_content(content)
                marked = stamp(content, settings.name, settings.namespace)
                placed += place([marked], kinds, settings.namespace)
            except BadObject as error:
                problems.append(str(error))
            except ValueError as error:
                problems.append(f"{reference(content)}: {error}.")
        parts[part] = placed
    problems += duplicates(parts)
    problems += [f"{problem} [slipway:object_invalid]" for problem in waves.problems(parts["objects"])]
    if problems:
        raise ReleaseError("\n".join(problems))
    return Desired(parts["objects"], {when: parts[when] for when in PARTS}, kinds, served, settings.ignored)


def named_by_content(content: Object) -> Object:
    """Append a digest of its content to the name of a hook's Job or Pod: an unchanged hook keeps its name, a changed one is another object.

    The pod template of a Job is immutable (https://kubernetes.io/docs/concepts/workloads/controllers/job/).
    """
    if content.get("kind") not in ENDING:
        return content
    suffix = "-" + digest(content)[:8]
    name = content["metadata"]["name"][: LONGEST - len(suffix)].rstrip("-.") + suffix
    return dict(content, metadata=dict(content["metadata"], name=name))


def duplicates(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Name the objects that occur more than once in one run, after every object has its namespace.

    :param parts: C(objects), and hooks by when they run; hooks of different runs may have one name.
    """
    everywhere = {run for when in PARTS for run in runs({}, when)}
    seen: dict[Identity, set[str]] = {}
    problems = []
    for part, contents in parts.items():
        for content in contents:
            name = reference(content)
            mine = everywhere if part == "objects" else runs(content, part)
            others = seen.setdefault(identity(name), set())
            if mine & others:
                problems.append(f"{name} is defined twice. Remove or rename one of the two. [slipway:object_twice]")
            others |= mine
    return problems
