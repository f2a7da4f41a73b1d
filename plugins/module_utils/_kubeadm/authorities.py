# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorities of a cluster while they are rotated: which phase a host is in, and what its files have in each phase.

https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/. A folder on every control plane has the old and the new files of the
authorities that are rotated. The phase follows from comparing the files that the components read with these; nothing else is remembered.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping

from .._host.facts.cluster import ROTATION
from .._kube.x509 import pem_blocks

PKI = "/etc/kubernetes/pki"
# On control planes, with the subfolders old and new. It is removed when the rotation is finished.
FOLDER = ROTATION
PODS = "/var/lib/kubelet/pods"
# File below pki without ".crt" and ".key", by the name with which kubeadm makes the authority ("kubeadm init phase certs NAME").
BASES = {"ca": "ca", "etcd-ca": "etcd/ca", "front-proxy-ca": "front-proxy-ca", "sa": "sa"}
# Phases in their order.
BEFORE, TRUSTED, ISSUED, FINISHED = range(4)
# The authority of each certificate that kubeadm issues, by the file below /etc/kubernetes.
ISSUERS = {
    "pki/apiserver.crt": "ca",
    "pki/apiserver-kubelet-client.crt": "ca",
    "pki/apiserver-etcd-client.crt": "etcd-ca",
    "pki/front-proxy-client.crt": "front-proxy-ca",
    "pki/etcd/server.crt": "etcd-ca",
    "pki/etcd/peer.crt": "etcd-ca",
    "pki/etcd/healthcheck-client.crt": "etcd-ca",
    "admin.conf": "ca",
    "super-admin.conf": "ca",
    "controller-manager.conf": "ca",
    "scheduler.conf": "ca",
}
# Seconds after which a client has read a CA or a token again: client-go does so every five minutes and every minute (transport/ca_rotation.go and
# transport/token_source.go); 10 more for clocks and load.
READ_AGAIN = {TRUSTED: 310, ISSUED: 70}
LARGEST = 1 << 16  # bytes of a projected file that may be a CA or a token


@dataclass(frozen=True)
class Files:
    """The two files of an authority: its certificates (or the public keys of service accounts) and its key, in PEM."""

    public: str = ""
    key: str = ""


def public_file(name: str) -> str:
    """Return the file below pki that has the certificates of an authority, or the public keys of service accounts."""
    return BASES[name] + (".pub" if name == "sa" else ".crt")


def key_file(name: str) -> str:
    """Return the file below pki that has the key."""
    return BASES[name] + ".key"


def phase_of(live: Files, old: Files, new: Files) -> int:
    """Return the phase in which an authority is on this host.

    :param new: empty if it has not been made yet.
    """
    have = pem_blocks(live.public)
    if not set(pem_blocks(new.public)) & set(have):
        return BEFORE
    if not set(pem_blocks(old.public)) & set(have):
        return FINISHED
    # kubeadm signs with the key and the first certificate, so that both must be new.
    issued = have[:1] == pem_blocks(new.public)[:1] and bool(live.key) and live.key == new.key
    return ISSUED if issued else TRUSTED


def files_in(phase: int, old: Files, new: Files) -> Files:
    """Return what the files of an authority have in a phase."""
    before, after = ("".join(pem_blocks(one.public)) for one in (old, new))
    return {
        BEFORE: Files(before, old.key),
        TRUSTED: Files(before + after, old.key),
        ISSUED: Files(after + before, new.key),
        FINISHED: Files(after, new.key),
    }[phase]


def read_files(folder: str, names: Iterable[str]) -> dict[str, Files]:
    """Return the authorities whose certificates are in a folder that is laid out like pki."""
    found = {}
    for name in names:
        public, key = (Path(folder, file(name)) for file in (public_file, key_file))
        if public.exists():
            found[name] = Files(public.read_text(), key.read_text() if key.exists() else "")
    return found


def signing_files(manifest: str) -> tuple[str, str]:
    """Return the certificate and the key with which kube-controller-manager signs, "" where its manifest does not say."""
    found = (re.search(rf"--cluster-signing-{kind}-file=([^\s\"']+)", manifest) for kind in ("cert", "key"))
    certificate, key = (match.group(1) if match else "" for match in found)
    return certificate, key


def set_signing_files(manifest: str, folder: str) -> str:
    """Return the manifest of kube-controller-manager with ``ca.crt`` and ``ca.key`` of a folder for signing.

    It accepts a bundle for what it trusts, but only a single certificate to sign with
    (https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/).
    """
    for kind, name in (("cert", "ca.crt"), ("key", "ca.key")):
        flag = f"--cluster-signing-{kind}-file="
        manifest = re.sub(rf"{flag}[^\s\"']+", f"{flag}{folder}/{name}", manifest)
    return manifest


def key_id(public: str) -> str:
    """Return the identifier by which tokens name the (first) public key that verifies them, "" if there is none.

    The API server takes the SHA-256 of the key in DER (pkg/serviceaccount/jwt.go).
    """
    for block in pem_blocks(public)[:1]:
        der = base64.b64decode("".join(block.splitlines()[1:-1]))
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    return ""


def token_key_id(token: str) -> str:
    """Return the identifier of the key that signed a token, "" if this is no token."""
    parts = token.strip().split(".")
    if len(parts) != 3 or len(token) > LARGEST:
        return ""
    try:
        head = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        return str(head.get("kid", "")) if isinstance(head, dict) else ""
    except ValueError:
        return ""


def volume_state(text: str, phase: int, pairs: Mapping[str, tuple[str, str]]) -> str:
    """Return whether a file in a pod is ``old``, so that the cluster has to wait for it, or ``new``, or "" if it has nothing to do with the rotation.

    :param phase: one that is reached: with TRUSTED, pods must have the new CA; with ISSUED, tokens must be signed by the new key.
    :param pairs: old and new certificates, or public keys, by the name of the authority.
    """
    old, new = pairs.get("ca" if phase == TRUSTED else "sa", ("", ""))
    if phase == TRUSTED:
        have = set(pem_blocks(text))
        return "new" if have & set(pem_blocks(new)) else "old" if have & set(pem_blocks(old)) else ""
    signer = token_key_id(text)
    return {key_id(old): "old", key_id(new): "new"}.get(signer, "") if signer else ""


def look_at_volumes(
    phase: int, pairs: Mapping[str, tuple[str, str]], now: float, pods: str = PODS
) -> tuple[list[str], float]:
    """Return the files in the projected volumes of the pods of this node that the kubelet has to refresh, see :func:`volume_state`, and how many
    seconds it takes until running clients have read again what was refreshed.

    :param now: seconds since the epoch.
    """
    late, latest = [], 0.0
    for path in sorted(glob.glob(f"{glob.escape(pods)}/*/volumes/kubernetes.io~projected/*/*")):
        try:
            info = os.stat(path)
            if not os.path.isfile(path) or info.st_size > LARGEST:
                continue
            state = volume_state(Path(path).read_text(errors="replace"), phase, pairs)
            # The kubelet makes the link when the pod starts, and another file behind it whenever it refreshes the volume.
            refreshed = info.st_mtime - os.lstat(path).st_mtime > 1
        except OSError:
            continue  # the pod has ended
        if state == "old":
            late.append(path)
        elif state == "new" and refreshed:
            latest = max(latest, info.st_mtime)
    return late, max(latest + READ_AGAIN[phase] - now, 0.0)
