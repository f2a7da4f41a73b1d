# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of hooks: which runs after which."""

from __future__ import annotations

from typing import Any, Mapping


def order(hooks: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Sort hooks so that each comes after those it names in C(after), otherwise as they are written.

    :returns: the names in order, and a cycle as a path that ends where it begins; one of the two is empty.
    """
    done: list[str] = []
    state: dict[str, int] = {}
    trail: list[str] = []

    def visit(name: str) -> list[str]:
        if state.get(name) == 2:
            return []
        if state.get(name) == 1:
            return trail[trail.index(name) :] + [name]
        state[name] = 1
        trail.append(name)
        for other in hooks[name].get("after") or []:
            cycle = visit(other) if other in hooks else []
            if cycle:
                return cycle
        trail.pop()
        state[name] = 2
        done.append(name)
        return []

    for name in hooks:
        cycle = visit(name)
        if cycle:
            return [], cycle
    return done, []
