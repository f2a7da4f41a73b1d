# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a host the first control plane: what the module kubeadm_init does."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._host.record import Record
from .._host.system import HostError
from . import credentials, membership, recovery
from .admin import API_ERRORS, SECRETS, connect
from .config import check_patches, render, waived
from .run import KubeadmError, config_folder, make_lasting, run_kubeadm

# The token serves no one: it only keeps kubeadm from making one that lives for a day.
TOKEN_MINUTES = 15


def wait_for_api(server: str, seconds: int) -> None:
    """Wait until this host's API server is ready.

    Raises KubeadmError with what it last said.
    """
    client = connect(server=server)
    end = time.monotonic() + seconds
    while True:
        try:
            client.text("/readyz")
            return
        except API_ERRORS as error:
            reason = str(error)
        if time.monotonic() > end:
            raise KubeadmError(
                f"This host is a control plane, but its API server has not become ready within {seconds} seconds. Evidence: {reason}"
                " Remedy: see 'journalctl -u kubelet' and the logs in /var/log/pods/kube-system_* on it; etcd needs more than half"
                " of the control planes to be up."
            )
        time.sleep(2)


def init(params: Mapping[str, Any], token: str, lock: Any) -> float:
    """Run kubeadm init; how long it took, in seconds."""
    documents = [
        {**document, "bootstrapTokens": [credentials.init_token(token, TOKEN_MINUTES)]}
        if document.get("kind") == "InitConfiguration"
        else document
        for document in params["config"]
    ]
    started = time.monotonic()
    with config_folder(documents, params["patches"]) as folder:
        arguments = ["init", "--config", folder + "/config.yaml", "--skip-token-print", "--skip-certificate-key-print"]
        run_kubeadm(arguments, params["timeout"], lock, params["log"])
    return round(time.monotonic() - started, 1)


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Bring the host to where it should be; the module's result."""
    check_patches(params["patches"])
    record = Record.load(params["record_dir"])
    host = membership.look(record)
    action, why = membership.decide_init(host)
    if action == membership.REFUSE:
        raise HostError(why)
    if action == membership.NOTHING:
        if not check_mode:
            wait_for_api(params["server"], params["timeout"])
        return {"changed": False, "changes": [], "ca_cert_hash": host.ca_hash, "endpoint": host.endpoint}

    result: dict[str, Any] = {
        "changed": True,
        "changes": [],
        "ca_cert_hash": "",
        "endpoint": next(
            (
                doc.get("controlPlaneEndpoint", "")
                for doc in params["config"]
                if doc.get("kind") == "ClusterConfiguration"
            ),
            "",
        ),
        "diff": {"before": "", "after": render(params["config"]), "after_header": "configuration of kubeadm init"},
    }
    if action == membership.AGAIN:
        result["changes"].append(f"What is half made is cleared away: {why}.")
    result["changes"].append(
        f"kubeadm init makes '{params['node_name']}' the first control plane of '{params['cluster']}'."
    )
    result["warnings"] = [words for document in params["config"] for words in waived(document)]
    if check_mode:
        return result
    record.mark(params["cluster"])
    if action == membership.AGAIN:
        recovery.clear(
            host.operation,
            params["node_name"],
            params["node_addresses"],
            lock,
            params["record_dir"],
            etcd_data=params["etcd_data_dir"],
            cri_socket=params["cri_socket"],
            log=params["log"],
        )
    else:
        recovery.keep_authorities(params["record_dir"])
    record.begin("init")
    token = credentials.make_token()
    result["seconds"] = init(params, token, lock)
    make_lasting()
    record.finish()
    recovery.forget_authorities(params["record_dir"])
    # After the record: a finished control plane is not made again because this fails; the token ends by itself.
    connect(server=params["server"]).delete(f"{SECRETS}/bootstrap-token-{credentials.token_id(token)}")
    result["ca_cert_hash"] = membership.look(record).ca_hash
    return result
