# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reset a cluster as a person would, and hold its hosts against what they were before the first run."""

from __future__ import annotations

from pathlib import Path

from harness.playbook import Run, run
from harness.snapshot import compare, load, take

CONFIRMED = ("-e", "reset_confirm=kubernetes", "-e", "reset_packages=true")


def reset(inventory: Path, folder: Path, *arguments: str) -> Run:
    """Reset all hosts with their packages.

    :raises AssertionError: the playbook failed.
    """
    return run("slipway.kube.reset", inventory, folder, *CONFIRMED, *arguments).succeeded()


def left_behind(inventory: Path, folder: Path, *arguments: str, before: str = "fresh") -> list[str]:
    """Return what differs on the hosts of *inventory* from the snapshots in *folder*, a sentence for each thing.

    :param before: name of these snapshots.
    """
    after = take(inventory, "whole", folder / "given-back", *arguments)
    known = load(folder / before, "whole")
    return compare({name: known[name] for name in after}, after)
