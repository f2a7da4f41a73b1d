# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter slipway.kube.kubeadm_config."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_config
short_description: The configuration of kubeadm, made from what the inventory wants
version_added: 0.1.0
description:
  - Makes the documents of C(kubeadm init) or C(kubeadm join), in the form kubeadm.k8s.io/v1beta4. They hold no secret.
options:
  _input:
    description: What is wanted, by the names that the roles control_plane and worker use.
    type: dict
    required: true
  operation:
    description: For which command.
    type: str
    choices: [init, join]
    required: true
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
config: "{{ want | slipway.kube.kubeadm_config('init') }}"
"""

RETURN = r"""
_value:
  description: A list of documents for V(init), one document for V(join).
  type: raw
"""

from ansible.errors import AnsibleFilterError

from ..module_utils._kubeadm.config import ConfigError, build_init, build_join


def kubeadm_config(want, operation):
    """Make the documents of one operation.

    Raises AnsibleFilterError where what is wanted cannot be configured.
    """
    builders = {"init": build_init, "join": build_join}
    if operation not in builders:
        raise AnsibleFilterError(f"kubeadm_config: '{operation}' is neither init nor join.")
    try:
        return builders[operation](want)
    except ConfigError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self):
        """Filters of this file by name."""
        return {"kubeadm_config": kubeadm_config}
