# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cluster membership of a host, from the files of kubeadm, of the kubelet and of the record."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import pwd
import re
import ssl
from typing import Any

from ..._kube.x509 import ca_cert_hash
from .files import Files, run

ADMIN = "/etc/kubernetes/admin.conf"
KUBELET = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
CA = "/etc/kubernetes/pki/ca.crt"
ETCD_CA = "/etc/kubernetes/pki/etcd/ca.crt"
ROTATION = "/etc/kubernetes/pki/rotation"  # old and new authorities, see _kubeadm/authorities.py
MANIFESTS = "/etc/kubernetes/manifests"
ETCD_METRICS = 2381
ETCD_LOG = "/var/lib/etcd/member/wal"  # by which etcd itself decides whether it begins anew
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"


def parse_clusters(text: str) -> list[dict[str, str]]:
    """Return ``server``, ``ca`` (PEM text) and ``name`` of every cluster in a kubeconfig.

    A managed host need not have a YAML library. kubeadm, the kubelet and kubectl write these files as JSON or with one key in a line;
    a file in another form has no clusters.
    """
    try:
        found = [(one["cluster"] or {}, one.get("name", "")) for one in json.loads(text).get("clusters") or []]
    except (ValueError, KeyError, TypeError, AttributeError):
        block = re.search(r"^clusters:\s*\n((?:[ -].*\n?)+)", text, re.M)
        lines = block.group(1) if block else ""
        indent = len(lines) - len(lines.lstrip(" "))  # lists inside an entry are indented further
        found = []
        for entry in re.split(rf"^ {{{indent}}}- ", lines, flags=re.M)[1:]:
            values = dict(re.findall(r"^[ -]*(server|certificate-authority-data):\s*[\"']?([^\s\"']+)", entry, re.M))
            name = re.search(rf"^(?: {{{indent + 2}}})?name:\s*[\"']?([^\s\"']+)", entry, re.M)
            found.append((values, name.group(1) if name else ""))
    clusters = []
    for values, name in found:
        try:
            authority = base64.b64decode(values.get("certificate-authority-data") or "").decode("ascii", "replace")
        except (ValueError, binascii.Error):
            authority = ""
        clusters.append({"server": values.get("server", ""), "ca": authority, "name": name})
    return clusters


def parse_kubeconfig(text: str) -> dict[str, str]:
    """Return ``server``, ``ca`` (PEM text) and ``name`` of the first cluster in a kubeconfig; empty values where there is none."""
    first = next(iter(parse_clusters(text)), {"server": "", "ca": "", "name": ""})
    # The kubelet writes this name after its bootstrap, whatever the name of the cluster is.
    return dict(first, name="" if first["name"] == "default-cluster" else first["name"])


def parse_authorities(text: str) -> list[dict[str, str]]:
    """Return ``server`` and ``ca_hash`` of every cluster in a kubeconfig."""
    clusters = (one for one in parse_clusters(text) if one["server"])
    return [{"server": one["server"], "ca_hash": ca_cert_hash(one["ca"])} for one in clusters]


def gather_kubeconfigs(files: Files, homes: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the key ``kubeconfigs`` of host_info: the clusters in the kubeconfig of each user's home.

    :param homes: home by user; None for all users of the host.
    """
    if homes is None:
        homes = {entry.pw_name: entry.pw_dir for entry in pwd.getpwall()}
    paths = {user: home.rstrip("/") + "/.kube/config" for user, home in homes.items()}
    return {
        user: {"path": path, "clusters": parse_authorities(files.read(path))}
        for user, path in sorted(paths.items())
        if files.exists(path)
    }


def parse_image_version(manifest: str) -> str:
    """Return the version in the tag of the first image of a static pod's manifest, without its ``v``."""
    match = re.search(r"^\s*image:\s*\"?\S+?:v?(\d+\.\d+\.\d+[^\s\"@]*)", manifest, re.M)
    return match.group(1) if match else ""


def read_components(files: Files) -> dict[str, str]:
    """Return the version of each component of the control plane that runs as a static pod here, by its name."""
    found = {name: parse_image_version(files.read(f"{MANIFESTS}/{name}.yaml")).split("-")[0] for name in COMPONENTS}
    return {name: version for name, version in found.items() if version}


def parse_secure_port(manifest: str) -> int:
    """Return the port in the manifest of kube-apiserver, 6443 by default."""
    match = re.search(r"--secure-port=(\d+)", manifest)
    return int(match.group(1)) if match else 6443


def parse_etcd_servers(manifest: str) -> list[str]:
    """Return the URLs of etcd in the manifest of kube-apiserver."""
    match = re.search(r"--etcd-servers=([^\s\"']+)", manifest)
    return match.group(1).split(",") if match else []


def is_etcd_host(files: Files) -> bool:
    """Return whether a kubelet without a cluster runs a member of etcd here, which has not lost its data."""
    return all(files.exists(path) for path in (f"{MANIFESTS}/etcd.yaml", ETCD_LOG)) and not any(
        files.exists(path) for path in (ADMIN, KUBELET, BOOTSTRAP, f"{MANIFESTS}/kube-apiserver.yaml")
    )


def package_upstream(version: str) -> str:
    """Return the upstream version of a package: ``1.36.3`` for ``1.36.3-1.1`` and ``0:1.36.3-1.el9``."""
    match = re.match(r"^(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return match.group(1) if match else ""


def parse_record(text: str) -> dict[str, Any]:
    """Return the key ``record`` of host_info from the text of the record, see :mod:`.._host.record`.

    It is not ``readable`` where the text is not valid; the host must not be changed then.
    """
    try:
        record = json.loads(text) if text.strip() else {}
        cluster, operation, upgrade = record.get("cluster", {}), record.get("operation", ""), record.get("upgrade", "")
        name, restored = cluster.get("name", ""), cluster.get("restored", "")
    except (ValueError, AttributeError):
        return {
            "marked": False,
            "cluster": "",
            "operation": "",
            "restored": "",
            "upgrade": "",
            "readable": False,
        }
    return {
        "marked": bool(name),
        "cluster": name,
        "operation": operation,
        "restored": restored,
        "upgrade": upgrade,
        "readable": True,
    }


def answers(port: int, path: str, authority: str = "", timeout: float = 2, host: str = "127.0.0.1") -> bool:
    """Return whether a server on this host's loopback answers with status 200, or for a server with TLS also 401 or 403.

    :param authority: PEM text of the CA that signed the server's certificate; "" for plain HTTP.
    :param timeout: in seconds.
    :param host: loopback address on which it listens.
    """
    connection: http.client.HTTPConnection
    try:
        if authority:
            context = ssl.create_default_context(cadata=authority)
            context.check_hostname = False  # 127.0.0.1 is not in the certificate of the API server
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return status == 200 or bool(authority) and status in (401, 403)


def etcd_answers(manifest: str) -> bool:
    """Return whether the member of etcd on this host is healthy, which includes that etcd has a quorum.

    :param manifest: of its static pod, which listens on the loopback address of its node's address family.
    """
    if "--listen-metrics-urls=http://[" in manifest:
        return answers(ETCD_METRICS, "/health", host="::1")
    return answers(ETCD_METRICS, "/health")


def gather_cluster(files: Files, packages: dict[str, str], record: dict[str, Any]) -> dict[str, Any]:
    """Return the key ``cluster`` of host_info.

    :param packages: installed versions by name.
    :param record: result of :func:`parse_record`.
    """
    admin, kubelet = parse_kubeconfig(files.read(ADMIN)), parse_kubeconfig(files.read(KUBELET))
    authority = files.read(CA) or kubelet["ca"] or admin["ca"]
    manifests = [name for name in files.names(MANIFESTS) if name.endswith((".yaml", ".yml", ".json"))]
    apiserver = files.read(MANIFESTS + "/kube-apiserver.yaml")
    alone = is_etcd_host(files)
    member = alone or files.exists(KUBELET) and files.exists(KUBELET_CONFIG)
    kubelet_version = package_upstream(packages.get("kubelet", ""))
    if member and not kubelet_version:
        shown = re.search(r"v(\d+\.\d+\.\d+)", run(["kubelet", "--version"], timeout=3))
        kubelet_version = shown.group(1) if shown else ""
    role = ""
    if alone:
        role = "etcd"
    elif apiserver or files.exists(ADMIN):
        role = "control_plane"
    elif member:
        role = "worker"
    healthy = False
    if alone:
        healthy = etcd_answers(files.read(f"{MANIFESTS}/etcd.yaml"))
    elif member and role == "worker":
        healthy = answers(10248, "/healthz")
    elif member and authority:
        healthy = answers(parse_secure_port(apiserver), "/livez", authority)
    return {
        "member": member,
        "role": role,
        "name": record["cluster"] or admin["name"] or kubelet["name"],
        "endpoint": (admin["server"] or kubelet["server"]).replace("https://", ""),
        "ca_hash": ca_cert_hash(authority),
        "version": (parse_image_version(apiserver) or kubelet_version) if member else "",
        "kubelet_version": kubelet_version if member else "",
        "components": read_components(files) if member else {},
        "healthy": healthy,
        "bootstrapping": files.exists(BOOTSTRAP),
        "manifests": manifests,
        "rotating": files.exists(ROTATION),
        "etcd_data": files.exists("/var/lib/etcd/member"),
        "etcd_servers": parse_etcd_servers(apiserver),
        "etcd_ca_hash": ca_cert_hash(files.read(ETCD_CA)),
    }
