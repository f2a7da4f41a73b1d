# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrading a node with kubeadm: the core of the module kubeadm_upgrade.

Order: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from .._host.facts.cluster import read_components
from .._host.facts.files import Files
from .._host.record import Record
from .._host.system import HostError
from .._kube.api import Client
from .._kube.progress import tell
from .._kube.readiness import readiness
from . import etcd
from .admin import connect
from .config import build_upgrade, check_patches, ignored_checks, render
from .init import wait_for_api
from .membership import KUBERNETES
from .run import config_folder, run_kubeadm, sync_kubeadm_files

CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
ADD_ONS = (
    "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
    "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
)
APPLY, NODE = "apply", "node"


@dataclass
class State:
    """What decides which command of kubeadm a node needs.

    :ivar interrupted: arguments of a ``kubeadm upgrade`` that has not ended, ``apply 1.37.2``.
    :ivar components: version of each static pod of the control plane, {} on a worker.
    :ivar cluster: version in kubeadm's ClusterConfiguration, "" on a worker.
    """

    interrupted: str = ""
    components: dict[str, str] = field(default_factory=dict)
    cluster: str = ""


def decide(state: State, version: str) -> str:
    """Return the command that upgrades a node: ``apply`` for the first control plane, ``node`` for the others, "" if none is needed.

    An interrupted command is run again: some of its phases come after those by which its progress can be recognized. A worker always
    needs ``node``, which writes the kubelet's configuration and takes a second.
    """
    if not state.components:
        return NODE
    command, _blank, aim = state.interrupted.partition(" ")
    if state.cluster != version or command == APPLY and aim == version:
        return APPLY
    behind = [name for name, have in state.components.items() if name != "etcd" and have != version]
    return NODE if behind or state.interrupted else ""


def cluster_version(client: Client) -> str:
    """Return the version in kubeadm's ClusterConfiguration, which ``kubeadm upgrade apply`` writes last of the control plane.

    :raises HostError: the cluster has no such ConfigMap.
    """
    text = ((client.find(CONFIG) or {}).get("data") or {}).get("ClusterConfiguration", "")
    match = re.search(r"^kubernetesVersion:\s*\"?v?([^\s\"]+)", text, re.M)
    if not match:
        raise HostError(
            "The cluster has no ConfigMap kube-system/kubeadm-config with a ClusterConfiguration, which kubeadm needs for an upgrade."
            " Restore it with 'kubeadm init phase upload-config kubeadm'."
            " [slipway:kubeadm_config_map]"
        )
    return match.group(1)


def restore_manifests(base: str = KUBERNETES) -> list[str]:
    """Put back the static pods that an interrupted kubeadm had moved away and not replaced yet, and return their names.

    kubeadm moves a manifest to its backup and the new one to its place (phases/upgrade/staticpods.go). In between there is none.
    """
    backups = sorted(Path(base, "tmp").glob("kubeadm-backup-manifests-*"), key=lambda path: path.stat().st_mtime)
    missing = [
        path
        for path in (backups[-1].glob("*.yaml") if backups else ())
        if not Path(base, "manifests", path.name).exists()
    ]
    for path in missing:
        shutil.copy2(path, Path(base, "manifests", path.name))
    return sorted(path.stem for path in missing)


def wait_for_etcd(seconds: int, endpoint: str = "", pki: str = etcd.PKI) -> None:
    """Wait until every member of etcd is healthy.

    :raises HostError: one is not in time; the message has the numbers.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            problems = etcd.find_problems(endpoint or etcd.find_endpoint(pki), pki)
        except etcd.EtcdError as error:
            problems = [str(error)]
        if not problems:
            return
        tell("waits for etcd", *problems)
        if time.monotonic() > end:
            raise HostError(
                f"etcd is not healthy after {seconds} seconds, so no further control plane is restarted. Evidence: {'; '.join(problems)}."
                " Remedy: repair the member ('journalctl -u kubelet' and /var/log/pods/kube-system_etcd-* on its host), then run again."
                " [slipway:etcd_unhealthy]"
            )
        time.sleep(1)


def wait_for_add_ons(
    client: Client,
    seconds: float,
    paths: Sequence[str] = ADD_ONS,
    consequence: str = "no node is drained",
    pause: float = 1,
) -> None:
    """Wait until kube-proxy and CoreDNS, which ``kubeadm upgrade apply`` replaces, run in their new version on all nodes.

    A node without kube-proxy does not learn that the pods of a drained node are gone.

    :param seconds: without any progress.
    :param consequence: of a failure, for its message.
    :raises HostError: there was none; the message names the object and the pods that are missing.
    """
    seen, end = "", time.monotonic() + seconds
    while True:
        found = [found for found in map(client.find, paths) if found]  # a cluster may have neither
        waiting = [
            f"{content.get('kind')} kube-system/{content['metadata']['name']}: {reason}"
            for content in found
            for ready, reason in [readiness(content)]
            if not ready
        ]
        if not waiting:
            return
        if seen != "; ".join(waiting):
            seen, end = "; ".join(waiting), time.monotonic() + seconds
            tell("waits for the add-ons of kubeadm", *waiting)
        if time.monotonic() > end:
            raise HostError(
                f"The add-ons of kubeadm did not become ready within {seconds} seconds, so {consequence}. Evidence: {seen}."
                " Remedy: find the cause with 'kubectl -n kube-system describe pods', repair it, then run again."
                " [slipway:add_ons_timeout]"
            )
        time.sleep(pause)


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Upgrade this node with kubeadm, without its kubelet, and return the result of the module.

    :param lock: the lock of the host, None in check mode.
    :raises HostError: etcd or the API server is not healthy, or kubeadm fails.
    """
    check_patches(params["patches"])
    record, version = Record.load(params["record_dir"]), params["version"]
    restored = restore_manifests() if record.upgrade and not check_mode else []
    state = State(interrupted=record.upgrade, components=read_components(Files()))
    client = connect(params["kubeconfig"], params["server"]) if state.components else None
    if client:
        client.administrator = True  # this control plane may have been restarted just now
        state.cluster = cluster_version(client)
    command = decide(state, version)
    document = build_upgrade(version, params["ignore_preflight_errors"], params["timeout"])
    changes = [f"Static pod {name} restored, which an interrupted upgrade had moved away." for name in restored]
    changes += [f"kubeadm upgrade {command} upgrades '{params['node_name']}' to {version}."] if command else []
    result: dict[str, Any] = {"changed": bool(command), "changes": changes, "seconds": 0.0}
    if check_mode:
        return result
    if not command:
        if client:  # an interrupted run may not have waited
            wait_for_add_ons(client, params["health_timeout"])
        return result
    result["diff"] = {"before": "", "after": render([document]), "after_header": "configuration of kubeadm upgrade"}
    result["warnings"] = ignored_checks({"nodeRegistration": document["node"]})
    if client:
        wait_for_api(params["server"], params["health_timeout"])
        wait_for_etcd(params["health_timeout"])
    record.begin_upgrade(f"{command} {version}")
    started = time.monotonic()
    with config_folder([document], params["patches"]) as folder:
        arguments = ["upgrade", command, "--config", f"{folder}/config.yaml"]
        run_kubeadm([*arguments, *(["--yes"] if command == APPLY else [])], params["timeout"], lock, params["log"])
    result["seconds"] = round(time.monotonic() - started, 1)
    sync_kubeadm_files()
    record.begin_upgrade("")
    if client:
        wait_for_api(params["server"], params["health_timeout"])
        wait_for_etcd(params["health_timeout"])
        wait_for_add_ons(client, params["health_timeout"])
    return result
