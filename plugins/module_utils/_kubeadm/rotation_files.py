# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a rotation on a control plane, with the old and the new authorities: who makes them, who receives them, and who is refused."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Mapping

from .._host.system import HostError, sync, write_atomic
from . import authorities, rotation_cluster
from .admin import connect
from .authorities import BASES, FINISHED, FOLDER, PKI, Files
from .config import API, merge, render
from .endpoint import read, stored_configuration
from .endpoint_config import set_key
from .run import config_folder, run_kubeadm

MANAGER = "/etc/kubernetes/manifests/kube-controller-manager.yaml"


def rotated() -> list[str]:
    """Return the authorities that are rotated, according to the folder on this control plane."""
    return [name for name in BASES if Path(FOLDER, "new", authorities.key_file(name)).exists()]


def refusal(names: list[str]) -> str:
    """Return why these authorities cannot be rotated on this control plane, "" if they can."""
    missing = [
        f"{PKI}/{file}"
        for name in names
        for file in (authorities.public_file(name), authorities.key_file(name))
        if not Path(PKI, file).exists()
    ]
    if missing:
        return (
            "The authorities cannot be rotated: not all of their keys are on this control plane, so another one issues the certificates. Nothing was"
            f" changed. Evidence: {', '.join(missing)} is missing. Rotate it where it is kept, or leave it out of certificates_rotate_authorities."
            " [slipway:external_authority]"
        )
    used = authorities.signing_files(read(Path(MANAGER)))
    expected = {(f"{folder}/ca.crt", f"{folder}/ca.key") for folder in (PKI, FOLDER + "/old", FOLDER + "/new")}
    if "ca" in names and used not in expected:
        return (
            "The authority ca cannot be rotated: kube-controller-manager signs with another one. Nothing was changed. Evidence: {} has"
            " --cluster-signing-cert-file={} and --cluster-signing-key-file={}. Rotate that authority by hand, or leave ca out of"
            " certificates_rotate_authorities. [slipway:external_authority]"
        ).format(MANAGER, *used)
    return ""


def make(params: Mapping[str, Any], names: list[str], lock: Any) -> None:
    """Let kubeadm make new authorities with the settings of the cluster, and keep them with the old ones in the folder of the rotation.

    :param params: with ``config`` on a host of an external etcd, which cannot read these settings in the cluster.
    :raises HostError: kubeadm fails.
    """
    given = params["config"]
    stored = "" if given else stored_configuration(connect(params["kubeconfig"], params["server"]))
    init = {"apiVersion": API, "kind": "InitConfiguration", "nodeRegistration": {"name": params["node_name"]}}
    with config_folder([init], {}) as folder:
        made = Path(folder, "pki")
        made.mkdir(mode=0o700)
        path = Path(folder, "config.yaml")
        place = {"certificatesDir": str(made)}
        path.write_text(
            render([merge(one, place) if one["kind"] == "ClusterConfiguration" else dict(one) for one in given])
            if given
            else path.read_text() + "---\n" + set_key(stored, "certificatesDir", str(made))
        )
        for name in names:
            run_kubeadm(["init", "phase", "certs", name, "--config", str(path)], params["timeout"], lock, params["log"])
        keep(authorities.read_files(PKI, names), authorities.read_files(str(made), names))


def keep(old: Mapping[str, Files], new: Mapping[str, Files]) -> None:
    """Write the folder of the rotation at once: after an interruption there is none, or all of it."""
    clean_up()
    folder = tempfile.mkdtemp(prefix=".rotation.", dir=PKI)
    for kind, files in (("old", old), ("new", new)):
        for name, one in files.items():
            place = Path(folder, kind, authorities.public_file(name))
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(str(place), one.public.encode(), 0o644)
            write_atomic(str(Path(folder, kind, authorities.key_file(name))), one.key.encode(), 0o600)
    os.rename(folder, FOLDER)
    sync([PKI])


def clean_up() -> None:
    """Delete what an interruption left of a folder that was not there yet, or not any more."""
    for leftover in Path(PKI).glob(".rotation.*"):
        shutil.rmtree(str(leftover))


def remains() -> bool:
    """Return whether there is a folder of a rotation, or what an interruption left of one; both have keys."""
    return Path(FOLDER).exists() or any(Path(PKI).glob(".rotation.*"))


def remove() -> None:
    """Delete the folder of the rotation, at once for whoever reads it, or what an interruption left of it."""
    clean_up()
    if Path(FOLDER).exists():
        os.rename(FOLDER, f"{PKI}/.rotation.finished")
    clean_up()


def prepare(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Keep the old and the new authorities on this control plane; the first one makes them.

    :returns: ``changes``, ``authorities`` (old and new certificates, or public keys, by name) and ``keys`` (new private keys by name).
    :raises HostError: the cluster is not healthy, or an authority cannot be rotated.
    """
    unfinished, given = rotated(), params["keys"]
    names = unfinished or [name for name in BASES if name in (params["rotate"] or params["authorities"])]
    reason, changes = refusal(names), []
    if reason:
        raise HostError(reason)
    if given is None and params["config"]:
        rotation_cluster.check_etcd(starting=not unfinished)
    elif given is None:
        rotation_cluster.check(params, starting=not unfinished)
    if names and not unfinished:
        live = authorities.read_files(PKI, names)
        pairs = {name: (params["authorities"].get(name) or {}) for name in names}
        if given is None:
            changes = [f"New {name} made." for name in names]
            if not check_mode:
                make(params, names, lock)
        elif any(is_before(live[name], pairs[name]) for name in names):
            changes = [f"New {name} received." for name in names]
            if not check_mode:
                keep(live, {name: Files(pairs[name]["new"], given[name]) for name in names})
    old, new = (authorities.read_files(f"{FOLDER}/{kind}", names) for kind in ("old", "new"))
    old = old or authorities.read_files(PKI, names)  # nothing is made in check mode
    return {
        "changes": changes,
        "authorities": {name: {"old": old[name].public, "new": new.get(name, Files()).public} for name in names},
        "keys": {name: one.key for name, one in new.items()},
    }


def is_before(live: Files, pair: Mapping[str, str]) -> bool:
    """Return whether this control plane has to receive a new authority: one that has finished already has not."""
    return authorities.phase_of(live, Files(pair["old"]), Files(pair["new"])) < FINISHED
