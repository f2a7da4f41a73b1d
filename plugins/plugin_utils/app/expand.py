# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the description of an application to its manifests. Pure: the same description gives the same objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ...module_utils._kube.objects import BadObject, Object, content_of, flatten, reference, showable
from ...module_utils._release import capabilities
from . import access, advice, serving, workloads
from .configuration import VERSION_OF, Configuration, digest
from .fields import BadApp, nearest, words
from .hooks import order
from .pod import hook_template, labels, metadata, template
from .spec import Spec
from .strategic import BadPatch, merge

HOOK = "slipway.kube/hook"
HASHED = ("data", "binaryData", "stringData", "type", "immutable")


@dataclass
class Expansion:
    """What an application is made of.

    C(hooks) holds Jobs under C(pre) and C(post), in the order in which they run. C(needs) says what the cluster must be able
    to do (see :class:`capability.Need`).
    """

    objects: list[Object] = field(default_factory=list)
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)


def expand(spec: Spec, timeout: int = 600, wait: bool = True) -> Expansion:
    """Make the manifests of an application.

    :param spec: its description, as :func:`checks.read` gives it.
    :param timeout: seconds within which it is to be ready; a Deployment's progress deadline stays below.
    :param wait: whether that is waited for.
    :raises BadApp: an override fits no object, an object comes twice, or a file is too large.
    """
    configuration = Configuration(spec, labels(spec))
    account = access.account_of(spec, configuration)
    main = workloads.workload(spec, template(spec, configuration, account), timeout, wait)
    hooks = {phase: _hooks(spec, configuration, account, phase) for phase in ("pre", "post")}
    objects: list[Object] = access.objects(spec) + workloads.claims(spec) + serving.services(spec) + [main]
    for extra in (workloads.autoscaler(spec), workloads.budget(spec), serving.policy(spec), serving.ingress(spec)):
        if extra:
            objects.append(extra)
    objects = configuration.objects + objects
    problems = list(configuration.problems)
    _override(spec, objects, hooks, problems)
    for content in objects:
        if content["kind"] == "Job":
            # A Job cannot be changed: another content is another Job, and the same content has run already.
            # The engine names hooks in the same way.
            content["metadata"]["name"] += "-" + digest([content["metadata"]["name"], content.get("spec")], 8)
    try:
        objects += flatten(spec["manifests"])
    except BadObject as error:
        problems += [f"manifests: {line}" for line in str(error).split("\n")]
    problems += _twice(objects, spec["namespace"])
    if problems:
        raise BadApp(problems)
    needed = [need.what for need in capabilities.needs(objects + hooks["pre"] + hooks["post"])]
    return Expansion(objects, hooks, advice.warnings(spec), sorted(set(needed)))


def _hooks(spec: Spec, configuration: Configuration, account: Mapping[str, Any], phase: str) -> list[Object]:
    made: list[Object] = []
    hooks = spec["hooks"][phase]
    for name in order(hooks)[0]:
        hook = hooks[name]
        path = f"hooks.{phase}.{name}"
        about = metadata(spec, f"{spec['name']}-{name}")
        about["annotations"] = dict(about.get("annotations") or {}, **{HOOK: phase})
        body = workloads.job_spec(hook, hook_template(spec, configuration, account, name, path, hook))
        made.append({"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": body})
    return made


def _override(spec: Spec, objects: list[Object], hooks: dict[str, list[Object]], problems: list[str]) -> None:
    """Apply the user's patches in their order, each to the one object that it names."""
    places: list[tuple[list[Object], int]] = [(objects, number) for number in range(len(objects))]
    places += [(jobs, number) for jobs in hooks.values() for number in range(len(jobs))]
    for number, patch in enumerate(spec["overrides"]):
        where = f"overrides[{number}]"
        kind, about = patch.get("kind"), patch.get("metadata") or {}
        if not isinstance(about, Mapping):
            problems.append(f"{where}.metadata: takes a mapping, not {words(about)}.")
            continue
        name = about.get("name")
        kinds = sorted({held[place]["kind"] for held, place in places})
        if not kind:
            problems.append(f"{where}.kind: is required; there are {', '.join(kinds)}.")
            continue
        same = [(held, place) for held, place in places if held[place]["kind"] == kind]
        fitting = [(held, place) for held, place in same if name is None or name in _called(held[place])]
        if not same:
            near = nearest(str(kind).lower(), [known.lower() for known in kinds])
            meant = [known for known in kinds if known.lower() == near]
            hint = f" Did you mean {meant[0]}?" if meant else ""
            problems.append(f"{where}.kind: this application has no {kind}; it has {', '.join(kinds)}.{hint}")
            continue
        if len(fitting) != 1:
            names = ", ".join(sorted(_called(held[place])[-1] for held, place in same))
            what = f"fits no {kind}" if not fitting else "fits several objects"
            problems.append(f"{where}: {what}; give metadata.name, one of {names}.")
            continue
        held, place = fitting[0]
        body = {key: value for key, value in patch.items() if key not in ("apiVersion", "kind")}
        body["metadata"] = {key: value for key, value in about.items() if key != "name"}
        changed = [key for key in HASHED if key in body]
        if changed and VERSION_OF in (held[place]["metadata"].get("annotations") or {}):
            problems.append(
                f"{where}.{changed[0]}: the name of this {kind} is made from its content; change env, config_files or config_maps instead."
            )
            continue
        try:
            made = merge(held[place], body)
        except BadPatch as error:
            problems.append(f"{where}: {error}")
            continue
        was, now = reference(held[place]), reference(made)
        if (was.api_version, was.kind, was.name) != (now.api_version, now.kind, now.name):
            problems.append(
                f"{where}: would take away what {was} is known by; leave apiVersion, kind and metadata.name as they are."
            )
            continue
        held[place] = made


def _called(content: Object) -> list[str]:
    """Give the names by which an override may call an object; the last one is the one that people know."""
    own = (content["metadata"].get("annotations") or {}).get(VERSION_OF)
    return [content["metadata"]["name"]] + ([own] if own else [])


def _twice(objects: list[Object], namespace: str) -> list[str]:
    seen: dict[tuple[str, str, str], int] = {}
    problems = []
    for content in objects:
        name = reference(content)
        key = (name.kind, name.namespace or namespace, name.name)
        if key in seen:
            problems.append(f"manifests: {name} is made by the application already; leave it out, or use overrides.")
        seen[key] = 1
    return problems


def masked(content: Object) -> Object:
    """Give an object as it may be shown: without the values of a Secret."""
    if content.get("kind") != "Secret":
        return content
    # What kubectl noted on an exported Secret repeats its values.
    return showable(content_of(content), content_of(content))[1]
