# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that run on a control plane with the administrator's kubeconfig."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.admin."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Path of the administrator's kubeconfig on the host where the module runs.
    type: path
    default: /etc/kubernetes/admin.conf
  server:
    description:
      - URL of the API server on this host. If empty, the server in O(kubeconfig) is used.
      - With the local API server, the module works even if the control plane endpoint is not reachable.
    type: str
    default: ""
"""
