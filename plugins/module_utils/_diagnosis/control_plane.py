# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane as it can be checked over the network: API servers, leaders, versions, etcd, certificates and DNS.

What the API does not provide is not guessed, but listed as unchecked.
"""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any, Mapping, NamedTuple, Sequence

from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Reference
from .._kube.timestamps import seconds_of
from .._kube.x509 import certificate_end
from .certificates import certificate_findings, served_certificate
from .coredns import check_coredns
from .dns import LABEL as DNS_LABEL
from .dns import NAMESPACE as SYSTEM
from .etcd_space import database_size, external_findings, space_findings
from .finding import Finding, one_line
from .nodes import version_skew
from .services import SERVICE_LABEL
from .system import api_addresses
from .view import (
    Object,
    View,
    is_true,
    labels_of,
    labels_text,
    name_of,
    named,
    namespace_of,
    node_name,
    spec_of,
    status_of,
)

LEADERS = ("kube-controller-manager", "kube-scheduler")
# A leader renews its Lease every 2 s and loses it after 15 s (leaderElection in both configurations).
LEASE_EXPIRED = 60
KUBELET_PORT = 10250
# Checking every kubelet of a large cluster would take longer than everything else.
MOST_KUBELETS = 100
FIRST_KUBELETS = 3
MOST_DNS_PODS = 4


class Endpoint(NamedTuple):
    """A server whose certificate is checked."""

    host: str
    port: int
    object: Reference
    title: str


class ControlPlane:
    """Checks of one control plane. C(unseen) contains what could not be checked, and why."""

    def __init__(self, client: Client, view: View, etcd: Sequence[Mapping[str, Any]] = ()) -> None:
        """Store the client, what was read of the cluster, and what the members of an external etcd say."""
        self.client = client
        self.view = view
        self.etcd = etcd
        self.unseen: dict[str, str] = {}

    def findings(self) -> list[Finding]:
        """Run all checks but that of DNS."""
        found = self._api_servers() + self._leaders() + self._versions()
        return found + self._etcd() + self._etcd_space() + self._certificates()

    def servers(self) -> list[str]:
        """Return the addresses of the API servers, from the EndpointSlices of the Service kubernetes."""
        return api_addresses(
            part
            for part in self.view.all("EndpointSlice")
            if (namespace_of(part), labels_of(part).get(SERVICE_LABEL)) == ("default", "kubernetes")
        )

    def _api_servers(self) -> list[Finding]:
        addresses = self.servers()
        found = []
        for address, (answer, reached) in zip(addresses, self.client.each(self._readyz, addresses)):
            if not reached:
                self.unseen[f"API server {address}"] = answer
            failed = re.findall(r"^\[-\](\S+)(.*)$", answer, re.MULTILINE) if reached else []
            if failed:
                etcd = any(name.startswith("etcd") for name, _rest in failed)
                checks = "; ".join(name + rest for name, rest in failed)
                found.append(
                    Finding(
                        "etcd_member" if etcd else "api_server_unhealthy",
                        "error",
                        self._pod_at(address, "kube-apiserver"),
                        f"the API server at {address} is not ready: {', '.join(name for name, _rest in failed)}",
                        evidence=[f"/readyz?verbose: {one_line(checks)}"],
                        advice="Check etcd on that host: its pod, its disk, and whether a majority of the members runs."
                        if etcd
                        else "Check the log of the API server on that host (/var/log/pods/kube-system_kube-apiserver-*).",
                    )
                )
        return found

    def _readyz(self, address: str) -> tuple[str, bool]:
        """Return what an API server reports about its readiness, or why it does not respond, and whether it responds."""
        try:
            one = Client(
                dataclasses.replace(self.client.credentials, server="https://" + address, server_name=""),
                timeout=5,
                patience=0,
            )
            return one.text("/readyz", {"verbose": "true"}), True
        except ApiError as error:
            # A server that is not ready responds with status 500 and the list of its checks.
            return error.message, error.status == 500
        except Unreachable as error:
            return one_line(str(error)), False

    def _pod_at(self, address: str, component: str) -> Reference:
        """Return the static pod of a component on the node that has an address."""
        host = address.rpartition(":")[0].strip("[]")
        for node in self.view.all("Node"):
            if host in [one.get("address") for one in status_of(node).get("addresses") or []]:
                return Reference("v1", "Pod", SYSTEM, f"{component}-{name_of(node)}")
        return Reference("v1", "Service", "default", "kubernetes")

    def _static_pods(self, component: str) -> list[Object]:
        return self.view.selected(SYSTEM, {"component": component})

    def _leaders(self) -> list[Finding]:
        found = []
        for name in LEADERS:
            try:
                lease = self.client.find(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{name}")
            except (ApiError, Unreachable) as error:
                self.unseen[f"Lease {name}"] = one_line(str(error))
                continue
            renewed = spec_of(lease or {}).get("renewTime")
            late = max(self.view.now, time.time()) - seconds_of(renewed)
            # Without this Lease, the component is not run as kubeadm runs it.
            if lease is not None and late >= LEASE_EXPIRED:
                pods = self._static_pods(name)
                found.append(
                    Finding(
                        "control_plane_down",
                        "error",
                        Reference("coordination.k8s.io/v1", "Lease", SYSTEM, name),
                        f"no {name} is active: its leader lease has not been renewed for {late:.0f} s",
                        evidence=[
                            f"Lease {SYSTEM}/{name}: renewTime {renewed}",
                            f"its pods: {', '.join(map(named, pods)) or 'none'}",
                        ],
                        advice=f"Check its static pod on the control plane nodes: /etc/kubernetes/manifests/{name}.yaml, its log in /var/log/pods, "
                        "journalctl -u kubelet.",
                        blames=tuple(Reference("v1", "Pod", SYSTEM, name_of(pod)) for pod in pods),
                    )
                )
        return found

    def _versions(self) -> list[Finding]:
        try:
            return version_skew(self.view, self.client.get("/version").get("gitVersion") or "")
        except (ApiError, Unreachable) as error:
            self.unseen["version of the API server"] = one_line(str(error))
            return []

    def _etcd(self) -> list[Finding]:
        """Judge etcd by its static pods: the API provides no client certificate for etcd itself."""
        if self.etcd:
            return external_findings(self.etcd)
        members = self._static_pods("etcd")
        if not members:
            self.unseen["etcd members"] = "no etcd pods: etcd runs outside the cluster, or listing pods is forbidden"
        down = [pod for pod in members if not is_true(pod, "Ready")]
        ready, quorum = len(members) - len(down), len(members) // 2 + 1
        return [
            Finding(
                "etcd_member",
                "error",
                Reference("v1", "Pod", SYSTEM, name_of(pod)),
                f"this etcd member is not ready: {ready} of {len(members)} members are ready, {quorum} are required for quorum",
                evidence=[f"pod {named(pod)} on {node_name(pod)} is not Ready"],
                advice="Check its log (/var/log/pods/kube-system_etcd-*) and the disk of /var/lib/etcd on that host.",
                pods=[named(pod)],
                container="etcd",
                blames=(Reference("v1", "Node", "", node_name(pod)),),
            )
            for pod in down
        ]

    def _etcd_space(self) -> list[Finding]:
        if not self._static_pods("etcd"):
            return []
        try:
            # What was read of healthy pods does not include their commands.
            members = self.client.get(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=component%3Detcd")["items"]
            return space_findings(database_size(self.client.text("/metrics")), members)
        except (ApiError, Unreachable) as error:
            self.unseen["size of etcd's database"] = one_line(str(error))
            return []

    def _certificates(self) -> list[Finding]:
        """Check the serving certificates of API servers and kubelets, and the client certificate of the kubeconfig."""
        servers, kubelets = self._api_server_endpoints(), self._kubelet_endpoints()
        # If the first kubelets are not reachable from here, the others are not tried: each would cost a timeout.
        first, more = [*servers, *kubelets[:FIRST_KUBELETS]], kubelets[FIRST_KUBELETS:]
        answers = self.client.each(lambda one: served_certificate(one.host, one.port), first)
        if any(end is not None for end, _why in answers[len(servers) :]):
            answers += self.client.each(lambda one: served_certificate(one.host, one.port), more)
        elif more:
            self.unseen[f"certificates of {len(more)} more kubelets"] = "the first ones are not reachable from here"
        now = time.time()
        found: list[Finding] = []
        unreachable = []
        for endpoint, (end, why) in zip(servers + kubelets, answers):
            if end is None:
                unreachable.append(f"{endpoint.title} ({why})")
            else:
                found += certificate_findings(endpoint.object, endpoint.title, end, now)
        if unreachable:
            self.unseen["certificates"] = f"not reachable from here: {one_line(', '.join(unreachable))}"
        own = certificate_end(self.client.credentials.certificate)
        if own is not None:
            service = Reference("v1", "Service", "default", "kubernetes")
            found += certificate_findings(service, "the client certificate of this kubeconfig", own, now)
        self.unseen["certificates on the disks of the control plane nodes"] = (
            "not available over the API: run kubeadm certs check-expiration on each node"
        )
        return found

    def _api_server_endpoints(self) -> list[Endpoint]:
        found = []
        for address in self.servers():
            host, _colon, port = address.rpartition(":")
            pod = self._pod_at(address, "kube-apiserver")
            found.append(Endpoint(host.strip("[]"), int(port), pod, f"the API server at {address}"))
        return found

    def _kubelet_endpoints(self) -> list[Endpoint]:
        nodes = list(self.view.all("Node"))
        if len(nodes) > MOST_KUBELETS:
            unchecked = f"certificates of {len(nodes) - MOST_KUBELETS} kubelets"
            self.unseen[unchecked] = f"only {MOST_KUBELETS} kubelets are checked"
        found = []
        for node in nodes[:MOST_KUBELETS]:
            addresses = status_of(node).get("addresses") or []
            internal = [one["address"] for one in addresses if one.get("type") == "InternalIP"]
            name = Reference("v1", "Node", "", name_of(node))
            found += [
                Endpoint(address, KUBELET_PORT, name, f"the kubelet of node {name.name}") for address in internal[:1]
            ]
        return found


def cluster_domain(client: Client) -> str:
    """Return the DNS domain of the cluster from the configuration of CoreDNS, empty if it cannot be read."""
    try:
        content = client.find(f"/api/v1/namespaces/{SYSTEM}/configmaps/coredns") or {}
    except (ApiError, Unreachable):
        return ""
    domain = re.search(r"^\s*kubernetes\s+([\w.-]+)", (content.get("data") or {}).get("Corefile") or "", re.MULTILINE)
    return domain.group(1).rstrip(".") if domain else ""


def check_dns(client: Client, view: View) -> tuple[list[Finding], dict[str, str]]:
    """Check whether the CoreDNS pods are ready and resolve a name, if they are reachable.

    :returns: Findings, and what could not be checked, with the reason.
    """
    pods = view.selected(SYSTEM, DNS_LABEL)
    if not pods:
        return [], {"DNS lookup": f"no pod with label {labels_text(DNS_LABEL)} in namespace {SYSTEM}"}
    found: list[Finding] = []
    unseen: dict[str, str] = {}
    domain = cluster_domain(client)
    for pod in pods[:MOST_DNS_PODS]:
        address = status_of(pod).get("podIP")
        if not address or not is_true(pod, "Ready"):
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
                    advice=f"Check the Corefile (kubectl -n {SYSTEM} get configmap coredns -o yaml) and the logs of CoreDNS "
                    f"(kubectl -n {SYSTEM} logs -l {labels_text(DNS_LABEL)}).",
                    pods=[named(pod)],
                    container="coredns",
                )
            )
        elif why:
            unseen["DNS lookup"] = why
    return found, unseen
