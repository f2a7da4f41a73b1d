# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read YAML and values of a playbook as Kubernetes does: as what JSON can express, with the line of every document and problem.

PyYAML's safe loader is changed where Go's reader, which kubectl and helm use, differs: timestamps stay strings, C(12:30) is not
a number with base 60, C(0o644) is a number, C(=) is a string, keys are strings, and a duplicate key is an error.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from ..errors import InputError

# The C library where PyYAML has it: about ten times faster.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A few lines of nested aliases can expand to gigabytes; no manifest has this many values.
MOST_VALUES = 5_000_000
TAG = "tag:yaml.org,2002:"
Problem = Callable[..., None]  # takes a line, a message and optionally a column, counted from 0


@dataclass(frozen=True)
class Document:
    """A document of a YAML text. ``line`` counts from 1 and is that of the first key."""

    content: Any
    line: int


class _Loader(SafeLoader):
    """Constructs values and calls *problem* for each invalid one, so that all of them can be reported."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors: dict[str, Any] = {}

    def __init__(self, text: str, problem: Problem) -> None:
        super().__init__(text)
        self.problem = problem
        self.count = 0
        self.open: set[int] = set()

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct the value of a node; an alias is constructed again, because it is sent again."""
        self.count += 1
        if self.count > MOST_VALUES:
            raise ConstructorError(None, None, "the aliases expand to too many values", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            raise ConstructorError(None, None, "an anchor contains itself", node.start_mark)
        if not node.tag.startswith(TAG):
            self.problem(node.start_mark.line, f"the tag {node.tag} is not supported by Kubernetes")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.construct_object(child) for child in node.value]
            return self._mapping(node)
        finally:
            self.open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        name = node.tag.replace(TAG, "!!")
        construct = self.yaml_constructors.get(node.tag)
        try:
            if construct:
                return construct(self, node)
            hint = ". Write the value as a base64 string" if name == "!!binary" else ""
            self.problem(node.start_mark.line, f"the tag {name} is not supported by Kubernetes{hint}")
        except (KeyError, ValueError, IndexError):
            self.problem(node.start_mark.line, f"the value is not valid for its tag {name}")
        return None

    def float_or_int(self, node: yaml.ScalarNode) -> float | int | None:
        """Construct a number; Go writes 1.0 and 1e3 into JSON as 1 and 1000."""
        number = self.construct_yaml_float(node)
        if not math.isfinite(number):
            self.problem(node.start_mark.line, "infinity and NaN are not supported by Kubernetes")
            return None
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line
            if key_node.tag == f"{TAG}merge":
                # The first of several merged mappings takes precedence, and the mapping's own keys over all of them.
                for other in self._merged(value_node):
                    merged = {**other, **merged}
            elif not isinstance(key_node, yaml.ScalarNode):
                self.problem(line, "a key must be a string, not a list or a mapping")
            else:
                key = self._key(key_node)
                if key in lines:
                    self.problem(line, f"duplicate key {key!r}, already in line {lines[key]}")
                lines[key] = line + 1
                found[key] = self.construct_object(value_node)
        return {**merged, **found}

    def _merged(self, node: yaml.Node) -> list[dict[str, Any]]:
        children = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [self.construct_object(child) for child in children]
        if all(isinstance(one, dict) for one in found):
            return found
        self.problem(node.start_mark.line, "'<<' must be a mapping or a list of mappings")
        return []

    def _key(self, node: yaml.ScalarNode) -> str:
        literal = (f"{TAG}str", f"{TAG}null", f"{TAG}float")
        value = node.value if node.tag in literal else self._scalar(node)
        return str(value).lower() if isinstance(value, bool) else str(value)


for _tag, _pattern, _first in (
    ("bool", r"(?i:yes|on|true|no|off|false)", "yYoOtTnNfF"),
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))", "-+."),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(TAG + _tag, re.compile(f"(?:{_pattern})\\Z"), list(_first))
_Loader.add_constructor(TAG + "str", SafeConstructor.construct_scalar)
_Loader.add_constructor(TAG + "timestamp", SafeConstructor.construct_scalar)
_Loader.add_constructor(TAG + "null", lambda _loader, _node: None)
_Loader.add_constructor(TAG + "bool", SafeConstructor.construct_yaml_bool)
_Loader.add_constructor(TAG + "int", SafeConstructor.construct_yaml_int)
_Loader.add_constructor(TAG + "float", _Loader.float_or_int)


def read(text: str, origin: str, output_of: str = "") -> list[Document]:
    """Read every document of a text except for empty ones.

    :param origin: the path of the file, for messages.
    :param output_of: what made the text, such as "the template", for messages.
    :raises InputError: the text is not valid YAML, or cannot be an object; all problems are reported, none with a value.
    """
    documents: list[Document] = []
    problems: list[str] = []
    text = str.__str__(text)  # the parser in C accepts no subclass, as which lookups return texts
    found = _json(text)
    if found is not None:
        return [Document(found, 1)] if found else []
    suffix = f" of the output of {output_of}" if output_of else ""

    def problem(line: int, message: str, column: int | None = None) -> None:
        place = f"line {line + 1}" + (f", column {column + 1}" if column is not None else "")
        problems.append(f"{origin}, {place}{suffix}: {message.rstrip('.')}.")

    try:
        loader = _Loader(text, problem)
        while loader.check_node():
            node = loader.get_node()
            content = loader.construct_object(node)
            if content is not None and content != {}:
                documents.append(Document(content, node.start_mark.line + 1))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(filter(None, (error.context, error.problem))) or "invalid YAML"
        # For a bracket or quote that is never closed, its beginning helps more than where the reader noticed it.
        if error.context_mark and mark and error.context_mark.line != mark.line:
            message += f" (it begins in line {error.context_mark.line + 1})"
        line, column = (mark.line, mark.column) if mark else (0, None)
        problem(line, _explained(message, text, line, column), column)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) if isinstance(error.position, int) else 0
        code = hex(error.character) if isinstance(error.character, int) else "unknown"
        problem(line, f"YAML does not allow the character {code}")
    except RecursionError:
        problem(0, "the document is nested too deeply")
    if problems:
        raise InputError(*problems)
    return documents


class _NotPlain(ValueError):
    """A text in JSON is read as YAML, which explains what is wrong with it."""


def _json(text: str) -> Any:
    """Return the content of a text that is one object or list in JSON, which is read much faster than YAML; None for others."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotPlain
    return found


def _number(text: str) -> float | int:
    number = float(text)
    if not math.isfinite(number):
        raise _NotPlain
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _explained(message: str, text: str, line: int, column: int | None) -> str:
    """Replace the reader's message by a clearer one where there is one."""
    if "cannot start any token" in message and column is not None:
        character = text.splitlines()[line][column : column + 1]
        if character == "\t":
            return "a tab is used for indentation; YAML requires spaces"
        return f"a value cannot start with {character}; enclose it in quotes"
    if "mapping values are not allowed" in message:
        return f"a value that contains ': ' needs quotes, or the indentation is wrong ({message})"
    return message


def plain(value: Any) -> Any:
    """Return a value of a playbook as JSON has it: without Ansible's tags, decrypted, with strings as keys.

    Timestamps become strings as Kubernetes writes them (RFC 3339).
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key).lower() if isinstance(key, bool) else str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)  # a string, possibly tagged or encrypted with Ansible Vault
