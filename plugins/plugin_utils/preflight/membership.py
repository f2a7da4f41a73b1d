# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that no host is taken from another cluster and that no member changes its role, version or endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from ...module_utils._kube.versions import parse_version
from .problem import Checks, Cluster, Finding, Host
from .syntax import split_endpoint

CHECKS = Checks()
RESTORED = "__kube_restored_ca"
"""Set by the role restore: the hash of the CA of the cluster whose control planes are lost and come back from a backup."""

ROLES = {"control_plane": "control plane", "etcd": "member of etcd"}


def reference_control_plane(cluster: Cluster) -> Host | None:
    """Return the control plane whose CA is the cluster's, preferring one that this collection set up and that is healthy."""
    members = [host for host in cluster.control_planes if host.member and host.facts["cluster"]["ca_hash"]]
    return min(members, key=lambda host: (not host.prepared, not host.facts["cluster"]["healthy"]), default=None)


@CHECKS.host("record")
def check_record(host: Host) -> Iterator[Finding]:
    """The record of the host's previous state is readable."""
    if not host.facts["record"]["readable"]:
        yield (
            "The record of the host's state before it became a node is damaged.",
            f"{host.variables.get('kube_record_dir')}/host.json cannot be parsed",
            "Restore the file from a backup, or reinstall the host.",
        )


@CHECKS.host("other_cluster")
def check_marked(host: Host) -> Iterator[Finding]:
    """The record of the host's previous state belongs to this cluster."""
    record, name = host.facts["record"], host.variables.get("kube_cluster_name")
    if record["readable"] and record["marked"] and record["cluster"] != name:
        yield (
            "The host belongs to another cluster.",
            f"it was prepared for cluster '{record['cluster']}'; kube_cluster_name is '{name}'",
            f"Remove it from this inventory, or first reset it with the inventory of '{record['cluster']}'.",
        )


@CHECKS.host("rotation")
def check_rotation(host: Host) -> Iterator[Finding]:
    """No rotation of the cluster's authorities is under way on the control planes."""
    if host.facts["cluster"]["rotating"]:
        yield (
            "The rotation of the cluster's authorities is not finished.",
            "/etc/kubernetes/pki/rotation has the old and the new ones",
            "Finish it with slipway.kube.certificates -e certificates_rotate_authorities=all.",
        )


@CHECKS.cluster("other_cluster")
def check_other_cluster(cluster: Cluster) -> Iterator[Finding]:
    """Every member trusts the CA of this cluster's control plane."""
    reference = reference_control_plane(cluster)
    if any(host.facts["cluster"]["rotating"] for host in cluster.inspected):
        return  # see check_rotation: hosts of one cluster have different authorities first
    for host in cluster.inspected:
        if not host.member or host is reference or host.facts["cluster"]["role"] == "etcd":
            continue
        if host.variables.get(RESTORED) and host.facts["cluster"]["ca_hash"] == host.variables[RESTORED]:
            continue
        ca_hash, endpoint = host.facts["cluster"]["ca_hash"], host.facts["cluster"]["endpoint"] or "unknown"
        if reference and ca_hash != reference.facts["cluster"]["ca_hash"]:
            yield (
                host.name,
                "The host belongs to another cluster.",
                f"its CA is {ca_hash or 'unknown'} (API at {endpoint}), the CA of {reference.name} is"
                f" {reference.facts['cluster']['ca_hash']}",
                "Remove it from this inventory, or first remove it from its cluster and reset it.",
            )
        elif not reference and all(plane.facts for plane in cluster.control_planes):
            yield (
                host.name,
                "The host is a member of a cluster whose control planes are not in this inventory.",
                f"its API is at {endpoint}, its CA is {ca_hash or 'unknown'}",
                "Add the control planes of that cluster to the inventory, or first reset this host.",
            )


@CHECKS.cluster("other_cluster")
def check_other_etcd(cluster: Cluster) -> Iterator[Finding]:
    """The members of an external etcd, and the control planes that use it, trust one authority.

    Where an interrupted restore goes on, members may have a new one already.
    """
    hosts = [
        host
        for host in cluster.inspected
        if host.etcd or host.control_plane and cluster.etcd and not host.variables.get(RESTORED)
    ]
    known = {host.name: host.facts["cluster"]["etcd_ca_hash"] for host in hosts if host.member}
    if len(set(known.values()) - {""}) > 1:
        for name, digest in known.items():
            yield (
                name,
                "The hosts use etcd of different clusters.",
                f"the CA of its etcd is {digest or 'unknown'}",
                "Keep only the hosts of one cluster in the inventory, or first reset the others.",
            )


@CHECKS.host("unmarked_member")
def check_unmarked(host: Host) -> Iterator[Finding]:
    """The host is not a member of a cluster that other tools created."""
    if host.member and not host.facts["record"]["marked"] and host.facts["record"]["readable"]:
        yield (
            "The host is a member of a cluster that was not created by this collection.",
            f"there is no record in {host.variables.get('kube_record_dir')}; its API is at {host.facts['cluster']['endpoint']}",
            "Use another host, or reset this one with the tool that was used to join it.",
        )


@CHECKS.host("leftovers")
def check_leftovers(host: Host) -> Iterator[Finding]:
    """A host outside any cluster has no files of a cluster that this collection did not begin to set up."""
    facts = host.facts["cluster"]
    leftovers = [f"static pod {name}" for name in facts["manifests"]]
    leftovers += ["data of an etcd member"] if facts["etcd_data"] else []
    leftovers += ["credentials of an incomplete join"] if facts["bootstrapping"] else []
    if leftovers and not host.member and not host.facts["record"]["marked"]:
        remedy = "Back up any data that you need, then run `kubeadm reset` on the host."
        yield "The host has leftovers of another cluster.", ", ".join(leftovers), remedy


@CHECKS.host("role")
def check_role(host: Host) -> Iterator[Finding]:
    """A node keeps its role: kubeadm cannot turn a worker into a control plane or the reverse."""
    current, desired = host.facts["cluster"]["role"], host.role
    if host.settled and current != desired:
        yield (
            "The host's role in the cluster differs from its role in the inventory.",
            f"it is a {ROLES.get(current, current)}; in the inventory it is a {ROLES.get(desired, desired)}",
            "Move it back to its group, or remove and reset the node before it joins with the new role.",
        )


@CHECKS.host("version_change")
def check_version_change(host: Host) -> Iterator[Finding]:
    """A run never changes the version of a member ("Version Skew Policy": upgrades have an order)."""
    running, configured = host.facts["cluster"]["version"], str(host.variables.get("kube_version"))
    current, desired = parse_version(running), parse_version(configured)
    if not host.member or not current or not desired or host.variables.get("preflight_upgrade"):
        return
    evidence = f"the node runs {running}; kube_version is {configured}"
    if desired < current:
        remedy = f"Set kube_version to {running} or later."
        yield (
            "kube_version is older than the running version; Kubernetes does not support downgrades.",
            evidence,
            remedy,
        )
    elif desired > current:
        yield (
            "kube_version is newer than the running version; this playbook does not upgrade nodes.",
            evidence,
            "To upgrade the cluster, run the playbook slipway.kube.upgrade (with --check for its plan only)."
            f" To keep its version, set kube_version to {running}.",
        )


@CHECKS.host("unhealthy")
def check_unhealthy(host: Host) -> Iterator[Finding]:
    """A member is healthy. If it is not, this is only a warning, because the run may repair it."""
    if host.settled and not host.facts["cluster"]["healthy"] and not host.facts["record"]["operation"]:
        yield (
            "A node of the cluster is not healthy.",
            f"the health check of its {'API server' if host.control_plane else 'etcd member' if host.etcd else 'kubelet'} fails",
            "Check `journalctl -u kubelet` and the logs in /var/log/pods on the host.",
            "warning",
        )


@CHECKS.host("etcd_change")
def check_etcd_change(host: Host) -> Iterator[Finding]:
    """The control planes of a cluster keep their stacked etcd, or the external one: its data are not moved."""
    if not host.control_plane or not host.settled:
        return
    stacked, external = "etcd" in host.facts["cluster"]["components"], bool(host.variables.get("external_etcd"))
    if stacked and external:
        yield (
            "The inventory has an external etcd, but etcd runs on the control planes of this cluster.",
            "there is a static pod etcd on it, and the group kube_etcd has hosts",
            "Remove the group kube_etcd. To move to an external etcd, create a new cluster and deploy the applications there.",
        )
    elif not stacked and not external and host.facts["cluster"]["etcd_servers"]:
        yield (
            "The cluster uses an external etcd, but the inventory has none.",
            f"its API server uses {', '.join(host.facts['cluster']['etcd_servers'])}, and the group kube_etcd has no host",
            "Add the hosts of etcd to the group kube_etcd.",
        )


@CHECKS.host("endpoint_change")
def check_endpoint_change(host: Host) -> Iterator[Finding]:
    """The endpoint stays the same unless it is to be moved, because every certificate and kubeconfig contains it."""
    desired, current = str(host.variables.get("kube_control_plane_endpoint") or ""), host.facts["cluster"]["endpoint"]
    if not host.control_plane or not host.settled or not desired or not current:
        return
    (new, new_port, _error), (old, old_port, _error) = split_endpoint(desired), split_endpoint(current)
    if (new, new_port or host.api_port) == (old, old_port or host.api_port):
        return
    if host.variables.get("kube_move_endpoint"):
        return
    vip = str(host.variables.get("kube_control_plane_vip") or "")
    variable = "kube_control_plane_vip" if new == vip else "kube_control_plane_endpoint"
    yield (
        f"{variable} differs from the endpoint of the cluster.",
        f"the cluster has {current}; {variable} is {vip if new == vip else desired}",
        f"To move the cluster to this endpoint, run with -e kube_move_endpoint=true. To keep its endpoint, set kube_control_plane_endpoint to"
        f" {old}{':' + str(old_port) if old_port not in (0, host.api_port) else ''}"
        + (" and remove kube_control_plane_vip." if new == vip else "."),
    )


@CHECKS.host("endpoint_change")
def check_endpoint_of_worker(host: Host) -> Iterator[Finding]:
    """A worker uses the endpoint of the inventory. One that was off when the cluster was moved has the old one."""
    desired, current = str(host.variables.get("kube_control_plane_endpoint") or ""), host.facts["cluster"]["endpoint"]
    moves = host.variables.get("kube_move_endpoint")
    if host.control_plane or not host.settled or not desired or not current or moves:
        return
    (new, new_port, _error), (old, old_port, _error) = split_endpoint(desired), split_endpoint(current)
    if (new, new_port or host.api_port) != (old, old_port or host.api_port):
        yield (
            "A worker does not use the endpoint of the inventory.",
            f"its kubelet uses {current}; kube_control_plane_endpoint is {desired}",
            "To let it use this endpoint, run with -e kube_move_endpoint=true.",
            "warning",
        )


@CHECKS.cluster("endpoint_change")
def check_endpoint_move(cluster: Cluster) -> Iterator[Finding]:
    """A move begins only with all control planes: one whose certificate lacks the new name could not be used through it."""
    if not cluster.variables.get("kube_move_endpoint"):
        return
    absent = [host.name for host in cluster.control_planes if not host.facts]
    if absent and any(host.settled for host in cluster.control_planes):
        yield (
            "",
            "The endpoint cannot be moved without all control planes.",
            f"kube_move_endpoint is true; this run does not include {', '.join(absent)}",
            "Run without --limit. Remove a control plane that is lost first, with slipway.kube.node_remove, and from the inventory.",
        )


@CHECKS.cluster("user_kubeconfig")
def check_user_kubeconfig(cluster: Cluster) -> Iterator[Finding]:
    """A user who receives this cluster's kubeconfig has none for another cluster, which is never overwritten."""
    reference = reference_control_plane(cluster)
    ca_hash = reference.facts["cluster"]["ca_hash"] if reference else ""
    for host in cluster.inspected:
        ca_hash = ca_hash or host.variables.get(RESTORED) or ""
        for user in (
            ["root", *(host.variables.get("control_plane_kubeconfig_users") or [])] if host.control_plane else []
        ):
            kubeconfig = host.facts["kubeconfigs"].get(user) or {"clusters": []}
            others = [entry for entry in kubeconfig["clusters"] if not ca_hash or entry["ca_hash"] != ca_hash]
            if others:
                servers = [f"{one['server'] or 'no server'} (CA {one['ca_hash'] or 'unknown'})" for one in others]
                yield (
                    host.name,
                    f"The kubeconfig of user {user} is for another cluster and would be overwritten.",
                    f"{kubeconfig['path']}: {'; '.join(servers)}",
                    "Move the file to another path.",
                )
