# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cluster a host is in, and at which version: nothing that belongs to somebody else is ever taken over or reset.

Pure functions from a Cluster to problems.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

from ...module_utils._kube.versions import parse_version
from .problem import Cluster, Host, Problem
from .syntax import split_endpoint


def reference(cluster: Cluster) -> Host | None:
    """The control plane whose authority is the cluster's: one that this collection made and that answers, before others."""
    members = [host for host in cluster.control_planes if host.member and host.look["cluster"]["ca_hash"]]
    ranked = sorted(members, key=lambda host: (not host.ours, not host.look["cluster"]["healthy"]))
    return ranked[0] if ranked else None


def check_record(cluster: Cluster) -> Iterator[Problem]:
    """The record of what a host was can be read and is this cluster's."""
    for host in cluster.seen:
        record, name = host.look["record"], host.want.get("kube_cluster_name")
        if not record["readable"]:
            yield Problem(
                "record",
                host.name,
                "The record of what the host was before it became a node is damaged.",
                f"{host.want.get('kube_record_dir')}/host.json cannot be understood",
                "Restore it from a backup, or set the host up anew.",
            )
        elif record["marked"] and record["cluster"] != name:
            yield Problem(
                "other_cluster",
                host.name,
                "The host belongs to another cluster.",
                f"it was made ready for '{record['cluster']}'; kube_cluster_name is '{name}'",
                f"Remove it from this inventory, or reset it with the inventory of '{record['cluster']}' first.",
            )


def check_other_cluster(cluster: Cluster) -> Iterator[Problem]:
    """Every member trusts the authority of this cluster's control plane."""
    source = reference(cluster)
    for host in cluster.seen:
        if not host.member or (source and host.name == source.name):
            continue
        theirs = host.look["cluster"]["ca_hash"]
        if source and theirs != source.look["cluster"]["ca_hash"]:
            where = host.look["cluster"]["endpoint"]
            yield Problem(
                "other_cluster",
                host.name,
                "The host belongs to another cluster.",
                "its CA is {} (API at {}), that of {} is {}".format(
                    theirs or "unknown", where or "unknown", source.name, source.look["cluster"]["ca_hash"]
                ),
                "Remove it from this inventory, or take it out of its cluster and reset it on purpose first.",
            )
        elif not source and all(plane.look for plane in cluster.control_planes):
            yield Problem(
                "other_cluster",
                host.name,
                "The host is in a cluster of which no control plane is in this inventory.",
                f"its API is at {host.look['cluster']['endpoint'] or 'unknown'}, its CA is {theirs or 'unknown'}",
                "Add that cluster's control planes to the inventory, or reset this host on purpose first.",
            )


def check_unmarked(cluster: Cluster) -> Iterator[Problem]:
    """A cluster that something else made is not taken over unasked."""
    for host in cluster.seen:
        if host.member and not host.look["record"]["marked"] and host.look["record"]["readable"]:
            yield Problem(
                "unmarked_member",
                host.name,
                "The host is in a cluster that this collection did not make.",
                "there is no record in {}; its API is at {}".format(
                    host.want.get("kube_record_dir"), host.look["cluster"]["endpoint"]
                ),
                "Use another host, or reset this one with the tool that made it a node.",
            )


def check_leftovers(cluster: Cluster) -> Iterator[Problem]:
    """A host that is in no cluster has no remains of one that this collection did not begin to make."""
    for host in cluster.seen:
        seen = host.look["cluster"]
        remains = [f"static pod {name}" for name in seen["manifests"]]
        remains += ["data of an etcd member"] if seen["etcd_data"] else []
        remains += ["credentials of a join that has begun"] if seen["bootstrapping"] else []
        if remains and not host.member and not host.look["record"]["marked"]:
            yield Problem(
                "leftovers",
                host.name,
                "The host has remains of another cluster.",
                ", ".join(remains),
                "Save what is needed, then run `kubeadm reset` there.",
            )


def check_role(cluster: Cluster) -> Iterator[Problem]:
    """A node stays what it is: kubeadm turns no worker into a control plane, nor back."""
    for host in cluster.seen:
        has, wants = host.look["cluster"]["role"], "control_plane" if host.control_plane else "worker"
        if host.settled and has != wants:
            yield Problem(
                "role",
                host.name,
                "The host has another role in the cluster than in the inventory.",
                f"it is a {has.replace('_', ' ')}, the inventory makes it a {wants.replace('_', ' ')}",
                "Put it back into its group, or remove and reset the node and let it join anew.",
            )


def check_version_change(cluster: Cluster) -> Iterator[Problem]:
    """A run never changes the version of a node that is in a cluster ("Version Skew Policy": upgrades have an order)."""
    running = {}
    for host in cluster.seen:
        installed, wanted = host.look["cluster"]["version"], str(host.want.get("kube_version"))
        have, want = parse_version(installed), parse_version(wanted)
        if not host.member or not have or not want:
            continue
        running[host.name] = have
        if want < have:
            yield Problem(
                "version_change",
                host.name,
                "The wanted version is older than the one that runs; Kubernetes cannot go back.",
                f"{installed} runs, kube_version is {wanted}",
                f"Set kube_version to {installed} or later.",
            )
        elif want > have:
            yield Problem(
                "version_change",
                host.name,
                "The wanted version is newer than the one that runs; this run changes no node's version.",
                f"{installed} runs, kube_version is {wanted}",
                f"Set kube_version to {installed}. To upgrade the cluster, use kubeadm's own procedure (kubeadm upgrade), then set kube_version.",
            )


def check_unhealthy(cluster: Cluster) -> Iterator[Problem]:
    """A member answers that it lives; one that does not is told, for the run may be what repairs it."""
    for host in cluster.seen:
        if host.settled and not host.look["cluster"]["healthy"] and not host.look["record"]["operation"]:
            part = "API server" if host.control_plane else "kubelet"
            yield Problem(
                "unhealthy",
                host.name,
                "A node of the cluster does not answer.",
                f"its local {part} does not say that it lives",
                "Look at `journalctl -u kubelet` and `crictl ps -a` there.",
                "warning",
            )


def check_endpoint_change(cluster: Cluster) -> Iterator[Problem]:
    """The endpoint is in every certificate and kubeconfig: it does not change by a variable."""
    for host in cluster.control_planes:
        wanted = str(host.want.get("kube_control_plane_endpoint") or "")
        if not host.look or not host.settled or not wanted or not host.look["cluster"]["endpoint"]:
            continue
        port = int(host.want.get("kube_api_port") or 6443)
        want, have = split_endpoint(wanted), split_endpoint(host.look["cluster"]["endpoint"])
        if (want[0], want[1] or port) != (have[0], have[1] or port):
            yield Problem(
                "endpoint_change",
                host.name,
                "The cluster has another endpoint than is wanted.",
                f"it has {host.look['cluster']['endpoint']}, kube_control_plane_endpoint is {wanted}",
                "Set kube_control_plane_endpoint to what the cluster has.",
            )


def check_user_kubeconfig(cluster: Cluster) -> Iterator[Problem]:
    """A user who is to get this cluster's kubeconfig has none of another cluster: that is never overwritten."""
    source = reference(cluster)
    ours = source.look["cluster"]["ca_hash"] if source else ""
    for host in cluster.seen:
        for user in ["root", *(host.want.get("control_plane_kubeconfig_users") or [])] if host.control_plane else []:
            theirs = host.look["kubeconfigs"].get(user)
            others = [one for one in theirs["clusters"] if not ours or one["ca_hash"] != ours] if theirs else []
            if others:
                shown = "; ".join(
                    f"{one['server'] or 'no server'} (CA {one['ca_hash'] or 'unknown'})" for one in others
                )
                yield Problem(
                    "user_kubeconfig",
                    host.name,
                    f"The kubeconfig of user {user} leads to another cluster, and would have to be overwritten.",
                    f"{theirs['path']}: {shown}",
                    "Move the file away.",
                )


CHECKS: dict[str, Callable[[Cluster], Iterator[Problem]]] = {
    "record": check_record,
    "other_cluster": check_other_cluster,
    "unmarked_member": check_unmarked,
    "leftovers": check_leftovers,
    "role": check_role,
    "version_change": check_version_change,
    "unhealthy": check_unhealthy,
    "endpoint_change": check_endpoint_change,
    "user_kubeconfig": check_user_kubeconfig,
}
