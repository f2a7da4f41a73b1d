# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that remove the network of a cluster from a host; :mod:`.network` selects what belongs to it."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from typing import Any, Sequence

from .._host.netlink import Netfilter, list_ipsets, list_tables
from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, System
from .._host.tables import deletion
from .files import engine_networks
from .network import (
    PROXY_TABLES,
    TUNNEL,
    choose_ipsets,
    choose_links,
    choose_routes,
    choose_routing_rules,
    choose_rules,
    choose_tables,
    parse_ipvs,
    tunnel_in_use,
)

ATTEMPTS = 3
# What ip says where a routing rule that is to be added exists, or one that is to be deleted does not.
GONE_RULE = ("File exists", "No such file or directory")
SAVE_COMMANDS = ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")


def plan_network(system: System, record: Record, pod_subnets: list[str], notes: list[str]) -> list[Step]:
    """Return the steps that remove the cluster's rules, tables, ipsets, IPVS services, routes and interfaces.

    Rules are removed before the sets that they use, and IPVS services before the interface that shows that kube-proxy owns them.
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
    """Return the output of ``ip -json``; [] where it is empty, or ``ip`` is not installed."""
    result = system.run("ip", "-json", *arguments)
    try:
        return [item for item in json.loads(result.out or "[]") if item]
    except ValueError:
        return []


def _plan_links(system: System, links: list[dict[str, Any]], record: Record, pod_subnets: list[str]) -> list[Step]:
    before = record.footprint.get("links", [])
    removed = choose_links(links, before)
    steps = []
    routes = ip_json(system, "-4", "route", "show") + ip_json(system, "-6", "route", "show")
    for arguments in choose_routes(routes, pod_subnets, removed):
        subject = f"route {' '.join(arguments)}"
        apply = partial(_tolerate, system, "No such process", "ip", "route", "delete", *arguments)
        steps.append(Step(subject, f"{subject} removed", apply, before="present"))
    for family in ("-4", "-6"):
        for arguments in choose_routing_rules(ip_json(system, family, "rule", "show")):
            subject = f"routing rule {' '.join(arguments[1:])} ({'IPv4' if family == '-4' else 'IPv6'})"
            present = arguments[0] == "delete"
            apply = partial(_change_rule, system, family, arguments)
            done = f"{subject} {'removed' if present else 'restored'}"
            steps.append(Step(subject, done, apply, before="present" if present else "absent"))
    for name in removed:
        apply = partial(_tolerate, system, "Cannot find device", "ip", "link", "delete", name)
        steps.append(Step(f"interface {name}", f"interface {name} deleted", apply, before="present"))
    if tunnel_in_use(ip_json(system, "address", "show"), before):

        def release() -> None:
            system.must("ip", "address", "flush", "dev", TUNNEL)
            system.must("ip", "link", "set", TUNNEL, "down")

        subject = f"interface {TUNNEL}"
        steps.append(Step(subject, f"{subject} flushed and set down", release, before="in use", after="idle"))
    return steps


def _change_rule(system: System, family: str, arguments: list[str]) -> None:
    """Add or delete a routing rule, and empty the routing table that only a deleted rule leads to."""
    _tolerate(system, GONE_RULE[arguments[0] == "delete"], "ip", family, "rule", *arguments)
    if arguments[-1] in PROXY_TABLES:
        _tolerate(system, "does not exist", "ip", family, "route", "flush", "table", arguments[-1])


def _tolerate(system: System, gone: str, *command: str) -> None:
    """Run a command; that its object does not exist any more (the error ``gone``) is not an error.

    :raises HostError: the command failed for another reason.
    """
    result = system.run(*command)
    if result.code != 0 and gone not in result.err:
        raise HostError(
            f"'{' '.join(command)}' failed with exit code {result.code}. Evidence: {result.tail}. [slipway:command_failed]"
        )


def rule_commands(system: System) -> list[str]:
    """Return the iptables programs of this host: those of both backends where they have names of their own."""
    commands = [name for name in SAVE_COMMANDS if system.has(f"{name}-save")]
    return commands or [name for name in ("iptables", "ip6tables") if system.has(f"{name}-save")]


def _plan_rules(system: System, emptied: list[str]) -> list[Step]:
    steps = []
    foreign = list(engine_networks(system).values())
    for command in rule_commands(system):
        for removal in choose_rules(system.run(f"{command}-save").out, foreign):
            if removal.emptied and not command.endswith("-legacy"):
                emptied.append(f"{'ip6' if command.startswith('ip6') else 'ip'} {removal.table}")

            apply = partial(_remove_rules, system, command, removal.table, foreign)
            subject = f"{command} table {removal.table}"
            counts = f"chains removed: {len(removal.chains)}, rules in other chains: {len(removal.rules)}"
            steps.append(Step(subject, f"{subject}: {counts}", apply, "\n".join(removal.rules + removal.chains)))
    return steps


def _remove_rules(system: System, command: str, table: str, foreign: Sequence[str]) -> None:
    """Remove what is there now: pods that have ended since the reset was planned took their chains with them, and others may just do so.

    :raises HostError: the rules cannot be removed.
    """
    evidence = ""
    for _attempt in range(ATTEMPTS):
        saved = system.run(f"{command}-save")
        evidence = saved.tail
        if saved.code != 0:
            continue
        found = [one for one in choose_rules(saved.out, foreign) if one.table == table]
        if not found:
            return
        with tempfile.NamedTemporaryFile("w", prefix="slipway-rules-") as handle:
            handle.write(found[0].script)
            handle.flush()
            restored = system.run(f"{command}-restore", "--noflush", handle.name)
        if restored.code == 0:
            return
        evidence = restored.tail
    raise HostError(
        f"The rules of the cluster in table {table} of {command} could not be removed in {ATTEMPTS} attempts. Evidence: {evidence}. The table was not"
        " changed: find out what uses its rules and reset again."
        " [slipway:reset_incomplete]"
    )


def _plan_tables(record: Record, emptied: list[str]) -> list[Step]:
    tables = choose_tables(list_tables(), record.footprint.get("tables", []), emptied)
    return [deletion(table) for table in tables]


def _plan_ipsets(record: Record) -> list[Step]:
    names = choose_ipsets(list_ipsets(), record.footprint.get("ipsets", []))
    if not names:
        return []

    def apply() -> None:
        with Netfilter() as netfilter:
            for name in names:
                netfilter.destroy_ipset(name)

    return [Step("ipsets", f"ipsets destroyed: {', '.join(names)}", apply, "\n".join(names))]


def _plan_ipvs(system: System, links: list[dict[str, Any]], record: Record, notes: list[str]) -> list[Step]:
    """Return the step that deletes kube-proxy's virtual services; while its interface exists, all of them are kube-proxy's."""
    before = record.footprint.get("links", [])
    if "kube-ipvs0" in before or not any(link.get("ifname") == "kube-ipvs0" for link in links):
        return []
    services = parse_ipvs(system.read("/proc/net/ip_vs") or "")
    if not services:
        return []
    if not system.has("ipvsadm"):
        notes.append(
            f"{len(services)} IPVS services stay until the next boot: ipvsadm, which could delete them, is not installed on this host."
        )
        return []

    def apply() -> None:
        for option, address in services:
            _tolerate(system, "No such service", "ipvsadm", "--delete-service", option, address)

    addresses = "\n".join(address for _option, address in services)
    return [Step("IPVS services", f"IPVS services deleted: {len(services)}", apply, addresses)]
