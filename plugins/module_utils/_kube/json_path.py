# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSONPath that C(kubectl wait --for=jsonpath=...) is used with: fields, indices, all items, and filters by equality.

https://kubernetes.io/docs/reference/kubectl/jsonpath/
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

Step = Callable[[Any], "list[Any]"]

FIELD = re.compile(r"\.((?:[^.\[\]\\'\"*?(){}\s]|\\.)+)")
QUOTED = re.compile(r"\[(?:'([^']*)'|\"([^\"]*)\")\]")
INDEX = re.compile(r"\[(-?\d+)\]")
ALL = re.compile(r"\[\*\]|\.\*")
FILTER = re.compile(r"\[\?\(\s*@((?:\.[\w-]+)+)\s*==\s*(?:'([^']*)'|\"([^\"]*)\"|([\w.-]+))\s*\)\]")


class BadPath(ValueError):
    """A path is not valid, or uses what is not supported; the message says where."""


def parse(path: str) -> list[Step]:
    """Parse a path, with or without braces and C($).

    :raises BadPath: it is not valid.
    """
    text = path.strip()
    text = text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text
    text = text[1:] if text.startswith("$") else text
    text = text if text.startswith((".", "[")) else "." + text
    steps: list[Step] = []
    at = 0
    while at < len(text):
        for pattern, make in PARTS:
            found = pattern.match(text, at)
            if found:
                steps.append(make(found))
                at = found.end()
                break
        else:
            raise BadPath(f"{path!r} is not a supported JSONPath at {text[at:]!r}")
    return steps


def values(steps: list[Step], content: Any) -> list[Any]:
    """Return the values that a path selects."""
    found = [content]
    for step in steps:
        found = [below for one in found for below in step(one)]
    return found


def as_text(value: Any) -> str:
    """Return a value as a person writes it: C(true), C(3), the text itself."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(found: re.Match[str]) -> Step:
    name = re.sub(r"\\(.)", r"\1", found.group(1))
    return lambda value: [value[name]] if isinstance(value, Mapping) and name in value else []


def _quoted(found: re.Match[str]) -> Step:
    name = found.group(1) if found.group(1) is not None else found.group(2)
    return lambda value: [value[name]] if isinstance(value, Mapping) and name in value else []


def _index(found: re.Match[str]) -> Step:
    number = int(found.group(1))
    return lambda value: [value[number]] if isinstance(value, list) and -len(value) <= number < len(value) else []


def _all(_found: re.Match[str]) -> Step:
    return lambda value: (
        list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    )


def _filter(found: re.Match[str]) -> Step:
    path, wanted = parse(found.group(1)), next(text for text in found.groups()[1:] if text is not None)

    def step(value: Any) -> list[Any]:
        items = value if isinstance(value, list) else []
        return [item for item in items if any(as_text(one) == wanted for one in values(path, item))]

    return step


PARTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]], ...] = (
    (ALL, _all),
    (FILTER, _filter),
    (INDEX, _index),
    (QUOTED, _quoted),
    (FIELD, _field),
)
