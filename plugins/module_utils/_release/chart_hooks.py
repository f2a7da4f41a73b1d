# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the annotations of a Helm chart say about a hook: whether it belongs to an installation or an upgrade, and when it is deleted.

https://helm.sh/docs/topics/charts_hooks/
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .._kube.objects import Object, mapping, reference
from .ownership import Identity, identity

HOOK, DELETE_POLICY = "helm.sh/hook", "helm.sh/hook-delete-policy"
INSTALL, UPGRADE = "install", "upgrade"
# The kinds whose end a hook waits for; other objects of a hook are applied.
ENDING = ("Job", "Pod")
# The hooks that run with an installation or an upgrade, each once for its content. The others run with each rollback or deletion.
LASTING = ("pre", "post")


def applies(content: Mapping[str, Any], when: str, upgrade: bool) -> bool:
    """Return whether a hook belongs to a run. A hook without an event of a chart belongs to every run.

    :param when: one of C(PHASES).
    :param upgrade: whether an earlier revision is deployed.
    """
    events = _listed(content, HOOK)
    if when in LASTING:
        return not events or f"{when}-{UPGRADE if upgrade else INSTALL}" in events
    return not events or when in events


def runs(content: Mapping[str, Any], when: str) -> set[str]:
    """Return the runs to which a hook belongs, so that two hooks of one name are told apart: C(pre-install), C(pre-upgrade) and the like.

    :param when: one of C(PHASES).
    """
    events = {UPGRADE: True, INSTALL: False} if when in LASTING else {"": False}
    return {f"{when}-{event}" for event, upgrade in events.items() if applies(content, when, upgrade)}


def last_of_each_name(hooks: Iterable[tuple[str, Object]], upgrade: bool) -> list[tuple[str, Object]]:
    """Return, of hooks with one name, the one whose content an object has after a run: the last that belongs to the run.

    :param hooks: hooks with when they run, in their order.
    """
    chosen: dict[Identity, tuple[str, Object]] = {}
    for when, content in hooks:
        name = identity(reference(content))
        if name not in chosen or (when in LASTING and applies(content, when, upgrade)):
            chosen.pop(name, None)
            chosen[name] = (when, content)
    return list(chosen.values())


def only_upgrades(content: Mapping[str, Any], when: str) -> bool:
    """Return whether a hook belongs to upgrades and not to an installation, so that it is no reason for a run by itself."""
    return when in LASTING and applies(content, when, True) and not applies(content, when, False)


def deleted_after(content: Mapping[str, Any], outcome: str) -> bool:
    """Return whether a chart wants a hook deleted after its end.

    :param outcome: C(succeeded) or C(failed).
    """
    return f"hook-{outcome}" in _listed(content, DELETE_POLICY)


def _listed(content: Mapping[str, Any], annotation: str) -> list[str]:
    text = mapping(mapping(content.get("metadata")).get("annotations")).get(annotation)
    return [part.strip() for part in str(text or "").split(",") if part.strip()]
