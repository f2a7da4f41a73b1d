# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining a host to a cluster: the core of the module kubeadm_join."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._host.record import Record
from .._host.system import HostError, System
from . import apiserver_files, etcd_user, membership, recovery
from .config import add_credentials, check_patches, ignored_checks, render
from .run import config_folder, run_kubeadm, sync_kubeadm_files


def run_join(params: Mapping[str, Any], lock: Any) -> float:
    """Run kubeadm join and return how many seconds it took."""
    document = add_credentials(params["config"], params["token"], params["ca_cert_hashes"], params["certificate_key"])
    started = time.monotonic()
    with config_folder([document], params["patches"]) as folder:
        run_kubeadm(["join", "--config", folder + "/config.yaml"], params["timeout"], lock, params["log"])
    return round(time.monotonic() - started, 1)


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Join this host to the cluster and return the result of the module.

    :param lock: the lock of the host, None in check mode.
    :raises HostError: the host cannot join, or kubeadm fails.
    """
    check_patches(params["patches"])
    record = Record.load(params["record_dir"])
    host = membership.read_membership(record)
    control_plane = "controlPlane" in (params["config"] or {})
    action, reason = membership.decide_join(host, control_plane, params["ca_cert_hashes"])
    if action == membership.REFUSE:
        raise HostError(reason)
    if action == membership.NOTHING:
        return {"changed": False, "changes": [], "joined": True}
    only_clean_up = params["state"] == "ready_to_join"
    if only_clean_up and action == membership.RUN:
        return {"changed": False, "changes": [], "joined": False}

    result: dict[str, Any] = {"changed": True, "changes": [], "joined": False}
    if action == membership.REPEAT:
        result["changes"].append(f"Cleaned up: {reason}.")
        if not check_mode:
            recovery.clean_up(params, host.operation, lock)
            if only_clean_up:
                record.finish()
    if only_clean_up:
        return result
    role = "control plane" if control_plane else "worker"
    result["changes"].append(f"kubeadm join adds '{params['node_name']}' to '{params['cluster']}' as a {role}.")
    result["diff"] = {
        "before": "",
        "after": render([params["config"]]),
        "after_header": "configuration of kubeadm join",
    }
    result["warnings"] = ignored_checks(params["config"])
    if check_mode:
        return result
    if not params["ca_cert_hashes"]:
        raise HostError(
            "No CA hash is given, so the identity of the cluster cannot be verified. Set ca_cert_hashes to the result of kubeadm_credentials."
            " [slipway:module_options]"
        )
    record.mark(params["cluster"])
    record.begin("join")
    apiserver_files.write_files(params["files"])
    if control_plane:
        etcd_user.own_data(params["etcd_data_dir"], record, System())
    result["seconds"] = run_join(params, lock)
    sync_kubeadm_files()
    record.identify(membership.read_membership(record).ca_hash, params["cluster_id"])
    record.finish()
    result["joined"] = True
    return result
