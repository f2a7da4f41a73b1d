# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says: hosts, variables of the cluster, and what could not be found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..preflight.networks import is_address


@dataclass
class Member:
    """A host of the cluster.

    :param variables: its variables, ``ansible_host`` first.
    """

    name: str
    control_plane: bool
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass
class Description:
    """An inventory.

    :param source: where it comes from, for the first line of its files.
    :param variables: variables of the cluster, by name.
    :param notes: what the reader has to find out or decide.
    """

    source: str
    members: list[Member]
    variables: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def describe_addresses(control_planes: Sequence[str], workers: Sequence[str]) -> Description:
    """Return the description of hosts that are given as ADDRESS, NAME or NAME=ADDRESS.

    :raises InputError: there is no control plane, or an entry has another form.
    """
    problems = []
    if not control_planes:
        problems.append(
            "No control plane is given. Write its address, or several: -e inventory_control_planes=192.0.2.11. "
            "To check an inventory that exists, use -i PATH."
        )
    members: list[Member] = []
    for control_plane, letter, entries in ((True, "cp", control_planes), (False, "w", workers)):
        for number, entry in enumerate(entries, 1):
            name, address = split_entry(str(entry), f"{letter}{number}")
            if not name or not address or any(sign in str(entry) for sign in " /:@" if not is_address(address)):
                problems.append(f"{entry!r} is not a host: write ADDRESS, NAME or NAME=ADDRESS.")
            members.append(Member(name, control_plane, {} if name == address else {"ansible_host": address}))
    names = [member.name for member in members]
    problems += [f"Two hosts are called {name}." for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise InputError(*(f"{problem} [slipway:inventory_hosts]" for problem in problems))
    return Description("slipway.kube.inventory", members)


def split_entry(entry: str, default: str) -> tuple[str, str]:
    """Return name and address of an entry; a single address gets the default name, and a DNS name that of its host."""
    name, equals, address = entry.strip().partition("=")
    if equals:
        return name.strip(), address.strip()
    return (default, name) if is_address(name) else (name.partition(".")[0], name)
