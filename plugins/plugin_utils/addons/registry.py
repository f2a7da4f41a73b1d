# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of add-ons: one folder for each, described by its addon.yml. Folders of the user are read like those of the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...module_utils._host.facts.kernel import FEATURES
from ..errors import InputError, type_name

OWN = Path(__file__).resolve().parents[3] / "roles" / "addons" / "addons"
DESCRIPTION = "addon.yml"
NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
# The keys of addon.yml and their types.
KEYS: dict[str, type] = {
    "title": str,
    "description": str,
    "component": str,
    "version": str,
    "sets": list,
    "after": list,
    "images": list,
    "signs": list,
    "settings": dict,
    "manifests": list,
    "chart": dict,
    "volumes_of": str,
    "resources_of": list,
    "webhooks": dict,
    "provides": str,
    "kernel": list,
    "tables": list,
    "conflicts": dict,
}
# With what an add-on may not work: modes of kube-proxy, and names of pod networks.
CONFLICTS = {"proxy_modes", "pod_networks"}
# What a pod network may do as well (a field of PodNetwork).
PROVIDED = ("network_policy",)
REQUIRED = ("title", "description")


@dataclass(frozen=True)
class Addon:
    """An add-on as its folder describes it. What may contain C({version}), C({components[NAME]}) or C({settings[NAME]}) is not formatted yet.

    :ivar component: its key in the table kube_versions; an add-on that is not in the table has C(version).
    :ivar sets: the sets of kube_addons_set that contain it.
    :ivar after: add-ons that are deployed before it, if they are selected as well.
    :ivar images: the images of its pods.
    :ivar signs: objects by which an installation of somebody else is recognized.
    :ivar settings: its settings, in the form of Ansible's argument specifications, each also with a description.
    :ivar manifests: published manifests: C(url), and C(sha256), the digest by version.
    :ivar chart: a Helm chart: C(chart), a folder beside its description, a name in a C(repository), or an C(oci://) address, in the add-on's version.
    :ivar volumes_of: the provisioner whose volumes would lose their data with it.
    :ivar resources_of: the API groups whose objects would be deleted with it.
    :ivar webhooks: C(labels) of the webhook configurations that its pods make, and C(writers), the ClusterRoleBindings with which they do.
    :ivar provides: one of :data:`PROVIDED`; it is refused where the pod network does the same.
    :ivar kernel: features of the kernel that each node must have (C(kernel.features) of the module host_info).
    :ivar tables: nftables tables that its pods leave on the nodes, each with its family.
    :ivar conflicts: with what it does not work: C(proxy_modes) and C(pod_networks), each a mapping of names and reasons.
    """

    name: str
    folder: Path
    title: str
    description: str
    component: str = ""
    version: str = ""
    sets: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    signs: tuple[Mapping[str, str], ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    manifests: tuple[Mapping[str, Any], ...] = ()
    chart: Mapping[str, str] = field(default_factory=dict)
    volumes_of: str = ""
    resources_of: tuple[str, ...] = ()
    webhooks: Mapping[str, Any] = field(default_factory=dict)
    provides: str = ""
    kernel: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    conflicts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def release(self) -> str:
        """The name of its release."""
        return release_name(self.name)


def release_name(name: str) -> str:
    """Return the name of an add-on's release."""
    return f"addon-{name.replace('_', '-')}"


def load(paths: Iterable[str] = ()) -> dict[str, Addon]:
    """Read the add-ons of the collection and those of the user.

    :param paths: folders with add-ons of the user. One of the same name replaces that of the collection.
    :returns: the add-ons by name.
    :raises InputError: a folder cannot be read, or a description is not valid; all problems are listed.
    """
    found: dict[str, Addon] = {}
    problems: list[str] = []
    for path in (OWN, *(Path(one).expanduser() for one in paths)):
        folders = sorted(one.parent for one in path.glob(f"*/{DESCRIPTION}"))
        if not folders:
            problems.append(
                f"kube_addons_paths: {path} contains no add-on. Name the folder above those of the add-ons, each of which has an {DESCRIPTION}."
            )
        for folder in folders:
            try:
                found[folder.name] = read(folder)
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    return found


def read(folder: Path) -> Addon:
    """Read one add-on.

    :raises InputError: its description is not valid.
    """
    path = folder / DESCRIPTION
    try:
        given = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: it cannot be read: {' '.join(str(error).split())}.") from None
    problems = description_problems(folder.name, given)
    if problems:
        raise InputError(*(f"{path}: {problem}" for problem in problems))
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Addon(folder.name, folder, **fields)


def description_problems(name: str, given: Any) -> list[str]:
    """Return what is wrong with the content of an addon.yml."""
    if not NAME.match(name):
        return [f"the folder's name {name!r} is not valid for an add-on: use lowercase letters, digits and '_'."]
    if not isinstance(given, dict):
        return [f"it is {type_name(given)}, not a mapping."]
    problems = [f"{key}: is missing." for key in REQUIRED if not given.get(key)]
    for key, value in given.items():
        if key not in KEYS:
            problems.append(f"{key}: unknown key; those of an add-on are {', '.join(KEYS)}.")
        elif not isinstance(value, KEYS[key]):
            problems.append(f"{key}: must be {type_name(KEYS[key]())}, not {type_name(value)}.")
    if problems:
        return problems
    if bool(given.get("component")) == bool(given.get("version")):
        problems.append("set either component, a key of the table kube_versions, or version.")
    if given.get("provides", PROVIDED[0]) not in PROVIDED:
        problems.append(f"provides: must be one of {', '.join(PROVIDED)}, not {given['provides']}.")
    unknown = [name for name in given.get("kernel") or [] if name not in FEATURES]
    if unknown:
        problems.append(f"kernel: {', '.join(map(str, unknown))} is unknown; there are {', '.join(FEATURES)}.")
    conflicts = given.get("conflicts") or {}
    if set(conflicts) - CONFLICTS or not all(isinstance(one, dict) for one in conflicts.values()):
        problems.append(f"conflicts: needs {' or '.join(sorted(CONFLICTS))}, each a mapping of names and reasons.")
    for number, sign in enumerate(given.get("signs") or []):
        missing = [key for key in ("api_version", "kind", "name") if not isinstance(sign, dict) or not sign.get(key)]
        if missing:
            problems.append(f"signs[{number}]: {', '.join(missing)} missing.")
    kinds = [sign.get("kind") for sign in given.get("signs") or [] if isinstance(sign, dict)]
    if given.get("tables") and "DaemonSet" not in kinds:
        problems.append(
            "tables: signs must contain the DaemonSet whose pods leave them, which is stopped before they are deleted."
        )
    chart = given.get("chart") or {}
    if chart and (not chart.get("chart") or set(chart) - {"chart", "repository"}):
        problems.append("chart: needs chart, a folder, a name or an oci:// address, and with a name repository.")
    hooks = given.get("webhooks")
    if hooks and (set(hooks) != {"labels", "writers"} or not isinstance(hooks["writers"], list)):
        problems.append(
            "webhooks: needs labels, a selector of webhook configurations, and writers, a list of ClusterRoleBindings."
        )
    for option, spec in (given.get("settings") or {}).items():
        if not isinstance(spec, dict) or not spec.get("description") or not spec.get("type"):
            problems.append(f"settings.{option}: needs a type and a description.")
    for number, one in enumerate(given.get("manifests") or []):
        if not isinstance(one, dict) or set(one) != {"url", "sha256"} or not isinstance(one["sha256"], dict):
            problems.append(f"manifests[{number}]: needs url and sha256, a mapping of versions and digests.")
    return problems
