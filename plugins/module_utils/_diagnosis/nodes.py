# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are not well, and versions that do not go together. Pure functions.

https://kubernetes.io/docs/reference/node/node-status/ and https://kubernetes.io/releases/version-skew-policy/
"""

from __future__ import annotations

import re

from .._kube.objects import Reference, reference
from .._kube.pod_networks import POD_NETWORKS
from .._kube.timestamps import seconds_of
from .._kube.versions import minor_number, oldest_kubelet
from .finding import Finding, one_line, shortened
from .view import Object, View, conditions, named

# Conditions of the kubelet itself and whether True means trouble. Those that others set have a meaning of their own and are left out.
PRESSURES = {
    "MemoryPressure": ("memory", "See what uses the memory (kubectl top pods), and give pods requests and limits."),
    "DiskPressure": (
        "disk space",
        "Make space on the disk of /var/lib/kubelet and of the images (crictl rmi --prune, old logs), or give it a bigger one.",
    ),
    "PIDPressure": ("process ids", "See which pod starts so many processes; limit them with podPidsLimit."),
}
NO_NETWORK = re.compile(r"cni|NetworkPluginNotReady|network plugin", re.IGNORECASE)


def nodes(view: View) -> list[Finding]:
    """Explain every node that is not Ready or under pressure."""
    found: list[Finding] = []
    for node in view.all("Node"):
        if not node["metadata"].get("deletionTimestamp"):
            found += _node(view, node)
    return found + _without_agents(view)


# What must run on every node for Services and pods to be reached there, by the name of its DaemonSet.
AGENTS = {
    "kube-proxy": ("kube_proxy_missing", "Services"),
    **dict.fromkeys(POD_NETWORKS, ("network_agent_missing", "pods")),
}


def _without_agents(view: View) -> list[Finding]:
    """Find nodes that kube-proxy or the pod network is not meant for; where it is meant to run and does not, its own pods tell why."""
    found: list[Finding] = []
    every = [node for node in view.all("Node") if not node["metadata"].get("deletionTimestamp")]
    for content in view.all("DaemonSet"):
        name = reference(content)
        wanted = (content.get("status") or {}).get("desiredNumberScheduled", 0)
        seen = (content.get("status") or {}).get("observedGeneration") == content["metadata"].get("generation")
        if name.name not in AGENTS or not seen or wanted >= len(every):
            continue
        fault, what = AGENTS[name.name]
        running = {(pod.get("spec") or {}).get("nodeName") for pod in view.pods_of(name)}
        lost = [
            node["metadata"]["name"]
            for node in every
            if node["metadata"]["name"] not in running
            and (node["metadata"].get("labels") or {}).get("kubernetes.io/os", "linux") == "linux"
        ]
        selector = ((((content.get("spec") or {}).get("template") or {}).get("spec")) or {}).get("nodeSelector") or {}
        if lost:
            found.append(
                Finding(
                    fault,
                    # A few nodes may be left out on purpose, all of them not.
                    "warning" if wanted else "error",
                    name,
                    "it is meant for {}: {} are not reached from {}".format(
                        "no node" if not wanted else "%d of %d nodes" % (wanted, len(every)), what, shortened(lost, 5)
                    ),
                    evidence=[
                        "desiredNumberScheduled is %d of %d nodes; nodeSelector: %s"
                        % (
                            wanted,
                            len(every),
                            ", ".join("{}={}".format(*pair) for pair in sorted(selector.items())) or "none",
                        )
                    ],
                    advice="Correct nodeSelector, affinity and tolerations of the DaemonSet, or the labels and taints of the nodes.",
                )
            )
    return found


def _node(view: View, node: Object) -> list[Finding]:
    name, said = reference(node), conditions(node)
    found: list[Finding] = []
    ready = said.get("Ready") or {}
    if ready.get("status") != "True":
        found.append(_not_ready(view, node, ready))
    for kind, (what, advice) in PRESSURES.items():
        pressed = said.get(kind) or {}
        if pressed.get("status") == "True":
            found.append(
                Finding(
                    "node_pressure",
                    "error",
                    name,
                    f"it is short of {what} ({kind}): it takes no new pods and evicts some",
                    evidence=[
                        f"{kind} since {pressed.get('lastTransitionTime')}: {one_line(pressed.get('message') or '')}"
                    ],
                    advice=advice,
                    about=f"{name.name} {kind}",
                )
            )
    network = said.get("NetworkUnavailable") or {}
    if network.get("status") == "True" and ready.get("status") == "True":
        found.append(
            Finding(
                "node_network_unavailable",
                "error",
                name,
                "its pod network is not set up",
                evidence=[f"NetworkUnavailable: {one_line(network.get('message') or network.get('reason') or '')}"],
                advice="See the pod network's own pod on this node.",
            )
        )
    if (node.get("spec") or {}).get("unschedulable"):
        found.append(
            Finding(
                "node_cordoned",
                "info",
                name,
                "it is cordoned: it takes no new pods",
                advice=f"When the work on it is done: kubectl uncordon {name.name}.",
            )
        )
    return found


def _not_ready(view: View, node: Object, ready: Object) -> Finding:
    name = reference(node)
    message = one_line(ready.get("message") or "its kubelet has said nothing yet")
    pods = [pod for pod in view.all("Pod") if (pod.get("spec") or {}).get("nodeName") == name.name]
    advice = "See journalctl -u kubelet on it."
    if NO_NETWORK.search(message):
        advice = "There is no pod network on it yet: see the network's pod on this node and /etc/cni/net.d there."
    elif "stopped posting" in message or ready.get("status") == "Unknown":
        advice = (
            "Its kubelet is silent: see that the host is up and reaches the API server, then systemctl status kubelet."
        )
    elif re.search(r"container runtime|PLEG", message):
        advice = "Its container runtime does not answer: systemctl status containerd on it."
    since = view.now - seconds_of(ready.get("lastTransitionTime"))
    evidence = [f"Ready is {ready.get('status', 'Unknown')} ({ready.get('reason') or 'no reason'}): {message}"]
    if pods:
        evidence.append(f"{len(pods)} pods are on it: {shortened([named(pod) for pod in pods], 5)}")
    return Finding(
        "node_not_ready",
        # A node that joins is not Ready for some seconds.
        "warning" if view.age(node) < 60 and since < 60 else "error",
        name,
        f"it is not Ready{' for %d s' % since if since < 100000000.0 else ''}",
        evidence=evidence,
        advice=advice,
    )


def versions(view: View, server: str) -> list[Finding]:
    """Hold the kubelets against the API server: never newer, and at most three minors older.

    :param server: version of the API server, C(gitVersion) of C(/version).
    """
    own = minor_number(server)
    found: list[Finding] = []
    seen: set[int] = set()
    for node in view.all("Node"):
        kubelet = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or ""
        its = minor_number(kubelet)
        if own is None or its is None:
            continue
        seen.add(its)
        oldest = oldest_kubelet(own)
        if oldest <= its <= own:
            continue
        newer = its > own
        found.append(
            Finding(
                "version_skew",
                "error",
                reference(node),
                f"its kubelet {kubelet} is {'newer' if newer else 'older'} than the API server {server} allows",
                evidence=["kubelets may be at most %d minors older, and never newer" % (own - oldest)],
                advice="Upgrade the control plane first." if newer else "Upgrade the node.",
                about=f"kubelet {kubelet}",
            )
        )
    for pod in view.all("Pod"):
        found += _component(view, pod, own)
    return found


def _component(view: View, pod: Object, own: int | None) -> list[Finding]:
    """Hold a static pod of the control plane, and kube-proxy, against the API server."""
    labels = pod["metadata"].get("labels") or {}
    part = labels.get("component") or ("kube-proxy" if labels.get("k8s-app") == "kube-proxy" else "")
    if pod["metadata"].get("namespace") != "kube-system" or own is None:
        return []
    allowed = {"kube-controller-manager": 1, "kube-scheduler": 1, "kube-apiserver": 1, "kube-proxy": 3}.get(part)
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    image = containers[0].get("image") or ""
    its = minor_number(image.rpartition(":")[2])
    if allowed is None or its is None:
        return []
    newer = its > own and part != "kube-apiserver"
    if not newer and abs(own - its) <= allowed:
        return []
    return [
        Finding(
            "version_skew",
            "error",
            view.made_by(pod)
            if part == "kube-proxy"
            else Reference("v1", "Pod", "kube-system", pod["metadata"]["name"]),
            "%s of minor 1.%d does not go with an API server of 1.%d" % (part, its, own),
            evidence=[f"pod {named(pod)}: {image}"],
            advice="Bring the control plane to one version: finish the upgrade.",
            about="%s 1.%d" % (part, its),
        )
    ]
