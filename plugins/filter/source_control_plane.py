# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the roles control_plane and worker: the control plane from which the other nodes join.

It returns C(host) (inventory name), C(state) (C(answers), C(silent), C(unfinished) or C(none)) and C(problem): why no control plane can be used or
created and how to resolve that, empty if one can.
"""

from __future__ import annotations

from ..plugin_utils.cluster.choose_control_plane import choose_source


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Return the filters by name."""
        return {"source_control_plane": choose_source}
