# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategic merge patches, as kubectl applies them to the kinds of an application.

Mappings are merged, null removes a field, lists of named items are merged by name, other lists are replaced
(https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

PATCH = "$patch"
RETAIN = "$retainKeys"
DELETE_FROM = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"
# Lists that are merged by a key (patchMergeKey of the API types).
KEYS: dict[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "secrets": "name",
    "versions": "name",  # of a CustomResourceDefinition, whose type has no key
    "ownerReferences": "uid",
}
# Lists of plain values that are merged.
SETS = ("finalizers",)


class BadPatch(Exception):
    """A patch cannot be applied; the message starts with the path of the problem."""


def merge(content: Mapping[str, Any], patch: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Apply a strategic merge patch.

    :param content: an object, or a part of one; not changed.
    :param path: its path in the object, for messages.
    :raises BadPatch: an item of a list has no key, or a directive is unknown.
    """
    directive = patch.get(PATCH)
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadPatch(f"{path}.$patch: must be replace, merge or delete, not {directive!r}.")
    for key, value in patch.items():
        if (key == RETAIN or key.startswith(DELETE_FROM)) and not isinstance(value, list):
            raise BadPatch(f"{path}.{key}".lstrip(".") + f": must be a list, not {value!r}.")
    result: dict[str, Any] = copy.deepcopy(dict(content))
    if RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[RETAIN]}
    for key, value in patch.items():
        where = f"{path}.{key}" if path else key
        if key in (PATCH, RETAIN) or key.startswith(ORDER):
            continue
        if key.startswith(DELETE_FROM):
            field = key[len(DELETE_FROM) :]
            result[field] = [item for item in result.get(field) or [] if item not in value]
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = merge(before if isinstance(before, Mapping) else {}, value, where)
        elif isinstance(value, list):
            result[key] = _merge_list(key, result.get(key), value, where)
        else:
            result[key] = value
    return result


def _merge_list(field: str, before: Any, patch: list[Any], path: str) -> list[Any]:
    old: list[Any] = list(before) if isinstance(before, list) else []
    if field in SETS:
        return old + [item for item in patch if item not in old]
    key = _key(field, path, old + patch)
    if key is None:
        return copy.deepcopy([item for item in patch if not (isinstance(item, Mapping) and PATCH in item)])
    if {PATCH: "replace"} in patch:
        return copy.deepcopy([item for item in patch if item != {PATCH: "replace"}])
    result = copy.deepcopy(old)
    for number, item in enumerate(patch):
        if not isinstance(item, Mapping) or key not in item:
            raise BadPatch(f"{path}[{number}].{key}: is required, because the items of this list are merged by it.")
        places = [
            place for place, other in enumerate(result) if isinstance(other, Mapping) and other.get(key) == item[key]
        ]
        if item.get(PATCH) == "delete":
            result = [other for place, other in enumerate(result) if place not in places]
        elif places:
            result[places[0]] = merge(result[places[0]], item, f"{path}[{number}]")
        else:
            result.append(merge({}, item, f"{path}[{number}]"))
    return result


def _key(field: str, path: str, items: list[Any]) -> Any:
    if field == "ports":
        # The ports of a container are merged by containerPort, those of a Service by port; those of a NetworkPolicy are replaced.
        if "ontainers" in path:
            return "containerPort"
        return "port" if path == "spec.ports" else None
    return KEYS.get(field)
