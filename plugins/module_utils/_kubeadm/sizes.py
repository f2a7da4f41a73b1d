# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags of the control plane for large clusters. These functions are pure.

kubeadm's defaults are those of the components, made for small clusters. The figures are those with which Kubernetes' own scalability tests run
(https://github.com/kubernetes/community/tree/HEAD/sig-scalability, https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/).
"""

from __future__ import annotations

from typing import Any

# From how many nodes on, how many requests that read and that write kube-apiserver serves at a time (by default 400 and 200).
IN_FLIGHT = ((3000, 3000, 1000), (1000, 1500, 500))
# Requests per second of kube-controller-manager (by default 20) and kube-scheduler (50), which wait for themselves otherwise.
QUERIES = 100


def component_flags(name: str, nodes: int) -> dict[str, Any]:
    """Return the flags of ``api_server``, ``controller_manager``, ``scheduler`` or ``etcd`` for a number of nodes, {} for a small cluster."""
    for least, reads, writes in IN_FLIGHT:
        if nodes < least:
            continue
        if name == "api_server":
            return {"max-requests-inflight": reads, "max-mutating-requests-inflight": writes}
        if name in ("controller_manager", "scheduler"):
            return {"kube-api-qps": QUERIES, "kube-api-burst": QUERIES}
    return {}
