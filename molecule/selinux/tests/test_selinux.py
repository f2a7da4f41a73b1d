# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with SELinux enforcing and firewalld: nothing of it is denied, and the zone of the node's interface is open for it.

That pods start, reach each other, a Service and DNS, is what the run itself has verified (role verify).
"""

from __future__ import annotations

import os
import re

from testinfra.host import Host

from harness.hosts import hosts_of, unready
from harness.kube import eventually
from harness.playbook import inventory_of, output_of, run
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
testinfra_hosts = targets("kube_control_plane")
PROGRAMS = "containerd|containerd-shim.*|runc.*|kubelet|kubeadm|kubectl|etcd|kube-.*|coredns|flanneld|bridge|host-local|portmap|loopback|iptables|nft|agnhost"

# Without a terminal, ausearch reads its standard input unless it is told to read the logs.
COMMAND = "ausearch --input-logs --message AVC,USER_AVC,SELINUX_ERR --start boot --raw"


def denials(host: Host) -> dict[str, list[str]]:
    """Return what SELinux has denied since the boot, as lines of the audit log, by program."""
    found: dict[str, list[str]] = {}
    for line in host.run(COMMAND).stdout.splitlines():
        if line.startswith("type="):
            program = re.search(r'comm="([^"]+)"', line)
            found.setdefault(program.group(1) if program else "", []).append(line)
    return found


def test_nothing_of_the_cluster_is_denied(host: Host) -> None:
    denied = denials(host)
    for program, lines in denied.items():
        print(f"\n{len(lines)} denials for {program or 'no program'}, for example {lines[0]}")
    assert not {program: lines for program, lines in denied.items() if re.fullmatch(PROGRAMS, program)}
    # The absence of denials says something only if they would be logged.
    assert host.check_output("auditctl -s").splitlines()[0] == "enabled 1"
    assert host.check_output("getenforce") == "Enforcing"


def test_processes_have_a_context_of_the_policy(host: Host) -> None:
    contexts = dict(re.findall(r"^(\S+)\s+(\S+)$", host.check_output("ps -e -o comm= -o label="), re.MULTILINE))
    shown = {program: contexts[program] for program in ("containerd", "kubelet", "etcd", "kube-apiserver", "coredns")}
    print(shown)
    assert not [program for program, context in shown.items() if "unlabeled_t" in context or context.count(":") < 3]


def test_every_node_and_pod_is_ready() -> None:
    eventually(lambda: not unready(hosts_of(SCENARIO)), 180, "every node and pod is ready, also after a reboot")


def test_ports_are_open_in_the_zone_of_the_nodes_interface_and_nowhere_else(host: Host) -> None:
    for permanent in ("", "--permanent "):
        command = f"firewall-cmd {permanent}"
        opened = set(host.check_output(f"{command}--zone=internal --list-ports").split())
        assert {"6443/tcp", "10250/tcp", "8472/udp", "30000-32767/tcp"} <= opened
        assert host.check_output(f"{command}--zone=public --list-ports") == ""
        assert host.check_output(f"{command}--zone=trusted --list-sources") == "10.244.0.0/16"


def test_a_host_reboots_that_an_update_requires_to_reboot(host: Host) -> None:
    inventory, folder = inventory_of(SCENARIO), output_of(SCENARIO)
    idle = run("slipway.kube.node_reboot", inventory, folder / "no-reboot").succeeded()
    assert not idle.changed() and "is not rebooted: no update requires it" in idle.output
    host.check_output("touch /run/reboot-required")
    before = host.check_output("cat /proc/sys/kernel/random/boot_id")
    planned = run("slipway.kube.node_reboot", inventory, folder / "reboot-planned", "--check").succeeded()
    assert "/run/reboot-required exists" in planned.output and any(
        "Reboot the host" in one for one in planned.changed()
    )
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") == before
    done = run("slipway.kube.node_reboot", inventory, folder / "reboot").succeeded()
    print(f"\nreboot {done.seconds:.0f} s")
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") != before
    node = hosts_of(SCENARIO)[0].kubectl("get", "nodes")["items"][0]
    assert not node["spec"].get("unschedulable")
    assert node["status"]["nodeInfo"]["bootID"] == host.check_output("cat /proc/sys/kernel/random/boot_id")


def test_a_second_run_has_nothing_to_do() -> None:
    again = run("slipway.kube.cluster", inventory_of(SCENARIO), output_of(SCENARIO) / "again", "--diff").succeeded()
    print(f"\nsecond run {again.seconds:.0f} s")
    assert not again.changed(), again.output
