# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another endpoint for a running cluster: the core of the module kubeadm_endpoint.

First every API server accepts it (its certificate has the name), then the cluster announces it, then nodes and administrators use it. The old one
stays in the certificates, so that whoever still uses it goes on working.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import time
from pathlib import Path
from typing import Any, Callable, Mapping

from .._host.facts.cluster import answers, parse_kubeconfig, parse_secure_port
from .._host.system import HostError, System, write_atomic
from .._kube.api import Client
from .._kube.progress import tell
from .._kube.x509 import alternative_names
from .admin import connect
from .config import API, complete_endpoint, split_endpoint, unique_sans
from .endpoint_config import endpoint_of, set_endpoint, set_key, set_server
from .run import config_folder, run_kubeadm
from .upgrade import ADD_ONS, CONFIG, wait_for_add_ons

FOLDER = "/etc/kubernetes"
CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
PROXY_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
PROXY = next(path for path in ADD_ONS if path.endswith("/kube-proxy"))
# On the ConfigMap and on the pods of kube-proxy, which read it when they start.
ANNOTATION = "slipway.kube/endpoint"
ADMINISTRATORS = ("admin.conf", "super-admin.conf")
KUBELET = "kubelet.conf"
# The kubelet has not started with its new kubeconfig yet. A reboot, which empties /run, starts it, too.
RESTART = "/run/slipway-restart-kubelet"
KUBELET_PORT = 10248


def read(path: Path) -> str:
    """Return the text of a file, "" if it does not exist."""
    try:
        return path.read_text()
    except OSError:
        return ""


def flag(manifest: str, name: str) -> str:
    """Return the value of a flag in the manifest of a static pod, "" if it is not set."""
    found = re.search(rf"--{re.escape(name)}=(\S+)", manifest)
    return found.group(1).strip("\"'") if found else ""


def stored_configuration(client: Client) -> str:
    """Return kubeadm's ClusterConfiguration.

    :raises HostError: the cluster has none.
    """
    text = ((client.find(CONFIG) or {}).get("data") or {}).get("ClusterConfiguration", "")
    if not text:
        raise HostError(
            "The endpoint cannot be moved: the cluster has no ConfigMap kube-system/kubeadm-config with a ClusterConfiguration. Remedy: restore it"
            " with 'kubeadm init phase upload-config kubeadm --config FILE', then run again."
            " [slipway:kubeadm_config_map]"
        )
    return text


def served_names(port: int, timeout: float = 5) -> set[str]:
    """Return the names in the certificate that the API server of this host presents, an empty set if it does not answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only its names are of interest
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as plain, context.wrap_socket(
            plain
        ) as connection:
            certificate = connection.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return set()
    return set(alternative_names(ssl.DER_cert_to_PEM_cert(certificate))) if certificate else set()


def probe(endpoint: str, authority: str, timeout: float = 5) -> str:
    """Return why the endpoint does not lead to an API server of this cluster, "" if it does.

    :param authority: the cluster's CA in PEM.
    """
    host, port = split_endpoint(endpoint)
    try:
        context = ssl.create_default_context(cadata=authority)
        connection = http.client.HTTPSConnection(host, int(port), timeout=timeout, context=context)
        connection.request("GET", "/livez")
        status = connection.getresponse().status
        connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return "" if status in (200, 401, 403) else f"it answers with HTTP status {status}"


def wait_for_endpoint(endpoint: str, authority: str, seconds: int) -> None:
    """Wait until the endpoint leads to an API server of this cluster.

    :raises HostError: it does not in time.
    """
    end = time.monotonic() + seconds
    while True:
        reason = probe(endpoint, authority)
        if not reason:
            return
        tell(f"waits for the endpoint {endpoint}", reason)
        if time.monotonic() > end:
            raise HostError(
                f"The endpoint {endpoint} does not reach the cluster, so this host keeps its current one. Evidence: {reason}. Check the"
                " load balancer, DNS and firewall, or on the control planes 'journalctl -u keepalived', then run again."
                " [slipway:endpoint_reach]"
            )
        time.sleep(2)


def make_certificate(params: Mapping[str, Any], stored: str, names: list[str], manifest: str, lock: Any) -> None:
    """Let kubeadm make the API server's certificate anew, in memory, and put it in its place.

    :param stored: kubeadm's ClusterConfiguration.
    :param names: all names that it has.
    :raises HostError: kubeadm fails, or the key of the CA is not on this host.
    """
    pki = Path(FOLDER, "pki")
    if not (pki / "ca.key").exists():
        raise HostError(
            f"The certificate of the API server cannot be issued again: {pki}/ca.key is not on this host. Issue {pki}/apiserver.crt with the"
            f" alternative names {', '.join(names)} from your CA, then run again."
            " [slipway:external_authority]"
        )
    init = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {
            "advertiseAddress": flag(manifest, "advertise-address"),
            "bindPort": parse_secure_port(manifest),
        },
        "nodeRegistration": {"name": params["node_name"]},
    }
    with config_folder([init], {}) as folder:
        made = Path(folder, "pki")
        made.mkdir(mode=0o700)
        for name in ("ca.crt", "ca.key"):
            shutil.copy(str(pki / name), str(made / name))
        path = Path(folder, "config.yaml")
        cluster = set_key(set_endpoint(stored, params["endpoint"], names), "certificatesDir", str(made))
        path.write_text(path.read_text() + "---\n" + cluster)
        run_kubeadm(
            ["init", "phase", "certs", "apiserver", "--config", str(path)], params["timeout"], lock, params["log"]
        )
        # The API server reads both again, as soon as they belong together.
        write_atomic(str(pki / "apiserver.key"), (made / "apiserver.key").read_bytes(), 0o600)
        write_atomic(str(pki / "apiserver.crt"), (made / "apiserver.crt").read_bytes(), 0o644)


def accept(params: Mapping[str, Any], check_mode: bool, lock: Any) -> list[str]:
    """Let the API server of this host accept the endpoint: its certificate has the names.

    :returns: changes.
    :raises HostError: kubeadm fails, or the API server does not present the certificate in time.
    """
    manifest = read(Path(FOLDER, "manifests", "kube-apiserver.yaml"))
    have = alternative_names(read(Path(FOLDER, "pki", "apiserver.crt")))
    wanted = unique_sans([split_endpoint(params["endpoint"])[0], *params["names"]])
    missing = [name for name in wanted if name not in have]
    if missing and not check_mode:
        stored = stored_configuration(connect(params["kubeconfig"], params["server"]))
        make_certificate(params, stored, [*have, *missing], manifest, lock)
    if not check_mode:
        end = time.monotonic() + params["timeout"]
        port = parse_secure_port(manifest)
        while not set(wanted) <= served_names(port):
            if time.monotonic() > end:
                raise HostError(
                    f"The API server of this host does not present a certificate for {', '.join(wanted)} within {params['timeout']} seconds."
                    " Remedy: see /var/log/pods/kube-system_kube-apiserver-* on it, then run again."
                    " [slipway:component_timeout]"
                )
            time.sleep(1)
    return [f"The certificate of the API server gets the names {', '.join(missing)}."] if missing else []


def change_map(
    client: Client,
    path: str,
    key: str,
    change: Callable[[str], str],
    check_mode: bool,
    annotations: Mapping[str, str] | None = None,
) -> bool:
    """Change one text in a ConfigMap and return whether it differs; a cluster need not have every ConfigMap."""
    content = client.find(path)
    old = (content.get("data") or {}).get(key) if content else None
    if not content or not old or change(old) == old:
        return False
    if not check_mode:
        metadata = {"annotations": dict(annotations or {}), "resourceVersion": content["metadata"]["resourceVersion"]}
        client.patch(path, {"metadata": metadata, "data": {key: change(old)}})
    return True


def announce(params: Mapping[str, Any], check_mode: bool) -> list[str]:
    """Let the cluster announce the endpoint: to hosts that join, to kubeadm, and to kube-proxy on every node.

    :returns: changes.
    :raises HostError: the endpoint does not lead to this cluster, or kube-proxy does not become ready.
    """
    endpoint, changes = params["endpoint"], []
    client = connect(params["kubeconfig"], params["server"])
    if not check_mode:
        wait_for_endpoint(endpoint, read(Path(FOLDER, "pki", "ca.crt")), params["timeout"])
    old = endpoint_of(stored_configuration(client))
    names = [split_endpoint(endpoint)[0], split_endpoint(old)[0], *params["names"]]

    def server(text: str) -> str:
        return set_server(text, endpoint)

    mark = {ANNOTATION: endpoint}
    proxy_changes = change_map(client, PROXY_CONFIG, "kubeconfig.conf", server, check_mode, mark)
    if proxy_changes:
        changes.append(f"kube-proxy uses {endpoint}.")
    marked = (
        endpoint
        if proxy_changes
        else ((client.find(PROXY_CONFIG) or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION)
    )
    pods = ((client.find(PROXY) or {}).get("spec") or {}).get("template", {}).get("metadata", {})
    if marked and pods and (pods.get("annotations") or {}).get(ANNOTATION) != marked:
        changes.append("The pods of kube-proxy are restarted.")
        if not check_mode:
            client.patch(PROXY, {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: marked}}}}})
    if marked and not check_mode:
        wait_for_add_ons(client, params["timeout"], (PROXY,), "the move is not complete")
    if change_map(client, CLUSTER_INFO, "kubeconfig", server, check_mode):
        changes.append(f"Hosts join through {endpoint}.")
    # Last: as long as it has the old endpoint, an interrupted run begins again.
    if change_map(
        client,
        CONFIG,
        "ClusterConfiguration",
        lambda text: set_endpoint(text, endpoint, filter(None, names)),
        check_mode,
    ):
        changes.append(f"kubeadm's configuration has the endpoint {endpoint}.")
    return changes


def outdated_files(endpoint: str, manifest: str, folder: str) -> dict[str, str]:
    """Return the kubeconfigs of this host that use another endpoint, with their new text.

    The kubelet of a control plane may use the API server of its own host, which then stays so
    (https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/, ControlPlaneKubeletLocalMode of kubeadm).
    """
    own = complete_endpoint(flag(manifest, "advertise-address"), parse_secure_port(manifest)) if manifest else ""
    found = {}
    for name in (*ADMINISTRATORS, KUBELET):
        text = read(Path(folder, name))
        server = parse_kubeconfig(text)["server"].replace("https://", "")
        if server and server != endpoint and not (name == KUBELET and server == own):
            found[name] = set_server(text, endpoint)
    return found


def restart_kubelet(seconds: float, how: str = "") -> None:
    """Restart the kubelet and wait until it is healthy; pods go on running.

    :param how: what is particular about the start, for the message.
    :raises HostError: it is not in time.
    """
    System().systemctl("restart", "kubelet.service")
    end = time.monotonic() + seconds
    while not answers(KUBELET_PORT, "/healthz"):
        if time.monotonic() > end:
            raise HostError(
                f"The kubelet is not healthy {seconds} seconds after its start{how}."
                " Remedy: see 'journalctl -u kubelet' on this host, then run again."
                " [slipway:component_timeout]"
            )
        time.sleep(1)


def use(params: Mapping[str, Any], check_mode: bool) -> list[str]:
    """Configure the kubelet and the administrators of this host for the endpoint.

    :returns: changes.
    :raises HostError: it does not lead to the cluster, or the kubelet does not start.
    """
    endpoint = params["endpoint"]
    files = outdated_files(endpoint, read(Path(FOLDER, "manifests", "kube-apiserver.yaml")), FOLDER)
    changes = [f"{FOLDER}/{name} has the server https://{endpoint}." for name in files]
    if KUBELET in files or os.path.exists(RESTART):
        changes.append("The kubelet is restarted.")
    if check_mode or not changes:
        return changes
    wait_for_endpoint(endpoint, read(Path(FOLDER, "pki", "ca.crt")), params["timeout"])
    if KUBELET in files:
        Path(RESTART).touch()
    for name, text in files.items():
        write_atomic(f"{FOLDER}/{name}", text.encode(), 0o600)
    if os.path.exists(RESTART):
        restart_kubelet(params["timeout"], f" with the endpoint {endpoint}")
        os.unlink(RESTART)
    return changes


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Do one step of the move and return the result of the module.

    :raises HostError: the step fails; what it would have changed is as before, or the next run completes it.
    """
    params = {**params, "endpoint": complete_endpoint(params["endpoint"], params["api_port"])}
    if params["state"] == "accepted":
        changes = accept(params, check_mode, lock)
    elif params["state"] == "announced":
        changes = announce(params, check_mode)
    else:
        changes = use(params, check_mode)
    return {"changed": bool(changes), "changes": changes, "endpoint": params["endpoint"]}
