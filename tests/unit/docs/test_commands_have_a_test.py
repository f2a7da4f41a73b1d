# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the guides and the README is run by a test, or it is said why not."""

from __future__ import annotations

from collections import Counter

from harness import guides
from harness.playbook import ROOT

IN_SCENARIOS = [command for commands in guides.IN_SCENARIOS.values() for command in commands]


def test_every_command_has_one_place_where_it_is_run() -> None:
    written = {command for page in guides.PAGES for command in guides.commands(page)}
    assigned = Counter([*IN_SCENARIOS, *guides.ELSEWHERE, *guides.BY_NOBODY])
    assert written == set(assigned), "commands without a test, or tests of commands that no guide has"
    assert [command for command, times in assigned.items() if times > 1] == []


def test_the_places_run_what_they_are_said_to_run() -> None:
    assert [
        scenario for scenario in guides.IN_SCENARIOS if not list((ROOT / "molecule" / scenario).rglob("test_guides.py"))
    ] == []
    without = [(path, word) for path, word in guides.ELSEWHERE.values() if word not in (ROOT / path).read_text()]
    assert without == []


def test_commands_are_found_with_their_next_lines_and_without_comments() -> None:
    restore = [one for one in guides.commands(ROOT / "docs/guides/backup-and-restore.md") if "restore_archive" in one]
    assert len(restore) == 2 and all("restore_age_identity" in one for one in restore)
    assert all(len(guides.commands(ROOT / "docs/guides" / name)) >= 3 for name in ("lab.md", "first-cluster.md"))
