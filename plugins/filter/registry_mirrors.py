# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role containerd: the hosts.toml files of registry mirrors."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..plugin_utils.cluster.host_files import registry_mirrors


def files_of_mirrors(mirrors):
    """Items for host_layer's option files; AnsibleFilterError for a registry without a mirror, or a mirror without a URL."""
    try:
        return registry_mirrors(mirrors)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self):
        return {"registry_mirrors": files_of_mirrors}
