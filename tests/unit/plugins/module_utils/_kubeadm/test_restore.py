# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put back, and how kubeadm init is told that etcd has data."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import init, membership, restore

PKI = "files/etc/kubernetes/pki/"


def test_authorities_and_keys_of_service_accounts_come_back_and_certificates_of_the_old_host_do_not() -> None:
    kept = [
        f"{PKI}ca.crt",
        f"{PKI}ca.key",
        f"{PKI}etcd/ca.key",
        f"{PKI}sa.key",
        f"{PKI}front-proxy-ca.key",
        "files/etc/encryption.json",
    ]
    issued = [
        f"{PKI}apiserver.crt",
        f"{PKI}apiserver.key",
        f"{PKI}etcd/peer.crt",
        f"{PKI}apiserver-etcd-client.key",
        f"{PKI}front-proxy-client.crt",
    ]
    assert restore.files_to_write([*issued, *kept, "snapshot.db"]) == sorted(kept)


def test_without_the_key_of_an_authority_its_certificates_come_back() -> None:
    names = [f"{PKI}ca.crt", f"{PKI}apiserver.crt", f"{PKI}etcd/ca.key", f"{PKI}etcd/server.crt"]
    assert restore.files_to_write(names) == [f"{PKI}apiserver.crt", f"{PKI}ca.crt", f"{PKI}etcd/ca.key"]


def test_a_control_plane_of_an_external_etcd_keeps_the_client_certificate_that_it_was_given() -> None:
    own = [f"{PKI}apiserver-etcd-client.crt", f"{PKI}apiserver-etcd-client.key", f"{PKI}etcd/ca.crt"]
    names = [*own, f"{PKI}ca.crt", f"{PKI}ca.key", f"{PKI}sa.key", f"{PKI}apiserver.crt"]
    assert restore.files_to_write(names, external=True) == [f"{PKI}ca.crt", f"{PKI}ca.key", f"{PKI}sa.key"]
    assert restore.is_external([{}, {"etcd": {"external": {"endpoints": []}}}])
    assert not restore.is_external([{}, {"etcd": {"local": {}}}])


def test_kubeadm_accepts_the_data_of_etcd_and_leaves_the_addon() -> None:
    config = [
        {"kind": "InitConfiguration", "nodeRegistration": {"name": "cp1", "ignorePreflightErrors": ["Swap"]}},
        {"kind": "ClusterConfiguration"},
    ]
    adjusted = restore.adjust(config, "/var/lib/etcd")
    assert adjusted[0]["nodeRegistration"] == {
        "name": "cp1",
        "ignorePreflightErrors": ["Swap", "DirAvailable--var-lib-etcd"],
    }
    assert adjusted[0]["skipPhases"] == ["addon/coredns"]
    assert adjusted[1] == config[1] and config[0]["nodeRegistration"]["ignorePreflightErrors"] == ["Swap"]


@pytest.mark.parametrize(
    ("address", "peer"), [("192.0.2.1", "https://192.0.2.1:2380"), ("fd00::1", "https://[fd00::1]:2380")]
)
def test_etcd_starts_as_the_only_member_with_revisions_nobody_has_seen(address: str, peer: str) -> None:
    arguments = restore.restore_arguments("s.db", "cp1", address, "/var/lib/etcd")
    assert f"--initial-cluster=cp1={peer}" in arguments and f"--initial-advertise-peer-urls={peer}" in arguments
    assert {"--mark-compacted", "--bump-revision=1000000000", "--name=cp1"} < set(arguments)


def test_an_init_does_not_take_the_host_of_an_interrupted_restore_for_a_fresh_one() -> None:
    host = membership.Membership(cluster="blue", operation="restore")
    assert membership.decide_init(host)[0] == membership.REFUSE
    assert membership.decide_init(host, restoring=True)[0] == membership.REPEAT


@pytest.mark.parametrize(
    ("host", "action"),
    [
        (membership.Membership(), membership.RUN),
        (membership.Membership(cluster="blue", joined=True, serves=True), membership.REPEAT),
        (membership.Membership(joined=True, serves=True), membership.REFUSE),
        (membership.Membership(cluster="blue", joined=True), membership.REFUSE),
    ],
)
def test_what_a_restore_replaces(host: membership.Membership, action: str) -> None:
    assert membership.decide_init(host, restoring=True)[0] == action


def test_the_same_backup_is_not_restored_twice(tmp_path) -> None:
    record = Record(str(tmp_path))
    record.restored = "abc"
    record.finish()
    again = Record.load(str(tmp_path))
    assert init.is_restored(again, {"digest": "abc"})
    assert not init.is_restored(again, {"digest": "def"}) and not init.is_restored(again, {})
    again.begin("restore")
    assert not init.is_restored(again, {"digest": "abc"})
