# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the cluster's API with the administrator's kubeconfig of a control plane."""

from __future__ import annotations

import shutil
from pathlib import Path

from .._host.system import HostError
from .._kube import auth
from .._kube.api import ApiError, Client, Unreachable
from .._kube.kubeconfig import KubeconfigError

ADMIN = "/etc/kubernetes/admin.conf"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
API_ERRORS = (ApiError, KubeconfigError, Unreachable)


def connect(kubeconfig: str = ADMIN, server: str = "", timeout: float = 30, patience: float = 60) -> Client:
    """Return a client with the administrator's credentials.

    :param kubeconfig: path of the kubeconfig on this host.
    :param server: URL of the API server, "" for the one in the kubeconfig. A control plane uses its own API server, so that it
        works while the endpoint in front of the control planes does not.
    :param timeout: seconds that one request may take. On an emulated machine the TLS handshake alone can take more than 10.
    :param patience: seconds for which a request that fails temporarily is repeated.
    :raises KubeconfigError: the kubeconfig cannot be read, or its credentials have expired.
    """
    return auth.connect({"kubeconfig": kubeconfig, "host": server}, shutil.which, patience=patience, timeout=timeout)


def cluster_id(client: Client) -> str:
    """Return the identity of a cluster: the UID of its namespace kube-system, which exists as long as the cluster does."""
    return client.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]


def has_kubeconfig(kubeconfig: str, check_mode: bool) -> bool:
    """Return whether the kubeconfig exists. It may be missing in check mode only, where the cluster is not created yet.

    :raises HostError: it is missing, and this is not check mode.
    """
    if Path(kubeconfig).exists():
        return True
    if check_mode:
        return False
    raise HostError(
        f"This host is not a control plane: {kubeconfig} does not exist. Apply the role slipway.kube.control_plane to it first."
        " [slipway:not_a_control_plane]"
    )
