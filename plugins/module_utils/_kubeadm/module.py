# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of the modules of this package: shared options, error handling and the lock of the host."""

from __future__ import annotations

from typing import Any, Callable

from .._host.system import HostError, host_lock
from .admin import ADMIN, API_ERRORS

# Options of the modules that run kubeadm, documented in the fragment slipway.kube.kubeadm.
KUBEADM_OPTIONS: dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "node_name": {"type": "str", "required": True},
    "node_addresses": {"type": "list", "elements": "str", "default": []},
    "patches": {"type": "dict", "default": {}},
    "cri_socket": {"type": "str", "default": "unix:///run/containerd/containerd.sock"},
    "etcd_data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "timeout": {"type": "int", "default": 600},
    "log": {"type": "path", "default": "/var/log/slipway-kubeadm.log"},
    "record_dir": {"type": "path", "default": "/var/lib/slipway"},
}
# Options of the modules that use the administrator's kubeconfig, documented in the fragment slipway.kube.admin.
ADMIN_OPTIONS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "default": ADMIN},
    "server": {"type": "str", "default": ""},
}


def run_module(module: Any, converge: Callable[[dict[str, Any], bool], dict[str, Any]]) -> None:
    """Exit with the result of ``converge(params, check_mode)``. Its warnings become warnings of the module, its errors a failure."""
    try:
        result = converge(module.params, module.check_mode)
    except (HostError, *API_ERRORS, ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


def run_locked(module: Any, converge: Callable[[dict[str, Any], bool, Any], dict[str, Any]]) -> None:
    """Do the same with the lock of the host, which excludes other runs. In check mode, *converge* gets None in its place."""

    def locked(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        if check_mode:
            return converge(params, True, None)
        with host_lock(params["timeout"]) as lock:
            return converge(params, False, lock)

    run_module(module, locked)
