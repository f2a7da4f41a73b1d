# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a run on the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from .staleness import BuildStep


class Progress:
    """Shows lines such as ``[ 3/14] building etcd 3.6.8 (3 programs) ... 19 s``.

    :param write: shows a text; lines end with a newline.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.began = 0.0
        self.line_is_open = False

    def start(self, number: int, total: int, step: BuildStep) -> None:
        """Begin the line of a step."""
        width = len(str(total))
        self.began, self.line_is_open = time.monotonic(), True
        self.write(f"[{number:{width}d}/{total}] {step.title} ... ")

    def close(self) -> None:
        """End the current line."""
        if self.line_is_open:
            self.write("\n")
            self.line_is_open = False

    def report(self, text: str) -> None:
        """Show a line of text below the current step."""
        self.close()
        self.write(f"        {text} ({time.monotonic() - self.began:.0f} s)\n")

    def done(self, step: BuildStep, seconds: float) -> None:
        """Show the duration of a step."""
        self.write(f"{seconds:.0f} s\n" if self.line_is_open else f"        {step.title} ... {seconds:.0f} s\n")
        self.line_is_open = False
