# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cluster a host belongs to, as its files tell: kubeadm's, the kubelet's, and the record of this collection."""

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
from .packages import run
from .system import Files

ADMIN = "/etc/kubernetes/admin.conf"
KUBELET = "/etc/kubernetes/kubelet.conf"
BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
CA = "/etc/kubernetes/pki/ca.crt"
MANIFESTS = "/etc/kubernetes/manifests"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"


def parse_kubeconfig(text: str) -> dict[str, str]:
    """``server``, ``ca`` (PEM text) and ``name`` of the first cluster in a kubeconfig that kubeadm or the kubelet wrote.

    A managed host has no YAML reader; these files are machine-written with one key a line, or JSON.
    """
    try:
        cluster = json.loads(text)["clusters"][0]
        server, data = cluster["cluster"].get("server", ""), cluster["cluster"].get("certificate-authority-data", "")
        name = cluster.get("name", "")
    except (ValueError, KeyError, IndexError, TypeError):
        block = re.search(r"^clusters:\n((?:[ -].*\n?)+)", text, re.M)
        lines = block.group(1) if block else ""

        def value(key: str) -> str:
            match = re.search(r"^[ -]*" + key + r":\s*\"?([^\s\"]+)", lines, re.M)
            return match.group(1) if match else ""

        server, data, name = value("server"), value("certificate-authority-data"), value("name")
    try:
        authority = base64.b64decode(data).decode("ascii", "replace")
    except (ValueError, binascii.Error):
        authority = ""
    # The kubelet names what it writes itself after its bootstrap: that says nothing about the cluster.
    return {"server": server, "ca": authority, "name": "" if name == "default-cluster" else name}


def parse_authorities(text: str) -> list[dict[str, str]]:
    """``server`` and ``ca_hash`` of every cluster in a kubeconfig; one that holds none in a form that is understood gives none."""
    try:
        config = json.loads(text)
        pairs = [
            (one["cluster"].get("server", ""), one["cluster"].get("certificate-authority-data", ""))
            for one in config.get("clusters") or []
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        block = re.search(r"^clusters:\s*\n((?:[ -].*\n?)+)", text, re.M)
        pairs = []
        lines = block.group(1) if block else ""
        indent = len(lines) - len(lines.lstrip(" "))  # lists inside an entry are indented more
        for entry in re.split(r"^ {%d}- " % indent, lines, flags=re.M)[1:]:
            values = dict(re.findall(r"^[ -]*(server|certificate-authority-data):\s*[\"']?([^\s\"']+)", entry, re.M))
            pairs.append((values.get("server", ""), values.get("certificate-authority-data", "")))
    found = []
    for server, data in (pair for pair in pairs if pair[0]):
        try:
            pem = base64.b64decode(data).decode("ascii", "replace")
        except (ValueError, binascii.Error):
            pem = ""
        found.append({"server": server, "ca_hash": ca_cert_hash(pem)})
    return found


def look_at_kubeconfigs(files: Files, homes: dict[str, str] | None = None) -> dict[str, Any]:
    """Key ``kubeconfigs`` of the module host_info: what the kubeconfig in each user's home leads to.

    :param homes: home by user; those of the host's list of users when None.
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
    """Version in the tag of the first image of a static pod's manifest, without its ``v``."""
    match = re.search(r"^\s*image:\s*\"?\S+?:v?(\d+\.\d+\.\d+[^\s\"@]*)", manifest, re.M)
    return match.group(1) if match else ""


def parse_secure_port(manifest: str) -> int:
    """Port that kube-apiserver's manifest makes it listen on."""
    match = re.search(r"--secure-port=(\d+)", manifest)
    return int(match.group(1)) if match else 6443


def package_upstream(version: str) -> str:
    """Upstream's version of a package: ``1.36.3-1.1`` and ``0:1.36.3-1.el9`` are ``1.36.3``."""
    match = re.match(r"^(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return match.group(1) if match else ""


def parse_record(text: str) -> dict[str, Any]:
    """Key ``record`` of the module host_info from the record's JSON (module_utils/host/record.py writes it).

    A record that cannot be understood is not ``readable``: then nothing may be changed.
    """
    try:
        record = json.loads(text) if text.strip() else {}
        name = record.get("cluster", {}).get("name", "")
        operation = record.get("operation", "")
    except (ValueError, AttributeError):
        return {"marked": False, "cluster": "", "operation": "", "readable": False}
    return {"marked": bool(name), "cluster": name, "operation": operation, "readable": True}


def answers(port: int, path: str, authority: str = "", timeout: float = 2) -> bool:
    """Whether a server on this host's loopback says 200 (or, for a known CA, that one must log in first).

    :param authority: PEM text of the CA that the server's certificate must come from; "" for plain HTTP.
    """
    connection: http.client.HTTPConnection
    try:
        if authority:
            context = ssl.create_default_context(cadata=authority)
            context.check_hostname = False  # 127.0.0.1 is none of the API server's names; its CA is what counts
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return status == 200 or bool(authority) and status in (401, 403)


def look_at_cluster(files: Files, packages: dict[str, str], record: dict[str, Any]) -> dict[str, Any]:
    """Key ``cluster`` of the module host_info.

    :param packages: installed versions by name.
    :param record: result of :func:`parse_record`.
    """
    admin, kubelet = parse_kubeconfig(files.read(ADMIN)), parse_kubeconfig(files.read(KUBELET))
    authority = files.read(CA) or kubelet["ca"] or admin["ca"]
    manifests = [name for name in files.names(MANIFESTS) if name.endswith((".yaml", ".yml", ".json"))]
    apiserver = files.read(MANIFESTS + "/kube-apiserver.yaml")
    member = files.exists(KUBELET) and files.exists(KUBELET_CONFIG)
    kubelet_version = package_upstream(packages.get("kubelet", ""))
    if member and not kubelet_version:
        shown = re.search(r"v(\d+\.\d+\.\d+)", run(["kubelet", "--version"], timeout=3))
        kubelet_version = shown.group(1) if shown else ""
    role = ""
    if apiserver or files.exists(ADMIN):
        role = "control_plane"
    elif member:
        role = "worker"
    healthy = False
    if member and role == "control_plane":
        healthy = answers(parse_secure_port(apiserver), "/livez", authority) if authority else False
    elif member:
        healthy = answers(10248, "/healthz")
    return {
        "member": member,
        "role": role,
        "name": record["cluster"] or admin["name"] or kubelet["name"],
        "endpoint": (admin["server"] or kubelet["server"]).replace("https://", ""),
        "ca_hash": ca_cert_hash(authority),
        "version": (parse_image_version(apiserver) or kubelet_version) if member else "",
        "kubelet_version": kubelet_version if member else "",
        "healthy": healthy,
        "bootstrapping": files.exists(BOOTSTRAP),
        "manifests": manifests,
        "etcd_data": files.exists("/var/lib/etcd/member"),
    }
