# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the hosts of a lab get their software: from upstream, from an origin that stands in for it, or from nowhere.

An origin is a folder with one subfolder for each upstream server, named like it, and with C(origin.json), which lists them.
The lab serves it to its hosts under these names.
"""

from __future__ import annotations

import json
import os
import socket
import threading

INDEX = "origin.json"
UPSTREAM = ("pkgs.k8s.io", "registry.k8s.io", "download.docker.com")
TIMEOUT = 5.0  # seconds
CALICO = "raw.githubusercontent.com/projectcalico/calico"


def unreachable(names: tuple[str, ...] = UPSTREAM, port: int = 443, timeout: float = TIMEOUT) -> str:
    """Return why the first of the servers that does not accept connections cannot be reached; empty if all do.

    :param timeout: seconds for all of them; the resolution of a name has no limit of its own.
    """
    asked: list[str] = []
    failed: list[str] = []

    def connect() -> None:
        for name in names:
            asked.append(name)
            try:
                socket.create_connection((name, port), timeout=timeout).close()
            except OSError as error:
                failed.append(f"{name}: {error}")
                return

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        return f"{asked[-1]}: no answer within {timeout:g} s"
    return failed[0] if failed else ""


def read_origin(folder: str) -> dict:
    """Return the content of C(origin.json); empty if there is no origin in *folder*.

    :raises ValueError: the file is not valid JSON.
    """
    try:
        with open(os.path.join(folder, INDEX), encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return {}


def choose(wanted: str, folder: str) -> dict:
    """Return which sources the hosts use, and why.

    :param wanted: auto, upstream, origin or none; auto is upstream if it can be reached from this machine, otherwise the origin.
    :param folder: the folder of the origin.
    :returns: used (upstream, origin, none), reason, names (servers that the origin stands in for), variables (of the group
        kube_cluster), problem (why the origin cannot be used), missing (how to get the origin that is not built yet).
    """
    chosen: dict = {
        "used": wanted,
        "reason": "lab_sources",
        "names": [],
        "variables": {},
        "problem": "",
        "missing": "",
    }
    if wanted == "auto":
        why = unreachable()
        chosen["used"] = "origin" if why else "upstream"
        chosen["reason"] = f"upstream cannot be reached ({why})" if why else "upstream can be reached"
    if chosen["used"] == "origin":
        try:
            index = read_origin(folder)
        except (OSError, ValueError) as error:
            return dict(chosen, problem=f"The origin in {folder} cannot be read: {error}. Build it again.")
        if not index:
            return dict(chosen, missing=missing(folder, chosen["reason"]))
        chosen["names"] = sorted(index["names"])
        chosen["variables"] = dict(index["cluster_variables"])
        # Read on the control node, which does not see the lab's names.
        chosen["variables"].setdefault("kube_manifest_source", f"{folder}/")
        if os.path.isdir(os.path.join(folder, CALICO)):
            manifest = "v{{ kube_component_versions.calico }}/manifests/calico.yaml"
            chosen["variables"].setdefault("kube_calico_manifest", f"{folder}/{CALICO}/{manifest}")
    return chosen


def missing(folder: str, reason: str) -> str:
    """Return that hosts can use neither upstream nor an origin, and the remedy."""
    return (
        f"The hosts have no source of software: {reason}, and there is no origin in {folder} ({INDEX} does not exist). In a checkout of the "
        "collection, build one with `make origin`. Alternatively set lab_sources: none for hosts that use a mirror or nothing."
    )
