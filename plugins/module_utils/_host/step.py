# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of a host: what it is, what is there now, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable


@dataclass
class Step:
    """A change that is still to be made.

    ``subject`` names the thing and is unique in a layer; ``sentence`` says what happens to it. ``before`` and ``after`` are texts
    for the diff. ``remember`` lists (kind, key, value) for the record, written before ``apply`` is called.
    ``paths`` are the files it changes, which decides about restarts.
    """

    subject: str
    sentence: str
    apply: Callable[[], object]
    before: str = ""
    after: str = ""
    remember: list[tuple[str, str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    restarts: str = ""

    @property
    def diff(self) -> dict[str, str]:
        """The change as Ansible's ``--diff`` shows it."""
        return {
            "before_header": self.subject,
            "after_header": self.subject,
            "before": _with_newline(self.before),
            "after": _with_newline(self.after),
        }


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
