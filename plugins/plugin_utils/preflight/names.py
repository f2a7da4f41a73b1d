# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of variables and groups that look like misspelled ones of the collection, which would silently have no effect."""

from __future__ import annotations

import difflib
from collections.abc import Collection

# Set during a run, not by the user.
RUNTIME_VARIABLES = (
    "kube_host",
    "kube_nodes",
    "kube_reference_control_plane",
    "kube_reference_server",
    "kube_reference_state",
)
# Names that begin so are ours. Other roles have names such as backup and node, with which a user's own variables may begin as well.
OUR_PREFIXES = ("kube_", "kubernetes_", "control_plane_", "containerd_", "preflight_", "keepalived_", "slipway_")
# Similarity (0 to 1) above which a name with such a prefix is regarded as misspelled.
SIMILARITY = 0.85


def is_typo(name: str, right: str) -> bool:
    """Return whether a name is another one with one letter too many, missing or wrong, or two that are swapped."""
    if name == right or abs(len(name) - len(right)) > 1:
        return False
    start = next((at for at, (one, other) in enumerate(zip(name, right)) if one != other), min(len(name), len(right)))
    rest, other = name[start:], right[start:]
    return (
        rest[1:] == other[1:]
        or rest[1:] == other
        or rest == other[1:]
        or (rest[:2] == other[:2][::-1] and rest[2:] == other[2:])
    )


def suggest(name: str, known: Collection[str]) -> str:
    """Return the known name that was probably meant; empty if there is none."""
    typos = [right for right in known if is_typo(name, right)]
    return typos[0] if typos else next(iter(difflib.get_close_matches(name, known, n=1, cutoff=SIMILARITY)), "")


def suggest_variable(name: str, known: dict[str, str], given: Collection[str] = ()) -> str | None:
    """Check the name of a variable for a misspelling.

    :param known: names of the roles' variables, and the role of each.
    :param given: names of all variables of the host.
    :returns: None if the name is valid or does not concern the collection, the name that was probably meant, or an empty string if
        it starts with ``kube_`` and no name is similar.
    """
    if name in known or name in RUNTIME_VARIABLES or name.startswith("_"):
        return None
    if name.startswith(OUR_PREFIXES):
        found = suggest(name, known) or _other_prefix(name, known)
        return found or ("" if name.startswith("kube_") else None)
    # One with the prefix of another role is taken for a misspelling only if the right name is not given as well:
    # kube_node_ip: "{{ node_ip }}" is what somebody writes who knows both.
    roles = {role for role in known.values() if role}
    if any(name.startswith(f"{role}_") for role in roles):
        typos = [right for right in known if is_typo(name, right)]
        found = typos[0] if typos else "kube_" + name if "kube_" + name in known else ""
        return found if found and found not in given else None
    return _misspelt_prefix(name, known) or None


def _other_prefix(name: str, known: Collection[str]) -> str:
    """Return the known name with another prefix, or with one where this has none: network_mtu, kubernetes_version."""
    guesses = ("kube_" + name, "kube_" + name.split("_", 1)[1])
    return next((guess for guess in guesses if guess in known), "")


def _misspelt_prefix(name: str, known: dict[str, str]) -> str:
    """Return the known name whose prefix was misspelled: kbue_version. The first letter must be right (not cube_version)."""
    return next((right for right in known if right[:1] == name[:1] and is_typo(name, right)), "")
