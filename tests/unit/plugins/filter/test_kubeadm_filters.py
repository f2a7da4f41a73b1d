# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that the roles control_plane and worker use."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.kube.plugins.filter.kubeadm_config import kubeadm_config
from ansible_collections.slipway.kube.plugins.filter.kubeconfig_refusal import kubeconfig_refusal

SETTINGS = {"endpoint": "192.0.2.1", "api_port": "6443", "node_name": "w1", "node_ip": "192.0.2.2"}


def test_numbers_may_come_as_text_as_templates_give_them():
    join = kubeadm_config({**SETTINGS, "control_plane": True}, "join")
    assert join["controlPlane"]["localAPIEndpoint"] == {"advertiseAddress": "192.0.2.2", "bindPort": 6443}


@pytest.mark.parametrize(
    ("settings", "operation"), [({**SETTINGS, "patches": {"x": {}}}, "join"), (SETTINGS, "upgrade")]
)
def test_what_cannot_be_configured_is_a_filter_s_error(settings, operation):
    with pytest.raises(AnsibleFilterError):
        kubeadm_config(settings, operation)


def test_a_kubeconfig_that_is_not_there_or_no_kubeconfig(tmp_path):
    assert kubeconfig_refusal(str(tmp_path / "none"), "") == ""
    (tmp_path / "text").write_text("text")
    assert "not a kubeconfig" in kubeconfig_refusal(str(tmp_path / "text"), "")
