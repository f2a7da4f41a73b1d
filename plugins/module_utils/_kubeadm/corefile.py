# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarders, stub domains and host entries in a Corefile (https://coredns.io/manual/configuration/). All other text stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from .._host.system import HostError

# The upstream servers of kubeadm's Corefile: those of the node.
NODE_SERVERS = ("/etc/resolv.conf",)
FORWARD = re.compile(r"^(\s*forward\s+\.\s+)([^{#\n]*?)(\s*\{)?\s*(#.*)?$")


@dataclass(frozen=True)
class Names:
    """What the cluster DNS resolves besides the names of the cluster.

    :ivar forwarders: upstream servers for all other names, () for those of the node.
    :ivar stub_domains: servers for the names below a domain.
    :ivar hosts: names by their address, as in /etc/hosts.
    """

    forwarders: tuple[str, ...] = ()
    stub_domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Block:
    """A server block, or the text between two of them, which has no zones."""

    zones: tuple[str, ...]
    lines: list[str]


def parse(corefile: str) -> list[Block]:
    """Return the blocks of a Corefile.

    :raises HostError: its braces are not balanced.
    """
    blocks, depth = [], 0
    for line in corefile.splitlines():
        words = line.split("#")[0].split()
        if depth == 0 and words and words[-1] == "{":
            blocks.append(Block(tuple(word.rstrip(",") for word in words[:-1]), [line]))
        elif depth == 0 and (not blocks or blocks[-1].zones):
            blocks.append(Block((), [line]))
        else:
            blocks[-1].lines.append(line)
        depth += (words[-1:] == ["{"]) - (words == ["}"])
        if depth < 0:
            break
        if depth == 0 and words == ["}"] and blocks[-1].zones:
            blocks.append(Block((), []))
    if depth:
        raise HostError(
            "The Corefile in the ConfigMap kube-system/coredns was not changed: its braces are not balanced. Correct it with 'kubectl -n"
            " kube-system edit configmap coredns', and run again."
            " [slipway:dns_configuration]"
        )
    return [block for block in blocks if block.zones or block.lines]


def words_of(lines: Iterable[str]) -> list[list[str]]:
    """Return the words of lines, without comments. kubeadm indents a Corefile anew when it upgrades CoreDNS."""
    found = (line.split("#")[0].split() for line in lines)
    return [words for words in found if words]


def render(blocks: Iterable[Block]) -> str:
    """Return the text of blocks."""
    return "".join(f"{line}\n" for block in blocks for line in block.lines)


def domain_of(zone: str) -> str:
    """Return the domain of a zone such as ``dns://example.com:53``."""
    return re.sub(r":\d+$", "", re.sub(r"^\w+://", "", zone)).rstrip(".") or "."


def configured(corefile: str, want: Names, had: Names) -> str:
    """Return a Corefile with what is wanted, and without what an earlier run has set.

    :param had: what an earlier run has set.
    :raises HostError: it has no server block for all names, or somebody else's entry is in the way.
    """
    blocks = [block for block in parse(corefile) if not _is_stub(block, had) and not _is_stub(block, want)]
    taken = sorted({domain_of(zone) for block in blocks for zone in block.zones} & set(want.stub_domains))
    main = next((block for block in blocks if "." in map(domain_of, block.zones)), None)
    if main is None or taken:
        raise HostError(
            f"The Corefile in the ConfigMap kube-system/coredns was not changed: it has {'a' if main else 'no'} server block for"
            f" {', '.join(taken) or 'all names (.:53)'}{' that was configured by others' if taken else ''}."
            f" {'Remove it there, or from kube_dns_stub_domains' if taken else 'Restore it'}, and run again."
            " [slipway:dns_configuration]"
        )
    main.lines = _with_forwarders(_with_hosts(main.lines, want, had), want, had)
    return render([*blocks, *(stub(domain, servers) for domain, servers in sorted(want.stub_domains.items()))])


def stub(domain: str, servers: Iterable[str]) -> Block:
    """Return the server block of a stub domain."""
    lines = ("errors", "cache 30", f"forward . {' '.join(servers)}")
    return Block((f"{domain}:53",), [f"{domain}:53 {{", *(f"    {line}" for line in lines), "}"])


def _is_stub(block: Block, names: Names) -> bool:
    return any(
        words_of(block.lines) == words_of(stub(domain, servers).lines) for domain, servers in names.stub_domains.items()
    )


def _hosts_lines(names: Names) -> list[str]:
    entries = [f"       {address} {' '.join(found)}" for address, found in sorted(names.hosts.items())]
    return ["    hosts {", *entries, "       fallthrough", "    }"] if entries else []


def _with_hosts(lines: list[str], want: Names, had: Names) -> list[str]:
    for names in (had, want):
        old = _hosts_lines(names)
        for start in range(len(lines) if old else 0):
            if words_of(lines[start : start + len(old)]) == words_of(old):
                lines = lines[:start] + lines[start + len(old) :]
                break
    if want.hosts and any(line.split("#")[0].split()[:1] == ["hosts"] for line in lines):
        raise HostError(
            "The Corefile in the ConfigMap kube-system/coredns was not changed: it has the plugin hosts already, which was configured by others."
            " A server block can have it once. Move those entries to kube_dns_hosts, and run again."
            " [slipway:dns_configuration]"
        )
    return [lines[0], *_hosts_lines(want), *lines[1:]]


def _with_forwarders(lines: list[str], want: Names, had: Names) -> list[str]:
    changed = []
    found = False
    for line in lines:
        match = FORWARD.match(line)
        if match:
            found = True
            is_ours = tuple(match[2].split()) == tuple(had.forwarders)
            servers = want.forwarders or (NODE_SERVERS if is_ours and had.forwarders else tuple(match[2].split()))
            line = f"{match[1]}{' '.join(servers)}{match[3] or ''}{' ' + match[4] if match[4] else ''}"
        changed.append(line)
    if want.forwarders and not found:
        raise HostError(
            "The Corefile in the ConfigMap kube-system/coredns was not changed: its server block for all names has no line 'forward . SERVERS',"
            " which kube_dns_forwarders would change. Restore it, and run again."
            " [slipway:dns_configuration]"
        )
    return changed


def names_of(values: Mapping[str, Any]) -> Names:
    """Return names from options or from JSON."""

    def lists(found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        return {
            str(key): (value,) if isinstance(value, str) else tuple(map(str, value or ()))
            for key, value in found.items()
        }

    stubs = {domain.rstrip("."): servers for domain, servers in lists(values.get("stub_domains") or {}).items()}
    return Names(tuple(map(str, values.get("forwarders") or ())), stubs, lists(values.get("hosts") or {}))
