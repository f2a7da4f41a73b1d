# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role verify: format the result of cluster_verify for a terminal (module_utils/_verify/summary.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._verify.summary import cluster_text


def cluster_summary(verified: Mapping[str, Any], **about: Any) -> list[str]:
    """Return the lines of the summary of a cluster.

    :raises AnsibleFilterError: The input is not a result of the module cluster_verify.
    """
    path = Path(about.get("kubeconfig") or "")
    if path.is_relative_to(Path.cwd()):  # a command to copy is better short
        about["kubeconfig"] = str(path.relative_to(Path.cwd()))
    try:
        return cluster_text(verified, **about).split("\n")
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"The input is not a result of slipway.kube.cluster_verify: {error!r}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"cluster_summary": cluster_summary}
