# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the roles containerd and kubernetes: the files that configure a package repository."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ..plugin_utils.cluster.host_files import package_repository


def files_of_repository(repository, name, family):
    """Items for host_layer's option files; AnsibleFilterError where the family's URL is missing."""
    try:
        return package_repository(repository, name, family)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self):
        return {"package_repository": files_of_repository}
