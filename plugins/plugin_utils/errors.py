# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error for invalid input, and the words in which messages name the type of a value."""

from __future__ import annotations

from typing import Any

TYPE_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
}


class InputError(Exception):
    """The input of a task is invalid; the message lists every problem, each with its field or its file and line."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems in the order in which they were found, each once."""
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


def type_name(value: Any) -> str:
    """Return the type of a value with its article."""
    return TYPE_NAMES.get(type(value), type(value).__name__)
