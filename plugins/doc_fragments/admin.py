# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that run on a control plane and use its administrator's kubeconfig."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.admin."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Path of the administrator's kubeconfig on this host.
    type: path
    default: /etc/kubernetes/admin.conf
  server:
    description:
      - URL of the API server of this host. If empty, the server in O(kubeconfig) is used.
      - With its own API server, a control plane does not depend on the endpoint in front of the control planes.
    type: str
    default: ""
"""
