# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what a rollout sets: pure functions.

The API server notes the manager of every field (https://kubernetes.io/docs/reference/using-api/server-side-apply/). What a
rollout takes from the manager that applies manifests is given back to it, with the new value: its next apply sets what its
manifests say, without a conflict, and takes away what they do not say.
"""

from __future__ import annotations

from typing import Any, Mapping

from .._release.field_migration import migration, subtract
from .._release.ownership import MANAGER as APPLIER

MANAGER = "slipway.kube.rollout"
# What holds a workload as it is or only makes it begin again must outlive the next apply, so it stays with another manager.
KEEPER = "slipway.kube.rollout.state"
KEPT = ("restart", "pause", "resume")


def manager(action: str) -> str:
    """Give the field manager under which an action is written."""
    return KEEPER if action in KEPT else MANAGER


def give_back(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the JSON patch that returns fields to the manager that applies manifests, empty where there is nothing to return.

    :param before: the workload before the change. :param after: as the server answered the change.
    """
    had, has = _applied(before), _applied(after)
    if action in KEPT or not had:
        return []
    # A template that comes back as a whole is the applier's as a whole; else only what was taken from it.
    if action != "undo" and not subtract(had, has):
        return []
    return migration(after, [MANAGER])


def _applied(live: Mapping[str, Any]) -> dict[str, Any]:
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == APPLIER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1") or {}
    return {}
