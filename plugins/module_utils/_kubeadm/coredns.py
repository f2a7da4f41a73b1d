# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of CoreDNS, and waiting until its pods use it: the core of the module coredns."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from .admin import connect, has_kubeconfig
from .corefile import Names, configured, names_of

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/coredns"
PODS = "/api/v1/namespaces/kube-system/pods"
LABEL = "k8s-app=kube-dns"
# What this collection has set, as JSON.
MANAGED = "slipway.kube/dns"
# A change of its annotations makes the kubelet synchronize a pod, and with it the files of its ConfigMaps.
NUDGE = "slipway.kube/corefile"
# The plugin reload tells which configuration a server uses (https://coredns.io/plugins/reload/).
VERSION = re.compile(r'^coredns_reload_version_info\{.*value="(\w+)".*\} 1$', re.MULTILINE)


def recorded(want: Names) -> str | None:
    """Return the annotation for what is set, None for nothing."""
    values = {"forwarders": want.forwarders, "stub_domains": dict(want.stub_domains), "hosts": dict(want.hosts)}
    return (
        json.dumps({key: value for key, value in values.items() if value}, sort_keys=True)
        if any(values.values())
        else None
    )


def ready_pods(client: Client) -> dict[str, str]:
    """Return the names of the CoreDNS pods that are Ready, by UID."""
    found = {}
    for pod in client.items(PODS, {"labelSelector": LABEL}):
        conditions = pod.get("status", {}).get("conditions") or []
        if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            found[pod["metadata"]["uid"]] = pod["metadata"]["name"]
    return found


def version_in_use(client: Client, pod: str) -> str:
    """Return the hash of the configuration that a pod uses, "" if it does not tell."""
    try:
        found = VERSION.search(client.text(f"{PODS}/{pod}:9153/proxy/metrics"))
    except (ApiError, Unreachable):
        return ""
    return found.group(1) if found else ""


def wait_until_used(client: Client, before: Mapping[str, str], timeout: int) -> None:
    """Wait until the pods that ran before use another configuration; those that started later have read the new one.

    :param before: hash of the configuration by the UID of its pod.
    :param timeout: seconds.
    :raises HostError: a pod still uses the old one.
    """
    end = time.monotonic() + timeout
    while True:
        pods = ready_pods(client)
        late = [name for uid, name in pods.items() if before.get(uid) and version_in_use(client, name) == before[uid]]
        if pods and not late:
            return
        if time.monotonic() > end:
            raise HostError(
                f"CoreDNS does not use its new configuration after {timeout} seconds. Evidence: {', '.join(late) or 'no pod of CoreDNS is Ready'}."
                " An invalid Corefile is in its log: 'kubectl -n kube-system logs -l k8s-app=kube-dns'. Correct it, and run again."
            )
        time.sleep(2)


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Configure CoreDNS and return the result of the module.

    :raises HostError: the Corefile has something of somebody else in the way, or CoreDNS does not use it in time.
    """
    want = names_of(params)
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        return _result(recorded(want) is not None, "", recorded(want) or "")
    client = connect(params["kubeconfig"], params["server"])
    content = client.find(CONFIG_MAP)
    if content is None:
        if recorded(want):
            raise HostError(
                "CoreDNS cannot be configured: there is no ConfigMap kube-system/coredns. Run 'kubeadm init phase addon coredns', or remove"
                " kube_dns_forwarders, kube_dns_stub_domains and kube_dns_hosts."
            )
        return _result(False, "", "")
    annotation = (content["metadata"].get("annotations") or {}).get(MANAGED)
    old = (content.get("data") or {}).get("Corefile") or ""
    # Without anything to set or to take back, a Corefile of any form is left alone.
    new = configured(old, want, names_of(json.loads(annotation or "{}"))) if annotation or recorded(want) else old
    changed = new != old
    if changed and not check_mode:
        pods = ready_pods(client)
        before = {uid: version_in_use(client, name) for uid, name in pods.items()}
        _write(client, content, new, recorded(want))
        digest = hashlib.sha256(new.encode()).hexdigest()[:16]
        for name in pods.values():
            client.patch(f"{PODS}/{name}", {"metadata": {"annotations": {NUDGE: digest}}})
        if pods:
            wait_until_used(client, before, params["timeout"])
    elif annotation != recorded(want) and not check_mode:
        _write(client, content, old, recorded(want))
    return _result(changed or annotation != recorded(want), old, new)


def _write(client: Client, content: Mapping[str, Any], corefile: str, annotation: str | None) -> None:
    metadata = {"annotations": {MANAGED: annotation}, "resourceVersion": content["metadata"].get("resourceVersion")}
    client.patch(CONFIG_MAP, {"metadata": metadata, "data": {"Corefile": corefile}})


def _result(changed: bool, old: str, new: str) -> dict[str, Any]:
    return {
        "changed": changed,
        "corefile": new,
        "diff": {"before": old, "after": new, "before_header": "Corefile", "after_header": "Corefile"},
    }
