# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Helm keeps of a release whose objects are taken over: with its Secrets, a later C(helm uninstall) would delete these objects."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .._kube.api import ApiError, Client
from .store import METADATA_ONLY

# https://helm.sh/docs/topics/advanced/#storage-backends
NAME, NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


def left_by_helm(client: Client, lives: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each release of Helm that some live objects belong to and that Helm still has."""
    found = []
    for live in lives:
        annotations = (live.get("metadata") or {}).get("annotations") or {}
        found.append((annotations.get(NAMESPACE) or "", annotations.get(NAME) or ""))
    lines = []
    for namespace, name in sorted(set(found)):
        if not namespace or not name:
            continue
        query = {"labelSelector": f"owner=helm,name={name}"}
        try:
            kept = client.get(f"/api/v1/namespaces/{namespace}/secrets", query, accept=METADATA_ONLY)["items"]
        except ApiError:
            continue  # this user may not read them, or Helm keeps them elsewhere
        if kept:
            lines.append(
                f"Helm still has its release {name} in namespace {namespace}, and helm uninstall would delete objects that are taken over. When this release "
                f"is deployed, delete what Helm has of it: kubectl --namespace {namespace} delete secret --selector owner=helm,name={name}"
            )
    return lines
