# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as Kubernetes reads it: what becomes JSON, with the line of every object, and with every problem told by its line.

It differs from PyYAML's safe loader where Go's reader, which kubectl and helm use, differs: times stay text, C(12:30) is no number to the
base of 60, C(0o644) is a number, C(=) is text, keys are text, and a key that comes twice is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.resolver import BaseResolver

from .errors import SourceError

Parser: Any = getattr(yaml.cyaml, "CParser", None) if hasattr(yaml, "cyaml") else None

# Aliases that repeat themselves can make gigabytes of a few lines: no manifest has so many values.
MOST_VALUES = 5_000_000

TAG = "tag:yaml.org,2002:"
BOOL = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Document:
    """One document of a YAML text. ``line`` counts from 1, and is that of the first key."""

    content: Any
    line: int


class _Resolver(BaseResolver):
    """What a plain value means."""


_Resolver.add_implicit_resolver(TAG + "bool", re.compile(r"(?:yes|on|true|no|off|false)\Z", re.I), list("yYoOtTnNfF"))
_Resolver.add_implicit_resolver(TAG + "null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Resolver.add_implicit_resolver(TAG + "int", re.compile(INTEGER.pattern + r"\Z"), list("-+0123456789"))
_Resolver.add_implicit_resolver(TAG + "float", re.compile(FLOAT.pattern + r"\Z"), list("-+.0123456789"))
_Resolver.add_implicit_resolver(
    TAG + "float", re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"), list("-+.")
)
_Resolver.add_implicit_resolver(TAG + "merge", re.compile(r"<<\Z"), ["<"])

if Parser is not None:

    class _Loader(Parser, _Resolver):
        def __init__(self, text: str) -> None:
            Parser.__init__(self, text)
            _Resolver.__init__(self)

else:  # PyYAML without its C library

    class _Loader(  # type: ignore[no-redef]
        yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _Resolver
    ):
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            _Resolver.__init__(self)


def read(text: str, origin: str, whose: str = "") -> list[Document]:
    """Read every document of a text; empty ones are left out.

    :param origin: path of the file, for messages.
    :param whose: what to say after the line, such as "of what the template gives".
    :raises SourceError: the text is no YAML, or not such as can be an object; all problems are told, none with a value.
    """
    builder = _Builder(origin, whose)
    documents: list[Document] = []
    try:
        for node in _nodes(text):
            content = builder.value(node)
            if content is not None and content != {}:
                documents.append(Document(content, node.start_mark.line + 1))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem))) or "it is no YAML"
        # Where it began helps more than where it was noticed, for a bracket or quote that is never closed.
        if error.context_mark and mark and error.context_mark.line != mark.line:
            said += " (it begins in line %d)" % (error.context_mark.line + 1)
        line, column = (mark.line, mark.column) if mark else (0, None)
        builder.problem(line, _simple(said, text, line, column), column)
    except yaml.reader.ReaderError as error:
        builder.problem(
            text.count("\n", 0, error.position) if isinstance(error.position, int) else 0,
            f"a character that YAML does not allow ({hex(error.character) if isinstance(error.character, int) else '?'})",
        )
    except RecursionError:
        builder.problem(0, "it is nested too deeply")
    if builder.problems:
        raise SourceError(builder.problems)
    return documents


def _simple(said: str, text: str, line: int, column: int | None) -> str:
    """Say in people's words what the reader says in its own."""
    if "cannot start any token" in said and column is not None:
        at = text.splitlines()[line][column : column + 1]
        if at == "\t":
            return "a tab is used for indentation; YAML wants spaces"
        return f"a value cannot begin with {at}; put it into quotes"
    if "mapping values are not allowed" in said:
        return f"a value with ': ' in it needs quotes, or the indentation is wrong ({said})"
    return said


def _nodes(text: str) -> Iterator[yaml.Node]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        dispose = getattr(loader, "dispose", None)
        if dispose:
            dispose()


class _Builder:
    """Makes values of nodes, and collects what is wrong."""

    def __init__(self, origin: str, whose: str) -> None:
        self.origin = origin
        self.whose = " " + whose if whose else ""
        self.problems: list[str] = []
        self.count = 0
        self.open: set[int] = set()

    def problem(self, line: int, text: str, column: int | None = None) -> None:
        """Note a problem. Lines and columns count from 0 here."""
        place = "line %d" % (line + 1) + (", column %d" % (column + 1) if column is not None else "")
        self.problems.append(f"{self.origin}, {place}{self.whose}: {text.rstrip('.')}.")

    def value(self, node: yaml.Node) -> Any:
        """Make the value of a node."""
        self.count += 1
        if self.count > MOST_VALUES:
            raise yaml.composer.ComposerError(None, None, "aliases make too many values", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            raise yaml.composer.ComposerError(None, None, "an anchor holds itself", node.start_mark)
        self.open.add(id(node))
        try:
            if not node.tag.startswith(TAG):
                self.problem(node.start_mark.line, f"the tag {node.tag} means nothing in Kubernetes")
            if isinstance(node, yaml.SequenceNode):
                return [self.value(child) for child in node.value]
            return self._mapping(node)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        made: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == TAG + "merge":
                # Of several merged mappings the first one counts, and what is written itself counts more.
                for other in self._merged(value_node):
                    merged = {**other, **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node.start_mark.line, "a key must be text, not a list or a mapping")
                continue
            key = self._key(key_node)
            if key in lines:
                self.problem(
                    key_node.start_mark.line, "the key %r is already in line %d. Keep one of them" % (key, lines[key])
                )
            lines[key] = key_node.start_mark.line + 1
            made[key] = self.value(value_node)
        return {**merged, **made} if merged else made

    def _merged(self, node: yaml.Node) -> list[dict[str, Any]]:
        found = [self.value(child) for child in (node.value if isinstance(node, yaml.SequenceNode) else [node])]
        if all(isinstance(one, dict) for one in found):
            return found
        self.problem(node.start_mark.line, "'<<' takes a mapping, or a list of mappings")
        return []

    def _key(self, node: yaml.Node) -> str:
        if node.tag in (TAG + "str", TAG + "null", TAG + "float"):
            return str(node.value)
        value = self._scalar(node)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: yaml.Node) -> Any:
        kind, text = node.tag, node.value
        if kind == TAG + "str":
            return text
        try:
            if kind == TAG + "null":
                return None
            if kind == TAG + "bool":
                return BOOL[text.lower()]
            if kind == TAG + "int":
                return _integer(text)
            if kind == TAG + "float":
                number = (
                    float(text.replace(".inf", "inf").replace(".nan", "nan")) if text[-1:] not in "fFnN" else math.inf
                )
                if math.isfinite(number):
                    # Go writes 1.0 and 1e3 into JSON as 1 and 1000.
                    return int(number) if number.is_integer() and abs(number) < 2**53 else number
                self.problem(node.start_mark.line, "infinity and NaN are no numbers in Kubernetes")
                return None
        except (KeyError, ValueError):
            self.problem(node.start_mark.line, f"the value is no {kind[len(TAG) :]}, as its tag says")
            return None
        if kind == TAG + "timestamp":
            return text
        remedy = ". Write it as a text in base64" if kind == TAG + "binary" else ""
        self.problem(node.start_mark.line, f"the tag {kind.replace(TAG, '!!')} means nothing in Kubernetes{remedy}")
        return None


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.lstrip("+"))
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    return sign * int(digits, 0)
