# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an inventory, for a person who goes on to edit them: what is set, and the most common settings with their defaults as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .description import Description, Member

WIDTH = 120
COLUMN = 44  # of comments behind a setting
HOSTS, VARIABLES = "hosts.yml", "group_vars/kube_cluster.yml"

# Headings, and the settings below them with a comment.
SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("", (("ansible_user", "user for SSH, with sudo privileges"),)),
    ("", (("kube_cluster_name", ""), ("kube_version", ""))),
    (
        "API: with one of the first two, control planes can be added later",
        (
            ("kube_control_plane_vip", "a free address of the nodes' network, which the control planes hold"),
            ("kube_control_plane_endpoint", "or a DNS name or load balancer of your own: kube.example.com:6443"),
            ("kube_api_port", ""),
            ("control_plane_cert_sans", "further names and addresses in the certificates of the API servers"),
            ("control_plane_kubeconfig_users", "users on the control planes who get a kubeconfig, besides root"),
        ),
    ),
    (
        "networks: must not overlap each other or the hosts' networks",
        (
            ("kube_network_plugin", "or flannel, cilium, none"),
            ("kube_pod_subnet", ""),
            ("kube_service_subnet", ""),
            ("kube_dns_domain", ""),
            ("kube_network_mtu", "0: detected by the plugin"),
            ("kube_proxy_mode", "or iptables"),
        ),
    ),
    (
        "add-ons",
        (
            ("kube_addons", "for example [metrics_server, local_path_storage, metallb, traefik]"),
            ("kube_addons_settings", "for example {metallb: {addresses: [10.0.0.200-10.0.0.220]}}"),
        ),
    ),
    (
        "hosts",
        (
            ("swap_state", "or kept, for swap behavior LimitedSwap of the kubelet"),
            ("kubernetes_system_reserved", "for example {cpu: 200m, memory: 512Mi}"),
            ("kubernetes_eviction_hard", ""),
            ("kernel_extra_sysctls", ""),
            ("preflight_waive", "names of checks whose problems are ignored"),
        ),
    ),
    (
        "a network without internet",
        (("kube_mirror_url", "URL of the mirror that serves the bundle"), ("kube_image_registry", "")),
    ),
)

EXAMPLE_VALUES = {"ansible_user": "admin"}  # shown where a setting has no default
SETTINGS = tuple(name for _title, settings in SECTIONS for name, _comment in settings)


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    plain = json.loads(json.dumps(value))  # without the tags that ansible-core 2.19 gives to texts
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").strip()


def count(number: int, noun: str) -> str:
    """Return a number with its noun: one worker, 3 workers."""
    return f"{'one' if number == 1 else number or 'no'} {noun}{'' if number == 1 else 's'}"


def render_hosts(description: Description) -> str:
    """Return the file of the hosts."""
    planes = [member for member in description.members if member.control_plane]
    workers = [member for member in description.members if not member.control_plane]
    numbers = f"{count(len(planes), 'control plane')} and {count(len(workers), 'worker')}".capitalize()
    lines = ["---", f"# {numbers}. Host names become node names.", "kube_cluster:", "  children:"]
    for group, members in (("kube_control_plane", planes), ("kube_worker", workers)):
        lines += [f"    {group}:", f"      hosts:{'' if members else ' {}'}"]
        for member in members:
            lines += host_lines(member)
    return "\n".join(lines) + "\n"


def host_lines(member: Member) -> Iterator[str]:
    """Yield the lines of a host: one, unless it has several variables."""
    if len(member.variables) < 2:
        yield f"        {flow(member.name)}: {flow(member.variables)}"
        return
    yield f"        {flow(member.name)}:"
    yield from (f"          {name}: {flow(value)}" for name, value in member.variables.items())


def render_variables(description: Description, defaults: Mapping[str, Any], schema: str = "") -> str:
    """Return the file of the variables.

    :param defaults: default of each variable, evaluated.
    :param schema: path or URL of the schema, with which editors complete and check the file; empty for none.
    """
    lines = ["---"]
    if schema:
        lines.append(f"# yaml-language-server: $schema={schema}")
    lines += [f"# Written by {description.source}. Commented lines show the defaults; docs/roles has all variables."]
    for note in description.notes:
        lines += textwrap.wrap(f"TO DO: {note}", WIDTH - 2, initial_indent="# ", subsequent_indent="#   ")
    left = dict(description.variables)
    for title, settings in SECTIONS:
        lines += ["", *([f"# --- {title} ".ljust(79, "-")] if title else [])]
        lines += [setting(name, left, defaults, comment) for name, comment in settings]
    if left:
        lines += ["", "# --- other settings ".ljust(79, "-")]
        lines += [setting(name, left, defaults, "") for name in list(left)]
    return "\n".join(lines) + "\n"


def setting(name: str, left: dict[str, Any], defaults: Mapping[str, Any], comment: str) -> str:
    """Return the line of a setting, and remove it from those that are left."""
    given = name in left
    text = f"{'' if given else '# '}{name}: {flow(left.pop(name) if given else defaults.get(name, EXAMPLE_VALUES.get(name, '')))}"
    return f"{text.ljust(COLUMN - 1)} # {comment}" if comment and (not given or len(text) < COLUMN) else text


def render(description: Description, defaults: Mapping[str, Any], schema: str = "") -> dict[str, str]:
    """Return the content of the files, by their path in the folder of the inventory."""
    return {HOSTS: render_hosts(description), VARIABLES: render_variables(description, defaults, schema)}
