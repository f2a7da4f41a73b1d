# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of CoreDNS, and waiting until its pods use it: the core of the module coredns."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any, Mapping, NamedTuple

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from .._kube.progress import tell
from .admin import connect, has_kubeconfig
from .corefile import Names, configured, names_of, words_of
from .removal import is_ready

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/coredns"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
PODS = "/api/v1/namespaces/kube-system/pods"
LABEL = "k8s-app=kube-dns"
KUBEADM_REPLICAS = 2
# What this collection has set, as JSON.
MANAGED = "slipway.kube/dns"
# A change of its annotations makes the kubelet synchronize a pod, and with it the files of its ConfigMaps.
NUDGE = "slipway.kube/corefile"
# The plugin reload tells which configuration a server read last, from its first reload on, and how often it could not use one
# (https://coredns.io/plugins/reload/, plugin/reload/reload.go).
VERSION = re.compile(r'^coredns_reload_version_info\{.*value="(\w+)".*\} 1$', re.MULTILINE)
FAILED = re.compile(r"^coredns_reload_failed_total(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


def recorded(want: Names, replicas: int = 0) -> str | None:
    """Return the annotation for what is set, None for nothing.

    :param replicas: the number of pods, 0 if it is not set.
    """
    values = {
        "forwarders": want.forwarders,
        "stub_domains": dict(want.stub_domains),
        "hosts": dict(want.hosts),
        "replicas": replicas,
    }
    return (
        json.dumps({key: value for key, value in values.items() if value}, sort_keys=True)
        if any(values.values())
        else None
    )


def managed_by_us(content: Mapping[str, Any] | None) -> str | None:
    """Return what this collection has set in the ConfigMap of CoreDNS, as JSON, None if nothing."""
    return ((content or {}).get("metadata", {}).get("annotations") or {}).get(MANAGED)


def is_managed(client: Client) -> bool:
    """Return whether this collection has set anything in the cluster's DNS."""
    return managed_by_us(client.find(CONFIG_MAP)) is not None


def ready_pods(client: Client) -> dict[str, str]:
    """Return the names of the CoreDNS pods that are Ready, by UID."""
    pods = client.items(PODS, {"labelSelector": LABEL})
    return {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in pods if is_ready(pod)}


def planned_replicas(have: int, exact: int, least: int, had: int) -> tuple[int, int]:
    """Return how many pods CoreDNS gets, and what of it is recorded as set here, 0 for nothing.

    More pods than *least* that somebody else has set, such as an autoscaler, stay, and so does any number that replaced the one set here.

    :param exact: the number, 0 for at least *least*.
    :param had: what was set here before, 0 if nothing.
    """
    if exact:
        return exact, exact
    more = least if least > KUBEADM_REPLICAS else 0
    if had and have != had:
        return have, had if more else 0
    if have < max(least, KUBEADM_REPLICAS) or had:
        return max(least, KUBEADM_REPLICAS), more
    return have, 0


class State(NamedTuple):
    """What a pod tells of its configuration.

    :ivar version: hash of the configuration that it read last, "" if it has not read one again since its start.
    :ivar failed: how many it could not use.
    """

    version: str
    failed: float


def state_of(client: Client, pod: str) -> State | None:
    """Return what a pod tells of its configuration, None if it does not answer."""
    try:
        metrics = client.text(f"{PODS}/{pod}:9153/proxy/metrics")
    except (ApiError, Unreachable):
        return None
    version, failed = VERSION.search(metrics), FAILED.search(metrics)
    return State(version.group(1) if version else "", float(failed.group(1)) if failed else 0.0)


def wait_until_used(client: Client, before: Mapping[str, State], timeout: int) -> None:
    """Wait until the pods that ran before use another configuration; those that started later have read the new one.

    :param before: by the UID of the pod, without those that do not tell.
    :param timeout: seconds.
    :raises HostError: a pod cannot use it, or still uses the old one.
    """
    end = time.monotonic() + timeout
    while True:
        pods, late = ready_pods(client), []
        for uid, name in pods.items():
            now = state_of(client, name) if uid in before else None
            if now and now.failed > before[uid].failed:
                raise HostError(
                    f"CoreDNS cannot use its new configuration, and continues to use the old one. Evidence: coredns_reload_failed_total of {name} is"
                    f" {now.failed:.0f}; its log has the cause: 'kubectl -n kube-system logs {name}'. Correct kube_dns_forwarders,"
                    " kube_dns_stub_domains or kube_dns_hosts before its pods start again, and run again."
                    " [slipway:dns_configuration]"
                )
            if uid in before and (now is None or now.version in ("", before[uid].version)):
                late.append(name)
        if pods and not late:
            return
        tell("waits for CoreDNS to use its new configuration", *late)
        if time.monotonic() > end:
            raise HostError(
                f"CoreDNS does not use its new configuration after {timeout} seconds. Evidence: {', '.join(late) or 'no pod of CoreDNS is Ready'}."
                " Its log has the cause: 'kubectl -n kube-system logs -l k8s-app=kube-dns'. Without the plugin reload in the Corefile, run 'kubectl"
                " -n kube-system rollout restart deployment coredns'."
                " [slipway:dns_configuration]"
            )
        time.sleep(2)


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Configure CoreDNS and return the result of the module.

    :raises HostError: the Corefile has something of somebody else in the way, or CoreDNS does not use it in time.
    """
    want = names_of(params)
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        _want, replicas = planned_replicas(KUBEADM_REPLICAS, params["replicas"], params["replicas_at_least"], 0)
        return _result(recorded(want, replicas) is not None, "", recorded(want) or "")
    client = connect(params["kubeconfig"], params["server"])
    content = client.find(CONFIG_MAP)
    if content is None:
        if recorded(want):
            raise HostError(
                "CoreDNS cannot be configured: there is no ConfigMap kube-system/coredns. Run 'kubeadm init phase addon coredns', or remove"
                " kube_dns_forwarders, kube_dns_stub_domains and kube_dns_hosts."
                " [slipway:dns_configuration]"
            )
        return _result(False, "", "")
    annotation = managed_by_us(content)
    set_before = json.loads(annotation or "{}")
    old = (content.get("data") or {}).get("Corefile") or ""
    # Without anything to set or to take back, a Corefile of any form is left alone.
    had = names_of(set_before)
    new = configured(old, want, had) if recorded(had) or recorded(want) else old
    # CoreDNS takes what differs in white space only for the same, so that there would be nothing to wait for.
    new = old if words_of(new.splitlines()) == words_of(old.splitlines()) else new
    changed = new != old
    scaled, replicas = _scale(client, params, set_before.get("replicas", 0), check_mode)
    if changed and not check_mode:
        pods = ready_pods(client)
        states = {uid: state_of(client, name) for uid, name in pods.items()}
        before = {uid: state for uid, state in states.items() if state}
        _write(client, content, new, recorded(want, replicas))
        digest = hashlib.sha256(new.encode()).hexdigest()[:16]
        for name in pods.values():
            _nudge(client, name, digest)
        if pods:
            wait_until_used(client, before, params["timeout"])
    elif annotation != recorded(want, replicas) and not check_mode:
        _write(client, content, old, recorded(want, replicas))
    return _result(changed or annotation != recorded(want, replicas) or bool(scaled), old, new, scaled)


def _scale(client: Client, params: Mapping[str, Any], had: int, check_mode: bool) -> tuple[str, int]:
    """Give CoreDNS its number of pods, and return a sentence about the change, "" for none, and the number that is set here."""
    exact, least = params["replicas"], params["replicas_at_least"]
    if not exact and not had and least <= KUBEADM_REPLICAS:
        return "", 0
    deployment = client.find(DEPLOYMENT)
    if deployment is None:  # the cluster DNS is something else
        return "", had
    have = (deployment.get("spec") or {}).get("replicas", 1)
    want, replicas = planned_replicas(have, exact, least, had)
    if want == have:
        return "", replicas
    if not check_mode:
        client.patch(f"{DEPLOYMENT}/scale", {"spec": {"replicas": want}})
    return f"CoreDNS: {want} instead of {have} pods.", replicas


def _nudge(client: Client, pod: str, digest: str) -> None:
    try:
        client.patch(f"{PODS}/{pod}", {"metadata": {"annotations": {NUDGE: digest}}})
    except ApiError as error:
        if error.status != 404:  # it has gone
            raise


def _write(client: Client, content: Mapping[str, Any], corefile: str, annotation: str | None) -> None:
    metadata = {"annotations": {MANAGED: annotation}, "resourceVersion": content["metadata"].get("resourceVersion")}
    client.patch(CONFIG_MAP, {"metadata": metadata, "data": {"Corefile": corefile}})


def _result(changed: bool, old: str, new: str, scaled: str = "") -> dict[str, Any]:
    diff = [{"before": old, "after": new, "before_header": "Corefile", "after_header": "Corefile"}]
    if scaled:
        diff.append({"prepared": f"{scaled}\n"})
    return {"changed": changed, "corefile": new, "diff": diff, "changes": [scaled] * bool(scaled)}
