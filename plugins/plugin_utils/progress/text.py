# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for a terminal or a pipe: without control codes, of a known width, wrapped and abbreviated."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

# ECMA-48: sequences that begin with CSI, strings that begin with OSC, DCS, PM, APC or SOS, and other sequences of two characters.
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]")
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Line(NamedTuple):
    """A line to be shown. *style* is what it is about: "", title, changed, problem, warning or minor."""

    text: str
    style: str = ""


def plain(text: str) -> str:
    """Return *text* without control codes; only line breaks are left."""
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    return CONTROLS.sub("", ESCAPES.sub("", text.replace("\r\n", "\n")).expandtabs())


def width(text: str) -> int:
    """Return the number of columns that *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def clip(text: str, columns: int) -> str:
    """Return the beginning of *text* that fits into *columns*; that it was cut is shown by two dots."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 2:
        text = text[:-1]
    return (text.rstrip() + "..")[: max(columns, 0)]


def pad(text: str, columns: int) -> str:
    """Return *text*, clipped or filled to *columns*."""
    return (short := clip(text, columns)) + " " * (columns - width(short))


# What stands before the text of a line: its margin, the sign or number of an item, a title with its column.
BEFORE_TEXT = re.compile(r"\s*(?:[-*] |\d+\. |\w{1,12}: {2,})?")
# A command at the end of a line is copied as it is shown, so the terminal breaks it, not we.
COMMAND = re.compile(r": +(?:ansible|ansible-playbook|kubectl|make|ssh) ")


def wrap(text: str, columns: int | None, indent: str = "") -> list[str]:
    """Return the lines of *text*, each of them indented and, where *columns* is known, wrapped below its own text."""
    lines: list[str] = []
    for line in plain(text).rstrip().split("\n"):
        line = (indent + line).rstrip()
        if columns is None or width(line) <= columns or COMMAND.search(line):
            lines.append(line)
            continue
        before = BEFORE_TEXT.match(line)[0]  # type: ignore[index]  # it matches nothing, too
        room = max(columns - len(before), 20)
        parts = textwrap.wrap(line[len(before) :], room, break_long_words=False, break_on_hyphens=False)
        lines += [(before if not number else " " * len(before)) + part for number, part in enumerate(parts)]
    return lines


def duration(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are any: 0:41, 12:03, 1:02:03."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 host, 2 hosts."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def names(items: Sequence[str], limit: int = 8) -> str:
    """Return names in one phrase; of more than *limit* the first are named and the others counted."""
    if len(items) <= limit:
        return ", ".join(items)
    return f"{', '.join(items[: limit - 1])} and {len(items) - limit + 1} more"
