# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld: open ports and protocols in a zone, and trusted networks, both in its runtime and in its permanent configuration.

Ports: https://kubernetes.io/docs/reference/networking/ports-and-protocols/
"""

from __future__ import annotations

from typing import Any, Sequence

from .record import describe_file
from .step import Step
from .system import System

ZONES = "/etc/firewalld/zones"
"""Folder of the zones that differ from those of the package; firewall-cmd keeps a copy (.old) of a file that it replaces."""


def missing(wanted: list[str], runtime: str, permanent: str) -> list[tuple[str, list[str]]]:
    """Return (item, configurations that lack it: "runtime", "permanent"), from the output of firewall-cmd for each of them.

    A port that a listed range covers ("30000-32767/tcp") counts as open.
    """
    found = []
    for item in wanted:
        where = [
            name
            for name, listed in (("runtime", runtime), ("permanent", permanent))
            if not any(_covers(have, item) for have in listed.split())
        ]
        if where:
            found.append((item, where))
    return found


def _covers(have: str, want: str) -> bool:
    if have == want:
        return True
    ranges = [_range(text) for text in (have, want)]
    if None in ranges:
        return False
    (low, high, protocol), (first, last, wanted_protocol) = ranges
    return protocol == wanted_protocol and low <= first and last <= high


def _range(text: str):
    """Return first port, last port and protocol of "low-high/protocol"; None for anything else, such as a network."""
    ports, _slash, protocol = text.partition("/")
    low, _dash, high = ports.partition("-")
    if protocol not in ("tcp", "udp", "sctp") or not low.isdigit() or (high and not high.isdigit()):
        return None
    return int(low), int(high or low), protocol


def zone_files(system: System, zone: str) -> list[tuple[str, str, Any]]:
    """Return the entries of the record for the files of a zone, which firewall-cmd writes with the permanent configuration.

    :param zone: name of the zone; "" for the default zone.
    """
    name = zone or system.must("firewall-cmd", "--get-default-zone").out.strip()
    paths = [f"{ZONES}/{name}.xml", f"{ZONES}/{name}.xml.old"]
    return [("firewall", f"file {path}", describe_file(system.path(path))) for path in paths]


def plan_firewall(
    system: System, ports: list[str], trusted: list[str], protocols: Sequence[str] = (), zone: str = ""
) -> list[Step]:
    """Return the steps that open ports ("6443/tcp", "30000-32767/tcp") and IP protocols ("4") in a zone, and trust networks (CIDR).

    :param zone: name of the zone; "" for the default zone.
    """
    steps = []
    flag, suffix = ((f"--zone={zone}",), f" {zone}") if zone else ((), "")
    for place, option, kind, wanted, where_recorded in (
        (flag, "port", "port", ports, suffix),
        (flag, "protocol", "protocol", protocols, suffix),
        (("--zone=trusted",), "source", "network", trusted, ""),
    ):
        if not wanted:
            continue
        runtime = system.must("firewall-cmd", *place, f"--list-{option}s").out
        permanent = system.must("firewall-cmd", "--permanent", *place, f"--list-{option}s").out
        lacking = missing(list(wanted), runtime, permanent)
        changes = any("permanent" in where for _item, where in lacking)
        files = zone_files(system, "trusted" if option == "source" else zone) if changes else []
        for item, where in lacking:

            def apply(item: str = item, where: list[str] = where, place: tuple = place, option: str = option) -> None:
                for name in where:
                    flags = ["--permanent"] if name == "permanent" else []
                    system.must("firewall-cmd", *flags, *place, f"--add-{option}={item}")

            steps.append(
                Step(
                    f"firewalld {kind} {item}",
                    f"firewalld: {kind} {item} {'trusted' if option == 'source' else 'opened'}",
                    apply,
                    before=f"not in firewalld's {' and '.join(where)} configuration",
                    after="in force",
                    remember=[
                        ("firewall", f"{option} {item}{where_recorded}", where),
                        *(files if "permanent" in where else []),
                    ],
                )
            )
    return steps
