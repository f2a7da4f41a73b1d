# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can end the work on a release."""

from __future__ import annotations

from typing import Any, Sequence


class ReleaseError(Exception):
    """Nothing was applied: the input, the options or the state of the release are refused; the message lists every reason."""


class Failed(Exception):
    """A step failed after the work had begun. C(findings) are what the diagnosis found, as dictionaries."""

    def __init__(self, message: str, findings: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


class Pause(Exception):
    """The time of this call is over, the work is not; the same call again goes on where this one stopped."""


class LockLost(Exception):
    """Another run has taken this release over; this one must not write any more."""
