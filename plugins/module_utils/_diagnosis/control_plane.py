# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane, looked at from outside: readiness of its parts, who leads, versions, and answers to names.

What the API does not tell is not guessed: it is listed as not looked at.
"""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any, Sequence

from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Reference
from .._kube.timestamps import seconds_of
from .._kube.x509 import certificate_end
from .certificates import judged, look_at
from .coredns import check_coredns
from .dns import NAMESPACE as SYSTEM
from .finding import Finding, one_line
from .nodes import versions
from .view import View, conditions, named

LEADERS = ("kube-controller-manager", "kube-scheduler")
# A leader renews its lease every 2 s and loses it after 15 (leaderElection of both).
SILENT = 60
KUBELET_PORT = 10250
# Looking at every kubelet of a large cluster would take longer than all the rest.
MOST_KUBELETS = 100
FIRST_KUBELETS = 3


class ControlPlane:
    """One look at a control plane. C(unseen) says what could not be looked at."""

    def __init__(self, client: Client, view: View) -> None:
        """Take the client, and what was read of the cluster."""
        self.client = client
        self.view = view
        self.unseen: dict[str, str] = {}
        self.version = ""

    def findings(self) -> list[Finding]:
        """Look at everything."""
        found = self._api_servers() + self._leaders() + self._versions()
        return found + self._etcd() + self._certificates()

    def servers(self) -> list[str]:
        """Give the addresses of the API servers, as the Service kubernetes knows them."""
        found = []
        for part in self.view.all("EndpointSlice"):
            labels = part["metadata"].get("labels") or {}
            if (
                part["metadata"].get("namespace") == "default"
                and labels.get("kubernetes.io/service-name") == "kubernetes"
            ):
                for endpoint in part.get("endpoints") or []:
                    for address in endpoint.get("addresses") or []:
                        for port in part.get("ports") or []:
                            shown = f"[{address}]" if ":" in address else address
                            found.append(f"{shown}:{port.get('port')}")
        return sorted(found)

    def _api_servers(self) -> list[Finding]:
        addresses = self.servers()
        said = self.client.each(self._readyz, addresses)
        found = []
        for address, (answer, reached) in zip(addresses, said):
            if not reached:
                self.unseen[f"API server {address}"] = answer
                continue
            failed = re.findall(r"^\[-\](\S+)(.*)$", answer, re.MULTILINE)
            if failed:
                parts = [f"{name}{rest}" for name, rest in failed]
                etcd = any(name.startswith("etcd") for name, _rest in failed)
                found.append(
                    Finding(
                        "etcd_member" if etcd else "api_server_unwell",
                        "error",
                        self._pod_at(address, "kube-apiserver"),
                        f"the API server at {address} is not ready: {', '.join((name for name, _rest in failed))}",
                        evidence=[f"/readyz?verbose: {one_line('; '.join(parts))}"],
                        advice="See etcd on that host: its pod, its disk, and that a majority of its members runs."
                        if etcd
                        else "See the API server's log on that host.",
                    )
                )
        return found

    def _readyz(self, address: str) -> tuple[str, bool]:
        """Ask one API server how it is: what it says, and whether it said anything."""
        try:
            one = Client(
                dataclasses.replace(self.client.credentials, server="https://" + address, server_name=""),
                timeout=5,
                patience=0,
            )
            return one.text("/readyz", {"verbose": "true"}), True
        except ApiError as error:
            # A server that is not ready answers 500 with the list of its parts.
            return error.message, error.status == 500
        except Unreachable as error:
            return one_line(str(error)), False

    def _pod_at(self, address: str, component: str) -> Reference:
        host = address.rpartition(":")[0].strip("[]")
        for node in self.view.all("Node"):
            addresses = [one.get("address") for one in (node.get("status") or {}).get("addresses") or []]
            if host in addresses:
                return Reference("v1", "Pod", SYSTEM, f"{component}-{node['metadata']['name']}")
        return Reference("v1", "Service", "default", "kubernetes")

    def _leaders(self) -> list[Finding]:
        found = []
        for name in LEADERS:
            try:
                lease = self.client.find(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{name}")
            except (ApiError, Unreachable) as error:
                self.unseen[f"Lease {name}"] = one_line(str(error))
                continue
            renewed = seconds_of(((lease or {}).get("spec") or {}).get("renewTime"))
            late = max(self.view.now, time.time()) - renewed
            if lease is None or late < SILENT:
                # Without such a Lease the control plane is made in another way.
                continue
            pods = [
                pod
                for pod in self.view.in_namespace(SYSTEM)
                if (pod["metadata"].get("labels") or {}).get("component") == name
            ]
            found.append(
                Finding(
                    "control_plane_down",
                    "error",
                    Reference("coordination.k8s.io/v1", "Lease", SYSTEM, name),
                    "no %s works: nothing has led for %d s" % (name, late),
                    evidence=[f"Lease {SYSTEM}/{name}: renewTime {(lease.get('spec') or {}).get('renewTime')}"]
                    + [f"its pods: {', '.join(named(pod) for pod in pods) or 'none'}"],
                    advice=f"See its static pod on the control planes: crictl ps -a, /etc/kubernetes/manifests/{name}.yaml, journalctl -u kubelet.",
                    blames=tuple(Reference("v1", "Pod", SYSTEM, pod["metadata"]["name"]) for pod in pods),
                )
            )
        return found

    def _versions(self) -> list[Finding]:
        try:
            self.version = self.client.get("/version").get("gitVersion") or ""
        except (ApiError, Unreachable) as error:
            self.unseen["version of the API server"] = one_line(str(error))
            return []
        return versions(self.view, self.version)

    def _etcd(self) -> list[Finding]:
        """Judge etcd by its static pods: its own client port asks for a certificate that the API does not give."""
        members = [
            pod
            for pod in self.view.in_namespace(SYSTEM)
            if (pod["metadata"].get("labels") or {}).get("component") == "etcd"
        ]
        if not members:
            self.unseen["members of etcd"] = (
                "there are no etcd pods: it runs outside the cluster, or the pods may not be listed"
            )
            return []
        down = [pod for pod in members if (conditions(pod).get("Ready") or {}).get("status") != "True"]
        found = []
        for pod in down:
            left = len(members) - len(down)
            found.append(
                Finding(
                    "etcd_member",
                    "error",
                    Reference("v1", "Pod", SYSTEM, pod["metadata"]["name"]),
                    "this member of etcd is not ready: %d of %d are, and %d must be"
                    % (left, len(members), len(members) // 2 + 1),
                    evidence=[f"pod {named(pod)} on {(pod.get('spec') or {}).get('nodeName')} is not Ready"],
                    advice="See its log and disk on that host: crictl logs, /var/lib/etcd.",
                    pods=[named(pod)],
                    container="etcd",
                    blames=(Reference("v1", "Node", "", (pod.get("spec") or {}).get("nodeName") or ""),),
                )
            )
        return found

    def _certificates(self) -> list[Finding]:
        """Look at the certificates that can be seen: of API servers and kubelets by TLS, and the one of this kubeconfig."""
        now = time.time()
        found: list[Finding] = []
        wanted: list[tuple[str, int, Reference, str]] = []
        for address in self.servers():
            host, _colon, port = address.rpartition(":")
            wanted.append(
                (host.strip("[]"), int(port), self._pod_at(address, "kube-apiserver"), "the API server at " + address)
            )
        nodes = list(self.view.all("Node"))
        for node in nodes[:MOST_KUBELETS]:
            for one in (node.get("status") or {}).get("addresses") or []:
                if one.get("type") == "InternalIP":
                    name = Reference("v1", "Node", "", node["metadata"]["name"])
                    wanted.append((one["address"], KUBELET_PORT, name, "the kubelet of node " + name.name))
                    break
        if len(nodes) > MOST_KUBELETS:
            self.unseen[f"certificates of {len(nodes) - MOST_KUBELETS} kubelets"] = (
                "only %d are looked at" % MOST_KUBELETS
            )
        # Where the first kubelets are not reached from here, the others will not be either: no time is lost on them.
        first = len(self.servers()) + FIRST_KUBELETS
        looks = self.client.each(lambda one: look_at(one[0], one[1]), wanted[:first])
        if any(end is not None for end, _why in looks[len(self.servers()) :]):
            looks += self.client.each(lambda one: look_at(one[0], one[1]), wanted[first:])
        elif wanted[first:]:
            self.unseen[f"certificates of {len(wanted[first:])} more kubelets"] = (
                "the first ones are not reached from here"
            )
        silent = []
        for (_host, _port, name, what), (end, why) in zip(wanted, looks):
            if end is None:
                silent.append(f"{what} ({why})")
            else:
                found += judged(name, what, end, now)
        if silent:
            self.unseen["certificates"] = f"not reached from here: {one_line(', '.join(silent))}"
        own = certificate_end(self.client.credentials.certificate)
        if own is not None:
            place = Reference("v1", "Service", "default", "kubernetes")
            found += judged(place, "the client certificate of the kubeconfig that is used here", own, now)
        self.unseen["certificates on the disks of the control planes"] = (
            "only a host itself can look: kubeadm certs check-expiration there"
        )
        return found


def cluster_domain(client: Client) -> str:
    """Read from CoreDNS' configuration which domain is the cluster's; empty where that may not be read."""
    try:
        content = client.find(f"/api/v1/namespaces/{SYSTEM}/configmaps/coredns") or {}
    except (ApiError, Unreachable):
        return ""
    named_in = re.search(r"^\s*kubernetes\s+([\w.-]+)", (content.get("data") or {}).get("Corefile") or "", re.MULTILINE)
    return named_in.group(1).rstrip(".") if named_in else ""


def names_resolved(client: Client, view: View) -> tuple[list[Finding], dict[str, str]]:
    """Ask CoreDNS itself: through the API server whether it is ready, and for a name where its address is reached from here.

    :returns: findings, and what could not be looked at.
    """
    pods: Sequence[Any] = view.selected(SYSTEM, {"k8s-app": "kube-dns"})
    found: list[Finding] = []
    unseen: dict[str, str] = {}
    domain = cluster_domain(client) if pods else ""
    for pod in pods[:4]:
        address = (pod.get("status") or {}).get("podIP")
        if not address or (conditions(pod).get("Ready") or {}).get("status") != "True":
            continue
        problem, why = check_coredns(client, pod, address, domain)
        if problem:
            found.append(
                Finding(
                    "dns_fails",
                    "error",
                    view.made_by(pod),
                    problem[0],
                    evidence=problem[1:],
                    advice="See the Corefile (kubectl -n kube-system get configmap coredns -o yaml) and the log of CoreDNS: "
                    "kubectl -n kube-system logs -l k8s-app=kube-dns.",
                    pods=[named(pod)],
                    container="coredns",
                )
            )
        elif why:
            unseen["lookup of a name"] = why
    if not pods:
        unseen["lookup of a name"] = "no pod with label k8s-app=kube-dns in namespace kube-system"
    return found, unseen
