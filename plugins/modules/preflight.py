#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Refuse what cannot become a cluster, all of it in one list
version_added: 0.1.0
description:
  - Judges the inventory, or the looks that M(slipway.kube.host_info) took at the hosts and that are in their variable C(kube_host).
  - Runs on the control node, once for all hosts of the groups that C(kube_control_plane) and C(kube_worker), also those
    that are not in the play. Opens no connection and changes nothing.
  - Prints one list of all problems, each with evidence and remedy, and fails once if one of them is an error.
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
    description: Does the same in check mode.
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: none
  platform:
    platforms: all
options:
  stage:
    description:
      - V(inventory) judges what the inventory says, before any host is touched.
      - V(hosts) judges the hosts by the looks at them.
    type: str
    choices: [inventory, hosts]
    required: true
  waive:
    description:
      - Names of checks whose problems are passed over, for all hosts.
      - Those in a host's own variable C(preflight_waive) are passed over for that host anyway.
    type: list
    elements: str
    default: []
    choices:
      - variables
      - variable_names
      - groups
      - groups_disjoint
      - etcd_quorum
      - addresses
      - node_names
      - host_names
      - networks
      - service_dns
      - dns_domain
      - endpoint
      - version
      - version_skew
      - cluster_variables
      - choices
      - registry_mirrors
      - labels_taints
      - reachable
      - privileges
      - os
      - architecture
      - cpus
      - memory
      - disk
      - ports
      - swap
      - cgroup
      - kernel
      - resolver
      - selinux
      - firewall
      - capabilities
      - runtimes
      - installed
      - machine_id
      - mac_address
      - product_uuid
      - node_address
      - clock
      - mtu
      - gateway
      - record
      - other_cluster
      - unmarked_member
      - leftovers
      - role
      - version_change
      - unhealthy
      - endpoint_change
      - user_kubeconfig
      - repository
      - source_version
      - registry
      - mirror_image
      - endpoint_reach
"""

EXAMPLES = r"""
- name: Refuse an inventory that cannot work
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Judge the inventory
      slipway.kube.preflight:
        stage: inventory
"""

RETURN = r"""
problems:
  description: All problems that are not waived, errors first.
  returned: when none of them is an error (otherwise the task fails and the printed list is all there is)
  type: list
  elements: dict
  contains:
    check: {description: Name of the check., type: str, sample: endpoint}
    host: {description: Inventory name or names. Empty where it concerns the cluster as a whole., type: str}
    what: {description: What is wrong., type: str}
    evidence: {description: What was seen., type: str}
    remedy: {description: What to do., type: str}
    severity: {description: One of error warning info., type: str}
"""
