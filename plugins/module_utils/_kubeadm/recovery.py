# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean-up after an interrupted kubeadm init or join, so that it can be repeated.

It runs only on a host whose record shows an interrupted operation. Nothing but the work of that operation can exist there, because other nodes
join, and pods start, only after it has finished.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any, Mapping

from . import etcd
from .admin import ADMIN, API_ERRORS, connect
from .run import POD_LOGS, KubeadmError, run_kubeadm

PKI = "/etc/kubernetes/pki"
SAVED_PKI = "pki"
NETWORK_FILES = (
    "/etc/cni/net.d/05-cilium.conflist",
    "/etc/cni/net.d/10-flannel.conflist",
    "/etc/cni/net.d/10-calico.conflist",
    "/etc/cni/net.d/calico-kubeconfig",
    "/run/flannel",
    "/var/lib/cni",
)
INTERFACES = ("cni0", "flannel.1", "vxlan.calico", "cilium_host", "cilium_vxlan", "cilium_geneve")
RESET_TIMEOUT = 300
ETCD_PATIENCE = 90.0


def save_pki(record_folder: str, pki: str = PKI) -> None:
    """Save the content of kubeadm's certificate directory before an init: the site may have provided its own CA there."""
    saved = Path(record_folder) / SAVED_PKI
    if not saved.exists() and Path(pki).is_dir() and any(Path(pki).iterdir()):
        copy = saved.with_suffix(".part")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(pki, copy)
        copy.chmod(0o700)
        copy.rename(saved)


def restore_pki(record_folder: str, pki: str = PKI) -> None:
    """Restore what :func:`save_pki` saved."""
    saved = Path(record_folder) / SAVED_PKI
    if saved.is_dir():
        shutil.rmtree(pki, ignore_errors=True)
        shutil.copytree(saved, pki)


def discard_saved_pki(record_folder: str) -> None:
    """Delete what :func:`save_pki` saved, after the init has finished."""
    shutil.rmtree(Path(record_folder) / SAVED_PKI, ignore_errors=True)


def other_nodes(name: str, kubeconfig: str = ADMIN) -> list[str]:
    """Return the names of other nodes in the cluster of this host's unfinished control plane, [] if it serves none."""
    if not Path(kubeconfig).exists():
        return []
    try:
        nodes = connect(kubeconfig, timeout=10, patience=0).items("/api/v1/nodes")
    except API_ERRORS:
        return []
    return sorted(node["metadata"]["name"] for node in nodes if node["metadata"]["name"] != name)


def empty_folder(path: str) -> None:
    """Delete the content of a directory but not the directory, which may be a mount point."""
    folder = Path(path)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def clean_up(params: Mapping[str, Any], operation: str, lock: Any) -> None:
    """Restore the state of the host before an interrupted operation.

    A control plane that was joining may already be a voting member of etcd. It leaves etcd while it still runs: if its data were deleted
    first, a cluster of two members would lose its quorum.

    :param params: of the module kubeadm_init or kubeadm_join: ``node_name``, ``node_addresses``, ``record_dir``, ``etcd_data_dir``,
        ``cri_socket``, ``log`` and, for a join, ``etcd_endpoints`` (``https://ADDRESS:2379`` of the other control planes).
    :param operation: ``init`` or ``join``.
    :raises KubeadmError: the host cannot be cleaned up safely.
    """
    name = params["node_name"]
    endpoints = list(params.get("etcd_endpoints") or [])
    if operation == "init":
        others = other_nodes(name)
        if others:
            raise KubeadmError(
                f"kubeadm init was interrupted on this host, but its cluster has other nodes: {', '.join(others)}. Nothing was changed. To keep"
                ' this cluster, finish it manually (\'kubeadm init phase ...\') and set "operation" to "" in the record of the host.'
                " Otherwise, reset these hosts."
                " [slipway:init_interrupted]"
            )
    elif endpoints and etcd.has_credentials():
        etcd.remove_member(endpoints, name, params["node_addresses"], patience=ETCD_PATIENCE)
    # Without a kubeconfig, kubeadm does not contact a cluster that may not respond. The etcd member was removed above.
    arguments = ["reset", "--force", "--skip-phases", "remove-etcd-member", "--cleanup-tmp-dir"]
    arguments += ["--kubeconfig", "/nonexistent", "--cri-socket", params["cri_socket"]]
    run_kubeadm(arguments, RESET_TIMEOUT, lock, params["log"])
    for folder in (params["etcd_data_dir"], "/var/log/containers", POD_LOGS):
        empty_folder(folder)
    for path in NETWORK_FILES:
        if Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
    for interface in INTERFACES:
        if Path("/sys/class/net", interface).exists():
            subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)  # pylint: disable=ansible-bad-function
    if operation == "init":
        restore_pki(params["record_dir"])
