# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON schema of all variables of the roles, with which editors complete and check the files in group_vars and host_vars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Types of argument specifications that JSON has; the others are written as text, and raw is anything.
JSON_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "list": "array", "dict": "object"}
TEMPLATE = {"type": "string", "pattern": "\\{[{%]"}
# Names that begin so are ours; other roles have short names that a user's own variables may begin with, too.
PREFIXES = ("kube", "kubernetes", "control_plane", "containerd")


def value_schema(option: dict[str, Any], prose: Callable[[Any], str]) -> dict[str, Any]:
    """Return the schema of a value: of its type, or a template.

    :param prose: converts Ansible markup to plain text.
    """
    kind = option.get("type", "str")
    schema: dict[str, Any] = {}
    if option.get("choices") and kind != "list":
        schema["enum"] = list(option["choices"])
    elif kind != "raw":
        schema["type"] = JSON_TYPES.get(kind, "string")
    below = option.get("options")
    if kind == "list":
        items = {"type": option.get("elements", "raw"), "options": below, "choices": option.get("choices")}
        schema["items"] = value_schema(items, prose)
    elif below:
        schema["properties"] = {name: value_schema(inner, prose) for name, inner in below.items()}
        schema["required"] = [name for name, inner in below.items() if inner.get("required")]
        schema["additionalProperties"] = False
    whole: dict[str, Any] = schema if schema in ({}, {"type": "string"}) else {"anyOf": [schema, TEMPLATE]}
    described = {"description": prose(option["description"])} if option.get("description") else {}
    default = {"default": option["default"]} if option.get("default") is not None else {}
    return {**described, **default, **whole}


def variables_schema(roles: dict[str, Any], prose: Callable[[Any], str]) -> dict[str, Any]:
    """Return the schema of a file of variables. A name that begins like one of ours but is none is an error.

    :param roles: the roles as ansible-doc describes them, by name.
    """
    options: dict[str, Any] = {}
    for _name, role in sorted(roles.items()):
        for entry in role["entry_points"].values():
            options.update(entry.get("options") or {})
    names = {"anyOf": [{"enum": sorted(options)}, {"not": {"pattern": f"^({'|'.join(PREFIXES)})_"}}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of the collection slipway.kube",
        "description": "Generated from the argument specifications of the roles.",
        "type": "object",
        "propertyNames": names,
        "properties": {name: value_schema(option, prose) for name, option in sorted(options.items())},
    }
