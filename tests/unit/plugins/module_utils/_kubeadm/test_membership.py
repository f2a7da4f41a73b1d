# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kubeadm runs on a host at all is decided by what the host is."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import membership
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.membership import (
    NOTHING,
    REFUSE,
    REPEAT,
    RUN,
    Membership,
)

OURS = "sha256:aa"


@pytest.mark.parametrize(
    ("host", "action"),
    [
        (Membership(), RUN),
        (Membership(cluster="blue"), RUN),
        (Membership(cluster="blue", operation="init", joined=True, serves=True), REPEAT),
        (Membership(cluster="blue", operation="join"), REPEAT),
        (Membership(cluster="blue", joined=True, serves=True), NOTHING),
        (Membership(joined=True, serves=True), REFUSE),
        (Membership(cluster="blue", joined=True), REFUSE),
    ],
)
def test_init(host, action):
    assert membership.decide_init(host)[0] == action


@pytest.mark.parametrize(
    ("host", "control_plane", "hashes", "action"),
    [
        (Membership(), False, [OURS], RUN),
        (Membership(operation="join", joined=True, cluster="blue"), False, [OURS], REPEAT),
        (Membership(operation="init", cluster="blue"), True, [], REPEAT),
        (Membership(joined=True, cluster="blue", ca_hash=OURS), False, [OURS], NOTHING),
        (Membership(joined=True, cluster="blue", ca_hash=OURS), False, [], NOTHING),
        (Membership(joined=True, cluster="blue", ca_hash="sha256:bb"), False, [OURS], REFUSE),
        (Membership(joined=True, ca_hash=OURS), False, [OURS], REFUSE),
        (Membership(joined=True, cluster="blue", ca_hash=OURS), True, [OURS], REFUSE),
        (Membership(joined=True, serves=True, cluster="blue", ca_hash=OURS), True, [OURS], NOTHING),
    ],
)
def test_join(host, control_plane, hashes, action):
    assert membership.decide_join(host, control_plane, hashes)[0] == action


def test_a_refusal_says_that_nothing_was_touched_and_what_to_do():
    _action, why = membership.decide_join(
        Membership(joined=True, endpoint="192.0.2.9:6443", ca_hash="sha256:bb"), False, [OURS]
    )
    assert "not changed" in why and "192.0.2.9:6443" in why and "sha256:bb" in why and "Reset" in why


def test_a_host_is_read_from_its_files(tmp_path):
    kubernetes, kubelet = tmp_path / "kubernetes", tmp_path / "kubelet"
    for folder in (kubernetes / "manifests", kubernetes / "pki", kubelet):
        folder.mkdir(parents=True)
    record = Record(str(tmp_path / "record"), {"cluster": {"name": "blue"}, "operation": "join"})
    assert membership.read_membership(record, str(kubernetes), str(kubelet)) == Membership(
        cluster="blue", operation="join"
    )
    authority = base64.b64encode(b"no certificate").decode()
    text = f"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    server: https://192.0.2.1:6443\n  name: k\n"
    (kubernetes / "kubelet.conf").write_text(text)
    (kubelet / "config.yaml").write_text("")
    seen = membership.read_membership(record, str(kubernetes), str(kubelet))
    assert seen.joined and not seen.serves and seen.endpoint == "192.0.2.1:6443"
    (kubernetes / "admin.conf").write_text(text)
    (kubernetes / "manifests" / "kube-apiserver.yaml").write_text("")
    assert membership.read_membership(record, str(kubernetes), str(kubelet)).serves
