# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded runs as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils._verify.summary import table
from .text import duration, names, plain

HEAD = ("TIME", "PLAYBOOK", "RESULT", "DURATION", "CHANGED", "PAGE")
PAGES = ("changes.html", "plan.html")
NAMED = 4  # hosts of a run that are named


def history_lines(runs: Sequence[Mapping[str, Any]], folder: str, count: int) -> list[str]:
    """Return the newest runs as lines.

    :param runs: What :func:`record.summaries` returns.
    :param folder: Of the records, empty where the inventory can have none.
    """
    if not runs:
        where = (
            f"There are no records in {folder}"
            if folder
            else "The inventory of this run is no file or folder, so it has no records"
        )
        return [
            f"{where}. Runs leave them with the callback slipway.kube.progress, which is the default in a checkout."
        ]
    shown = runs[:count]
    number = f"{len(shown)} of {len(runs)}" if len(shown) < len(runs) else f"{len(runs)}"
    return [f"Runs recorded in {folder}, the newest first ({number}):", "", *table([HEAD, *map(_row, shown)])]


def _row(run: Mapping[str, Any]) -> Sequence[str]:
    ended = run.get("result") != "unfinished"
    page = next((name for name in PAGES if name in run["files"]), "")
    return (
        str(run.get("started", "")).replace("T", " ")[:16],
        plain(" ".join([str(run.get("name", "")), *_asked(run)])),
        "running" if run.get("goes_on") else plain(str(run.get("result", ""))),
        duration(run.get("seconds") or 0) if ended else "",
        _changed(run),
        f"{run['folder']}/{page}" if page else "",
    )


def _asked(run: Mapping[str, Any]) -> list[str]:
    """Return the options by which a run was less than the whole."""
    given = [("--limit", run.get("limit")), ("--skip-tags", ",".join(run.get("skip_tags") or ()))]
    tags = ",".join(run.get("tags") or ())
    given.append(("--tags", tags if tags != "all" else ""))
    return [f"{option} {value}" for option, value in given if value] + ["--check"] * bool(run.get("check"))


def _changed(run: Mapping[str, Any]) -> str:
    hosts = [plain(host) for host, counts in (run.get("hosts") or {}).items() if counts.get("changed")]
    if not hosts:
        return "none" if run.get("result") != "unfinished" else ""
    return f"{'would: ' if run.get('check') else ''}{names(hosts, NAMED)}"
