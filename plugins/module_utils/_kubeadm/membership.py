# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is to a cluster, and what is to be done with it: the decision before kubeadm runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .._host.facts.cluster import parse_kubeconfig
from .._host.record import Record
from .._kube.x509 import ca_cert_hash

KUBERNETES = "/etc/kubernetes"
NOTHING, DO, AGAIN, REFUSE = "nothing", "do", "again", "refuse"


@dataclass
class Membership:
    """What a host's files and record say.

    ``joined``: the kubelet has a kubeconfig and its configuration; ``serves``: it has an API server's manifest and admin.conf.
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


def look(record: Record, folder: str = KUBERNETES, kubelet: str = "/var/lib/kubelet") -> Membership:
    """See what a host is."""
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


def decide_init(host: Membership) -> tuple[str, str]:
    """(what to do, why) for a host that is to be the first control plane."""
    if host.operation:
        return AGAIN, f"its {host.operation} was begun and not finished"
    if not host.joined and not host.serves:
        return DO, ""
    if not host.cluster:
        return REFUSE, _foreign(host)
    if not host.serves:
        return REFUSE, (
            f"This host is a worker of the cluster at {host.endpoint or 'an unknown endpoint'}; it cannot be made a control plane."
            " Reset it first, or put it into the group kube_worker."
        )
    return NOTHING, ""


def decide_join(host: Membership, control_plane: bool, ca_hashes: list[str]) -> tuple[str, str]:
    """(what to do, why) for a host that is to join. ``ca_hashes``: of the cluster that it is to be in; [] where not known."""
    if host.operation:
        return AGAIN, f"its {host.operation} was begun and not finished"
    if not host.joined and not host.serves:
        return DO, ""
    if not host.cluster:
        return REFUSE, _foreign(host)
    if ca_hashes and host.ca_hash not in ca_hashes:
        return REFUSE, (
            f"This host is in another cluster: its CA is {host.ca_hash or 'unknown'}, and that of the cluster it is to join"
            f" is {', '.join(ca_hashes)}. It was not touched. Reset it first, or take it out of the inventory."
        )
    if control_plane and not host.serves:
        return REFUSE, (
            "This host is in the cluster as a worker and is to be a control plane. Remove the node and reset the host, then run"
            " again; or put it into the group kube_worker."
        )
    return NOTHING, ""


def _foreign(host: Membership) -> str:
    return (
        f"This host is in a cluster that this collection did not make (endpoint {host.endpoint or 'unknown'}, CA"
        f" {host.ca_hash or 'unknown'}); it was not touched. Reset it with the tool that made it, or take it out of the inventory."
    )
