# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a lab, as data to be written as YAML."""

from __future__ import annotations

import shlex

from .networks import url_host


def connection(folder: str, user: str) -> dict:
    """Return the connection variables of the lab's hosts: a dedicated key and a known_hosts file with verified host keys."""
    known_hosts = shlex.quote(f"UserKnownHostsFile={folder}/ssh/known_hosts")
    return {
        "ansible_user": user,
        "ansible_ssh_private_key_file": f"{folder}/ssh/id_ed25519",
        "ansible_ssh_common_args": f"-o {known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def endpoint(hosts: list[dict], port: int) -> str:
    """Return HOST:PORT of the API: the load balancer, so that control planes can be added later."""
    return next((f"{url_host(host['address'])}:{port}" for host in hosts if host["role"] == "services"), "")


def inventory(hosts: list[dict], shared: dict, cluster: dict, mirror: dict) -> dict:
    """Return the inventory.

    :param shared: variables of all hosts.
    :param cluster: variables of the group kube_cluster.
    :param mirror: variables of the group kube_mirror.
    """

    def group(role: str) -> dict:
        return {
            "hosts": {
                host["name"]: {"ansible_host": host["address"], **host.get("variables", {})}
                for host in hosts
                if host["role"] == role
            }
        }

    members = {"kube_control_plane": group("control_plane"), "kube_worker": group("worker")}
    children = {"kube_cluster": {"children": members, "vars": cluster}}
    if group("mirror")["hosts"]:
        children["kube_mirror"] = dict(group("mirror"), vars=mirror)
    return {"all": {"vars": shared, "children": children}}


def mirror_url(address: str, port: int) -> str:
    """Return the root URL of the mirror, without a trailing slash."""
    return f"http://{address}{'' if port == 80 else f':{port}'}"
