# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig is written for its cluster, and never over another's."""

from __future__ import annotations

import base64
import copy
import os
import pwd

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.x509 import ca_cert_hash
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import kubeconfig, user_kubeconfigs
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.kubeconfig import KubeconfigRefused
from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.local_kubeconfig import converge_local, read_local
from harness.certificate import CA, OTHER_CA


def admin(authority=CA, server="https://192.0.2.1:6443"):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "kubernetes-admin@kubernetes",
        "clusters": [
            {
                "name": "kubernetes",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
                },
            }
        ],
        "contexts": [
            {"name": "kubernetes-admin@kubernetes", "context": {"cluster": "kubernetes", "user": "kubernetes-admin"}}
        ],
        "users": [
            {"name": "kubernetes-admin", "user": {"client-certificate-data": "AA==", "client-key-data": "c2VjcmV0"}}
        ],
    }


def test_namespace_and_server_are_a_person_s_and_the_original_stays():
    original = admin()
    before = copy.deepcopy(original)
    made = kubeconfig.user_kubeconfig(original, "web", "https://api.example.com:6443")
    assert made["contexts"][0]["context"]["namespace"] == "web"
    assert made["clusters"][0]["cluster"]["server"] == "https://api.example.com:6443"
    assert original == before


def test_our_own_file_is_renewed_and_an_equal_one_left_alone():
    want = kubeconfig.user_kubeconfig(admin(), "default")
    assert kubeconfig.needs_write(None, want, "/c") and kubeconfig.needs_write({"kind": "Config"}, want, "/c")
    assert not kubeconfig.needs_write({**want, "preferences": {}}, want, "/c")
    assert kubeconfig.needs_write(kubeconfig.user_kubeconfig(admin(server="https://old:6443")), want, "/c")


@pytest.mark.parametrize("mixed", [False, True], ids=["alone", "beside ours"])
def test_another_cluster_s_file_is_refused_with_its_server_and_ca(mixed):
    want = kubeconfig.user_kubeconfig(admin())
    have = admin(OTHER_CA, "https://other:6443")
    if mixed:
        have["clusters"] += admin()["clusters"]
    with pytest.raises(KubeconfigRefused) as error:
        kubeconfig.needs_write(have, want, "/home/me/config")
    text = str(error.value)
    assert "/home/me/config" in text and "https://other:6443" in text and ca_cert_hash(OTHER_CA)[:19] in text
    assert "https://192.0.2.1:6443" not in text


def test_before_a_cluster_is_there_every_file_is_another_s():
    assert kubeconfig.refusal("/c", None, set()) == ""
    assert kubeconfig.refusal("/c", admin(), {ca_cert_hash(CA)}) == ""
    assert "another cluster" in kubeconfig.refusal("/c", admin(), set())
    assert "another cluster" in kubeconfig.refusal("/c", admin(OTHER_CA), {ca_cert_hash(CA)})


def test_a_cluster_whose_authority_is_rotated_stays_the_same_one():
    for live, desired in ((CA, CA + OTHER_CA), (CA + OTHER_CA, OTHER_CA + CA), (OTHER_CA + CA, OTHER_CA)):
        assert kubeconfig.needs_write(admin(live), admin(desired), "/c")
    with pytest.raises(KubeconfigRefused):
        kubeconfig.needs_write(admin(CA), admin(OTHER_CA), "/c")


def test_a_diff_shows_no_credentials():
    text = kubeconfig.describe(kubeconfig.user_kubeconfig(admin(), "default"))
    assert "c2VjcmV0" not in text and "namespace=default" in text and ca_cert_hash(CA) in text


def test_the_control_node_s_file_is_private_and_written_once(tmp_path):
    path = tmp_path / "new" / "kubeconfig"
    assert converge_local(str(path), admin(), "default", "", True)[0] and not path.exists()
    changed, diff = converge_local(str(path), admin(), "default", "", False)
    assert changed and path.stat().st_mode & 0o777 == 0o600 and "c2VjcmV0" not in str(diff)
    assert yaml.safe_load(path.read_text())["contexts"][0]["context"]["namespace"] == "default"
    assert not converge_local(str(path), admin(), "default", "", False)[0]
    path.chmod(0o644)
    assert converge_local(str(path), admin(), "default", "", False)[0] and path.stat().st_mode & 0o777 == 0o600


def test_the_control_node_s_file_of_another_cluster_stays(tmp_path):
    path = tmp_path / "kubeconfig"
    text = yaml.safe_dump(admin(OTHER_CA))
    path.write_text(text)
    for given in (admin(), None):
        with pytest.raises(KubeconfigRefused):
            converge_local(str(path), given, "default", "", given is None)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["just words", "a: b", "{"])
def test_what_is_no_kubeconfig_is_not_overwritten(tmp_path, text):
    (tmp_path / "notes").write_text(text)
    with pytest.raises(HostError, match="on the control node"):
        read_local(str(tmp_path / "notes"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    me = pwd.getpwuid(os.getuid())
    entry = pwd.struct_passwd((me.pw_name, "x", me.pw_uid, me.pw_gid, "", str(tmp_path / "home"), ""))
    monkeypatch.setattr(user_kubeconfigs, "find_user", lambda user: entry)

    def view(_kubectl, path):
        with open(path) as handle:
            return yaml.safe_load(handle)

    monkeypatch.setattr(user_kubeconfigs, "view_kubeconfig", view)
    (tmp_path / "home").mkdir()
    (tmp_path / "admin.conf").write_text(yaml.safe_dump(admin()))
    return tmp_path


def test_a_user_gets_a_private_file_once_and_nothing_in_check_mode(home):
    params = {"users": ["root"], "kubeconfig": str(home / "admin.conf"), "namespace": "default"}
    path = home / "home" / ".kube" / "config"
    assert user_kubeconfigs.converge(params, True, False)["changed"] and not path.exists()
    first = user_kubeconfigs.converge(params, False, True)
    assert first["changed"] and first["fetched"]["kind"] == "Config" and path.stat().st_mode & 0o777 == 0o600
    second = user_kubeconfigs.converge(params, False, False)
    assert not second["changed"] and "fetched" not in second


def test_a_user_s_file_of_another_cluster_stays(home):
    path = home / "home" / ".kube" / "config"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(admin(OTHER_CA)))
    before = path.read_text()
    with pytest.raises(KubeconfigRefused):
        user_kubeconfigs.converge(
            {"users": ["root"], "kubeconfig": str(home / "admin.conf"), "namespace": ""}, False, False
        )
    assert path.read_text() == before


def test_a_user_who_is_not_there_is_named():
    with pytest.raises(HostError, match="no user 'nobody-of-this-name'"):
        user_kubeconfigs.find_user("nobody-of-this-name")
