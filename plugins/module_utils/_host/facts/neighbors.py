# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a machine answers on an address of a directly connected network: the kernel asks by ARP or neighbor discovery (arp(7))."""

from __future__ import annotations

import json
import socket
import time

from .files import run

DISCARD = 9
UNCONFIRMED = ("STALE", "DELAY", "PROBE")
"""States of an entry that the kernel remembers from earlier and has not confirmed yet, which takes it up to 8 seconds."""
WAIT, WAIT_UNCONFIRMED, PAUSE = 1.0, 10.0, 0.05  # seconds


def parse_neighbor(text: str) -> tuple[str, str]:
    """Return (MAC address, state) of the first entry in the output of ``ip -json neigh``; empty texts without one."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        return "", ""
    entry = entries[0] if entries else {}
    return str(entry.get("lladdr", "")), str((entry.get("state") or [""])[0])


def ask(address: str) -> None:
    """Send an empty datagram, for which the kernel has to find the machine with this address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as handle:
        handle.connect((address, DISCARD))
        handle.send(b"")


def answering(address: str) -> str:
    """Return the MAC address of the machine that answers on an address; "" if none does, or if no interface is in its network."""
    try:
        ask(address)
    except OSError:  # not an address, or no route leads to it
        return ""
    started = time.monotonic()
    while True:
        mac, state = parse_neighbor(run(["ip", "-json", "neigh", "show", "to", address], timeout=5))
        unconfirmed = state in UNCONFIRMED
        if not unconfirmed and mac and state != "FAILED":
            return mac
        if state == "FAILED" or time.monotonic() - started > (WAIT_UNCONFIRMED if unconfirmed else WAIT):
            return mac if unconfirmed else ""
        time.sleep(PAUSE)
