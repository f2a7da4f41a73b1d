# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the modules which run kubeadm on a host share."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.kubeadm."""

    DOCUMENTATION = r"""
options:
  cluster:
    description: Name of the cluster, with which the host is marked in its record.
    type: str
    required: true
  node_name:
    description: Name of this node in Kubernetes.
    type: str
    required: true
  node_addresses:
    description: Addresses of this node.
    type: list
    elements: str
    default: []
  patches:
    description:
      - Patches of what kubeadm makes, by file name, each as an object or a list of operations.
      - A name is C(TARGET[NUMBER][+strategic|+merge|+json].json), for instance C(kube-apiserver0+strategic.json).
    type: dict
    default: {}
  cri_socket:
    description: Socket of the container runtime.
    type: str
    default: unix:///run/containerd/containerd.sock
  etcd_data_dir:
    description: Folder of the stacked etcd member's data, which is emptied when an unfinished operation is cleared away.
    type: path
    default: /var/lib/etcd
  timeout:
    description:
      - Seconds after which kubeadm is ended and its failure explained.
      - The default leaves room for images of 400 MB over a slow line; kubeadm's own waits, of four minutes, end before it.
    type: int
    default: 600
  log:
    description: File on the host to which kubeadm's output is added, mode 0600.
    type: path
    default: /var/log/slipway-kubeadm.log
  record_dir:
    description: Folder of the host's record.
    type: path
    default: /var/lib/slipway
attributes:
  check_mode:
    description: Predicts from the host's files and its record.
    support: full
  diff_mode:
    description: Shows kubeadm's configuration, without secrets.
    support: full
"""
