# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role kubernetes: the nodes whose kubelets get their settings first."""

from __future__ import annotations

from ..plugin_utils.cluster.kubelet_trials import kubelet_trials


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Return the filters by name."""
        return {"kubelet_trials": kubelet_trials}
