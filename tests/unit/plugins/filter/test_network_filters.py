# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters hand on what the cores say, and their errors as Ansible's."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.kube.plugins.filter.calico import FilterModule as Calico
from ansible_collections.slipway.kube.plugins.filter.cluster_summary import FilterModule as Summary
from ansible_collections.slipway.kube.plugins.filter.flannel import FilterModule as Flannel


def test_calico_explains_a_manifest_that_is_none() -> None:
    calico = Calico().filters()["calico"]
    with pytest.raises(AnsibleFilterError, match="Calico: The manifest has no ConfigMap named calico-config"):
        calico([{"kind": "Pod"}], "192.168.0.0/16")
    with pytest.raises(AnsibleFilterError, match="unexpected keyword argument 'encapsulaton'"):
        calico([], "192.168.0.0/16", encapsulaton="VXLAN")


def test_flannel_makes_objects_and_explains() -> None:
    flannel = Flannel().filters()["flannel"]
    assert [content["kind"] for content in flannel("10.244.0.0/16", "0.28.4", cni_plugin=False)][-1] == "DaemonSet"
    with pytest.raises(AnsibleFilterError, match="Flannel: The pod network 'x' is not a valid network"):
        flannel("x", "0.28.4", cni_plugin=False)


def test_the_summary_is_lines() -> None:
    summary = Summary().filters()["cluster_summary"]
    assert summary({"nodes": [], "msg": "nothing"}, name="lab") == ["nothing"]
    with pytest.raises(AnsibleFilterError, match=r"not a result of slipway.kube.cluster_verify"):
        summary({"nodes": [{}]})
