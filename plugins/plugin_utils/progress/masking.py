# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in YAML and JSON that are not on the line of their name, or not one word: block scalars, and the data of a Secret. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from ...module_utils._kube.objects import MASK
from ...module_utils._kube.redaction import SECRET_NAME

# A name of a secret whose value is the block scalar below it.
BLOCK = re.compile(SECRET_NAME + r")[|>][+\-0-9]{0,2}\s*(?:#.*)?$")
# A line of a diff that begins with the name of a secret and has several words without quotes.
WORDS = re.compile(SECRET_NAME + r")(?![\"'\[{|>&*!])\S+[ \t]+\S.*$")
# An entry of a list that names a secret, as an environment variable of a container, and its value beside it.
NAMED = re.compile(r"[\"']?(?:name|key)[\"']?\s*:\s*[\"']?([\w.-]+)[\"']?,?\s*$")
VALUE = re.compile(r"([\"']?value[\"']?\s*:\s*)(\S.*?)(,?)$")
SECRET = re.compile(SECRET_NAME + ")")
# Both on one line, also with escaped quotes as in the annotation of kubectl apply.
PAIR = re.compile(
    r"(\\?[\"']?\bname\\?[\"']?\s*:\s*\\?[\"']?([\w.-]+)\\?[\"']?\s*,\s*\\?[\"']?value\\?[\"']?\s*:\s*)"
    r"(\\\".*?\\\"|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,}\]]+(?: [^\s,}\]]+)*)"
)
DATA = re.compile(r"[\"']?(data|stringData)[\"']?\s*:\s*(.*)$")
KIND = re.compile(r"[\"']?kind[\"']?\s*:\s*[\"']?(\w+)")
ENTRY = re.compile(r"(\s*(?:[\w.-]+|\"[^\"]*\"|'[^']*')\s*:\s*)(\S.*?)(,?)$")
# A Secret on one line, in flow style or as in the annotation of kubectl apply.
ON_ONE_LINE = re.compile(r"(?<![\w.-])(?:data|stringData)\\?[\"']?\s*:\s*\{")
SECRET_ON_ONE_LINE = re.compile(r"(?<![\w.-])kind\\?[\"']?\s*:\s*\\?[\"']?Secret(?![\w.-])")
# What ends or begins a mapping, and texts in which a brace does neither.
BRACE = re.compile(r"[{}]|\\\"(?:[^\"\\]|\\\\(?:\\[\"\\]|[^\"\\]))*\\\"|\\.|\"(?:[^\"\\]|\\.)*\"|(?<=[\s:,])'[^']*'")
# The type of a Secret, which is beside its data.
TYPE = re.compile(r"[\"']?type[\"']?\s*:\s*[\"']?(?:Opaque|(?:kubernetes\.io|helm\.sh|bootstrap\.kubernetes\.io)/)")
# A value of a Secret is encoded. Words and numbers are not taken for it.
BASE64 = re.compile(
    r"([\"']?)(?!(?:[a-z+/=]*|[A-Z+/=]*|[0-9+/=]*)\1$)(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}|==|[A-Za-z0-9+/]=)\1|.*\.\."
)
# What separates documents, and the parts of a diff.
SEPARATOR = re.compile(r"(---|\+\+\+|@@)(\s|$)")


def without_blocks(lines: Sequence[str], diff: bool) -> list[str]:
    """Return lines in which block scalars of secrets and the data of Secrets are masked.

    :param diff: Whether the lines are those of a unified diff, which begin with a sign.
    """
    signed = [len(line) > 0 and diff and line[0] in "+- " and not SEPARATOR.match(line) for line in lines]
    signs = [line[:1] if sign else "" for line, sign in zip(lines, signed, strict=True)]
    bodies = [line[len(sign) :] for line, sign in zip(lines, signs, strict=True)]
    masked = list(bodies)
    siblings = _Siblings(bodies)
    for number, body in enumerate(bodies):
        if SECRET_ON_ONE_LINE.search(body):
            masked[number] = _without_data(body)
        if "value" in body:
            masked[number] = PAIR.sub(_hide_pair, masked[number])
        key = _key(body)
        if diff and (words := WORDS.match(key)):
            masked[number] = body[: _column(body)] + words[1] + MASK
        elif BLOCK.search(key):
            for below in _below(bodies, number):
                masked[below] = _hidden(bodies[below])
        elif (named := NAMED.match(key)) and SECRET.match(f"{named[1]}: "):
            _mask_value(bodies, masked, number)
        elif found := DATA.match(key):
            kinds = siblings.kinds(number) or {""}
            if kinds & {"Secret", ""} or found[1] == "stringData":
                _mask_data(bodies, masked, number, found[2], "Secret" in kinds or found[1] == "stringData")
    if diff:
        _mask_beginnings(bodies, masked)
    return [sign + body for sign, body in zip(signs, masked, strict=True)]


def _without_data(body: str) -> str:
    """Mask the data of a Secret that is on one line, up to the brace that ends it."""
    made, at = "", 0
    for found in ON_ONE_LINE.finditer(body):
        if found.start() < at:
            continue
        depth, end = 1, len(body)
        for part in BRACE.finditer(body, found.end()):
            depth += {"{": 1, "}": -1}.get(part[0], 0)
            if not depth:
                end = part.start()
                break
        made, at = made + body[at : found.end()] + (MASK if body[found.end() : end].strip() else ""), end
    return made + body[at:]


def _mask_beginnings(bodies: Sequence[str], masked: list[str]) -> None:
    """Mask the values with which a part of a diff begins, where it begins inside of a Secret.

    This is sure if the kind or the type of a Secret follows. If nothing says what it is, only what is encoded as in one is masked.
    """
    for number, body in enumerate(bodies):
        if not body.startswith("@@"):
            continue
        start = number + 1
        columns = [_column(line) for line in bodies[start : start + 1] if line.strip()]
        if not columns or not columns[0]:
            continue
        end = start
        while end < len(bodies) and (not bodies[end].strip() or _column(bodies[end]) >= columns[0]):
            end += 1
        beside = end if end < len(bodies) and not SEPARATOR.match(bodies[end]) else None
        # The brace that ends the data in JSON.
        if beside is not None and not bodies[beside].strip(" },"):
            beside = beside + 1 if beside + 1 < len(bodies) and not SEPARATOR.match(bodies[beside + 1]) else None
        kinds: set[str] = set() if beside is None else _kinds_from(bodies, beside)
        for at in range(start, end) if not kinds or "Secret" in kinds else ():
            entry = ENTRY.fullmatch(bodies[at].rstrip())
            value = entry[2] if entry else bodies[at].strip()
            if value and ("Secret" in kinds or _is_encoded(value)):
                masked[at] = f"{entry[1]}{MASK}{entry[3]}" if entry else _hidden(bodies[at])


def _kinds_from(bodies: Sequence[str], number: int) -> set[str]:
    """Return the kinds of the object that a line continues; a type of Secrets counts as their kind."""
    column = _column(bodies[number])
    kinds: set[str] = set()
    for body in bodies[number:]:
        if SEPARATOR.match(body) or (body.strip() and (_column(body) < column or _begins_item(body))):
            break
        if _column(body) == column:
            kind = KIND.match(_key(body))
            kinds |= {kind[1]} if kind else {"Secret"} if TYPE.match(_key(body)) else set()
    return kinds


def _is_encoded(value: str) -> bool:
    """Return whether a value is base64 beyond doubt: names and words are not text when they are decoded."""
    text = value.strip("\"'")
    if not BASE64.fullmatch(text):
        return False
    if text.endswith(("=", "..")):
        return True
    try:
        return base64.b64decode(text, validate=True).decode().isprintable()
    except (binascii.Error, ValueError):
        return False


def _key(body: str) -> str:
    """Return a line from its key on; before it are spaces and the dash of an item of a list."""
    return body.lstrip(" ").removeprefix("- ").lstrip(" ")


def _column(body: str) -> int:
    return len(body) - len(_key(body))


def _begins_item(body: str) -> bool:
    return body.lstrip(" ").startswith("- ")


def _below(bodies: Sequence[str], number: int) -> Iterator[int]:
    """Yield the lines that are indented more than the key of a line, up to the first that is not."""
    for below in range(number + 1, len(bodies)):
        body = bodies[below]
        indented = len(body) - len(body.lstrip(" ")) > _column(bodies[number])
        if body.strip() and (SEPARATOR.match(body) or not indented):
            return
        yield below


class _Siblings:
    """The lines of one mapping or one item of a list, of which each is read once; lines are asked for in their order."""

    def __init__(self, bodies: Sequence[str]) -> None:
        self.bodies = bodies
        self._known: dict[int, tuple[int, set[str]]] = {}  # by column: the last line, and the kinds

    def kinds(self, number: int) -> set[str]:
        """Return the kinds that stand beside a line, before or after it; none if the text does not contain them."""
        column = _column(self.bodies[number])
        last, kinds = self._known.get(column, (-1, set()))
        if number > last:
            last, kinds = self._read(number, column)
            self._known[column] = (last, kinds)
        return kinds

    def _read(self, number: int, column: int) -> tuple[int, set[str]]:
        bodies, kinds, last = self.bodies, set(), number
        before = range(number - 1, -1, -1) if not _begins_item(bodies[number]) else ()
        for lines in (before, range(number + 1, len(bodies))):
            for at in lines:
                body = bodies[at]
                if not body.strip():
                    continue
                ends = _begins_item(body) and _column(body) <= column
                if SEPARATOR.match(body) or _column(body) < column or (ends and at > number):
                    break
                last = max(last, at)
                if _column(body) == column and (found := KIND.match(_key(body))):
                    kinds.add(found[1])
                if ends:
                    break
        return last, kinds


def _mask_value(bodies: Sequence[str], masked: list[str], number: int) -> None:
    """Mask the value beside the name of a secret, in the lines before or after it: a diff has the old one and the new one."""
    column, first = _column(bodies[number]), _begins_item(bodies[number])
    for beside in (() if first else (number - 1, number - 2), (number + 1, number + 2)):
        for at in beside:
            body = bodies[at] if 0 <= at < len(bodies) else ""
            found = VALUE.match(_key(body).rstrip())
            if not found or _column(body) != column or (at > number and _begins_item(body)):
                break
            masked[at] = f"{body[:column]}{found[1]}{MASK}{found[3]}"
            for below in _below(bodies, at):  # a block scalar, or a value that goes on there
                masked[below] = _hidden(bodies[below])


def _mask_data(bodies: Sequence[str], masked: list[str], number: int, inline: str, sure: bool) -> None:
    """Mask the values below (or behind) a key.

    :param sure: Whether they are a Secret's. Otherwise, only what is encoded as in one is masked.
    """
    if inline.strip(" ,{}") and sure:
        masked[number] = bodies[number][: bodies[number].index(":") + 1] + f" {MASK}"
    for below in _below(bodies, number):
        body = bodies[below]
        entry = ENTRY.fullmatch(body.rstrip())
        if entry and (sure or BASE64.fullmatch(entry[2])):
            masked[below] = f"{entry[1]}{MASK}{entry[3]}"
        elif sure and not entry and body.strip(" {},") and not body.rstrip().endswith(":"):
            masked[below] = _hidden(body)


def _hide_pair(found: re.Match[str]) -> str:
    return found[1] + MASK if SECRET.match(f"{found[2]}: ") else found[0]


def _hidden(body: str) -> str:
    return body[: len(body) - len(body.lstrip(" "))] + MASK if body.strip() else body
