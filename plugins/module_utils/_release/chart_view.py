# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Helm chart may query about a cluster (https://helm.sh/docs/chart_template_guide/builtin_objects/): its version and its APIs."""

from __future__ import annotations

from typing import Any, Iterable

from .._kube.api import ApiError, Client
from .desired import discover


def chart_view(client: Client) -> dict[str, Any]:
    """Query the cluster; nothing is changed.

    :returns: the module's result, with C(kube_version) (empty if this user may not query it) and C(api_versions).
    """
    try:
        version = client.get("/version").get("gitVersion") or ""
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        version = ""
    return {
        "changed": False,
        "finished": True,
        "kube_version": version,
        "api_versions": names_of(discover(client)),
        "requests": client.requests,
    }


def names_of(kinds: Iterable[tuple[str, str]]) -> list[str]:
    """Name kinds as C(.Capabilities.APIVersions.Has) expects them: by version, and by version and kind."""
    return sorted({name for version, kind in kinds for name in (version, f"{version}/{kind}")})
