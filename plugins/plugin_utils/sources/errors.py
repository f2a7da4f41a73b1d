# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the sources of a release."""

from __future__ import annotations

from collections.abc import Iterable


class SourceError(Exception):
    """Sources cannot be read, or do not fit together; the message lists every problem, each with its file and line."""

    def __init__(self, problems: Iterable[str]) -> None:
        """Keep the problems, in the order in which they were found, each once."""
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))
