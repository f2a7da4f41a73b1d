# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Kubernetes: parsing, minors and the version skew policy (https://kubernetes.io/releases/version-skew-policy/)."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping


def parse_version(text: Any) -> tuple[int, ...]:
    """Return the numbers of ``1.36.3``, ``v1.36.3`` or ``1.36``, which compare as versions do; an empty tuple if it is not a version."""
    match = re.fullmatch(r"v?(\d+(?:\.\d+){1,2})", str(text))
    return tuple(int(number) for number in match.group(1).split(".")) if match else ()


def minor_of(version: Any) -> str:
    """Return the minor that a version belongs to, ``1.36`` for ``1.36.3`` or ``v1.36.3-gke.1``; an empty string if it is not a version."""
    match = re.match(r"v?(\d+\.\d+)(?![\d])", str(version))
    return match.group(1) if match else ""


def minor_number(version: Any) -> int | None:
    """Return the number of the minor, 36 for ``v1.36.3``, or None if it is not a version of Kubernetes 1."""
    major, _dot, minor = minor_of(version).partition(".")
    return int(minor) if major == "1" else None


def oldest_kubelet(api_server: int) -> int:
    """Return the oldest minor of a kubelet and of kube-proxy that an API server supports.

    :param api_server: minor of the API server.
    """
    return api_server - (3 if api_server >= 28 else 2)


def versions_between(
    have: Any, wanted: Any, table: Mapping[str, Mapping[str, Any]], chosen: Iterable[Any] = ()
) -> dict[str, str]:
    """Return a version of each minor between two versions, by its minor and in ascending order; "" where none is known.

    :param table: the variable kube_versions, whose rows have ``kubernetes``, a version of their minor.
    :param chosen: versions that precede those of the table.
    """
    first, last = minor_number(have), minor_number(wanted)
    if first is None or last is None:
        return {}
    own = {minor_of(version): str(version) for version in chosen}
    minors = [f"1.{number}" for number in range(first + 1, last)]
    return {minor: own.get(minor) or str((table.get(minor) or {}).get("kubernetes") or "") for minor in minors}


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts versions of one package by their numbers (``1.36.10-1.1`` after ``1.36.9-1.1``)."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|[^\d.]+", version))
