#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check the inventory and the hosts before a cluster is created or changed
version_added: 0.1.0
description:
  - Checks the inventory, or the facts that M(slipway.kube.host_info) gathered about the hosts and registered as C(kube_host).
  - Runs on the control node, once for all hosts of the groups C(kube_control_plane), C(kube_worker) and C(kube_etcd), including hosts
    that are not in the play. Opens no connection and changes nothing.
  - Reports all problems in one list, each with evidence and remedy, and fails if at least one of them is an error.
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
    description: Behaves the same in check mode.
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
      - V(variables) checks the names and values of the collection's variables, before any host is contacted.
      - V(inventory) checks the inventory and its variables, before any host is contacted.
      - V(hosts) checks the hosts by their facts.
    type: str
    choices: [variables, inventory, hosts]
    required: true
  candidates:
    description:
      - Hosts that are looked at as if they were workers, by the checks of both stages.
      - Their problems are returned in RV(refused), do not fail the task, and are not shown. What other hosts have is left out.
    type: list
    elements: str
  waive:
    description:
      - Names of checks whose problems are ignored for all hosts.
      - Checks in the variable C(preflight_waive) of a host are ignored for this host in addition.
    type: list
    elements: str
    default: []
    choices:
      [
        variables, variable_names, waived_names, groups, groups_disjoint, etcd_quorum, addresses, node_names, host_names,
        networks, service_dns, dns_domain, dns_settings, endpoint, vip, version, one_version, cluster_variables, choices, registry_mirrors,
        containerd_proxy, labels_taints, reachable, privileges, os, untested_os, architecture, cpus, memory, disk, ports, swap,
        cgroup, kernel, resolver, selinux, firewall, capabilities, runtimes, installed, cni, machine_id, mac_address,
        product_uuid, node_address, address_family, clock, mtu, gateway, record, other_cluster, unmarked_member, leftovers, rotation,
        role, version_change, unhealthy, etcd_change, endpoint_change, user_kubeconfig, repository_url, repository, repository_entry,
        source_version, registry, mirror_image, endpoint_reach, proxy, addons, addon_addresses, hardening, kubelet_settings
      ]
"""

EXAMPLES = r"""
- name: Validate the inventory
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Check the inventory
      slipway.kube.preflight:
        stage: inventory
"""

RETURN = r"""
problems:
  description: All problems that are not waived, errors first.
  returned: without O(candidates), when none of them is an error; otherwise the task fails and the problems are only printed
  type: list
  elements: dict
  contains:
    check: {description: Name of the check., type: str, sample: endpoint}
    host: {description: Inventory name. Empty if the problem concerns the cluster as a whole., type: str}
    what: {description: What is wrong., type: str}
    evidence: {description: What was observed., type: str}
    remedy: {description: How to fix it., type: str}
    severity: {description: "V(error), V(warning) or V(info).", type: str}
refused:
  description: Why candidates cannot become nodes, by the names of their hosts.
  returned: with O(candidates)
  type: dict
"""
