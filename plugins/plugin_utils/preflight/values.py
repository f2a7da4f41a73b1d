# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of variables, held against the argument specifications of the roles before any role runs.

Ansible checks a role's variables when the role begins, when other roles have changed the host already; it stops at the first role and has no ranges.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_int, check_type_list

from ..errors import type_name

# Types that a string is converted to: values of ``-e name=value`` and of INI inventories are strings.
SCALARS: dict[str, Callable[[Any], Any]] = {"bool": check_type_bool, "int": check_type_int, "float": check_type_float}
COLLECTIONS: dict[str, type] = {"list": list, "dict": dict}
# Roles whose lists reach modules as they are, which split a comma-separated string.
SPLIT_LISTS = ("bundle", "health", "inventory", "mirror", "node", "preflight", "verify")

PORT = (1, 65535)
# Least and greatest value of numbers, None for no limit. Numbers that are not listed are 0 or more.
RANGES: dict[str, tuple[int | None, int | None]] = {
    "backup_keep": (1, None),
    "backup_keep_days": (1, None),
    "control_plane_audit_log_days": (1, None),
    "control_plane_audit_log_files": (1, None),
    "control_plane_audit_log_megabytes": (1, None),
    "control_plane_etcd_quota_mib": (256, None),
    "control_plane_pod_pids_limit": (-1, None),
    "control_plane_terminated_pods": (1, None),
    "control_plane_timeout": (1, None),
    "control_plane_token_minutes": (1, None),
    "etcd_defragment_free_percent": (0, 100),
    "etcd_timeout": (1, None),
    "keepalived_router_id": (0, 255),
    "kube_api_port": PORT,
    "kube_dns_replicas": (0, None),
    "kube_expected_nodes": (0, 5000),
    "kube_network_mtu": (0, 65535),
    "lab_control_planes": (1, None),
    "lab_vm_cpus": (1, None),
    "lab_vm_disk": (1, None),
    "lab_vm_memory": (1, None),
    "mirror_port": PORT,
    "node_reboot_batch": (1, None),
    "upgrade_batch": (1, None),
    "upgrade_timeout": (1, None),
    "verify_host_port": PORT,
    "worker_timeout": (1, None),
}


def wanted(name: str, option: dict[str, Any]) -> str:
    """Return what a value must be, in words."""
    kind = option.get("type", "str")
    if option.get("choices") and kind != "list":
        return f"one of {', '.join(dict.fromkeys(str(choice).lower() if kind == 'bool' else str(choice) for choice in option['choices']))}"
    words = {"str": "a string", "path": "a path", "bool": "true or false (type bool)", "dict": "a dictionary (dict)"}
    if kind in ("int", "float"):
        least, most = RANGES.get(name, (0, None))
        limits = f"from {least} to {most}" if most is not None else f"of {least} or more"
        return f"{'a whole number' if kind == 'int' else 'a number'} (type {kind}) {limits}"
    if kind == "list":
        return f"a list with elements of type {option.get('elements', 'raw')}"
    return words.get(kind, f"of type {kind}")


def shown(value: Any, secret: bool) -> str:
    """Return a wrong value for a message: one of a secret variable, and what may contain a secret, only by its type."""
    if value is None:
        return "it is empty (null)"
    if secret or isinstance(value, (list, dict)):
        return f"it is {type_name(value)}"
    return f"it is {json.dumps(value)}" if isinstance(value, bool) else f"it is '{str(value)[:80]}'"


def value_errors(name: str, value: Any, option: dict[str, Any], *, split: bool = False) -> Iterator[str]:
    """Yield what is wrong with the value of a variable: the value, and what would be right.

    :param name: name of the variable.
    :param value: its value, without templates.
    :param option: the entry of the variable in the argument specification of its role.
    :param split: whether a list may be a comma-separated string.
    """
    if split and option.get("type") == "list" and isinstance(value, (str, int)) and not isinstance(value, bool):
        value = check_type_list(value)
    elif isinstance(value, str) and option.get("type") in COLLECTIONS:
        example = '["…"]' if option["type"] == "list" else '{"…": "…"}'
        yield (
            f"it is a string instead of a {option['type']}; in a file, write it as YAML, and on the command line as JSON: "
            f"-e '{{\"{name}\": {example}}}'"
        )
        return
    yield from _errors(name, "", value, option, bool(option.get("no_log")))


def _errors(name: str, place: str, value: Any, option: dict[str, Any], secret: bool) -> Iterator[str]:
    """Yield what is wrong with a value at a place in that of a variable.

    :param place: the place (``[0].effect``), empty for the whole value.
    """
    kind = option.get("type", "str")
    prefix = f"{place}: " if place else ""
    if kind == "raw" or value is None and place:
        return
    if not _has_type(value, kind, bool(option.get("choices"))) or _outside(name, value, kind):
        remove = "; remove the variable to get its default" if value is None else ""
        yield f"{prefix}{shown(value, secret)}; it must be {wanted('' if place else name, option)}{remove}"
    elif isinstance(value, list):
        element: dict[str, Any] = {key: option[key] for key in ("choices", "options") if key in option}
        for number, one in enumerate(value):
            yield from _errors(
                name, f"{place}[{number}]", one, {"type": option.get("elements", "raw"), **element}, secret
            )
    elif isinstance(value, dict):
        yield from _key_errors(name, place, value, option.get("options") or {}, secret)
    elif option.get("choices") and str(value) not in map(str, option["choices"]):
        yield f"{prefix}{shown(value, secret)}; it must be {wanted(name, option)}"


def _key_errors(name: str, place: str, value: dict[Any, Any], options: dict[str, Any], secret: bool) -> Iterator[str]:
    """Yield what is wrong with the keys of a dictionary, if the specification lists them, and with their values."""
    prefix = f"{place}: " if place else ""
    if not options:
        return
    # YAML reads the key "no" as false.
    unknown = ["no" if key is False else str(key) for key in value if key not in options]
    if unknown:
        yield f"{prefix}unknown keys: {', '.join(sorted(unknown))}; the keys are {', '.join(options)}"
    for key, option in options.items():
        if key in value:
            yield from _errors(name, f"{place}.{key}", value[key], option, secret or bool(option.get("no_log")))
        elif option.get("required"):
            yield f"{prefix}the key {key} is missing; it must be {wanted('', option)}"


def _has_type(value: Any, kind: str, choices: bool) -> bool:
    """Return whether a value has a type, or is a string that can be converted to it.

    :param choices: whether the values are listed: some lists have ``True`` and ``False`` as strings.
    """
    if kind in COLLECTIONS:
        return isinstance(value, COLLECTIONS[kind])
    if value is None or isinstance(value, (list, dict)) or isinstance(value, bool) and kind != "bool" and not choices:
        return False
    try:
        SCALARS.get(kind, str)(value)
    except (TypeError, ValueError):
        return False
    return True


def _outside(name: str, value: Any, kind: str) -> bool:
    """Return whether a number of a variable is outside of its range."""
    if kind not in ("int", "float"):
        return False
    least, most = RANGES.get(name, (0, None))
    number = SCALARS[kind](value)
    return (least is not None and number < least) or (most is not None and number > most)
