# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a lab from outside: what runs on them, the switch, and what kubectl says there."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import Any

import docker

from harness.playbook import ROOT

LABEL = "slipway.lab"
BOOT = 60  # seconds until a host's sshd answers


class Host:
    """One host of a lab; *name* is its name in the inventory."""

    boot = BOOT

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

        :raises TimeoutError: when there is none after the host's boot time.
        """
        self.container.start()
        self.wait()

    def wait(self) -> None:
        """Wait for the host's sshd.

        :raises TimeoutError: when there is none after the host's boot time.
        """
        deadline = time.time() + self.boot
        while self.execute("systemctl", "is-active", "--quiet", "ssh")[0] != 0:
            if time.time() > deadline:
                raise TimeoutError(f"{self.name} has had no sshd for {self.boot} s")
            time.sleep(0.5)

    def kubectl(self, *arguments: str) -> Any:
        """Return what kubectl, as the administrator on a control plane, says as JSON."""
        code, output = self.execute("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments, "--output=json")
        assert code == 0, f"kubectl {' '.join(arguments)} on {self.name}: {output}"
        return json.loads(output)


class Machine(Host):
    """A host that is a virtual machine: its container is the switch, and commands go by SSH."""

    def __init__(self, container: Any) -> None:
        super().__init__(container)
        # The folder has the name of the scenario, with its underscores.
        folders = (ROOT / ".lab").iterdir()
        self.lab = next(one for one in folders if one.name.replace("_", "-") == container.labels[LABEL])
        # As many times longer as a trial kernel took to boot; machines that start together wait for each other.
        self.boot = round(2 * BOOT * max(1.0, json.loads((self.lab / "trial.json").read_text())["seconds"]))

    def execute(self, *command: str) -> tuple[int, str]:
        options = ["-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        call = ["ssh", "-F", str(self.lab / "ssh" / "config"), *options, self.name, "sudo " + shlex.join(command)]
        done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode(errors="replace")


def hosts_of(lab: str) -> list[Host]:
    """Return the nodes of the lab of that name, by name: no host that only serves them.

    :raises AssertionError: when there are none, so that no test passes on an empty lab.
    """
    others = ("services", "mirror")
    hosts = sorted((host for host in _everything_of(lab) if host.name not in others), key=lambda host: host.name)
    assert hosts, f"lab {lab} has no hosts"
    return hosts


def any_host_of(lab: str, name: str) -> Host:
    """Return any host of a lab by its name."""
    return next(host for host in _everything_of(lab) if host.name == name)


def _everything_of(lab: str) -> list[Host]:
    """Return all hosts of a lab; a scenario's lab has its name with hyphens (molecule/lab/vars.yml)."""
    containers = docker.from_env().containers.list(all=True, filters={"label": f"{LABEL}={lab.replace('_', '-')}"})
    return [(Machine if container.labels.get(f"{LABEL}.kind") == "vm" else Host)(container) for container in containers]


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
