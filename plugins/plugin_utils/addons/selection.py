# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-ons that an inventory selects, with their versions and settings. Pure: the registry has been read before."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ..errors import InputError
from .registry import Addon

# A set that contains others.
CONTAINED = {"full": {"basic", "full"}}
# Settings that every add-on has.
COMMON: dict[str, dict[str, Any]] = {
    "version": {"type": "str", "default": ""},
    "manifests_sha256": {"type": "list", "elements": "str", "default": []},
}
# Keys of a setting that are not part of Ansible's argument specifications.
DESCRIPTIVE = ("description", "check", "unless")


@dataclass(frozen=True)
class Selected:
    """A selected add-on.

    :ivar settings: all of its settings, with their defaults.
    :ivar images: the images of its pods.
    :ivar manifests: C(url) (without a scheme) and C(sha256) of its published manifests.
    """

    addon: Addon
    version: str
    settings: Mapping[str, Any]
    images: tuple[str, ...]
    manifests: tuple[Mapping[str, str], ...]

    def chart(self) -> dict[str, str]:
        """Return its chart, in the form of the option C(helm) of the module release; empty without one."""
        if not self.addon.chart:
            return {}
        own = self.addon.folder / self.addon.chart["chart"]
        # The version of a folder is in its Chart.yaml.
        found = {"chart": str(own)} if own.exists() else {**self.addon.chart, "version": self.version}
        return {**found, "release_name": self.addon.name.replace("_", "-")}

    def as_dict(self) -> dict[str, Any]:
        """Return it as tasks and templates see it, without settings that must not be shown."""
        folder = self.addon.folder
        private = {name for name, spec in self.addon.settings.items() if spec.get("no_log")}
        return {
            "name": self.addon.name,
            "title": self.addon.title,
            "release": self.addon.release,
            "version": self.version,
            "settings": {name: value for name, value in self.settings.items() if name not in private},
            "images": list(self.images),
            "manifests": [dict(one) for one in self.manifests],
            "chart": self.chart(),
            "provides": self.addon.provides,
            "kernel": list(self.addon.kernel),
            "conflicts": {key: dict(names) for key, names in self.addon.conflicts.items()},
            "files": {
                part: str(folder / name) if (folder / name).is_file() else ""
                for part, name in (
                    ("objects", "objects.yml.j2"),
                    ("patches", "patches.yml.j2"),
                    ("values", "values.yml.j2"),
                    ("check", "check.yml"),
                )
            },
        }


def names_of(
    registry: Mapping[str, Addon], listed: Iterable[str], chosen: str, nodes: int, given: Mapping[str, Any]
) -> list[str] | None:
    """Return the names of the selected add-ons, in any order.

    :param listed: kube_addons. If it is empty, the set decides.
    :param chosen: kube_addons_set.
    :param nodes: the number of hosts of the cluster.
    :param given: kube_addons_settings. A set leaves out what requires a setting that is not given.
    :returns: None if nothing is selected and what is installed stays as it is.
    """
    if listed := list(listed):
        return listed
    if chosen == "auto":
        if nodes != 1:
            return None
        chosen = "basic"
    sets = CONTAINED.get(chosen, {chosen})
    members = [addon for addon in registry.values() if sets & set(addon.sets)]
    return [addon.name for addon in members if not unset(addon, given)]


def unset(addon: Addon, given: Mapping[str, Any]) -> list[str]:
    """Return the required settings of an add-on that are not given."""
    own = given.get(addon.name) or {}
    return [name for name, spec in addon.settings.items() if spec.get("required") and not own.get(name)]


def select(
    registry: Mapping[str, Addon], names: Iterable[str], given: Mapping[str, Any], components: Mapping[str, Any]
) -> list[Selected]:
    """Return the selected add-ons in the order in which they are deployed.

    :param given: kube_addons_settings, the settings by the add-on's name.
    :param components: the row of kube_versions.
    :raises InputError: an add-on is unknown, or its settings are not valid; all problems are listed.
    """
    names = list(dict.fromkeys(str(name) for name in names))
    problems = [unknown("kube_addons", name, registry) for name in names if name not in registry]
    problems += [unknown("kube_addons_settings", name, registry) for name in given if name not in registry]
    found: dict[str, Selected] = {}
    for name in names:
        if name in registry:
            try:
                found[name] = resolve(registry[name], given.get(name) or {}, components)
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    return in_order(found)


def unknown(variable: str, name: Any, registry: Mapping[str, Addon]) -> str:
    """Return the problem of a name that no add-on has."""
    near = difflib.get_close_matches(str(name), list(registry), 1)
    return (
        f"{variable}: there is no add-on {name}; "
        + (f"did you mean {near[0]}?" if near else f"there are {', '.join(registry)}.")
        + " Add-ons of your own are found with kube_addons_paths."
    )


def resolve(addon: Addon, given: Mapping[str, Any], components: Mapping[str, Any]) -> Selected:
    """Return an add-on with its version and its settings.

    :raises InputError: the settings are not valid, or the version is not known.
    """
    label = f"kube_addons_settings.{addon.name}"
    if not isinstance(given, Mapping):
        raise InputError(f"{label}: must be a mapping of settings.")
    version = str(given.get("version") or addon.version or components.get(addon.component) or "")
    if not version:
        raise InputError(
            f"{addon.title} has no version: the row of kube_versions has no {addon.component}. Add it, or set {label}.version."
        )
    known = Known(version=version, components=dict(components))
    spec = {
        name: {key: value for key, value in option.items() if key not in DESCRIPTIVE}
        for name, option in {**COMMON, **addon.settings}.items()
    }
    for option in spec.values():
        if isinstance(option.get("default"), str):
            option["default"] = option["default"].format_map(known)
    # Plain values: Ansible tags those of an inventory.
    result = ArgumentSpecValidator(spec).validate(json.loads(json.dumps(dict(given))))
    problems = [
        f"{label}: {'there is no setting ' if isinstance(error, UnsupportedError) else ''}{error.msg}"
        for error in result.errors.errors
    ]
    if problems:
        raise InputError(*problems)
    settings = {**result.validated_parameters, "version": version}
    known["settings"] = settings
    manifests = published(addon, settings, known, label)
    return Selected(addon, version, settings, tuple(image.format_map(known) for image in addon.images), manifests)


class Known(dict[str, Any]):
    """What the text of a description may refer to; a missing name is an error with a message of its own."""

    def __missing__(self, key: str) -> Any:
        raise InputError(f"An add-on's description refers to {{{key}}}, which does not exist: {', '.join(self)} do.")


def published(addon: Addon, settings: Mapping[str, Any], known: Known, label: str) -> tuple[Mapping[str, str], ...]:
    """Return the addresses, without a scheme, and the digests of the published manifests of an add-on.

    :raises InputError: the digests of this version are not known.
    """
    version = str(settings["version"])
    given = settings["manifests_sha256"]
    addresses = [str(one["url"]).format_map(known) for one in addon.manifests]
    digests = given or [str(one["sha256"][version]) for one in addon.manifests if version in one["sha256"]]
    if len(digests) != len(addresses):
        versions = ", ".join(dict.fromkeys(str(version) for one in addon.manifests for version in one["sha256"]))
        if given:
            problem = f"{label}.manifests_sha256 has {len(given)} digests, but {addon.title} has {len(addresses)} published manifests."
        else:
            problem = f"The digests of the published manifests of {addon.title} {version} are not known; known versions are {versions}."
        if not addresses:
            raise InputError(problem)
        order = ", ".join(addresses)
        raise InputError(
            problem,
            f"Set {label}.manifests_sha256 to the SHA-256 digests of the files that you trust, in this order: {order}.",
        )
    return tuple({"url": address.partition("://")[2], "sha256": digest} for address, digest in zip(addresses, digests))


def in_order(found: Mapping[str, Selected]) -> list[Selected]:
    """Return add-ons so that each comes after those that it names in C(after).

    :raises InputError: they wait for each other.
    """
    done: list[Selected] = []
    left = dict(found)
    while left:
        ready = [name for name, one in left.items() if not set(one.addon.after) & set(left)]
        if not ready:
            raise InputError(f"The add-ons {', '.join(left)} wait for each other: correct `after` in their addon.yml.")
        done += [left.pop(name) for name in ready]
    return done


def depths(known: Mapping[str, Addon]) -> dict[str, int]:
    """Return how many add-ons each follows one after another, by its release: the more, the later it is deployed and the earlier removed."""

    def depth(addon: Addon, seen: tuple[str, ...] = ()) -> int:
        before = [known[name] for name in addon.after if name in known and name not in seen]
        return 1 + max(depth(one, (*seen, addon.name)) for one in before) if before else 0

    return {addon.release: depth(addon) for addon in known.values()}


def check_digest(text: str, sha256: str, address: str) -> None:
    """Check a published manifest.

    :raises InputError: it is not the file that is expected.
    """
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != sha256:
        raise InputError(
            f"The manifest {address} has the SHA-256 digest {found}, not {sha256}: it was changed, or it is another version. "
            "Check the file; if it is the right one, set manifests_sha256 of this add-on in kube_addons_settings."
        )
