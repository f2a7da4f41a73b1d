# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of fields share: names, paths, and plain values that stand for a record."""

from __future__ import annotations

import re
from typing import Any

from .fields import LABEL, SUBDOMAIN, Either, Named, Number, Text, Type

MODES = {"RWO": "ReadWriteOnce", "ROX": "ReadOnlyMany", "RWX": "ReadWriteMany", "RWOP": "ReadWriteOncePod"}
VARIABLE = (re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"), "the name of an environment variable")
NAME = (LABEL, "a name of lower-case letters, digits and hyphens")
OBJECT_NAME = (SUBDOMAIN, "the name of an object: lower-case letters, digits, hyphens and dots")
# RFC 1035: the name of a Service cannot begin with a digit.
APP_NAME = (
    re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$"),
    "a name that begins with a letter, of lower-case letters, digits and hyphens",
)
PORT_NAME = (
    re.compile(r"^(?=.*[a-z])[a-z0-9](-?[a-z0-9])*$"),
    "the name of a port: lower-case letters, digits and hyphens",
)
KEY = (
    re.compile(r"^[-._a-zA-Z0-9]+$"),
    "a key of a ConfigMap or Secret: letters, digits, hyphens, dots and underscores",
)
ABSOLUTE = (re.compile(r"^/.*[^/]$"), "the absolute path of a file, such as /etc/app/app.conf")
FOLDER = (re.compile(r"^/"), "an absolute path")


class Off(Type):
    """The word false, which switches something off."""

    def read(self, value: Any, path: str, problems: Any) -> Any:
        if value is False or (isinstance(value, str) and value.lower() in ("false", "no", "off")):
            return False
        problems.append(f"{path}: takes false.")
        return None


def when(kind: Any, name: str) -> Any:
    """Let a plain value of a type stand for a record with one field."""

    def short(value: Any) -> dict[str, Any] | None:
        return {name: value} if isinstance(value, kind) else None

    return short


def number(name: str) -> Any:
    def short(value: Any) -> dict[str, Any] | None:
        number = isinstance(value, int) and not isinstance(value, bool)
        return {name: value} if number or (isinstance(value, str) and value.isdigit()) else None

    return short


def texts(**more: Any) -> Named:
    """Give the type of a mapping from names to texts, such as labels."""
    return Named(Text(loose=True, empty=True), **more)


PORT_REFERENCE = Either(Number(1, 65535), Text(pattern=PORT_NAME))
