# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates of an external etcd are issued, and what of its authority stays on a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd_certificates as certificates

AUTHORITY = {"certificate": "authority\n", "key": "key of the authority\n"}


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.setattr(
        certificates, "certificate_end", lambda text: {"soon": 864000.0, "late": 86400000.0}[text.strip()]
    )
    certificates.keep_authority(AUTHORITY, with_key=True, base=str(tmp_path))
    for name in ("server", "peer", "healthcheck-client"):
        (tmp_path / "etcd" / f"{name}.crt").write_text("late")
        (tmp_path / "etcd" / f"{name}.key").write_text("a key")
    return tmp_path


def due(base, authority="", days=0):
    return certificates.due(certificates.MEMBER, authority, days, 0.0, str(base))


def test_certificates_that_are_missing_or_end_soon_are_due(base):
    assert due(base, AUTHORITY["certificate"]) == []
    (base / "etcd" / "peer.key").unlink()
    (base / "etcd" / "server.crt").write_text("soon")
    assert due(base) == ["etcd-peer"]
    assert due(base, days=30) == ["etcd-server", "etcd-peer"]


def test_all_are_due_with_another_authority_or_without_one(base, tmp_path):
    assert due(base, "another\n") == [*certificates.MEMBER]
    (base / "etcd" / "ca.crt").unlink()
    assert due(base) == [*certificates.MEMBER]


def test_only_root_reads_the_key_and_a_control_plane_has_none(base, tmp_path_factory):
    assert (base / "etcd" / "ca.key").stat().st_mode & 0o777 == 0o600
    plane = tmp_path_factory.mktemp("plane")
    certificates.keep_authority(AUTHORITY, with_key=False, base=str(plane))
    assert [path.name for path in (plane / "etcd").iterdir()] == ["ca.crt"]


def test_kubeadm_makes_keys_in_memory_and_they_are_put_in_their_places(base, monkeypatch):
    ran = []

    def kubeadm(arguments, timeout, lock, log):
        config = (folder := Path(arguments[-1])).read_text()
        made = folder.parent / "pki" / "etcd"
        assert f'"certificatesDir": "{made.parent}"' in config and (made / "ca.key").read_text() == AUTHORITY["key"]
        (made / "server.key").write_text("new key")
        (made / "server.crt").write_text("new certificate")
        ran.append(arguments[:4])

    monkeypatch.setattr(certificates, "run_kubeadm", kubeadm)
    config = [{"kind": "InitConfiguration"}, {"kind": "ClusterConfiguration"}]
    certificates.issue(["etcd-server"], AUTHORITY, config, {"timeout": 1, "log": ""}, None, str(base))
    assert ran == [["init", "phase", "certs", "etcd-server"]]
    assert (base / "etcd" / "server.crt").read_text() == "new certificate"
    assert (base / "etcd" / "server.key").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def authority_of(monkeypatch):
    """Ask for the authority of a host that has some of its files, and return it with the certificates that were made."""

    def ask(files, config=({"kind": "ClusterConfiguration"},), check_mode=False):
        made = []
        monkeypatch.setattr(certificates, "read_authority", lambda: {"certificate": "", "key": "", **files})
        monkeypatch.setattr(certificates, "issue", lambda names, *arguments: made.extend(names))
        return certificates.make_authority({"config": list(config)}, check_mode, None), made

    return ask


def test_an_authority_is_made_where_there_is_none(authority_of):
    assert authority_of({})[1] == ["etcd-ca"]
    assert authority_of({"key": "of an interrupted run"})[1] == ["etcd-ca"]
    assert authority_of(AUTHORITY) == ({"changes": [], "authority": AUTHORITY}, [])
    predicted, made = authority_of({}, check_mode=True)
    assert predicted["changes"] and not any(predicted["authority"].values()) and not made


def test_an_authority_whose_key_is_elsewhere_is_not_replaced(authority_of):
    for check_mode in (False, True):
        with pytest.raises(ValueError, match=r"ca\.key.*\[slipway:etcd_authority\]"):
            authority_of({"certificate": AUTHORITY["certificate"]}, check_mode=check_mode)


def test_an_authority_that_is_only_asked_for_is_not_made(authority_of):
    assert authority_of(AUTHORITY, config=())[0]["authority"] == AUTHORITY
    with pytest.raises(ValueError, match=r"no authority of etcd.*\[slipway:etcd_authority\]"):
        authority_of({}, config=())
    assert authority_of({}, config=(), check_mode=True)[0] == {
        "changes": [],
        "authority": {"certificate": "", "key": ""},
    }


def test_the_next_run_deletes_the_key_of_the_authority_that_one_left_which_was_killed(tmp_path):
    left, other = (tmp_path / f"slipway-kubeadm.{name}" for name in ("left", "other"))
    for folder, key in ((left, "etcd/ca.key"), (other, "apiserver.key")):
        (folder / "pki" / key).parent.mkdir(parents=True)
        (folder / "pki" / key).touch()
    certificates.remove_leftovers(str(tmp_path))
    assert not left.exists() and (other / "pki/apiserver.key").exists()


def test_what_logs_in_to_etcd_survives_the_clean_up_of_a_control_plane(tmp_path):
    base = tmp_path / "pki"
    assert certificates.read_client(str(base)) == {}
    files = {"etcd/ca.crt": b"ca", "apiserver-etcd-client.key": b"key", "apiserver-etcd-client.crt": b"certificate"}
    certificates.place_client(files, str(base))
    (base / "etcd/ca.key").write_text("not on a control plane")
    assert certificates.read_client(str(base)) == files
    assert (base / "apiserver-etcd-client.key").stat().st_mode & 0o777 == 0o600
