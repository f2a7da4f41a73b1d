# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that take a cluster's interfaces, routes and packet rules off a host; reset_network chooses them."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from typing import Any

from .._host.netlink import Netfilter, Table, look_at_ipsets, look_at_tables
from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, System
from .network import (
    TUNNEL,
    choose_ipsets,
    choose_links,
    choose_routes,
    choose_rules,
    choose_tables,
    parse_ipvs,
    tunnel_in_use,
)

SAVE_COMMANDS = ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")


def plan_network(system: System, record: Record, pod_subnets: list[str], notes: list[str]) -> list[Step]:
    """Return the steps for everything that a cluster puts into the host's network.

    Rules come before the sets that they use, and virtual services before the interface that shows whose they are.
    """
    links = ip_json(system, "-details", "link", "show")
    emptied: list[str] = []
    steps = _plan_rules(system, emptied)
    steps += _plan_tables(record, emptied)
    steps += _plan_ipsets(record)
    steps += _plan_ipvs(system, links, record, notes)
    steps += _plan_links(system, links, record, pod_subnets)
    return steps


def ip_json(system: System, *arguments: str) -> list[dict[str, Any]]:
    """Return what ``ip -json`` prints; [] where there is nothing to print or no ``ip``."""
    result = system.run("ip", "-json", *arguments)
    try:
        return [item for item in json.loads(result.out or "[]") if item]
    except ValueError:
        return []


def _plan_links(system: System, links: list[dict[str, Any]], record: Record, pod_subnets: list[str]) -> list[Step]:
    before = record.footprint.get("links", [])
    doomed = choose_links(links, before)
    steps = []
    routes = ip_json(system, "-4", "route", "show") + ip_json(system, "-6", "route", "show")
    for arguments in choose_routes(routes, pod_subnets, doomed):
        steps.append(
            Step(
                subject=f"route {' '.join(arguments)}",
                sentence=f"route {' '.join(arguments)} removed",
                before="present",
                apply=partial(_tolerate, system, "No such process", "ip", "route", "delete", *arguments),
            )
        )
    for name in doomed:
        steps.append(
            Step(
                subject=f"interface {name}",
                sentence=f"interface {name} deleted",
                before="present",
                apply=partial(_tolerate, system, "Cannot find device", "ip", "link", "delete", name),
            )
        )
    if tunnel_in_use(ip_json(system, "address", "show"), before):

        def release() -> None:
            system.must("ip", "address", "flush", "dev", TUNNEL)
            system.must("ip", "link", "set", TUNNEL, "down")

        steps.append(
            Step(
                subject=f"interface {TUNNEL}",
                sentence=f"interface {TUNNEL} emptied and set down",
                before="in use",
                after="idle",
                apply=release,
            )
        )
    return steps


def _tolerate(system: System, gone: str, *command: str) -> None:
    """Run a command; that its object is *gone* already is as good."""
    result = system.run(*command)
    if result.code != 0 and gone not in result.err:
        raise HostError(f"'{' '.join(command)}' failed with exit code {result.code}. Evidence: {result.tail}.")


def rule_commands(system: System) -> list[str]:
    """Return the iptables programs of this host: both back ends where they can be told apart."""
    commands = [name for name in SAVE_COMMANDS if system.has(f"{name}-save")]
    return commands or [name for name in ("iptables", "ip6tables") if system.has(f"{name}-save")]


def _plan_rules(system: System, emptied: list[str]) -> list[Step]:
    steps = []
    for command in rule_commands(system):
        for removal in choose_rules(system.run(f"{command}-save").out):
            if removal.emptied and not command.endswith("-legacy"):
                emptied.append(f"{'ip6' if command.startswith('ip6') else 'ip'} {removal.table}")

            def apply(command: str = command, script: str = removal.script) -> None:
                with tempfile.NamedTemporaryFile("w", prefix="slipway-rules-") as handle:
                    handle.write(script)
                    handle.flush()
                    remedy = "Nothing of this table was changed: find out what holds its rules and reset again."
                    system.must(f"{command}-restore", "--noflush", handle.name, remedy=remedy)

            steps.append(
                Step(
                    subject=f"{command} table {removal.table}",
                    sentence=f"{command} table {removal.table}: chains removed: {len(removal.chains)}, rules elsewhere: {len(removal.rules)}",
                    before="\n".join(removal.rules + removal.chains),
                    apply=apply,
                )
            )
    return steps


def _plan_tables(record: Record, emptied: list[str]) -> list[Step]:
    steps = []
    for table in choose_tables(look_at_tables(), record.footprint.get("tables", []), emptied):

        def apply(table: Table = table) -> None:
            with Netfilter() as netfilter:
                netfilter.delete_table(table.family, table.name)

        steps.append(
            Step(
                subject=f"nftables table {table.family} {table.name}",
                sentence=f"nftables table {table.family} {table.name} deleted",
                before="\n".join(sorted(chain.name for chain in table.chains)),
                apply=apply,
            )
        )
    return steps


def _plan_ipsets(record: Record) -> list[Step]:
    names = choose_ipsets(look_at_ipsets(), record.footprint.get("ipsets", []))
    if not names:
        return []

    def apply() -> None:
        with Netfilter() as netfilter:
            for name in names:
                netfilter.destroy_ipset(name)

    return [
        Step(subject="ipsets", sentence=f"ipsets destroyed: {', '.join(names)}", before="\n".join(names), apply=apply)
    ]


def _plan_ipvs(system: System, links: list[dict[str, Any]], record: Record, notes: list[str]) -> list[Step]:
    """kube-proxy's virtual services: as long as its interface is there the whole of IPVS is under its rule."""
    if not any(link.get("ifname") == "kube-ipvs0" for link in links) or "kube-ipvs0" in record.footprint.get(
        "links", []
    ):
        return []
    services = parse_ipvs(system.read("/proc/net/ip_vs") or "")
    if not services:
        return []
    if not system.has("ipvsadm"):
        notes.append(
            f"{len(services)} IPVS services stay until the next boot: there is no ipvsadm on this host to delete them with."
        )
        return []

    def apply() -> None:
        for option, address in services:
            _tolerate(system, "No such service", "ipvsadm", "--delete-service", option, address)

    return [
        Step(
            subject="IPVS services",
            sentence=f"IPVS services deleted: {len(services)}",
            before="\n".join(address for _option, address in services),
            apply=apply,
        )
    ]
