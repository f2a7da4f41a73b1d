# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining a host to a cluster: what the module kubeadm_join does."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._host.record import Record
from .._host.system import HostError
from . import membership, recovery
from .config import add_credentials, check_patches, render, waived
from .run import config_folder, make_lasting, run_kubeadm


def clear(params: Mapping[str, Any], operation: str, lock: Any) -> list[str]:
    """Clear away an unfinished operation."""
    return recovery.clear(
        operation,
        params["node_name"],
        params["node_addresses"],
        lock,
        params["record_dir"],
        etcd_endpoints=params["etcd_endpoints"],
        etcd_data=params["etcd_data_dir"],
        cri_socket=params["cri_socket"],
        log=params["log"],
    )


def join(params: Mapping[str, Any], lock: Any) -> float:
    """Run kubeadm join; how long it took, in seconds."""
    document = add_credentials(params["config"], params["token"], params["ca_cert_hashes"], params["certificate_key"])
    started = time.monotonic()
    with config_folder([document], params["patches"]) as folder:
        run_kubeadm(["join", "--config", folder + "/config.yaml"], params["timeout"], lock, params["log"])
    return round(time.monotonic() - started, 1)


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Bring the host to where it should be; the module's result."""
    check_patches(params["patches"])
    record = Record.load(params["record_dir"])
    host = membership.look(record)
    control_plane = "controlPlane" in (params["config"] or {})
    action, why = membership.decide_join(host, control_plane, params["ca_cert_hashes"])
    if action == membership.REFUSE:
        raise HostError(why)
    if action == membership.NOTHING:
        return {"changed": False, "changes": [], "joined": True}
    only_clear = params["state"] == "ready_to_join"
    if only_clear and action == membership.DO:
        return {"changed": False, "changes": [], "joined": False}

    result: dict[str, Any] = {"changed": True, "changes": [], "joined": False}
    if action == membership.AGAIN:
        result["changes"].append(f"What is half made is cleared away: {why}.")
        if not check_mode:
            clear(params, host.operation, lock)
            if only_clear:
                record.finish()
    if only_clear:
        return result
    kind = "control plane" if control_plane else "worker"
    result["changes"].append(f"kubeadm join makes '{params['node_name']}' a {kind} of '{params['cluster']}'.")
    result["diff"] = {
        "before": "",
        "after": render([params["config"]]),
        "after_header": "configuration of kubeadm join",
    }
    result["warnings"] = waived(params["config"])
    if check_mode:
        return result
    if not params["ca_cert_hashes"]:
        raise HostError(
            "No CA hash is given, so that any server could pass for the cluster. Give ca_cert_hashes of the module kubeadm_credentials."
        )
    record.mark(params["cluster"])
    record.begin("join")
    result["seconds"] = join(params, lock)
    make_lasting()
    record.finish()
    result["joined"] = True
    return result
