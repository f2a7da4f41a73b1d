# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the API server are private, the key of encryption is made once, and a control plane that joins gets what another one has."""

from __future__ import annotations

import base64
import stat

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import apiserver_files, hardening


@pytest.fixture
def places(tmp_path, monkeypatch):
    folder = tmp_path / "apiserver"
    monkeypatch.setattr(hardening, "FOLDER", str(folder))
    monkeypatch.setattr(hardening, "ENCRYPTION", str(folder / "encryption.yaml"))
    audit = tmp_path / "log" / "audit"
    monkeypatch.setattr(hardening, "AUDIT_FOLDER", str(audit))
    return folder, audit


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def documents(path):
    arguments = [{"name": "profiling", "value": "false"}, {"name": "encryption-provider-config", "value": path}]
    return [{"kind": "InitConfiguration"}, {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": arguments}}]


def test_files_and_folders_are_roots_alone(places):
    folder, audit = places
    apiserver_files.write_files([{"path": str(folder / "audit-policy.json"), "content": "{}\n"}])
    assert (mode(folder), mode(audit), mode(folder / "audit-policy.json")) == (0o700, 0o700, 0o600)
    assert (folder / "audit-policy.json").read_text() == "{}\n"


def test_the_key_is_random_and_an_interrupted_init_keeps_it(places):
    folder, _audit = places
    apiserver_files.prepare([], documents(hardening.ENCRYPTION))
    first = (folder / "encryption.yaml").read_text()
    (resource,) = yaml.safe_load(first)["resources"]
    (key,) = resource["providers"][0]["secretbox"]["keys"]
    assert len(base64.b64decode(key["secret"])) == 32 and resource["resources"] == ["secrets"]
    assert resource["providers"][-1] == {"identity": {}}
    assert mode(folder / "encryption.yaml") == 0o600
    apiserver_files.prepare([], documents(hardening.ENCRYPTION))
    assert (folder / "encryption.yaml").read_text() == first
    (folder / "encryption.yaml").unlink()
    apiserver_files.prepare([], documents(hardening.ENCRYPTION))
    assert (folder / "encryption.yaml").read_text() != first


@pytest.mark.parametrize(
    "config", [documents("/etc/mine.yaml"), [{"kind": "ClusterConfiguration", "apiServer": {}}], []]
)
def test_no_key_is_made_where_none_is_wanted(places, config):
    apiserver_files.prepare([], config)
    assert not places[0].exists()


def test_a_control_plane_that_joins_gets_what_another_one_has(places):
    folder, _audit = places
    apiserver_files.prepare([{"path": str(folder / "a.json"), "content": "[1]"}], documents(hardening.ENCRYPTION))
    read = apiserver_files.read_files(str(folder))
    assert [one["path"] for one in read] == [str(folder / "a.json"), str(folder / "encryption.yaml")]
    before = {path.name: path.read_text() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    apiserver_files.write_files(read)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_a_cluster_without_such_files_has_none_to_give(tmp_path):
    assert apiserver_files.read_files(str(tmp_path / "apiserver")) == []
