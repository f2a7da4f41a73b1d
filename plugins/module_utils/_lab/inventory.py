# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's inventory, as a site would write it: data that Ansible reads as YAML."""

from __future__ import annotations

import shlex

GROUPS = {"control_plane": "kube_control_plane", "worker": "kube_worker"}


def connection(folder: str, user: str) -> dict:
    """How the lab's hosts are reached: its own key, its own known_hosts, nothing taken on trust."""
    return {
        "ansible_user": user,
        "ansible_ssh_private_key_file": folder + "/ssh/id_ed25519",
        "ansible_ssh_common_args": " ".join(
            [
                "-o",
                shlex.quote(f"UserKnownHostsFile={folder}/ssh/known_hosts"),
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "IdentitiesOnly=yes",
            ]
        ),
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def endpoint(hosts: list[dict], port: int) -> str:
    """HOST:PORT of the API: the balancer where there is one, so that control planes can be added later."""
    for role in ("mirror", "control_plane"):
        for host in hosts:
            if host["role"] == role:
                return f"{host['address']}:{port}"
    return ""


def inventory(hosts: list[dict], shared: dict, cluster: dict, mirror: dict) -> dict:
    """The inventory: *shared* variables for all hosts, *cluster* ones for kube_cluster, *mirror* ones for kube_mirror."""
    members: dict[str, dict] = {"kube_control_plane": {}, "kube_worker": {}}
    mirrors = {}
    for host in hosts:
        entry = {"ansible_host": host["address"]}
        if host["role"] == "mirror":
            mirrors[host["name"]] = entry
        else:
            members[GROUPS[host["role"]]][host["name"]] = entry
    children = {
        "kube_cluster": {"children": {group: {"hosts": found} for group, found in members.items()}, "vars": cluster},
    }
    if mirrors:
        children["kube_mirror"] = {"hosts": mirrors, "vars": mirror}
    return {"all": {"vars": shared, "children": children}}


def mirror_url(address: str, port: int) -> str:
    """URL of the mirror's root, without a slash at its end."""
    return f"http://{address}{'' if port == 80 else ':%d' % port}"
