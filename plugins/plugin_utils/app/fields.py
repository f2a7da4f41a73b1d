# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of fields: what each accepts, and the message for an unknown field or an invalid value.

Values come from Ansible, so a number or a boolean may also be a string. Every problem is recorded with the path of its field
and reading continues, so that one run reports all of them.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._kube.quantities import parse_quantity
from ..errors import type_name

Pattern = tuple[re.Pattern[str], str]  # and a noun phrase for what matches it

TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")


def join(path: str, name: str) -> str:
    """Append a name to the path of a field; a name that is not an identifier is enclosed in brackets."""
    if re.match(r"^[A-Za-z_][\w-]*$", name):
        return f"{path}.{name}" if path else name
    return f"{path}[{name}]"


def snake_case(name: str) -> str:
    """Convert a field name of the Kubernetes API: C(minReadySeconds) becomes C(min_ready_seconds)."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).replace("-", "_").lower()


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name that was most likely meant, or an empty string."""
    plain = snake_case(name)
    if plain in known:
        return plain
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    if close:
        return close[0]
    similar = [
        other for other in known if len(plain) > 3 and (other.startswith(plain) or plain.startswith(other + "_"))
    ]
    return similar[0] if len(similar) == 1 else ""


def hint(name: str) -> str:
    """Return the question that proposes a name, or an empty string for an empty name."""
    return f" Did you mean {name}?" if name else ""


def unknown_name(path: str, what: str, name: str, known: Sequence[str]) -> str:
    """Return the message for a reference to something that the description does not have."""
    return f"{path}: unknown {what} {name} (available: {', '.join(known) or 'none'}).{hint(nearest(name, known))}"


def one_of(choices: Sequence[str]) -> str:
    """List alternatives: C(A, B or C)."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1]))) if choices else "nothing"


class Type:
    """What a field accepts."""

    ansible = "raw"  # the type of the option in a module's documentation
    expected = ""  # a noun phrase for the accepted values
    fallback: Any = None  # what an invalid value is replaced by, so that reading can continue

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        """Convert a value and append what is wrong with it to *problems*."""
        try:
            return self.convert(value)
        except ValueError:
            problems.append(f"{path}: must be {self.expected}, not {_shown(value)}.")
            return copy.deepcopy(self.fallback)

    def convert(self, value: Any) -> Any:
        """Convert a value.

        :raises ValueError: it is not valid.
        """
        raise NotImplementedError


class Raw(Type):
    """Any value, or any of one type: parts of the Kubernetes API that the API server validates."""

    def __init__(self, shape: type | None = None) -> None:
        self.shape = shape
        self.ansible = shape.__name__ if shape else "raw"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.shape and not isinstance(value, self.shape):
            problems.append(f"{path}: must be {type_name(self.shape())}, not {type_name(value)}.")
            return self.shape()
        return value


@dataclass
class String(Type):
    """A string.

    :param choices: the accepted values.
    :param pattern: what the value must match, with a noun phrase for it.
    :param loose: accept a number or a boolean as its YAML text.
    :param empty: accept an empty string.
    """

    choices: Sequence[str] = ()
    pattern: Pattern | None = None
    loose: bool = False
    empty: bool = False
    ansible = "str"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.loose and isinstance(value, (bool, int, float)):
            return str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, str):
            problems.append(f"{path}: must be a string, not {_number_or_type(value)}.")
            return ""
        if self.choices and value not in self.choices:
            same = [choice for choice in self.choices if choice.lower() == value.lower()]
            near = same or difflib.get_close_matches(value, self.choices, n=1, cutoff=0.5)
            problems.append(f"{path}: must be {one_of(self.choices)}, not {value!r}.{hint(near[0] if near else '')}")
            return self.choices[0]
        if not value and not self.empty and not self.loose:
            problems.append(f"{path}: must not be empty.")
        elif self.pattern and value and not self.pattern[0].match(value):
            problems.append(f"{path}: {value!r} is not a valid {self.pattern[1]}.")
        return value


class Integer(Type):
    """An integer between two bounds."""

    ansible, expected = "int", "an integer"

    def __init__(self, least: int = 0, most: int = 2**31 - 1) -> None:
        self.least, self.most, self.fallback = least, most, least

    def convert(self, value: Any) -> int:
        if isinstance(value, bool) or not re.match(r"^-?\d+$", str(value).strip()):
            raise ValueError
        return int(value)

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        number = super().read(value, path, problems)
        if self.least <= number <= self.most:
            return number
        bounds = f"at least {self.least}" if self.most == 2**31 - 1 else f"from {self.least} to {self.most}"
        problems.append(f"{path}: must be {bounds}, not {number}.")
        return self.least


class Boolean(Type):
    """True or false."""

    ansible, expected, fallback = "bool", "true or false", False

    def convert(self, value: Any) -> bool:
        if isinstance(value, str) and value.lower() in TRUE + FALSE:
            return value.lower() in TRUE
        if not isinstance(value, bool):
            raise ValueError
        return value


class Disabled(Type):
    """The value false, which disables a feature."""

    expected = "false"

    def convert(self, value: Any) -> bool:
        if value is not False and not (isinstance(value, str) and value.lower() in FALSE):
            raise ValueError
        return False


class IntOrPercent(Type):
    """An integer or a percentage (C(IntOrString) of the API)."""

    expected, fallback = "a number or a percentage such as 25%", 0

    def convert(self, value: Any) -> int | str:
        if isinstance(value, str) and re.match(r"^\d+%$", value):
            return value
        if isinstance(value, bool) or not re.match(r"^\d+$", str(value).strip()):
            raise ValueError
        return int(value)


class Quantity(Type):
    """A quantity of a resource, such as C(250m) of CPU or C(64Mi) of memory."""

    ansible, expected, fallback = "str", "a quantity such as 250m, 64Mi or 10Gi", "0"

    def convert(self, value: Any) -> str:
        if not isinstance(value, (int, float, str)) or parse_quantity(value) is None or str(value).startswith("-"):
            raise ValueError
        return str(value)


@dataclass
class ListOf(Type):
    """A list.

    :param single: accept one item in place of a list.
    :param least: the smallest number of items.
    """

    item: Type
    single: bool = False
    least: int = 0
    ansible = "list"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.single and not isinstance(value, list):
            value = [value]
        if not isinstance(value, list):
            problems.append(f"{path}: must be a list, not {_number_or_type(value)}.")
            return []
        if len(value) < self.least:
            problems.append(f"{path}: must not be empty.")
        return [self.item.read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]


@dataclass
class MapOf(Type):
    """A mapping from names that the user chooses to values of one type.

    :param name: what the names must match, with a noun phrase for it.
    :param longest: the maximum length of a name, in characters.
    """

    value: Type
    name: Pattern | None = None
    longest: int = 253
    ansible = "dict"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if not isinstance(value, Mapping):
            problems.append(f"{path}: must be a mapping from names to values, not {_number_or_type(value)}.")
            return {}
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = str(key)
            where = join(path, name)
            if self.name and not self.name[0].match(name):
                problems.append(f"{where}: {name!r} is not a valid {self.name[1]}.")
            elif len(name) > self.longest:
                problems.append(f"{where}: the name has {len(name)} characters; at most {self.longest} are allowed.")
            found[name] = self.value.read(item, where, problems)
        return found


@dataclass(frozen=True)
class Field:
    """A field of a structure.

    :param default: the value of a field that is not set.
    """

    type: Type
    default: Any = None
    required: bool = False


class Structure(Type):
    """A mapping with known fields.

    :param fields: a field or its type by name.
    :param short: converts a shorter form into the mapping, or returns None for a value that is not one.
    :param shape: a noun phrase for the accepted values.
    :param instead_of: what to use, with the names that users of other tools may write (separated by spaces).
    """

    ansible = "dict"

    def __init__(
        self,
        fields: Mapping[str, Field | Type],
        short: Callable[[Any], dict[str, Any] | None] | None = None,
        shape: str = "",
        instead_of: Mapping[str, str] | None = None,
    ) -> None:
        self.fields = {name: one if isinstance(one, Field) else Field(one) for name, one in fields.items()}
        self.short, self.shape = short, shape or "a mapping"
        self.instead = {other: name for name, others in (instead_of or {}).items() for other in others.split()}

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        mapping = value if isinstance(value, Mapping) else self.short(value) if self.short else None
        if mapping is None:
            problems.append(f"{path}: must be {self.shape}, not {_number_or_type(value)}.")
            return self.empty()
        problems += [self.unknown(str(name), path) for name in mapping if name not in self.fields]
        found = self.empty()
        for name, entry in self.fields.items():
            if mapping.get(name) is not None:
                found[name] = entry.type.read(mapping[name], join(path, name), problems)
            elif entry.required:
                problems.append(f"{join(path, name)}: is required.")
        return found

    def empty(self) -> dict[str, Any]:
        """Return the value in which no field is set."""
        return {name: copy.deepcopy(entry.default) for name, entry in self.fields.items()}

    def unknown(self, name: str, path: str) -> str:
        """Return the message for an unknown field, with the one that was most likely meant."""
        instead = self.instead.get(snake_case(name)) or self.instead.get(name)
        if instead:
            return f"{join(path, name)}: unknown field; use {instead} instead."
        near = nearest(name, list(self.fields))
        if near:
            return f"{join(path, name)}: unknown field; did you mean {join(path, near)}?"
        return f"{join(path, name)}: unknown field (available: {', '.join(sorted(self.fields))})."


class AnyOf(Type):
    """The first type that accepts the value; where none does, the problems are those of the last one."""

    def __init__(self, *types: Type) -> None:
        self.types = types

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        for one in self.types:
            found: list[str] = []
            result = one.read(value, path, found)
            if not found:
                return result
        problems += found
        return result


def _number_or_type(value: Any) -> str:
    """Return a number, or the type of another value: it may be a secret."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{type_name(value)} ({value})" if is_number else type_name(value)


def _shown(value: Any) -> str:
    """Return a short string or a number, for types that never hold a secret."""
    return f"{value!r}" if isinstance(value, str) and len(value) <= 32 else _number_or_type(value)


# Types and patterns that several structures share.
STRING, NONEMPTY_OR_NUMBER, ANY_STRING = String(), String(loose=True), String(loose=True, empty=True)
INTEGER, POSITIVE, BOOLEAN, INT_OR_PERCENT, MAPPING = Integer(), Integer(1), Boolean(), IntOrPercent(), Raw(dict)
STRINGS = ListOf(STRING, single=True)
LABELS = MapOf(ANY_STRING)  # and everything else that maps names to strings
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = (re.compile(rf"^{_LABEL}$"), "name (lowercase letters, digits and hyphens)")
SUBDOMAIN = (
    re.compile(rf"^{_LABEL}(\.{_LABEL})*$"),
    "object name (lowercase letters, digits, hyphens and dots)",
)
HOST = (re.compile(rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"), "host name (without scheme, port and path)")
# RFC 1035: the name of a Service cannot start with a digit.
APP_NAME = (
    re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$"),
    "application name (lowercase letters, digits and hyphens, starting with a letter)",
)
PORT_NAME = (
    re.compile(r"^(?=.*[a-z])[a-z0-9](-?[a-z0-9])*$"),
    "port name (lowercase letters, digits and hyphens, with at least one letter)",
)
KEY = (
    re.compile(r"^[-._a-zA-Z0-9]+$"),
    "key of a ConfigMap or Secret (letters, digits, hyphens, dots and underscores)",
)
VARIABLE = (re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"), "environment variable name")
FILE_PATH = (re.compile(r"^/.*[^/]$"), "absolute path of a file, such as /etc/app/app.conf")
ABSOLUTE = (re.compile(r"^/"), "absolute path")
CIDR = (re.compile(r"^[0-9a-fA-F.:]+/\d{1,3}$"), "CIDR block such as 10.0.0.0/24")
OBJECT_NAME, PATH = String(pattern=SUBDOMAIN), String(pattern=ABSOLUTE)
PORT_NUMBER, PROTOCOL = Integer(1, 65535), String(("TCP", "UDP", "SCTP"))
PORT_REFERENCE = AnyOf(PORT_NUMBER, String(pattern=PORT_NAME))


def each(what: Type, *names: str) -> dict[str, Field | Type]:
    """Return several fields of one type."""
    return dict.fromkeys(names, what)


def short_for(name: str, *types: type) -> Callable[[Any], dict[str, Any] | None]:
    """Return what lets a plain value stand for a structure of which only the field *name* is set."""
    return lambda value: {name: value} if isinstance(value, types) else None


def port_only(value: Any) -> dict[str, Any] | None:
    """Let the number or the name of a port stand for a structure."""
    return {"port": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else None
