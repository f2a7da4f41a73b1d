# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter slipway.kube.source_control_plane."""

from __future__ import annotations

DOCUMENTATION = r"""
name: source_control_plane
short_description: Which control plane the others are made from
version_added: 0.1.0
description:
  - Finds the control plane that answers, or the one whose API server is to be waited for, or the one on which a cluster is to be made.
options:
  _input:
    description: Result of the filter P(slipway.kube.cluster_nodes#filter).
    type: list
    elements: dict
    required: true
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
source: "{{ nodes | slipway.kube.source_control_plane }}"
"""

RETURN = r"""
_value:
  description:
    - C(host), its inventory name.
    - C(state), one of V(answers), V(silent), V(unfinished) and V(none).
    - C(problem), why no control plane may be used or made, and what to do; empty where one may.
  type: dict
"""

from ..plugin_utils.cluster.choose_control_plane import choose_source


class FilterModule:
    """The filter."""

    def filters(self):
        """Filters of this file by name."""
        return {"source_control_plane": choose_source}
