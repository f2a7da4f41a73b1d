# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a lab from outside: what runs on them, the switch, and what kubectl says there."""

from __future__ import annotations

import json
import time
from typing import Any

import docker

LABEL = "slipway.lab"
BOOT = 60  # seconds until a host's sshd answers


class Host:
    """One host of a lab; *name* is its name in the inventory."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.name: str = container.attrs["Config"]["Hostname"]

    def execute(self, *command: str) -> tuple[int, str]:
        """Run *command* as root on the host; return its code and all that it wrote."""
        code, output = self.container.exec_run(list(command))
        return code, output.decode(errors="replace")

    def runs(self, program: str) -> bool:
        return self.execute("pgrep", "-x", program)[0] == 0

    def end(self, program: str) -> bool:
        """End every process of *program* at once; return whether there was one."""
        return self.execute("pkill", "-KILL", "-x", program)[0] == 0

    def switch_off(self) -> None:
        self.container.kill()

    def switch_on(self) -> None:
        """Start the host again and wait for its sshd.

        :raises TimeoutError: when there is none after BOOT seconds.
        """
        self.container.start()
        deadline = time.time() + BOOT
        while self.execute("systemctl", "is-active", "--quiet", "ssh")[0] != 0:
            if time.time() > deadline:
                raise TimeoutError(f"{self.name} has no sshd {BOOT} s after it was switched on")
            time.sleep(0.5)

    def kubectl(self, *arguments: str) -> Any:
        """Return what kubectl, as the administrator on a control plane, says as JSON."""
        code, output = self.execute("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments, "--output=json")
        assert code == 0, f"kubectl {' '.join(arguments)} on {self.name}: {output}"
        return json.loads(output)


def hosts_of(lab: str) -> list[Host]:
    """Return the hosts of the lab of that name, by name and without the mirror.

    :raises AssertionError: when there are none, so that no test passes on an empty lab.
    """
    hosts = sorted((host for host in _everything_of(lab) if host.name != "mirror"), key=lambda host: host.name)
    assert hosts, f"lab {lab} has no hosts"
    return hosts


def any_host_of(lab: str, name: str) -> Host:
    """Return one host of a lab, which may be its mirror."""
    return next(host for host in _everything_of(lab) if host.name == name)


def _everything_of(lab: str) -> list[Host]:
    containers = docker.from_env().containers.list(all=True, filters={"label": f"{LABEL}={lab}"})
    return [Host(container) for container in containers]


def unready(hosts: list[Host]) -> list[str]:
    """Return what is not as it should be in the cluster of *hosts*: a node missing or not Ready, a system pod not running."""
    source = next(host for host in hosts if host.name.startswith("cp"))
    nodes = {node["metadata"]["name"]: node for node in source.kubectl("get", "nodes")["items"]}
    wrong = [f"{host.name} is no node" for host in hosts if host.name not in nodes]
    for name, node in nodes.items():
        ready = [condition for condition in node["status"]["conditions"] if condition["type"] == "Ready"]
        if not ready or ready[0]["status"] != "True":
            wrong.append(f"node {name} is not Ready")
    for pod in source.kubectl("get", "pods", "--all-namespaces")["items"]:
        containers = pod["status"].get("containerStatuses", [])
        if pod["status"]["phase"] != "Running" or not all(container["ready"] for container in containers):
            wrong.append(f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']} is {pod['status']['phase']}")
    return wrong
