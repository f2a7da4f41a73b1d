# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an external etcd that the API server of a control plane uses, after one was added or removed.

https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/: the ConfigMap of kubeadm and the manifest, on one control plane at a
time.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Iterable, Mapping
from urllib.parse import urlsplit

from .._host.facts.cluster import parse_etcd_servers
from .._host.record import Record
from .._host.system import HostError, write_atomic
from .._kube.progress import tell
from . import etcd
from .admin import connect
from .certificates import processes, restart
from .endpoint import change_map, restart_kubelet
from .endpoint_config import set_etcd_endpoints
from .init import wait_for_api
from .upgrade import CONFIG


def started_at() -> float:
    """Return when the API server of this host started, in seconds since the epoch, 0 if it does not run."""
    return max((start for _program, _pid, start in processes(programs=("kube-apiserver",))), default=0.0)


def has_older_client(pki: str = etcd.PKI) -> bool:
    """Return whether the API server of this host has started before it got its client certificate for etcd."""
    times = [path.stat().st_mtime for path in (*etcd.client_certificate(pki), Path(pki, "ca.crt")) if path.exists()]
    return max(times, default=0.0) > started_at() + 1  # a start is known in whole seconds


def set_servers(manifest: str, endpoints: list[str]) -> str:
    """Return the manifest of an API server with other URLs of etcd."""
    return re.sub(r"(--etcd-servers=)[^\s\"']+", lambda match: match.group(1) + ",".join(endpoints), manifest)


def check_members(wanted: Iterable[str], present: Iterable[str]) -> None:
    """Fail if one of these URLs is not that of a member: an API server with none but such does not start again.

    :param present: what the API server uses. It is asked first: the others could be those of another etcd.
    :raises HostError: one is not, or no member responds.
    """
    endpoint, members, problems = etcd.first_to_list(dict.fromkeys([*present, *wanted]))
    if not endpoint:
        raise HostError(f"No member of etcd responds. {' '.join(problems)} [slipway:etcd_quorum_lost]")
    hosts = {
        urlsplit(url).hostname
        for member in members
        for url in [*(member.get("clientURLs") or []), *(member.get("peerURLs") or [])]
    }
    strange = [url for url in wanted if urlsplit(url).hostname not in hosts]
    if strange:
        raise HostError(
            f"The API server of this host was not changed: hosts of the group kube_etcd are not members of its etcd. Evidence: {endpoint} does not list"
            f" {', '.join(strange)}. Run slipway.kube.cluster without --limit, which adds them first. [slipway:etcd_hosts]"
        )


def restart_components(params: Mapping[str, Any], since: float) -> None:
    """Restart what knows a later state than the etcd that was restored; containers that have failed meanwhile are not waited for.

    https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/#restoring-an-etcd-cluster

    :param since: seconds since the epoch. What started later knows the restored state.
    :raises HostError: a component does not work in time.
    """
    restart_kubelet(params["timeout"])  # it waits longer each time before it starts a container that has failed
    for name, pid, start in list(processes()):
        if start < since:
            restart(name, pid, params["timeout"], params["server"])
    wait_for_api(params["server"], params["timeout"])


def use(params: Mapping[str, Any], check_mode: bool) -> list[str]:
    """Let the API server of this host, and kubeadm, use these members of etcd, and return the changes.

    :param params: with ``backup``, the digest of the one from which etcd was restored, "" if it was not, and ``again``, whether it was just now.
    :raises HostError: one of them is no member, or the API server does not become ready with them.
    """
    path, wanted = Path(etcd.API_SERVER), list(params["endpoints"])
    manifest, changes = path.read_text(), []
    present, record, begun = parse_etcd_servers(manifest), Record.load(params["record_dir"]), time.time()
    if set(present) != set(wanted):
        changes.append(f"The API server uses etcd at {', '.join(wanted)}.")
        if not check_mode:
            check_members(wanted, present)
            before, end = started_at(), time.monotonic() + params["timeout"]
            write_atomic(str(path), set_servers(manifest, wanted).encode(), 0o600)
            while started_at() <= before and time.monotonic() < end:
                tell("waits until the kubelet has restarted the API server")
                time.sleep(1)
            wait_for_api(params["server"], params["timeout"])
    late = params["again"] or record.restored != params["backup"] or has_older_client()
    if params["backup"] and late:
        changes.append("The components of this control plane are restarted on the etcd that was restored.")
        if not check_mode:
            restart_components(params, begun)
            record.restored = params["backup"]
            record.finish()
    # Last: hosts that join and an upgrade read it.
    client = connect(params["kubeconfig"], params["server"])
    if change_map(client, CONFIG, "ClusterConfiguration", lambda text: set_etcd_endpoints(text, wanted), check_mode):
        changes.append("kubeadm's configuration has these members of etcd.")
    return changes
