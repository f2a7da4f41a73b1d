#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: coredns
short_description: Configure which names the cluster DNS resolves besides those of the cluster, and how many pods it has
version_added: 0.1.0
description:
  - Runs on a control plane, and changes the Corefile in the ConfigMap C(kube-system/coredns). All other text in it stays as it is.
  - What an earlier run has set, which the annotation C(slipway.kube/dns) of the ConfigMap lists, is removed if it is no longer wanted. A server
    block or a plugin that was configured by others is never replaced.
  - CoreDNS reads the file again without interruption. The module waits until each of its pods uses the new one.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  forwarders:
    description: Servers that resolve all other names, as ADDRESS or ADDRESS:PORT. If empty, those of the nodes.
    type: list
    elements: str
    default: []
  stub_domains:
    description: Servers that resolve the names below a domain, as a dictionary of domain and list of servers.
    type: dict
    default: {}
  hosts:
    description: Names by their address, as in C(/etc/hosts), as a dictionary of address and list of names.
    type: dict
    default: {}
  replicas:
    description: Number of pods of CoreDNS. With V(0), at least O(replicas_at_least).
    type: int
    default: 0
  replicas_at_least:
    description:
      - Minimum number of pods. A higher number that was set by others, such as an autoscaler, is kept. With V(0) or V(2), which is the number that
        kubeadm sets, only the setting of an earlier run is removed.
    type: int
    default: 0
  timeout:
    description: Seconds in which the pods of CoreDNS must use the new configuration.
    type: int
    default: 180
attributes:
  check_mode:
    support: full
    description: Predicts the change.
  diff_mode:
    support: full
    description: Shows the change of the Corefile.
"""

EXAMPLES = r"""
- name: Resolve the names of the company
  slipway.kube.coredns:
    forwarders: [192.0.2.53]
    stub_domains:
      corp.example.com: [198.51.100.53]
    hosts:
      192.0.2.80: [registry.example.com]
"""

RETURN = r"""
changes:
  description: What changes besides the Corefile, which is in the diff.
  returned: success
  type: list
  elements: str
corefile:
  description: The Corefile.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.coredns import converge
from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            forwarders=dict(type="list", elements="str", default=[]),
            stub_domains=dict(type="dict", default={}),
            hosts=dict(type="dict", default={}),
            replicas=dict(type="int", default=0),
            replicas_at_least=dict(type="int", default=0),
            timeout=dict(type="int", default=180),
        ),
        supports_check_mode=True,
    )
    run_module(module, converge)


if __name__ == "__main__":
    main()
