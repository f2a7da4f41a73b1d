# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are not Ready or under pressure, DaemonSets that skip nodes, and version skew: pure functions.

https://kubernetes.io/docs/reference/node/node-status/ and https://kubernetes.io/releases/version-skew-policy/
"""

from __future__ import annotations

import re

from .._kube.objects import Reference, reference
from .._kube.pod_networks import POD_NETWORKS
from .._kube.timestamps import seconds_of, to_time
from .._kube.versions import minor_number, oldest_kubelet
from .finding import Finding, one_line, shortened
from .view import (
    Object,
    View,
    conditions,
    is_true,
    labels_of,
    labels_text,
    name_of,
    named,
    node_name,
    spec_of,
    status_of,
)

# Conditions that the kubelet itself sets, the resource that is exhausted, and the remedy. Conditions that others set are not judged.
PRESSURES = {
    "MemoryPressure": (
        "memory",
        "Check which pods use the memory (kubectl top pods -A), and set requests and limits for them.",
    ),
    "DiskPressure": (
        "disk space",
        "Free space on the file systems of /var/lib/kubelet and of the images (old logs, unused images: ctr -n k8s.io images ls), or enlarge them.",
    ),
    "PIDPressure": (
        "process IDs",
        "Check which pod starts so many processes, and set podPidsLimit in the configuration of the kubelet.",
    ),
}
# Seconds. A kubelet reports its node at least every five minutes (nodeStatusReportFrequency), with the time of its own clock.
REPORTED, CLOCK_DIFFERS, CLOCK_IS_WRONG = 300, 60, 300
NO_NETWORK = re.compile(r"cni|NetworkPluginNotReady|network plugin", re.IGNORECASE)
# DaemonSets without which a node does not reach Services or the pods on other nodes.
AGENTS = {
    "kube-proxy": ("kube_proxy_missing", "Services"),
    **dict.fromkeys(POD_NETWORKS, ("network_agent_missing", "pods")),
}


def nodes(view: View) -> list[Finding]:
    """Explain every node that is not Ready, under pressure or cordoned, and nodes without kube-proxy or pod network."""
    return [finding for node in view.alive("Node") for finding in _node(view, node)] + _without_agents(view)


def _without_agents(view: View) -> list[Finding]:
    """Find nodes that the DaemonSet of kube-proxy or of the pod network does not select.

    If it selects the node and does not run there, its own pods explain why.
    """
    found: list[Finding] = []
    every = view.alive("Node")
    for content in view.all("DaemonSet"):
        name, status = reference(content), status_of(content)
        desired = status.get("desiredNumberScheduled", 0)
        observed = status.get("observedGeneration") == content["metadata"].get("generation")
        if name.name not in AGENTS or not observed or desired >= len(every):
            continue
        fault, what = AGENTS[name.name]
        running = {node_name(pod) for pod in view.pods_of(name)}
        lost = [
            name_of(node)
            for node in every
            if name_of(node) not in running and labels_of(node).get("kubernetes.io/os", "linux") == "linux"
        ]
        selector = ((spec_of(content).get("template") or {}).get("spec") or {}).get("nodeSelector")
        scheduled = f"{desired} of {len(every)} nodes"
        if lost:
            found.append(
                Finding(
                    fault,
                    # A few nodes may be excluded intentionally, all of them not.
                    "warning" if desired else "error",
                    name,
                    f"it is scheduled on {scheduled if desired else 'no node'}: {what} cannot be reached from {shortened(lost, 5)}",
                    evidence=[
                        f"desiredNumberScheduled is {scheduled}; nodeSelector: {labels_text(selector) or 'none'}"
                    ],
                    advice="Correct nodeSelector, affinity and tolerations of the DaemonSet, or the labels and taints of the nodes.",
                )
            )
    return found


def _node(view: View, node: Object) -> list[Finding]:
    name, said = reference(node), conditions(node)
    ready = is_true(node, "Ready")
    found = _clock(view, node) if ready else [_not_ready(view, node)]
    for kind, (resource, advice) in PRESSURES.items():
        if is_true(node, kind):
            since, message = said[kind].get("lastTransitionTime"), one_line(said[kind].get("message") or "")
            found.append(
                Finding(
                    "node_pressure",
                    "error",
                    name,
                    f"it is low on {resource} ({kind}), accepts no new pods and may evict pods",
                    evidence=[f"{kind} since {since}: {message}"],
                    advice=advice,
                    about=f"{name.name} {kind}",
                )
            )
    if ready and is_true(node, "NetworkUnavailable"):
        network = said["NetworkUnavailable"]
        found.append(
            Finding(
                "node_network_unavailable",
                "error",
                name,
                "its pod network is not configured",
                evidence=[f"NetworkUnavailable: {one_line(network.get('message') or network.get('reason') or '')}"],
                advice="Check the pod of the network plugin on this node.",
            )
        )
    if spec_of(node).get("unschedulable"):
        title = "it is cordoned and accepts no new pods"
        advice = f"After its maintenance, run: kubectl uncordon {name.name}"
        found.append(Finding("node_cordoned", "info", name, title, advice=advice))
    return found


def _clock(view: View, node: Object) -> list[Finding]:
    """Compare the time of a node's last report with the clock of the API server.

    A Ready node has reported within the last five minutes: kube-controller-manager sees that its lease changes, whatever times are in it.
    """
    name, heartbeat = reference(node), conditions(node)["Ready"].get("lastHeartbeatTime")
    ahead = seconds_of(heartbeat) - view.clock
    behind = -ahead - REPORTED
    if not heartbeat or max(ahead, behind) < CLOCK_DIFFERS:
        return []
    amount, word = (ahead, "ahead of") if ahead > 0 else (behind, "behind")
    return [
        Finding(
            "node_clock",
            "error" if amount >= CLOCK_IS_WRONG else "warning",
            name,
            f"its clock is at least {amount:.0f} s {word} the clock of the API server",
            evidence=[f"its kubelet reported at {heartbeat}; there it is {to_time(view.clock)}"],
            advice="Synchronize the clocks of all hosts (timedatectl, chronyc tracking): certificates and tokens are refused otherwise. Without such a"
            " difference, kube-controller-manager does not judge nodes: see its log.",
        )
    ]


def readiness_advice(message: str, status: str) -> str:
    """Return what to do about a node that is not Ready.

    :param message: The message of its condition Ready.
    :param status: The status of this condition.
    """
    if NO_NETWORK.search(message):
        return "No pod network is configured on it: check the pod of the network plugin on this node, and /etc/cni/net.d there."
    if "stopped posting" in message or status == "Unknown":
        return "Its kubelet does not report: check that the host is up and reaches the API server, then run systemctl status kubelet there."
    if re.search(r"container runtime|PLEG", message):
        return "Its container runtime does not respond: run systemctl status containerd there."
    return "Run journalctl -u kubelet on that host."


def _not_ready(view: View, node: Object) -> Finding:
    name, ready = reference(node), conditions(node).get("Ready") or {}
    message = one_line(ready.get("message") or "its kubelet has not reported yet")
    pods = [named(pod) for pod in view.all("Pod") if node_name(pod) == name.name]
    since = view.now - seconds_of(ready.get("lastTransitionTime"))
    evidence = [f"Ready is {ready.get('status', 'Unknown')} ({ready.get('reason') or 'no reason'}): {message}"]
    if pods:
        evidence.append(f"{len(pods)} pods run on it: {shortened(pods, 5)}")
    return Finding(
        "node_not_ready",
        # A node that joins is not Ready for some seconds.
        "warning" if view.age(node) < 60 and since < 60 else "error",
        name,
        f"it is not Ready{f' for {since:.0f} s' if ready.get('lastTransitionTime') else ''}",
        evidence=evidence,
        advice=readiness_advice(message, ready.get("status", "Unknown")),
    )


def version_skew(view: View, server: str) -> list[Finding]:
    """Find kubelets and components whose version is not supported together with the API server's.

    :param server: Version of the API server, C(gitVersion) of C(/version).
    """
    minor_of_server = minor_number(server)
    if minor_of_server is None:
        return []
    found: list[Finding] = []
    oldest = oldest_kubelet(minor_of_server)
    for node in view.all("Node"):
        kubelet = (status_of(node).get("nodeInfo") or {}).get("kubeletVersion") or ""
        its = minor_number(kubelet)
        if its is None or oldest <= its <= minor_of_server:
            continue
        newer = its > minor_of_server
        found.append(
            Finding(
                "version_skew",
                "error",
                reference(node),
                f"its kubelet {kubelet} is too {'new' if newer else 'old'} for API server {server}",
                evidence=[f"a kubelet must not be newer, and at most {minor_of_server - oldest} minor versions older"],
                advice="Upgrade the control plane first." if newer else f"Upgrade the kubelet of node {named(node)}.",
                about=f"kubelet {kubelet}",
            )
        )
    for pod in view.in_namespace("kube-system"):
        found += _component_skew(view, pod, minor_of_server)
    return found


def _component_skew(view: View, pod: Object, server: int) -> list[Finding]:
    """Compare a static pod of the control plane, or kube-proxy, with the minor version of the API server."""
    labels = labels_of(pod)
    part = labels.get("component") or ("kube-proxy" if labels.get("k8s-app") == "kube-proxy" else "")
    allowed = {"kube-controller-manager": 1, "kube-scheduler": 1, "kube-apiserver": 1, "kube-proxy": 3}.get(part)
    containers = spec_of(pod).get("containers") or [{}]
    image = containers[0].get("image") or ""
    its = minor_number(image.rpartition(":")[2])
    if allowed is None or its is None:
        return []
    newer = its > server and part != "kube-apiserver"
    if not newer and abs(server - its) <= allowed:
        return []
    pod_name = Reference("v1", "Pod", "kube-system", name_of(pod))
    return [
        Finding(
            "version_skew",
            "error",
            view.made_by(pod) if part == "kube-proxy" else pod_name,
            f"{part} of minor version 1.{its} is not supported with an API server of 1.{server}",
            evidence=[f"pod {named(pod)}: {image}"],
            advice="Complete the upgrade: all control plane components must run the same version.",
            about=f"{part} 1.{its}",
        )
    ]
