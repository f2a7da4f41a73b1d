# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of a run say about its cluster: health, certificates, backups, nodes, releases. Nothing is queried for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Learned = dict[str, Any]
OURS = "slipway.kube."
# The keys that a newer run replaces as a whole; each release is replaced by itself.
WHOLE = ("health", "certificates", "backup", "nodes")


def learned_of(action: str, host: str, result: Mapping[str, Any], check: bool = False) -> Learned:
    """Return what the result of one task says about the cluster, nothing where it says nothing or is not as expected.

    :param action: The full name of the module.
    :param check: Whether it is a prediction, which says nothing about what is deployed and backed up.
    """
    read = READERS.get(action.removeprefix(OURS)) if action.startswith(OURS) else None
    if read is None or "censored" in result or result.get("skipped"):
        return {}
    try:
        return read(host, result, check)
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def merged(known: Learned, new: Learned) -> Learned:
    """Return what is known after a further result of the same run: of the certificates of all hosts the one that ends first, the last backup."""
    found = {**known, **{key: value for key, value in new.items() if key in WHOLE}}
    if "certificates" in known and "certificates" in new:
        found["certificates"] = min(known["certificates"], new["certificates"], key=lambda one: one["end"])
    if "backup" in known and "backup" in new:
        found["backup"] = max(known["backup"], new["backup"], key=lambda one: one["time"])
    if "releases" in new:
        found["releases"] = {**known.get("releases", {}), **new["releases"]}
    return found


def at_a_glance(runs: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Return the newest of what runs have learned about the cluster, each with its run. Releases come as a list of C(name, release, run).

    :param runs: Their summaries, the newest first.
    """
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    releases: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for run in runs:
        learned = run.get("cluster") or {}
        for key in WHOLE:
            if key in learned and (
                key not in found or (key == "backup" and learned[key]["time"] > found[key][0]["time"])
            ):
                found[key] = (learned[key], run)
        for name, release in (learned.get("releases") or {}).items():
            releases.setdefault(name, (release, run))
    listed = [(name, release, run) for name, (release, run) in sorted(releases.items()) if release is not None]
    if listed:
        found["releases"] = (listed, listed[0][2])
    return found


def _health(_host: str, result: Mapping[str, Any], _check: bool) -> Learned:
    nodes = _nodes(result)
    asked = (result.get("invocation") or {}).get("module_args") or {}
    if asked.get("namespaces") or asked.get("release"):
        return nodes  # of a part of the cluster
    counts = {severity: int(result["summary"].get(severity, 0)) for severity in ("error", "warning")}
    return {"health": {"text": str(result["msg"]), **counts}, **nodes}


def _verified(_host: str, result: Mapping[str, Any], _check: bool) -> Learned:
    return _nodes(result)


def _nodes(result: Mapping[str, Any]) -> Learned:
    nodes = [
        {"name": str(node["name"]), "version": str(node["version"]), "ready": bool(node["ready"])}
        for node in result.get("nodes") or []
    ]
    return {"nodes": nodes} if nodes else {}


def _certificates(host: str, result: Mapping[str, Any], _check: bool) -> Learned:
    first = min(result["certificates"], key=lambda one: str(one["end"]))
    return {
        "certificates": {"host": host, "name": str(first["name"]), "end": str(first["end"]), "days": int(first["days"])}
    }


def _backup(host: str, result: Mapping[str, Any], check: bool) -> Learned:
    manifest = result["manifest"]
    if check:
        return {}
    backup = {"time": str(manifest["time"]), "kubernetes": str(manifest["kubernetes"])}
    return {"backup": {**backup, "archive": str(result.get("archive") or ""), "host": host}}


def _archive(_host: str, result: Mapping[str, Any], _check: bool) -> Learned:
    manifest = result["manifest"]
    return {
        "backup": {
            "time": str(manifest["time"]),
            "kubernetes": str(manifest["kubernetes"]),
            "archive": "",
            "host": str(manifest["node"]),
        }
    }


def _release(_host: str, result: Mapping[str, Any], check: bool) -> Learned:
    if check or not result["name"]:
        return {}
    release = {"revision": int(result["revision"]), "status": str(result["status"])} if "revision" in result else None
    return {"releases": {f"{result['namespace']}/{result['name']}": release}}


def _releases(_host: str, result: Mapping[str, Any], _check: bool) -> Learned:
    return {
        "releases": {
            f"{one['namespace']}/{one['name']}": {"revision": int(one["revision"]), "status": str(one["status"])}
            for one in result["releases"]
        }
    }


READERS = {
    "health_info": _health,
    "cluster_verify": _verified,
    "certificates": _certificates,
    "backup": _backup,
    "backup_info": _archive,
    "release": _release,
    "app": _release,
    "release_info": _releases,
}
