# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filters of the role addons: the selected add-ons, their published manifests, and why they cannot be deployed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._host.system import coded
from ..plugin_utils.addons import manifest, registry, selection
from ..plugin_utils.addons.refusals import refusals, switched_off, tables_left
from ..plugin_utils.errors import InputError


def selected(
    listed: Iterable[str] | None,
    chosen: str,
    nodes: int,
    given: Mapping[str, Any] | None,
    components: Mapping[str, Any],
    paths: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the selected add-ons.

    :param listed: kube_addons. :param chosen: kube_addons_set. :param nodes: the number of hosts of the cluster.
    :param given: kube_addons_settings. :param components: the row of kube_versions. :param paths: kube_addons_paths.
    :returns: C(managed), whether add-ons are deployed and removed at all; C(addons), in the order of deployment;
        C(looked_for), the option C(addons) of the module addons_info; C(depths), how many add-ons each follows, by its release;
        C(volumes_of), provisioners by the same; C(resources_of) and C(tables), API groups and nftables tables by the same;
        C(daemon_sets), names of what makes these tables; C(webhooks), which webhook configurations its pods make.
    :raises AnsibleFilterError: the selection is not valid.
    """
    try:
        known = registry.load(paths)
        names = selection.names_of(known, listed or [], chosen, nodes, given or {})
        addons = selection.select(known, names or [], given or {}, components)
    except InputError as error:
        raise AnsibleFilterError(coded(str(error), "addons")) from error
    return {
        "managed": names is not None,
        "addons": [one.as_dict() for one in addons],
        "looked_for": [
            {"name": one.addon.name, "release": one.addon.release, "signs": [dict(sign) for sign in one.addon.signs]}
            for one in addons
        ],
        "depths": selection.depths(known),
        "volumes_of": {addon.release: addon.volumes_of for addon in known.values() if addon.volumes_of},
        "resources_of": {addon.release: list(addon.resources_of) for addon in known.values() if addon.resources_of},
        "webhooks": {addon.release: dict(addon.webhooks) for addon in known.values() if addon.webhooks},
        "tables": {addon.release: list(addon.tables) for addon in known.values() if addon.tables},
        "daemon_sets": {
            addon.release: [sign["name"] for sign in addon.signs if sign["kind"] == "DaemonSet"]
            for addon in known.values()
            if addon.tables
        },
    }


def addon_objects(
    texts: Iterable[str], published: Iterable[Mapping[str, str]], patches: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """Return the objects of published manifests, verified and changed, each as JSON.

    Ansible visits every value of a structure several times, which takes many seconds for definitions of kinds, and a text only once.

    :raises AnsibleFilterError: one is not the expected one.
    """
    try:
        objects = manifest.configure(texts, published, [patch for patch in patches if patch])
    except InputError as error:
        raise AnsibleFilterError(coded(str(error), "addons")) from error
    return [json.dumps(content) for content in objects]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "selected_addons": selected,
            "addon_objects": addon_objects,
            "addon_refusals": refusals,
            "addons_switched_off": switched_off,
            "addons_tables_left": tables_left,
        }
