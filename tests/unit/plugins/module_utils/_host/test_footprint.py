# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record keeps of a host before a cluster fills it."""

from __future__ import annotations

import json

from ansible_collections.slipway.kube.plugins.module_utils._host import footprint


def test_folders_sysctls_packages_and_the_network_are_kept_as_json(tmp_path, monkeypatch) -> None:
    (tmp_path / "there/b").mkdir(parents=True)
    (tmp_path / "there/a").touch()
    monkeypatch.setattr(footprint, "proc_path", lambda name: str(tmp_path / name))
    (tmp_path / "vm.overcommit_memory").write_text("0\n")
    seen = footprint.take_footprint(
        [str(tmp_path / "there"), str(tmp_path / "not")], ["vm.overcommit_memory", "vm.none"]
    )
    assert seen["folders"] == {str(tmp_path / "there"): ["a", "b"], str(tmp_path / "not"): None}
    assert seen["sysctls"] == {"vm.overcommit_memory": "0"}
    assert "lo" in seen["links"]
    assert json.loads(json.dumps(seen)) == seen


def test_installed_packages_are_named_without_their_architecture(tmp_path, monkeypatch) -> None:
    tool = tmp_path / "dpkg-query"
    tool.write_text("#!/bin/sh\nprintf 'ii  libc6:amd64\\nrc  gone\\nhi  kubelet\\niU  half\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert footprint.installed_packages() == ["kubelet", "libc6"]


def test_the_keys_that_rpm_trusts_are_kept(tmp_path, monkeypatch) -> None:
    tool = tmp_path / "rpm"
    tool.write_text("#!/bin/sh\n[ \"$*\" = '-q gpg-pubkey' ] && printf 'gpg-pubkey-b-2\\ngpg-pubkey-a-1\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert footprint.take_footprint([], [])["rpm_keys"] == ["gpg-pubkey-a-1", "gpg-pubkey-b-2"]
    tool.write_text("#!/bin/sh\necho 'package gpg-pubkey is not installed'\nexit 1\n")
    assert footprint.take_footprint([], [])["rpm_keys"] == []


def test_no_folder_is_a_system_folder() -> None:
    for path in footprint.FOLDERS:
        assert path.count("/") >= 2 and path not in ("/var/lib", "/var/log", "/etc/systemd")
    assert set(footprint.SHARED) <= set(footprint.FOLDERS)
