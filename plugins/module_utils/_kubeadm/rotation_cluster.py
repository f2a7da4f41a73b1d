# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rotation of the authorities reads and changes in the API of the cluster."""

from __future__ import annotations

import base64
import time
from functools import partial
from typing import Any, Iterable, Iterator, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client
from .._kube.progress import tell
from .._kube.readiness import readiness
from .._kube.x509 import pem_blocks, subject_key_id
from . import etcd
from .admin import connect
from .authorities import key_id, token_key_id
from .endpoint import CLUSTER_INFO, change_map
from .endpoint_config import set_authority

NODES = "/api/v1/nodes"
# What other API servers trust for clients and for the front proxy. Its controller adds authorities and removes only those that have expired.
AUTHENTICATION = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
AUTHENTICATION_KEYS = {"ca": "client-ca-file", "front-proxy-ca": "requestheader-client-ca-file"}
ROOT_CA = {"fieldSelector": "metadata.name=kube-root-ca.crt"}
TOKENS = {"fieldSelector": "type=kubernetes.io/service-account-token"}
WORKLOADS = ("deployments", "statefulsets", "daemonsets")
# On the template of pods that were started after the cluster trusted the CA whose key has this identifier.
ANNOTATION = "slipway.kube/authority"


def node_problems(nodes: Iterable[Mapping[str, Any]], known: Iterable[str], starting: bool) -> list[str]:
    """Return why hosts of the cluster could not follow the rotation, one sentence for each.

    :param known: names of the nodes whose hosts take part.
    :param starting: a rotation that was interrupted goes on with a node that is not Ready, which it may repair.
    """
    problems = []
    for node in nodes:
        name = node["metadata"]["name"]
        ready, reason = readiness(node)
        if name not in known:
            problems.append(f"node {name} is not among the hosts of this run")
        elif starting and not ready:
            problems.append(f"node {name} is not Ready: {reason}")
    return problems


def check(params: Mapping[str, Any], starting: bool) -> None:
    """Refuse a rotation that a host of the cluster could not follow.

    :param starting: no host has changed yet.

    :raises HostError: a node is not Ready or not part of this run, or a member of etcd is not healthy.
    """
    client = connect(params["kubeconfig"], params["server"])
    problems = node_problems(client.items(NODES), params["nodes"], starting)
    if starting and etcd.has_credentials():
        problems += etcd.find_problems(etcd.find_endpoint())
    if problems:
        raise HostError(
            "The authorities are not rotated, because a host that does not take part would lose the cluster permanently. Nothing was changed. Evidence:"
            f" {'; '.join(problems)}. Repair these hosts or remove them from the cluster (slipway.kube.node_remove), and run without --limit."
            " [slipway:rotation_hosts]"
        )


def check_etcd(starting: bool) -> None:
    """Refuse the rotation of the authority of an external etcd while a member could not follow.

    :param starting: no host has changed yet.
    :raises HostError: a member is not healthy.
    """
    problems = etcd.find_problems(etcd.find_endpoint()) if starting else []
    if problems:
        raise HostError(
            "The authority of etcd is not rotated, because not all of its members are healthy. Nothing was changed. Evidence:"
            f" {'; '.join(problems)}. Repair them or remove them (slipway.kube.node_remove), and run again. [slipway:rotation_hosts]"
        )


def announce(client: Client, authority: str) -> list[str]:
    """Let hosts that join trust what the control planes trust.

    :returns: changes.
    """
    changed = change_map(client, CLUSTER_INFO, "kubeconfig", lambda text: set_authority(text, authority), False)
    return ["Hosts that join have the authorities that this host trusts."] if changed else []


def without(text: str, old: str) -> str:
    """Return a bundle without old authorities."""
    gone = set(pem_blocks(old))
    return "".join(block for block in pem_blocks(text) if block not in gone)


def forget(client: Client, pairs: Mapping[str, tuple[str, str]]) -> list[str]:
    """Let aggregated API servers no longer trust the old authorities.

    An API server that still has them adds them again; the last one does not.

    :returns: changes.
    """
    changed = False
    for name, key in AUTHENTICATION_KEYS.items():
        if name in pairs:
            drop = partial(without, old=pairs[name][0])
            changed |= change_map(client, AUTHENTICATION, key, drop, False)
    return ["Aggregated API servers do not trust the old authorities."] if changed else []


def _has_token(spec: Mapping[str, Any]) -> bool:
    """Return whether a volume of a pod has a token."""
    return any(
        "serviceAccountToken" in source
        for volume in spec.get("volumes") or []
        for source in (volume.get("projected") or {}).get("sources") or []
    )


def mounts_token(template: Mapping[str, Any], namespace: str, silent: set[tuple[str, str]]) -> bool:
    """Return whether the pods of a template have a token and the CA of the cluster.

    :param silent: namespace and name of the service accounts with ``automountServiceAccountToken: false``.
    """
    spec = template.get("spec") or {}
    if _has_token(spec):
        return True
    own = spec.get("automountServiceAccountToken")
    account = spec.get("serviceAccountName") or "default"
    return own if isinstance(own, bool) else (namespace, account) not in silent


def affected(client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and object of each workload whose pods have a token and the CA of the cluster."""
    accounts = client.items("/api/v1/serviceaccounts")
    silent = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in accounts
        if one.get("automountServiceAccountToken") is False
    }
    for kind in WORKLOADS:
        for one in client.items(f"/apis/apps/v1/{kind}"):
            namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
            if mounts_token(one["spec"]["template"], namespace, silent):
                yield f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}", one


def is_manual(workload: Mapping[str, Any]) -> bool:
    """Return whether the pods of a workload are only replaced when somebody deletes them, or not at all for now."""
    spec = workload["spec"]
    return (spec.get("updateStrategy") or {}).get("type") == "OnDelete" or bool(spec.get("paused"))


def label(workload: Mapping[str, Any]) -> str:
    """Return kind, namespace and name of an object."""
    metadata = workload["metadata"]
    return f"{workload['kind']} {metadata['namespace']}/{metadata['name']}"


def lonely_pods(client: Client, since: str) -> list[str]:
    """Return the running pods without a controller that replaces them, or of a Job, that were started before a time."""
    found = []
    for pod in client.items("/api/v1/pods", {"fieldSelector": "status.phase=Running"}):
        metadata = pod["metadata"]
        owners = {owner["kind"] for owner in metadata.get("ownerReferences") or [] if owner.get("controller")}
        if _has_token(pod["spec"]) and (not owners or owners == {"Job"}) and metadata["creationTimestamp"] < since:
            found.append(f"{metadata['namespace']}/{metadata['name']}")
    return sorted(found)


def restart_workloads(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Start the pods that have the CA of the cluster again, so that those that read it only once trust the new one.

    :returns: ``changes`` and ``warnings``.
    :raises HostError: namespaces do not get the new CA, or a rollout does not complete.
    """
    if "ca" not in params["authorities"]:
        return {"changes": [], "warnings": []}
    client = connect(params["kubeconfig"], params["server"])
    new = params["authorities"]["ca"]["new"]
    wanted, paths, changes, manual = subject_key_id(new)[:16], [], [], []
    if not check_mode:
        wait_for_root_authority(client, new, params["timeout"])
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for path, one in affected(client):
        template = one["spec"]["template"].get("metadata") or {}
        if (template.get("annotations") or {}).get(ANNOTATION) != wanted or not wanted:
            changes.append(f"{label(one)} restarted.")
            if not check_mode:
                content = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: wanted}}}}}
                client.patch(path, content, manager="slipway.kube")
        if is_manual(one):
            manual.append(label(one))
        else:
            paths.append(path)
    if not check_mode:
        wait_for_rollouts(client, paths, params["timeout"])
    warnings = []
    left = manual + [f"Pod {name}" for name in lonely_pods(client, started)]
    if left and changes:
        warnings.append(
            f"Nothing replaces the pods of {', '.join(left)}. If they use the API of the cluster and read its authority only when they start,"
            " they lose the connection with the next step until they are started again."
        )
    return {"changes": changes, "warnings": warnings}


def wait_for_root_authority(client: Client, new: str, seconds: float) -> None:
    """Wait until kube-controller-manager has published the new CA to all namespaces.

    :raises HostError: it has not in time.
    """
    end, blocks = time.monotonic() + seconds, set(pem_blocks(new))
    while True:
        late = [
            one["metadata"]["namespace"]
            for one in client.items("/api/v1/configmaps", ROOT_CA)
            if not blocks & set(pem_blocks((one.get("data") or {}).get("ca.crt", "")))
        ]
        if not late:
            return
        tell(f"waits for the new authority in {len(late)} namespaces", *late)
        if time.monotonic() > end:
            raise HostError(
                f"The new authority is not in ConfigMap kube-root-ca.crt of all namespaces within {seconds} seconds, so the rotation does not continue."
                f" Evidence: it is missing in {', '.join(late[:5])}. Remedy: see /var/log/pods/kube-system_kube-controller-manager-* on the"
                " control planes, then run again. [slipway:rotation_waits]"
            )
        time.sleep(2)


def wait_for_rollouts(client: Client, paths: list[str], seconds: float) -> None:
    """Wait until workloads run with new pods.

    :param seconds: without any progress.
    :raises HostError: there was none.
    """
    seen, end = "", time.monotonic() + seconds
    while True:
        found = [one for one in client.each(client.find, paths) if one]
        waiting = [f"{label(one)}: {reason}" for one in found for ready, reason in [readiness(one)] if not ready]
        if not waiting:
            return
        if "; ".join(waiting) != seen:
            seen, end = "; ".join(waiting), time.monotonic() + seconds
            tell(f"waits for {len(waiting)} workloads", *waiting)
        if time.monotonic() > end:
            raise HostError(
                f"The pods that use the API were not replaced within {seconds} seconds, so no certificate is issued by the new authority yet."
                f" Evidence: {'; '.join(waiting[:5])}. Remedy: repair them and run again. With certificates_restart_workloads=false, none is"
                " restarted, and you restart those that need it. [slipway:rotation_waits]"
            )
        time.sleep(2)


def renew_tokens(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Let kube-controller-manager sign the tokens in Secrets anew, which do not expire.

    :returns: ``changes`` and ``warnings``.
    :raises HostError: it does not in time.
    """
    if "sa" not in params["authorities"]:
        return {"changes": [], "warnings": []}
    client = connect(params["kubeconfig"], params["server"])
    old = key_id(params["authorities"]["sa"]["old"])
    end, changes = time.monotonic() + params["timeout"], []
    while True:
        late = [one for one in client.items("/api/v1/secrets", TOKENS) if _signer(one) == old]
        for one in late:
            metadata = one["metadata"]
            change = f"Token in Secret {metadata['namespace']}/{metadata['name']} signed anew."
            changes += [] if change in changes else [change]
            if not check_mode:
                _drop_token(client, metadata)
        if check_mode or not late:
            break
        if time.monotonic() > end:
            names = ", ".join(f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in late)
            raise HostError(
                f"kube-controller-manager does not sign the tokens in Secrets with the new key within {params['timeout']} seconds. Evidence: {names}."
                " Remedy: see /var/log/pods/kube-system_kube-controller-manager-* on the control planes, then run again. [slipway:rotation_waits]"
            )
        time.sleep(2)
    names = ", ".join(change.split()[3] for change in changes)
    warning = f"Whoever has a copy of the tokens in these Secrets needs the new ones: {names}." if changes else ""
    return {"changes": changes, "warnings": [warning] if warning else []}


def _signer(secret: Mapping[str, Any]) -> str:
    token = (secret.get("data") or {}).get("token") or ""
    return token_key_id(base64.b64decode(token).decode("ascii", "replace"))


def _drop_token(client: Client, metadata: Mapping[str, Any]) -> None:
    path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
    try:
        client.patch(path, {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "data": {"token": None}})
    except ApiError as error:
        if error.status not in (404, 409):  # it is gone, or was changed meanwhile and is looked at again
            raise
