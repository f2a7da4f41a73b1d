# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the sandbox of a pod could not be created, from the message of the container runtime."""

from __future__ import annotations

import re
from typing import NamedTuple

from .exits import CGROUP_ADVICE, CGROUP_REFUSES


class Sandbox(NamedTuple):
    """The problem and its advice; both name the node. *of_node*: other pods of the node have it as well."""

    title: str
    advice: str
    of_node: bool = True


# The order matters: what a network plugin says may contain the words of the others.
MESSAGES = (
    (
        r"no runtime for|RuntimeHandler",
        "node {node} has no container runtime for the RuntimeClass of the pod",
        "Configure the runtime handler in containerd on the node, or correct runtimeClassName.",
        False,
    ),
    (
        r"no IP addresses available in range|no more IPs|failed to (?:request|assign) an IP|IP pool.*exhausted",
        "node {node} has no address left for pods",
        "If it runs fewer pods than its range has addresses, remove what pods that are gone have left in /var/lib/cni/networks on the node. Otherwise, give "
        "the nodes larger ranges, or run fewer pods on each.",
        True,
    ),
    (
        r"memory limit too low|OOM-killed",
        "the memory limit of the pod is too low to create its sandbox on node {node}",
        "Raise resources.limits.memory: the container runtime itself needs some megabytes.",
        False,
    ),
    (
        r"user ?namespaces?|idmap|id-mapped|subuid|[ug]id_map",
        "node {node} cannot run the pod in a user namespace (hostUsers: false)",
        "Run it on a node whose kernel, file systems and container runtime support user namespaces, or remove hostUsers: false.",
        False,
    ),
    (
        CGROUP_REFUSES,
        "the cgroup of node {node} refuses the resources of the pod",
        CGROUP_ADVICE,
        False,
    ),
    (
        r"sandbox image|failed to pull image .*pause",
        "node {node} cannot pull the image of sandboxes (pause)",
        "Check that the node reaches the registry in the message, or its mirror, and the sandbox image in containerd's configuration.",
        True,
    ),
    (
        r"expected cgroupsPath to be of format",
        "the kubelet and containerd on node {node} use different cgroup drivers",
        "Set SystemdCgroup in containerd's configuration as cgroupDriver of the kubelet demands, and restart containerd.",
        True,
    ),
    (
        r"is reserved for",
        "containerd on node {node} is still creating or deleting an earlier sandbox of the pod",
        "Wait. If this persists, look for a slow disk or a hanging network plugin on the node: journalctl -u containerd.",
        False,
    ),
    (
        r"failed to find plugin",
        "a program of the network plugin is missing on node {node}",
        "Install the package with the CNI plugins on the node (/opt/cni/bin), and check that the pod of the network plugin runs there.",
        True,
    ),
    (
        r"Unauthorized|connection is unauthorized",
        "the credentials of the network plugin on node {node} are not valid",
        "Restart the pod of the network plugin on the node, which writes them to /etc/cni/net.d again.",
        True,
    ),
    (
        r"",
        "the pod network could not be set up on node {node}",
        "Check that the pod of the network plugin runs on node {node} and that its CNI configuration is in /etc/cni/net.d.",
        True,
    ),
)


def explain_sandbox(message: str, node: str) -> Sandbox:
    """Return why a sandbox could not be created on a node."""
    title, advice, of_node = next(row[1:] for row in MESSAGES if re.search(row[0], message))
    return Sandbox(title.format(node=node), advice.format(node=node), of_node)
