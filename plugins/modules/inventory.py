#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory
short_description: Write the inventory of a cluster, from addresses or from a running cluster
version_added: 0.1.0
description:
  - Writes C(hosts.yml) and C(group_vars/kube_cluster.yml) into a folder of the control node.
  - The most common settings are in it with their defaults, as comments.
  - Variables of the collection that the run was given, for example on the command line, are written as well, except those that may be secret.
  - The result is checked as the playbook C(slipway.kube.cluster) does it. If that would refuse it, nothing is written.
  - With O(kubeconfig), it is the inventory of a running cluster. The cluster is only read, what its API does not provide is marked with
    C(TO DO), and problems are only reported.
  - Runs on the control node and contacts no host.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
attributes:
  action:
    support: full
  async:
    support: none
  become:
    support: none
  bypass_host_loop:
    support: full
  check_mode:
    support: full
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: full
  platform:
    platforms: all
options:
  path:
    description: Folder of the inventory on the control node. A relative path starts in the working directory.
    type: path
    required: true
  control_planes:
    description: Control planes, each as C(ADDRESS), C(NAME) or C(NAME=ADDRESS). Hosts that are given by their address are called C(cp1) and so on.
    type: list
    elements: str
    default: []
  workers:
    description: Workers in the same form, named C(w1) and so on.
    type: list
    elements: str
    default: []
  user:
    description: User for SSH.
    type: str
    default: ""
  kubeconfig:
    description: Path of a kubeconfig on the control node. The inventory is that of its cluster, instead of O(control_planes) and O(workers).
    type: path
    default: ""
  context:
    description: Context of the kubeconfig. If empty, its current context is used.
    type: str
    default: ""
  overwrite:
    description: Whether files that exist and differ are replaced. A backup copy of each is kept in the same folder.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write an inventory of three hosts
  slipway.kube.inventory:
    path: inventories/mine
    control_planes: [192.0.2.11]
    workers: [192.0.2.21, gpu1=192.0.2.31]
    user: admin

- name: Write the inventory of a cluster that runs
  slipway.kube.inventory:
    path: inventories/running
    kubeconfig: ~/.kube/config
"""

RETURN = r"""
path:
  description: Folder of the inventory.
  returned: success
  type: str
notes:
  description: What the reader of the inventory has to find out or decide; it is in the file of the variables as well.
  returned: success
  type: list
  elements: str
"""
