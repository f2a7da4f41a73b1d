# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of fields: which there are, what each takes, and what is said of one that is unknown or takes something else.

Values come from Ansible, so a number or a truth value may also be its text. Every problem is noted with the path of its field;
reading goes on, so that one run tells them all.
"""

from __future__ import annotations

import copy
import difflib
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...module_utils._kube.quantities import parse_quantity

TRUE = ("true", "yes", "on")
FALSE = ("false", "no", "off")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")


class BadApp(Exception):
    """A description cannot be an application; the message lists every problem, each with the path of its field."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def words(value: Any) -> str:
    """Name the type of a value for a person."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def join(path: str, name: str) -> str:
    """Add a name to the path of a field; names that are no words stand in brackets."""
    if re.match(r"^[A-Za-z_][\w-]*$", name):
        return f"{path}.{name}" if path else name
    return f"{path}[{name}]"


def snake(name: str) -> str:
    """Spell a name of the Kubernetes API as the fields here are spelt: C(minReadySeconds) is C(min_ready_seconds)."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).replace("-", "_").lower()


def nearest(name: str, known: Sequence[str]) -> str:
    """Give the known name that was most likely meant, empty where none is near."""
    plain = snake(name)
    if plain in known:
        return plain
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    if close:
        return close[0]
    holding = [
        other for other in known if len(plain) > 3 and (other.startswith(plain) or plain.startswith(other + "_"))
    ]
    return holding[0] if len(holding) == 1 else ""


class Type:
    """What a field takes. A type reads a value and notes what is wrong with it."""

    ansible = "raw"  # its name in a module's documentation

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        """Give the value as the rest of the code wants it; note in *problems* what is wrong."""
        raise NotImplementedError


class Raw(Type):
    """Anything: parts of the Kubernetes API that are passed on as they are, for the API server to judge."""

    def __init__(self, shape: type | None = None) -> None:
        self.shape = shape
        self.ansible = "dict" if shape is dict else "list" if shape is list else "raw"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.shape and not isinstance(value, self.shape):
            problems.append(f"{path}: takes {words(self.shape())}, not {words(value)}.")
            return self.shape()
        return value


class Text(Type):
    """A text; a number or truth value is taken by its YAML spelling where C(loose).

    :param choices: the texts that it takes.
    :param pattern: what it looks like, and the words that say so.
    """

    ansible = "str"

    def __init__(
        self,
        choices: Sequence[str] = (),
        pattern: tuple[Any, str] | None = None,
        loose: bool = False,
        empty: bool = False,
    ) -> None:
        self.choices, self.pattern, self.loose, self.empty = tuple(choices), pattern, loose, empty

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.loose and isinstance(value, bool):
            return "true" if value else "false"
        if self.loose and isinstance(value, (int, float)):
            return str(value)
        if not isinstance(value, str):
            problems.append(f"{path}: takes a text, not {words(value)}{_quote(value)}.")
            return ""
        if self.choices and value not in self.choices:
            same = [choice for choice in self.choices if choice.lower() == value.lower()]
            near = same or difflib.get_close_matches(value, self.choices, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"{path}: takes {one_of(self.choices)}, not {value!r}.{hint}")
            return self.choices[0]
        if not value and not self.empty and not self.loose:
            problems.append(f"{path}: is empty.")
        elif self.pattern and value and not self.pattern[0].match(value):
            problems.append(f"{path}: {value!r} is not {self.pattern[1]}.")
        return value


class Number(Type):
    """A whole number between two bounds."""

    ansible = "int"

    def __init__(self, least: int = 0, most: int = 2**31 - 1) -> None:
        self.least, self.most = least, most

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if isinstance(value, str) and re.match(r"^-?\d+$", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            problems.append(f"{path}: takes a whole number, not {_said(value)}.")
            return self.least
        if not self.least <= value <= self.most:
            bounds = "at least %d" % self.least if self.most == 2**31 - 1 else "%d to %d" % (self.least, self.most)
            problems.append("%s: is %d; it takes %s." % (path, value, bounds))
            return self.least
        return value


class Flag(Type):
    """True or false."""

    ansible = "bool"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if isinstance(value, str) and value.lower() in TRUE + FALSE:
            return value.lower() in TRUE
        if not isinstance(value, bool):
            problems.append(f"{path}: takes true or false, not {_said(value)}.")
            return False
        return value


class Share(Type):
    """A whole number or a percentage (C(IntOrString) of the API)."""

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if isinstance(value, str) and re.match(r"^\d+$", value.strip()):
            return int(value)
        if isinstance(value, str) and re.match(r"^\d+%$", value):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            problems.append(f"{path}: takes a number or a percentage such as 25%, not {_said(value)}.")
            return 0
        return value


class Quantity(Type):
    """An amount of a resource, such as C(250m) of CPU or C(64Mi) of memory."""

    ansible = "str"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        text = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
        if not isinstance(text, str) or parse_quantity(text) is None or text.startswith("-"):
            problems.append(f"{path}: takes an amount such as 250m, 64Mi or 10Gi, not {_said(value)}.")
            return "0"
        return text


class Items(Type):
    """A list.

    :param single: take one item where a list is meant.
    """

    ansible = "list"

    def __init__(self, item: Type, single: bool = False, least: int = 0) -> None:
        self.item, self.single, self.least = item, single, least

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if self.single and not isinstance(value, list):
            value = [value]
        if not isinstance(value, list):
            problems.append(f"{path}: takes a list, not {words(value)}{_quote(value)}.")
            return []
        if len(value) < self.least:
            problems.append(f"{path}: is an empty list.")
        return [self.item.read(item, f"{path}[{number}]", problems) for number, item in enumerate(value)]


class Named(Type):
    """A mapping from names that the user chooses to values of one type.

    :param name: what the names look like, and the words that say so.
    :param longest: characters that a name may have.
    """

    ansible = "dict"

    def __init__(self, value: Type, name: tuple[Any, str] | None = None, longest: int = 253) -> None:
        self.value, self.name, self.longest = value, name, longest

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if not isinstance(value, Mapping):
            problems.append(f"{path}: takes a mapping from names to values, not {words(value)}{_quote(value)}.")
            return {}
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = str(key)
            where = join(path, name)
            if self.name and not self.name[0].match(name):
                problems.append(f"{where}: the name {name!r} is not {self.name[1]}.")
            elif len(name) > self.longest:
                problems.append("%s: the name has %d characters; %d are allowed." % (where, len(name), self.longest))
            found[name] = self.value.read(item, where, problems)
        return found


@dataclass(frozen=True)
class Field:
    """A field of a record.

    :param default: what it is where it is not given.
    """

    type: Type
    default: Any = None
    required: bool = False


@dataclass
class Record(Type):
    """A mapping with known fields.

    :param short: turns another value into the mapping that it stands for, or gives None where it stands for none.
    :param elsewhere: names that belong to another place, with that place.
    """

    fields: Mapping[str, Field]
    short: Callable[[Any], dict[str, Any] | None] | None = None
    shape: str = "a mapping"
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    ansible = "dict"

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        if not isinstance(value, Mapping):
            stands_for = self.short(value) if self.short else None
            if stands_for is None:
                problems.append(f"{path}: takes {self.shape}, not {words(value)}{_quote(value)}.")
                return self.empty()
            value = stands_for
        for name in value:
            if name not in self.fields:
                problems.append(self.unknown(str(name), path))
        found: dict[str, Any] = {}
        for name, what in self.fields.items():
            given = value.get(name)
            if given is None:
                if what.required:
                    problems.append(f"{join(path, name)}: is required.")
                found[name] = copy.deepcopy(what.default)
            else:
                found[name] = what.type.read(given, join(path, name), problems)
        return found

    def empty(self) -> dict[str, Any]:
        """Give the record of which no field is given."""
        return {name: copy.deepcopy(what.default) for name, what in self.fields.items()}

    def unknown(self, name: str, path: str) -> str:
        """Say that a field is not known, and which was most likely meant."""
        place = self.elsewhere.get(snake(name)) or self.elsewhere.get(name)
        if place:
            return f"{join(path, name)}: there is no such field here; write {place}."
        near = nearest(name, list(self.fields))
        if near:
            return f"{join(path, name)}: there is no such field; did you mean {join(path, near)}?"
        return f"{join(path, name)}: there is no such field; there are {', '.join(sorted(self.fields))}."


class Either(Type):
    """What the first type that finds nothing wrong makes of the value; where none does, what is said of the last one."""

    def __init__(self, *types: Type, ansible: str = "raw") -> None:
        self.types, self.ansible = types, ansible

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        for kind in self.types:
            found: list[str] = []
            result = kind.read(value, path, found)
            if not found:
                return result
        problems += found
        return result


def one_of(choices: Sequence[str]) -> str:
    """List alternatives: C(A, B or C)."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1]))) if choices else "nothing"


def _quote(value: Any) -> str:
    """Repeat a value where that helps; texts are repeated only by types that no secret has (see :func:`_said`)."""
    return f" ({value})" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _said(value: Any) -> str:
    return f"{value!r}" if isinstance(value, str) and len(value) <= 32 else words(value) + _quote(value)
