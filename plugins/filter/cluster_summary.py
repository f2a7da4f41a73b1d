# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filter that writes what a verification found; the text is made in module_utils/workload/summary.py."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError

from ..module_utils._verify.summary import cluster_text


def cluster_summary(verified: Mapping[str, Any], **about: Any) -> list[str]:
    """Write the summary of a cluster, as lines.

    :raises AnsibleFilterError: the input is not what the module cluster_verify returns.
    """
    try:
        return cluster_text(verified, **about).split("\n")
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"This is not what slipway.kube.cluster_verify returns: {error!r}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name them."""
        return {"cluster_summary": cluster_summary}
