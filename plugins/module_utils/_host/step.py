# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change to a host: its description, the state before and after, and the function that makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable


@dataclass
class Step:
    """A change that has not been made yet.

    :param subject: the thing that changes; unique in a layer.
    :param sentence: what happens to it, for the module's result.
    :param apply: makes the change.
    :param before: state before the change, for the diff.
    :param after: state after the change, for the diff.
    :param remember: (kind, key, value) entries that go into the record before ``apply`` is called.
    :param paths: files that change; they decide which units are restarted.
    :param restarts: unit that is started or restarted, "" for none.
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
        """Return the change in the form of Ansible's ``--diff``."""
        texts = {"before": self.before, "after": self.after}
        shown = {key: text + "\n" if text and not text.endswith("\n") else text for key, text in texts.items()}
        return {"before_header": self.subject, "after_header": self.subject, **shown}
