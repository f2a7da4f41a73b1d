# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the roles control_plane, etcd and worker: the configuration of C(kubeadm init) or C(kubeadm join), as kubeadm.k8s.io/v1beta4.

It returns a list of documents for C(init) and C(etcd), one document for C(join), and for C(files) what the API server of the first control plane reads.
They contain no credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._kubeadm.config import ConfigError, build_etcd, build_init, build_join
from ..module_utils._kubeadm.hardening import apiserver_files


def kubeadm_config(settings: dict[str, Any], operation: str) -> Any:
    """Build the documents of one operation.

    :param settings: Mapping as C(build_init) and C(build_join) of module_utils/_kubeadm/config.py describe it.
    :param operation: C(init), C(join), C(etcd) or C(files).
    :raises AnsibleFilterError: The settings cannot be expressed as a kubeadm configuration.
    """
    builders = {"init": build_init, "join": build_join, "etcd": build_etcd, "files": apiserver_files}
    if operation not in builders:
        raise AnsibleFilterError(
            f"kubeadm_config: '{operation}' is not a valid operation (expected init, join, etcd or files)."
        )
    try:
        return builders[operation](settings)
    except ConfigError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"kubeadm_config": kubeadm_config}
