# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The membership of a host in a cluster, and the decision whether kubeadm runs on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .._host.facts.cluster import parse_kubeconfig
from .._host.record import Record
from .._kube.x509 import ca_cert_hash

KUBERNETES = "/etc/kubernetes"
KUBELET = "/var/lib/kubelet"
# What to do: nothing, run kubeadm, clean up an interrupted operation and run it again, or fail.
NOTHING, RUN, REPEAT, REFUSE = "nothing", "run", "repeat", "refuse"


@dataclass
class Membership:
    """The state of a host according to its files and its record.

    :ivar joined: the kubelet has a kubeconfig and a configuration.
    :ivar serves: the host has admin.conf and the static pod manifest of an API server.
    :ivar operation: ``init`` or ``join`` if it was interrupted.
    """

    joined: bool = False
    serves: bool = False
    ca_hash: str = ""
    endpoint: str = ""
    cluster: str = ""
    operation: str = ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def read_membership(record: Record, folder: str = KUBERNETES, kubelet: str = KUBELET) -> Membership:
    """Return the membership of this host."""
    base = Path(folder)
    admin = _read(base / "admin.conf")
    config = parse_kubeconfig(admin or _read(base / "kubelet.conf"))
    return Membership(
        joined=(base / "kubelet.conf").exists() and (Path(kubelet) / "config.yaml").exists(),
        serves=bool(admin) and (base / "manifests" / "kube-apiserver.yaml").exists(),
        ca_hash=ca_cert_hash(_read(base / "pki" / "ca.crt") or config["ca"]),
        endpoint=config["server"].replace("https://", ""),
        cluster=record.cluster_name,
        operation=record.operation,
    )


def decide_init(host: Membership, restoring: bool = False) -> tuple[str, str]:
    """Return (what to do, why) for a host that becomes the first control plane.

    :param restoring: a backup is restored on it, which replaces the control plane that it may be.
    """
    if host.operation == "restore" and not restoring:
        return REFUSE, (
            "The restore of a backup was interrupted on this host. It was not changed. Run slipway.kube.restore again with the same archive,"
            " or reset the host to create a new cluster on it. [slipway:restore_interrupted]"
        )
    if restoring and host.serves and host.cluster and not host.operation:
        return REPEAT, "the control plane of this host is replaced by the backup"
    decision = _decide(host)
    if decision:
        return decision
    if not host.serves:
        return REFUSE, (
            f"This host is a worker of the cluster at {host.endpoint or 'an unknown endpoint'} and cannot become a control plane."
            " Reset it first, or move it to the group kube_worker."
        )
    return NOTHING, ""


def decide_join(host: Membership, control_plane: bool, ca_hashes: list[str]) -> tuple[str, str]:
    """Return (what to do, why) for a host that joins a cluster.

    :param ca_hashes: CA hashes of the cluster to join, [] if unknown.
    """
    decision = _decide(host)
    if decision:
        return decision
    if ca_hashes and host.ca_hash not in ca_hashes:
        return REFUSE, (
            f"This host belongs to another cluster: the hash of its CA is {host.ca_hash or 'unknown'}, that of the cluster to join"
            f" is {', '.join(ca_hashes)}. It was not changed. Reset it first, or remove it from the inventory."
        )
    if control_plane and not host.serves:
        return REFUSE, (
            "This host is a worker of the cluster, but the inventory lists it as a control plane. Remove the node and reset the host, then"
            " run again; or move it to the group kube_worker."
        )
    return NOTHING, ""


def _decide(host: Membership) -> tuple[str, str] | None:
    if host.operation:
        return REPEAT, f"kubeadm {host.operation} was interrupted"
    if not host.joined and not host.serves:
        return RUN, ""
    if host.cluster:
        return None
    return REFUSE, (
        f"This host belongs to a cluster that this collection did not create (endpoint {host.endpoint or 'unknown'}, CA"
        f" {host.ca_hash or 'unknown'}). It was not changed. Reset it with the tool that created the cluster, or remove it from the inventory."
    )
