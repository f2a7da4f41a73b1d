# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig whose certificate expires soon, or has expired, is reported as such and not as a fault of the cluster."""

from __future__ import annotations

import os

import pytest

from harness.kube import Call, Kube, call
from harness.playbook import output_of

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


@pytest.fixture(scope="module")
def cluster() -> Kube:
    return Kube(LAB)


def asked_with_a_certificate_for(cluster: Kube, period: str) -> Call:
    """Run health_info with an administrator's certificate of that validity period."""
    folder = output_of(LAB) / "access"
    folder.mkdir(parents=True, exist_ok=True)
    user = ["kubeadm", "kubeconfig", "user", "--client-name=faults", "--org=kubeadm:cluster-admins"]
    # The warnings of kubeadm are not part of the kubeconfig.
    code, text = cluster.host.execute("sh", "-c", f"{' '.join(user)} --validity-period={period} 2>/dev/null")
    assert code == 0, text
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(text)
    return call(cluster, folder, "health_info", {"kubeconfig": str(path), "severity": "error"})


def test_a_certificate_that_ends_soon_is_told(cluster: Kube) -> None:
    findings = asked_with_a_certificate_for(cluster, "48h").ok().answer["findings"]
    assert [(one["fault"], one["object"]["name"]) for one in findings] == [("certificate_expires", "kubernetes")]
    assert "certs renew" in findings[0]["advice"] and "notAfter" in findings[0]["evidence"][0]


def test_a_certificate_that_has_ended_is_told_before_the_cluster_is_asked(cluster: Kube) -> None:
    answer = asked_with_a_certificate_for(cluster, "1s")
    assert answer.failed and "expired" in answer.message, answer.message
