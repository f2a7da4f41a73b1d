# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clearing away what an init or join that was not finished has left, so that it can be done again.

Only a host whose record says that an operation was begun and not finished is cleared: nothing but that operation's own
work can be there then, for others join and pods come only after it has ended.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable

from . import etcd
from .admin import ADMIN, API_ERRORS, connect
from .config import CRI_SOCKET
from .run import LOG, KubeadmError, run_kubeadm

PKI = "/etc/kubernetes/pki"
KEPT_PKI = "pki"
ETCD_DATA = "/var/lib/etcd"
# The pod network starts on a node as soon as that has joined: a new node of that name gets other addresses.
NETWORK_FILES = (
    "/etc/cni/net.d/10-flannel.conflist",
    "/etc/cni/net.d/10-calico.conflist",
    "/etc/cni/net.d/calico-kubeconfig",
    "/run/flannel",
    "/var/lib/cni",
)
# The kubelet counts a static pod's restarts by the logs it finds.
POD_LOGS = ("/var/log/containers", "/var/log/pods")
INTERFACES = ("cni0", "flannel.1", "vxlan.calico")
RESET_TIMEOUT = 300
# A host that was just switched on brings its member up in about half a minute, and only then is there a majority.
ETCD_PATIENCE = 90.0


def keep_authorities(record_folder: str, pki: str = PKI) -> None:
    """Put aside what is in kubeadm's certificate folder before an init: a site may have brought its own CA there."""
    kept = Path(record_folder) / KEPT_PKI
    if not kept.exists() and Path(pki).is_dir() and any(Path(pki).iterdir()):
        copy = kept.with_suffix(".part")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(pki, copy)
        copy.chmod(0o700)
        copy.rename(kept)


def put_authorities_back(record_folder: str, pki: str = PKI) -> None:
    """Put back what keep_authorities() put aside."""
    kept = Path(record_folder) / KEPT_PKI
    if kept.is_dir():
        shutil.rmtree(pki, ignore_errors=True)
        shutil.copytree(kept, pki)


def forget_authorities(record_folder: str) -> None:
    """The init is finished: what was put aside is in use and need not lie about twice."""
    shutil.rmtree(Path(record_folder) / KEPT_PKI, ignore_errors=True)


def other_nodes(name: str, kubeconfig: str = ADMIN) -> list[str]:
    """Names of other nodes in the cluster that this host's half-made control plane serves; [] where it serves none."""
    if not Path(kubeconfig).exists():
        return []
    try:
        nodes = connect(kubeconfig, timeout=10, patience=0).items("/api/v1/nodes")
    except API_ERRORS:
        return []
    return sorted(node["metadata"]["name"] for node in nodes if node["metadata"]["name"] != name)


def empty_folder(path: str) -> None:
    """Remove what is in a folder and leave the folder, which may be a mount."""
    folder = Path(path)
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def clear(
    operation: str,
    name: str,
    addresses: Iterable[str],
    lock: Any,
    record_folder: str,
    etcd_endpoints: Iterable[str] = (),
    etcd_data: str = ETCD_DATA,
    cri_socket: str = CRI_SOCKET,
    log: str = LOG,
) -> list[str]:
    """Make the host as it was before an unfinished *operation* (``init`` or ``join``); what was done, in words.

    A control plane that was joining may be a voting member of etcd already. It leaves while it still runs: were its data
    removed first, two members would be one short of a majority.

    :param name: the node's name, :param addresses: its addresses.
    :param etcd_endpoints: ``https://ADDRESS:2379`` of the other control planes.

    Raises KubeadmError where the host cannot be cleared without harm.
    """
    done: list[str] = []
    endpoints = list(etcd_endpoints)
    if operation == "init":
        others = other_nodes(name)
        if others:
            raise KubeadmError(
                f"The init of this host was not finished, and yet its cluster has other nodes: {', '.join(others)}. It is left as it is."
                ' If that cluster is wanted, finish it by hand (\'kubeadm init phase ...\') and set "operation" to "" in the host\'s record;'
                " if not, reset these hosts."
            )
    elif endpoints and etcd.has_credentials():
        done += etcd.remove_member(endpoints, name, addresses, patience=ETCD_PATIENCE)
    # Without a kubeconfig kubeadm does not ask a cluster that may be silent; its own member was seen to above.
    arguments = ["reset", "--force", "--skip-phases", "remove-etcd-member", "--cleanup-tmp-dir"]
    run_kubeadm([*arguments, "--kubeconfig", "/nonexistent", "--cri-socket", cri_socket], RESET_TIMEOUT, lock, log)
    for folder in (etcd_data, *POD_LOGS):
        empty_folder(folder)
    for path in NETWORK_FILES:
        if Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
    for interface in INTERFACES:
        if Path("/sys/class/net", interface).exists():
            subprocess.run(
                ["ip", "link", "delete", interface], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    if operation == "init":
        put_authorities_back(record_folder)
    done.append(f"what an unfinished {operation} left")
    return done
