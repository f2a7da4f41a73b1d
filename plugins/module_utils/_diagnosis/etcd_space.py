# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the database of etcd comes near its quota, at which etcd accepts no more writes, as the API server measures it."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from .._kube.objects import Reference
from .finding import Finding, one_line
from .view import Object, name_of, namespace_of, spec_of

QUOTA = 2 * 1024**3  # bytes, of etcd without --quota-backend-bytes (https://etcd.io/docs, "Space quota")
MIB = 1024**2
FULL, NEARLY_FULL = 0.95, 0.8
DEFRAGMENT = "Run the playbook slipway.kube.etcd_defragment, which also ends a space alarm."
SHRINK = (
    "If the database stays large, delete objects ('kubectl get --raw /metrics | grep apiserver_resource_objects' counts them by kind), or raise "
    "--quota-backend-bytes in /etc/kubernetes/manifests/etcd.yaml on each control plane."
)
OPTION = re.compile(r"--quota-backend-bytes=(-?\d+)")
# A stable metric of the API server since Kubernetes 1.28. Its label is the etcd member that the server has asked.
SIZE = re.compile(r"^apiserver_storage_size_bytes(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


def database_size(metrics: str) -> float:
    """Return the size of etcd's database in bytes from a metrics page of the API server, 0 without the metric."""
    return max((float(size) for size in SIZE.findall(metrics)), default=0.0)


def quota_of(pod: Object) -> int:
    """Return the quota of an etcd pod in bytes, by its command; negative for none."""
    found = OPTION.search(
        " ".join(part for one in spec_of(pod).get("containers") or [] for part in one.get("command") or [])
    )
    return int(found.group(1)) or QUOTA if found else QUOTA


def external_findings(members: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return the findings about the members of an external etcd.

    :param members: see :func:`.._kubeadm.etcd.read_statuses`.
    """
    found, fine = [], sum(not member["problems"] for member in members)
    for member in members:
        subject = Reference("", "etcd", "", member["name"] or member["url"])
        if member["problems"]:
            found.append(
                Finding(
                    "etcd_member",
                    "error",
                    subject,
                    f"this etcd member is not healthy: {fine} of {len(members)} members are, {len(members) // 2 + 1} are required for quorum",
                    evidence=[f"{member['url']}: {one_line(problem)}" for problem in member["problems"]],
                    advice="Check its host (group kube_etcd): 'journalctl -u kubelet', the logs in /var/log/pods/kube-system_etcd-* and the disk of"
                    " /var/lib/etcd. A host that is lost is removed with slipway.kube.node_remove; slipway.kube.cluster adds another one.",
                )
            )
        evidence = f"{member['url']}: dbSize {member['size']}, dbSizeQuota {member['quota']}"
        found += _space(member["size"], member["quota"], subject, evidence, DEFRAGMENT)
    return found


def _space(
    size: float, quota: int, subject: Reference, evidence: str, advice: str, container: str = ""
) -> list[Finding]:
    """Return the finding if a database has reached 80 percent (warning) or 95 percent (error) of its quota; 0 is none."""
    if not quota or size < NEARLY_FULL * quota:
        return []
    return [
        Finding(
            "etcd_space",
            "error" if size >= FULL * quota else "warning",
            subject,
            f"the database of etcd has {size / MIB:.0f} MiB of at most {quota / MIB:.0f} MiB, with which it refuses all writes",
            evidence=[evidence],
            advice=advice,
            container=container,
        )
    ]


def space_findings(size: float, members: Sequence[Object]) -> list[Finding]:
    """Return the finding if the database has reached 80 percent (warning) or 95 percent (error) of the smallest quota of its members."""
    quotas = {quota_of(pod): pod for pod in members if quota_of(pod) > 0}
    if not quotas:
        return []
    quota = min(quotas)
    pod = Reference("v1", "Pod", namespace_of(quotas[quota]), name_of(quotas[quota]))
    evidence = f"/metrics of the API server: apiserver_storage_size_bytes {size:.0f}"
    return _space(size, quota, pod, evidence, f"{DEFRAGMENT} {SHRINK}", "etcd")
