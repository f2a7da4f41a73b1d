# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which the hooks of a release run: pure functions, also for the control node."""

from __future__ import annotations

from typing import Mapping, Sequence

HOOK = "slipway.kube/hook"
HOOK_AFTER = "slipway.kube/hook-after"
PHASES = ("pre", "post")


def sort_hooks(after: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Sort hooks so that each runs after those that it depends on, and otherwise keeps its position.

    :param after: for each hook, in the order in which they are written, the names of the hooks that must have ended before it;
        names that do not exist are ignored.
    :returns: the names in order, and a dependency cycle as a path that ends where it begins; one of the two is empty.
    """
    ordered: list[str] = []
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return path[path.index(name) :] + [name]
        if name in ordered:
            return []
        path.append(name)
        for other in after[name]:
            cycle = visit(other) if other in after else []
            if cycle:
                return cycle
        path.pop()
        ordered.append(name)
        return []

    for name in after:
        cycle = visit(name)
        if cycle:
            return [], cycle
    return ordered, []
