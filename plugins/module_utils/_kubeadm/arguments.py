# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that the modules which run kubeadm on a host share; documented in the fragment slipway.kube.kubeadm."""

from __future__ import annotations

COMMON = {
    "cluster": {"type": "str", "required": True},
    "node_name": {"type": "str", "required": True},
    "node_addresses": {"type": "list", "elements": "str", "default": []},
    "patches": {"type": "dict", "default": {}},
    "cri_socket": {"type": "str", "default": "unix:///run/containerd/containerd.sock"},
    "etcd_data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "timeout": {"type": "int", "default": 600},
    "log": {"type": "path", "default": "/var/log/slipway-kubeadm.log"},
    "record_dir": {"type": "path", "default": "/var/lib/slipway"},
}
