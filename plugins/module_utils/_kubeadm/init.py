# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creation of the first control plane: the core of the module kubeadm_init."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._host.record import Record
from .._host.system import HostError, System
from .._kube.progress import tell
from . import apiserver_files, credentials, etcd_certificates, etcd_user, membership, recovery, restore
from .admin import API_ERRORS, SECRETS, cluster_id, connect
from .config import check_patches, ignored_checks, render
from .run import KubeadmError, config_folder, run_kubeadm, sync_kubeadm_files

# Nobody uses the token: it only keeps kubeadm from creating one that is valid for a day.
TOKEN_MINUTES = 15


def wait_for_api(server: str, seconds: int) -> None:
    """Wait until the API server of this host is ready.

    :param server: its URL, "" for the one in the administrator's kubeconfig.
    :raises KubeadmError: it does not become ready in time.
    """
    client = connect(server=server)
    end = time.monotonic() + seconds
    while True:
        try:
            client.text("/readyz")
            return
        except API_ERRORS as error:
            reason = str(error)
        tell("waits for the API server", reason)
        if time.monotonic() > end:
            raise KubeadmError(
                f"This host is a control plane, but its API server did not become ready within {seconds} seconds. Evidence: {reason}"
                " Remedy: see 'journalctl -u kubelet' and the logs in /var/log/pods/kube-system_* on it. etcd needs more than half"
                " of the control planes to be running."
                " [slipway:component_timeout]"
            )
        time.sleep(0.5)


def is_restored(record: Record, manifest: Mapping[str, Any]) -> bool:
    """Return whether this host was restored from this very backup already: what was written since is not lost by a second run."""
    return bool(manifest) and record.restored == manifest["digest"] and not record.operation


def run_init(params: Mapping[str, Any], config: list[dict[str, Any]], token: str, lock: Any) -> float:
    """Run kubeadm init and return how many seconds it took."""
    documents = [
        {**document, "bootstrapTokens": [credentials.init_token(token, TOKEN_MINUTES)]}
        if document.get("kind") == "InitConfiguration"
        else document
        for document in config
    ]
    started = time.monotonic()
    with config_folder(documents, params["patches"]) as folder:
        arguments = ["init", "--config", folder + "/config.yaml", "--skip-token-print", "--skip-certificate-key-print"]
        run_kubeadm(arguments, params["timeout"], lock, params["log"])
    return round(time.monotonic() - started, 1)


def shown(config: list[dict[str, Any]], files: list[dict[str, str]]) -> str:
    """Return kubeadm's configuration and the files of the API server, for a diff."""
    return render(config) + "".join(f"--- {one['path']}\n{one['content']}" for one in files)


def _prepare_host(
    params: Mapping[str, Any], config: list[dict[str, Any]], record: Record, operation: str, action: str, lock: Any
) -> None:
    """Clean up after an interrupted operation, record that a new one begins, and restore the backup if there is one.

    :param operation: the interrupted one.
    """
    restoring = bool(params["restore"])
    if restoring:
        record.begin(
            "restore"
        )  # before the old control plane goes: a later init must not take the host for a fresh one
    if action == membership.REPEAT:
        client = etcd_certificates.read_client() if restore.is_external(config) else {}
        recovery.clean_up(params, "restore" if restoring else operation, lock)
        etcd_certificates.place_client(client)  # it was issued before this module, and the clean-up deletes it
    else:
        recovery.save_pki(params["record_dir"])
    apiserver_files.prepare(params["files"], config)
    etcd_user.own_data(params["etcd_data_dir"], record, System())
    if restoring:
        restore.prepare(params, config)
    else:
        record.begin("init")


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Make this host the first control plane and return the result of the module.

    :param lock: the lock of the host, None in check mode.
    :raises HostError: the host cannot become one, or kubeadm fails.
    """
    check_patches(params["patches"])
    record = Record.load(params["record_dir"])
    host = membership.read_membership(record)
    manifest = restore.read_manifest(params["restore"]) if params["restore"] and not check_mode else {}
    action, reason = membership.decide_init(host, bool(params["restore"]) and not is_restored(record, manifest))
    if action == membership.REFUSE:
        raise HostError(reason)
    if action == membership.NOTHING:
        if not check_mode:
            wait_for_api(params["server"], params["timeout"])
        return {"changed": False, "changes": [], "ca_cert_hash": host.ca_hash, "endpoint": host.endpoint}

    changes = [f"Cleaned up: {reason}."] if action == membership.REPEAT else []
    if params["restore"]:
        data = "" if restore.is_external(params["config"]) else " and the data of etcd"
        changes.append(f"The PKI{data} {'are' if data else 'is'} restored from the backup.")
    changes.append(f"kubeadm init creates '{params['node_name']}', the first control plane of '{params['cluster']}'.")
    config = restore.adjust(params["config"], params["etcd_data_dir"]) if params["restore"] else params["config"]
    endpoints = [document.get("controlPlaneEndpoint") for document in config]
    result: dict[str, Any] = {
        "changed": True,
        "changes": changes,
        "ca_cert_hash": "",
        "endpoint": next(filter(None, endpoints), ""),
        "diff": {
            "before": "",
            "after": shown(config, params["files"]),
            "after_header": "configuration of kubeadm init",
        },
        "warnings": [warning for document in params["config"] for warning in ignored_checks(document)],
    }
    if check_mode:
        return result
    record.mark(params["cluster"])
    _prepare_host(params, config, record, host.operation, action, lock)
    token = credentials.make_token()
    result["seconds"] = run_init(params, config, token, lock)
    sync_kubeadm_files()
    result["ca_cert_hash"] = membership.read_membership(record).ca_hash
    record.restored = manifest.get("digest", "")
    record.identify(result["ca_cert_hash"], "")
    record.finish()
    recovery.discard_saved_pki(params["record_dir"])
    # After the record is finished: if this fails, the init is not repeated, and the token expires.
    client = connect(server=params["server"])
    client.delete(f"{SECRETS}/bootstrap-token-{credentials.token_id(token)}")
    record.identify("", cluster_id(client))
    return result
