# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that work on a control plane, with its administrator's kubeconfig."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.admin."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Kubeconfig of the administrator on this host.
    type: path
    default: /etc/kubernetes/admin.conf
  server:
    description:
      - URL of this host's own API server; empty for the server in O(kubeconfig).
      - A control plane that asks itself can serve while the endpoint in front of the control planes does not work.
    type: str
    default: ""
"""
