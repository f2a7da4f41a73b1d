# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership of the fields that a rollout sets: pure functions.

The API server records the manager of every field (https://kubernetes.io/docs/reference/using-api/server-side-apply/). Fields that a
rollout takes from the manager that applies manifests are returned to it with the new value: its next apply sets what its
manifests contain, without a conflict, and removes what they do not contain.
"""

from __future__ import annotations

from typing import Any, Mapping

from .._release.field_migration import migration, subtract
from .._release.fingerprint import owned_fields

MANAGER = "slipway.kube.rollout"
# Pausing, resuming and restarting must outlive the next apply, so these fields belong to another manager.
STATE_MANAGER = "slipway.kube.rollout.state"
KEPT = ("restart", "pause", "resume")


def manager(action: str) -> str:
    """Return the field manager of an action."""
    return STATE_MANAGER if action in KEPT else MANAGER


def return_fields(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON patch that returns fields to the manager that applies manifests, empty if there is nothing to return.

    :param before: the workload before the change. :param after: the server's response to the change.
    """
    had, has = owned_fields(before), owned_fields(after)
    if action in KEPT or not had:
        return []
    # A restored template belongs to the applying manager as a whole; otherwise only the fields that were taken from it.
    if action != "undo" and not subtract(had, has):
        return []
    return migration(after, [MANAGER])
