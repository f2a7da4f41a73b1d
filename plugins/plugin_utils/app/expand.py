# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expand the description of an application to manifests. Pure: the same description gives the same objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._kube.objects import BadObject, Object, content_of, flatten, reference, showable
from ...module_utils._release import capabilities
from ..errors import InputError, type_name
from ..hooks import HOOK
from . import access, advice, serving, versions, workloads
from .checks import in_order
from .configuration import VERSION_OF, Configuration, digest
from .fields import hint, nearest
from .objects import manifest
from .pod import claims, hook_template, template
from .spec import BLUE_GREEN, CANARY, SIDE_BY_SIDE, Spec
from .strategic import BadPatch, merge

HASHED = ("data", "binaryData", "stringData", "type", "immutable")


@dataclass
class Expansion:
    """The objects of an application.

    C(hooks) contains Jobs under C(pre) and C(post), in the order in which they run, and the Deployment under C(canary). C(needs) names what the cluster must
    support (see :class:`capabilities.Need`).
    """

    objects: list[Object] = field(default_factory=list)
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)


def expand(spec: Spec, timeout: int = 600, wait: bool = True) -> Expansion:
    """Return the manifests of an application.

    :param spec: its description (see :func:`checks.read`).
    :param timeout: seconds in which it must become ready; the progress deadline of a Deployment stays below.
    :param wait: whether the release waits for that.
    :raises InputError: an override matches no object, an object is defined twice, or a file is too large.
    """
    configuration = Configuration(spec)
    account = access.account_of(spec, configuration)
    main = workloads.workload(spec, template(spec, configuration, account), timeout, wait)
    hooks = {phase: _hooks(spec, configuration, account, phase) for phase in ("pre", "post")}
    objects = [*configuration.objects, *access.objects(spec)]
    if spec["kind"] != "StatefulSet":
        objects += claims(spec, of_stateful_set=False)
    objects += [*serving.services(spec), main]
    extras = [workloads.autoscaler(spec), workloads.budget(spec)]
    extras += [serving.policy(spec), serving.ingress(spec), serving.route(spec)]
    objects += [extra for extra in extras if extra]
    problems = list(configuration.problems)
    for index, patch in enumerate(spec["overrides"]):
        problem = _override(patch, [objects, *hooks.values()])
        if problem:
            problems.append(f"overrides[{index}]{problem}")
    strategy = spec["strategy"]["type"]
    if strategy in SIDE_BY_SIDE and not problems:
        _awaited(spec, timeout, wait)
        try:
            versions.separate(spec, objects, hooks)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"overrides: strategy {strategy} needs labels and selectors that an override removes ({error})."
            ) from error
    for content in objects:
        if content["kind"] == "Job":
            # A Job is immutable: changed content is another Job, and the same content is not run again.
            # The release names hooks in the same way.
            content["metadata"]["name"] += "-" + digest([content["metadata"]["name"], content.get("spec")], 8)
    try:
        objects += flatten(spec["manifests"])
    except BadObject as error:
        problems += [f"manifests: {line}" for line in str(error).split("\n")]
    problems += _duplicates(objects, spec["namespace"])
    if problems:
        raise InputError(*problems)
    needs = {need.what for need in capabilities.needs(objects + hooks["pre"] + hooks["post"])}
    return Expansion(objects, hooks, advice.warnings(spec), sorted(needs))


def _awaited(spec: Spec, timeout: int, wait: bool) -> None:
    """Refuse a new version that the release does not wait for long enough.

    :raises InputError: the options of the release do not fit the strategy.
    """
    chosen, observe = spec["strategy"]["type"], versions.observation(spec)
    if not wait:
        why = {BLUE_GREEN: "switches to pods that are ready", CANARY: "judges pods by their readiness"}[chosen]
        raise InputError(f"wait: strategy {chosen} {why}, so it requires wait: true.")
    if chosen == CANARY and observe >= timeout:
        raise InputError(
            f"strategy.observe: {observe} s leave nothing of the timeout of the release ({timeout} s), of which they are a part. Raise timeout."
        )


def _hooks(spec: Spec, configuration: Configuration, account: Mapping[str, Any], phase: str) -> list[Object]:
    result: list[Object] = []
    hooks = spec["hooks"][phase]
    for name in in_order(hooks):
        pod = hook_template(spec, configuration, account, name, f"hooks.{phase}.{name}", hooks[name])
        job = manifest(spec, "Job", f"{spec['name']}-{name}", spec=workloads.job_spec(hooks[name], pod))
        job["metadata"].setdefault("annotations", {})[HOOK] = phase
        result.append(job)
    return result


def _override(patch: Mapping[str, Any], groups: list[list[Object]]) -> str:
    """Apply a patch of the user to the one object that it names.

    :param groups: the lists in which the object is replaced.
    :returns: the problem, or an empty string.
    """
    places = [(group, index) for group in groups for index in range(len(group))]
    kind, about = patch.get("kind"), patch.get("metadata") or {}
    if not isinstance(about, Mapping):
        return f".metadata: must be a mapping, not {type_name(about)}."
    kinds = sorted({group[index]["kind"] for group, index in places})
    if not kind:
        return f".kind: is required (available: {', '.join(kinds)})."
    same = [(group, index) for group, index in places if group[index]["kind"] == kind]
    if not same:
        near = nearest(str(kind).lower(), [known.lower() for known in kinds])
        meant = hint(next((known for known in kinds if known.lower() == near), ""))
        return f".kind: the application has no {kind} (available: {', '.join(kinds)}).{meant}"
    name = about.get("name")
    matching = [(group, index) for group, index in same if name is None or name in _names(group[index])]
    if len(matching) != 1:
        names = ", ".join(sorted(_names(group[index])[-1] for group, index in same))
        return f": matches {'several objects' if matching else f'no {kind}'}. Set metadata.name to one of {names}."
    group, index = matching[0]
    target = group[index]
    body = {key: value for key, value in patch.items() if key not in ("apiVersion", "kind")}
    body["metadata"] = {key: value for key, value in about.items() if key != "name"}
    changed = [key for key in HASHED if key in body]
    if changed and VERSION_OF in (target["metadata"].get("annotations") or {}):
        return f".{changed[0]}: the name of this {kind} contains a hash of its content. Change env, config_files or config_maps instead."
    try:
        result = merge(target, body)
    except BadPatch as error:
        return f": {error}"
    was, now = reference(target), reference(result)
    if (was.api_version, was.kind, was.name) != (now.api_version, now.kind, now.name):
        return f": must not change apiVersion, kind and metadata.name of {was}."
    group[index] = result
    return ""


def _names(content: Object) -> list[str]:
    """Return the names by which an override may refer to an object; the last one is the one that users know."""
    family = (content["metadata"].get("annotations") or {}).get(VERSION_OF)
    return [content["metadata"]["name"], *([family] if family else [])]


def _duplicates(objects: list[Object], namespace: str) -> list[str]:
    seen: set[tuple[str, str, str]] = set()
    problems = []
    for content in objects:
        name = reference(content)
        key = (name.kind, name.namespace or namespace, name.name)
        if key in seen:
            problems.append(f"manifests: {name} is already an object of the application. Remove it, or use overrides.")
        seen.add(key)
    return problems


def masked(content: Object) -> Object:
    """Return an object without the values of a Secret."""
    if content.get("kind") != "Secret":
        return content
    # The annotation in which kubectl keeps the last applied manifest repeats the values.
    return showable(content_of(content), content_of(content))[1]
