# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that run kubeadm on a host."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.kubeadm."""

    DOCUMENTATION = r"""
options:
  cluster:
    description: Name of the cluster, which is written to the record of the host.
    type: str
    required: true
  node_name:
    description: Name of this node.
    type: str
    required: true
  node_addresses:
    description: Addresses of this node.
    type: list
    elements: str
    default: []
  patches:
    description:
      - Patches for the files that kubeadm generates, by file name. Each is an object or a list of operations.
      - A name has the form C(TARGET[NUMBER][+strategic|+merge|+json].json), for example C(kube-apiserver0+strategic.json).
    type: dict
    default: {}
  cri_socket:
    description: Socket of the container runtime.
    type: str
    default: unix:///run/containerd/containerd.sock
  etcd_data_dir:
    description: Data directory of the stacked etcd member. It is emptied when an interrupted operation is cleaned up.
    type: path
    default: /var/lib/etcd
  timeout:
    description:
      - Seconds after which kubeadm is terminated.
      - The default is sufficient to pull 400 MB of images over a slow connection. kubeadm's own timeouts, of four minutes, expire earlier.
    type: int
    default: 600
  log:
    description: File on the host, with mode 0600, to which the output of kubeadm is appended.
    type: path
    default: /var/log/slipway-kubeadm.log
  record_dir:
    description: Directory of the host's record.
    type: path
    default: /var/lib/slipway
attributes:
  check_mode:
    description: Predicts the changes from the files and the record of the host.
    support: full
  diff_mode:
    description: Shows the configuration of kubeadm without secrets.
    support: full
"""
