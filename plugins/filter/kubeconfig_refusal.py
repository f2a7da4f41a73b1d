# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter slipway.kube.kubeconfig_refusal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeconfig_refusal
short_description: Why a kubeconfig of the control node may not be overwritten
version_added: 0.1.0
description:
  - Reads a file of the control node and says which other cluster it leads to.
options:
  _input:
    description: Path of the kubeconfig on the control node.
    type: str
    required: true
  ca_hash:
    description: Hash of the CA of the cluster whose kubeconfig is to be there; empty for a cluster that is yet to be made.
    type: str
    required: true
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
refusal: "{{ './kubeconfig' | slipway.kube.kubeconfig_refusal(kube_host.cluster.ca_hash) }}"
"""

RETURN = r"""
_value:
  description: What is wrong and what to do; empty where the file is not there, or is this cluster's.
  type: str
"""

from ..module_utils._host.system import HostError
from ..module_utils._kubeadm.kubeconfig import find_refusal
from ..plugin_utils.cluster.local_kubeconfig import read_local


def kubeconfig_refusal(path, ca_hash):
    """Why the file at *path* may not be overwritten."""
    try:
        return find_refusal(path, read_local(path), ca_hash)
    except HostError as error:
        return str(error)


class FilterModule:
    """The filter."""

    def filters(self):
        """Filters of this file by name."""
        return {"kubeconfig_refusal": kubeconfig_refusal}
