# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions that end work on a release."""

from __future__ import annotations

from typing import Any, Sequence


class ReleaseError(Exception):
    """The objects, the options or the state of the release are refused before anything is applied; the message lists every reason.

    :ivar drift: in check mode, what somebody has changed in the cluster.
    """

    drift: Sequence[dict[str, Any]] = ()


class OperationFailed(Exception):
    """An operation failed after changes had begun.

    :ivar findings: the findings of the diagnosis, as dictionaries.
    """

    def __init__(self, message: str, findings: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


class Pause(Exception):
    """The time slice of this module call is used up; the next call of the same run resumes the work."""


class LockLost(Exception):
    """Another run has taken over this release; this run must not write any more."""
