# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why add-ons cannot be deployed to, or removed from, a cluster as it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PREFIX = "addon-"


def switched_off(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Return the releases of add-ons that are in the cluster and no longer selected, in the order in which they are removed.

    Those that are deployed after others are removed before them, and storage last.
    """
    wanted = {addon["release"] for addon in selection["addons"]}
    gone = [name for name in seen["releases"] if name.startswith(PREFIX) and name not in wanted]
    return sorted(gone, key=lambda name: (name in selection["volumes_of"], -selection["depths"].get(name, 0), name))


def tables_left(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Return the nftables tables that no node should have: those of add-ons whose release is still in the cluster and that are no longer selected.

    A table without such a release is somebody else's.
    """
    return [table for release in switched_off(selection, seen) for table in selection["tables"].get(release, [])]


def refusals(
    selection: Mapping[str, Any],
    seen: Mapping[str, Any],
    adopted: Iterable[str] = (),
    kernels: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Return what is in the way, a sentence each, with the remedy.

    :param selection: the result of the filter selected_addons.
    :param seen: the result of the module addons_info.
    :param adopted: kube_addons_adopt, add-ons that are taken over.
    :param kernels: C(kernel) of the module host_info, by host.
    """
    return [
        *_kernels(selection, kernels or {}),
        *_provided(selection, seen),
        *_conflicts(selection, seen),
        *_foreign(selection, seen, set(adopted)),
        *_default_classes(selection, seen),
        *_volumes(selection, seen),
        *_resources(selection, seen),
    ]


def _foreign(selection: Mapping[str, Any], seen: Mapping[str, Any], adopted: set[str]) -> list[str]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in seen["foreign"]:
        found.setdefault(one["addon"], []).append(one)
    return [
        f"{addon['title']} is already in the cluster and was not installed by this role: "
        + ", ".join(f"{one['object']} ({one['owner']})" for one in found[addon["name"]])
        + f". To leave it alone, remove {addon['name']} from kube_addons; to take it over, add {addon['name']} to kube_addons_adopt. [slipway:addon_unmanaged]"
        for addon in selection["addons"]
        if addon["name"] in found and addon["name"] not in adopted
    ]


def _kernels(selection: Mapping[str, Any], kernels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    problems = []
    for addon in selection["addons"]:
        lacking = {
            host: [name for name in addon["kernel"] if kernel["features"].get(name) is False]
            for host, kernel in sorted(kernels.items())
        }
        hosts = [f"{host} ({kernels[host]['release']}: {', '.join(names)})" for host, names in lacking.items() if names]
        if hosts:
            problems.append(
                f"{addon['title']} needs kernel modules that {len(hosts)} of {len(kernels)} hosts do not have: {_shown(hosts)}. "
                "Without them it would run and have no effect. Install the kernel's extra modules there (for example kernel-modules-extra, "
                f"linux-modules-extra), or remove {addon['name']} from kube_addons. [slipway:addon_kernel]"
            )
    return problems


def _provided(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    network = seen["network"]
    return [
        f"{addon['title']} does what the pod network {network['name']} does already, so a packet would have to pass both: "
        f"remove {addon['name']} from kube_addons. [slipway:addon_redundant]"
        for addon in selection["addons"]
        if network.get(addon["provides"])
    ]


def _conflicts(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    network = seen["network"]["name"]
    return [
        f"{addon['title']} does not work with the pod network {network}: {reason} Otherwise, remove {addon['name']} from kube_addons. [slipway:addon_conflict]"
        for addon in selection["addons"]
        for name, reason in (addon["conflicts"].get("pod_networks") or {}).items()
        if name == network
    ]


def _default_classes(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    problems = []
    for addon in selection["addons"]:
        others = [one["name"] for one in seen["default_classes"] if one["release"] != addon["release"]]
        others = [name for name in others if name != addon["settings"].get("class_name")]
        if addon["settings"].get("default_class") and others:
            problems.append(
                f"{addon['title']} would be a second default StorageClass; the default is {', '.join(others)}. Set "
                f"kube_addons_settings.{addon['name']}.default_class: false, or remove the annotation "
                "storageclass.kubernetes.io/is-default-class of the other class. [slipway:storage_two_defaults]"
            )
    return problems


def _volumes(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    problems = []
    gone = switched_off(selection, seen)
    for release in gone:
        name = selection["volumes_of"].get(release)
        # Those of an add-on that is removed as well go with it.
        claims = [one["claim"] for one in seen["volumes"] if one["provisioner"] == name and one["release"] not in gone]
        if claims:
            problems.append(
                f"{release} is no longer selected, but the cluster has {len(claims)} persistent volumes of {name}, whose data "
                f"nothing would manage any more: claims {_shown(claims)}. "
                "Delete their claims first (kubectl get pv), or keep the add-on in kube_addons. [slipway:addon_has_volumes]"
            )
    return problems


def _resources(selection: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    problems = []
    for release in switched_off(selection, seen):
        groups = selection["resources_of"].get(release, [])
        found = [one for group in groups for one in seen["resources"].get(group, [])]
        if found:
            problems.append(
                f"{release} is no longer selected, but the cluster has {len(found)} objects of its kinds, which would be deleted with them: "
                f"{_shown(found)}. Delete them first, or keep the add-on in kube_addons. [slipway:addon_has_objects]"
            )
    return problems


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
