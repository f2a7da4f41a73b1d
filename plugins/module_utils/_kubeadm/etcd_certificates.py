# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority of an external etcd and the certificates that it issues, made by kubeadm.

Every private key is made on the host that uses it, in a memory file system. The key of the authority is on the hosts of etcd, each of which can be
lost. A control plane only has it for the moment in which its client certificate is signed.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any, Iterable, Mapping

from .._host.system import write_atomic
from .._kube.x509 import certificate_end
from .config import merge, render
from .run import config_folder, run_kubeadm

BASE = "/etc/kubernetes/pki"
AUTHORITY = {"certificate": "etcd/ca.crt", "key": "etcd/ca.key"}
# What `kubeadm init phase certs` names, and its file without an extension.
MEMBER = {"etcd-server": "etcd/server", "etcd-peer": "etcd/peer", "etcd-healthcheck-client": "etcd/healthcheck-client"}
CLIENT = {"apiserver-etcd-client": "apiserver-etcd-client"}
DAY = 86400


def read_authority(base: str = BASE) -> dict[str, str]:
    """Return ``certificate`` and ``key`` of the authority in PEM, "" for what this host does not have."""
    found = {}
    for part, name in AUTHORITY.items():
        path = Path(base, name)
        found[part] = path.read_text() if path.exists() else ""
    return found


def due(names: Mapping[str, str], authority: str, days: int, now: float, base: str = BASE) -> list[str]:
    """Return the certificates that are missing, of another authority, or end in at most so many days.

    :param names: :data:`MEMBER` or :data:`CLIENT`.
    :param authority: certificate of the authority in PEM, "" for the one that this host has.
    """
    have = read_authority(base)["certificate"]
    if not have or authority and have.strip() != authority.strip():
        return list(names)
    found = []
    for name, file in names.items():
        certificate, key = Path(base, file + ".crt"), Path(base, file + ".key")
        end = certificate_end(certificate.read_text()) if certificate.exists() and key.exists() else None
        if end is None or end - now < days * DAY:
            found.append(name)
    return found


def issue(
    names: Iterable[str],
    authority: Mapping[str, str],
    config: Iterable[Mapping[str, Any]],
    params: Mapping[str, Any],
    lock: Any,
    base: str = BASE,
) -> None:
    """Let kubeadm make keys and certificates in memory, and put them in their places.

    :param names: of :data:`MEMBER` or :data:`CLIENT`, or ``etcd-ca`` for the authority itself.
    :param authority: see :func:`read_authority`; empty if it is made.
    :param config: see :func:`.config.build_etcd`.
    :param params: ``timeout`` and ``log``.
    """
    files = {"etcd-ca": "etcd/ca", **MEMBER, **CLIENT}
    with config_folder([], {}) as folder:
        made = Path(folder, "pki")
        (made / "etcd").mkdir(mode=0o700, parents=True)
        for part, name in AUTHORITY.items():
            if authority.get(part):
                with os.fdopen(os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                    handle.write(authority[part])
        place = {"certificatesDir": str(made)}
        documents = [merge(one, place) if one["kind"] == "ClusterConfiguration" else dict(one) for one in config]
        path = Path(folder, "config.yaml")
        path.write_text(render(documents))
        Path(base, "etcd").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            run_kubeadm(["init", "phase", "certs", name, "--config", str(path)], params["timeout"], lock, params["log"])
            # The key first: who finds the certificate finds its key.
            for extension, mode in ((".key", 0o600), (".crt", 0o644)):
                write_atomic(f"{base}/{files[name]}{extension}", (made / (files[name] + extension)).read_bytes(), mode)


def remove_leftovers(run: str = "/run") -> None:
    """Remove what :func:`issue` left in memory if it was killed: the key of the authority does not stay on a control plane."""
    for key in Path(run).glob("slipway-kubeadm.*/pki/etcd/ca.key"):
        shutil.rmtree(key.parents[2], ignore_errors=True)


def keep_authority(authority: Mapping[str, str], with_key: bool, base: str = BASE) -> None:
    """Write the authority that this host trusts.

    :param with_key: whether it signs as well.
    """
    Path(base, "etcd").mkdir(mode=0o700, parents=True, exist_ok=True)
    have = read_authority(base)
    for part, mode in (("key", 0o600), ("certificate", 0o644)):
        if authority.get(part) and have[part] != authority[part] and (with_key or part != "key"):
            write_atomic(f"{base}/{AUTHORITY[part]}", authority[part].encode(), mode)


def read_client(base: str = BASE) -> dict[str, bytes]:
    """Return what a control plane has to log in to etcd, by the files below the PKI."""
    names = [AUTHORITY["certificate"], *(file + ending for file in CLIENT.values() for ending in (".key", ".crt"))]
    return {name: Path(base, name).read_bytes() for name in names if Path(base, name).exists()}


def place_client(files: Mapping[str, bytes], base: str = BASE) -> None:
    """Write what :func:`read_client` returned."""
    for name, content in files.items():
        Path(base, name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(f"{base}/{name}", content, 0o600 if name.endswith(".key") else 0o644)


def make_authority(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Return the authority of this host, which is made if there is none and the configuration for it is given.

    :returns: ``changes`` and ``authority``, whose values are "" in check mode if it would be made.
    :raises ValueError: it is not made, since members may trust one whose key is not here.
    """
    authority = read_authority()
    if all(authority.values()):
        return {"changes": [], "authority": authority}
    if authority["certificate"]:
        raise ValueError(
            f"This host has the authority of etcd without its key, {BASE}/{AUTHORITY['key']}, so no certificate can be issued. Nothing was changed."
            " Remedy: copy the file with mode 0600 from another host of the group kube_etcd, or from where it is kept. [slipway:etcd_authority]"
        )
    if not params["config"] and not check_mode:
        raise ValueError(
            "This host has no authority of etcd, since it is no member of it yet, so no certificate can be issued. Nothing was changed. Remedy: run"
            " slipway.kube.cluster without --limit. [slipway:etcd_authority]"
        )
    if not check_mode:
        issue(["etcd-ca"], {}, params["config"], params, lock)
        authority = read_authority()
    return {"changes": ["The authority of etcd is made."] if params["config"] else [], "authority": authority}


def give_client_certificate(params: Mapping[str, Any], check_mode: bool, lock: Any) -> list[str]:
    """Give this control plane the authority's certificate and a client certificate of etcd, and return the changes.

    :raises ValueError: the authority is needed and not given.
    """
    authority = params["authority"] or {}
    names = due(CLIENT, authority.get("certificate") or "", params["days"], time.time())
    if names and not check_mode:
        if not authority.get("key"):
            raise ValueError(
                "The authority of etcd is not given, so no certificate can be issued. Run the role slipway.kube.etcd."
                " [slipway:etcd_authority]"
            )
        issue(names, authority, params["config"], params, lock)
        keep_authority(authority, with_key=False)  # last: without it, an interrupted run begins again
    return ["This host gets a client certificate of etcd."] if names else []
