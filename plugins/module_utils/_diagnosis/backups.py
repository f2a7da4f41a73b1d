# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the backups that the role backup configured are taken, from the ConfigMap in which the program records the last one."""

from __future__ import annotations

import time
from typing import Mapping

from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Reference
from .._kube.timestamps import seconds_of
from .finding import SLOW, Finding, one_line

NAME = Reference("v1", "ConfigMap", "kube-system", "slipway-backup")
HOUR = 3600
ADVICE = (
    "Read journalctl -u slipway-backup on the control plane nodes, remove the cause, and run the playbook slipway.kube.backup. Archives that exist "
    "are kept until a new one is complete."
)


def backup_findings(data: Mapping[str, str], now: float) -> list[Finding]:
    """Report a last backup that failed or is older than two intervals.

    :param data: of the ConfigMap; ``time``, ``failed`` and ``error`` are optional.
    :param now: in seconds since the epoch.
    """
    taken, failed = data.get("time", ""), data.get("failed", "")
    title, evidence = "", []
    if failed and seconds_of(failed) > seconds_of(taken):
        title = "the last backup failed"
        evidence.append(f"{failed} on {data.get('failed_on')}: {one_line(data.get('error', ''))}")
    elif taken and now - seconds_of(taken) > 2 * HOUR * int(data.get("schedule_hours") or 24):
        title = f"no backup was taken for {(now - seconds_of(taken)) / HOUR:.0f} hours"
    if not title:
        return []
    evidence.append(
        f"last complete backup: {data.get('archive')} on {data.get('node')} at {taken}"
        if taken
        else "there is no complete backup"
    )
    return [Finding("backup_failed", "warning", NAME, title, evidence=evidence, advice=ADVICE, patience=SLOW)]


def check_backups(client: Client) -> tuple[list[Finding], dict[str, str]]:
    """Check the backups of a cluster; one without the role backup has none to check.

    :returns: Findings, and what could not be checked, with the reason.
    """
    try:
        content = client.find(f"/api/v1/namespaces/{NAME.namespace}/configmaps/{NAME.name}") or {}
    except (ApiError, Unreachable) as error:
        return [], {"backups": one_line(str(error))}
    return backup_findings(content.get("data") or {}, time.time()), {}
