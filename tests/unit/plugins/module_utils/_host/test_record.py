# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a host's original state."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record, describe_file, restore_file
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError


def test_there_is_no_file_before_save(tmp_path):
    record = Record.load(str(tmp_path / "slipway"))
    assert not record.exists
    assert not record.marked
    record.mark("one")
    assert not (tmp_path / "slipway").exists()
    assert record.save()
    assert not record.save(), "nothing new is not written again"


def test_what_is_saved_is_loaded_again_and_is_private(tmp_path):
    folder = tmp_path / "slipway"
    record = Record.load(str(folder))
    record.mark("one")
    record.remember("sysctls", "net.ipv4.ip_forward", "0")
    record.fetched("/etc/key.asc", "https://example.test/key")
    record.footprint = {"packages": ["bash"]}
    record.save()
    assert (folder / "host.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    again = Record.load(str(folder))
    assert again.exists and again.marked
    assert again.as_dict() == record.as_dict()
    assert again.footprint == {"packages": ["bash"]}


def test_the_first_value_wins(tmp_path):
    record = Record.load(str(tmp_path))
    assert record.remember("sysctls", "net.ipv4.ip_forward", "0")
    assert not record.remember("sysctls", "net.ipv4.ip_forward", "1")
    assert record.before["sysctls"] == {"net.ipv4.ip_forward": "0"}
    record.forget("sysctls", "net.ipv4.ip_forward")
    assert record.remember("sysctls", "net.ipv4.ip_forward", "1")


def test_none_is_a_value_too(tmp_path):
    record = Record.load(str(tmp_path))
    assert record.remember("sysctls", "x", None)
    assert not record.remember("sysctls", "x", "1")


def test_another_clusters_host_is_refused(tmp_path):
    record = Record.load(str(tmp_path))
    assert record.mark("one")
    assert not record.mark("one")
    with pytest.raises(HostError, match=r"prepared for cluster 'one', not for 'two'.*Evidence.*host\.json.*Reset it"):
        record.mark("two")
    assert record.cluster_name == "one"


def test_an_operation_is_on_disk_at_once(tmp_path):
    record = Record.load(str(tmp_path))
    record.begin("init")
    assert Record.load(str(tmp_path)).operation == "init"
    record.finish()
    assert Record.load(str(tmp_path)).operation == ""


@pytest.mark.parametrize(
    ("text", "message"), [("{", "cannot be read"), ('{"format": 99}', "format 99"), ("[]", "format unknown")]
)
def test_a_record_that_is_not_understood_stops_everything(tmp_path, text, message):
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(HostError, match=message):
        Record.load(str(tmp_path))


@pytest.mark.parametrize("kind", ["text", "bytes", "link", "directory", "absent"])
def test_what_was_described_can_be_put_back(tmp_path, kind):
    path = tmp_path / "etc" / "thing"
    path.parent.mkdir()
    if kind == "text":
        path.write_text("ä = 1\n")
        path.chmod(0o640)
    elif kind == "bytes":
        path.write_bytes(b"\xff\x00")
    elif kind == "link":
        path.symlink_to("/elsewhere")
    elif kind == "directory":
        path.mkdir(mode=0o750)
    was = json.loads(json.dumps(describe_file(str(path))))
    if kind == "directory":
        path.chmod(0o700)
    else:
        if kind == "link":
            path.unlink()
        path.write_text("ours")
    assert restore_file(str(path), was)
    assert describe_file(str(path)) == was
    assert not restore_file(str(path), was)


def test_a_folder_in_which_others_put_something_stays(tmp_path):
    (tmp_path / "certs.d").mkdir()
    (tmp_path / "certs.d" / "foreign").write_text("")
    assert not restore_file(str(tmp_path / "certs.d"), {"state": "absent"})
    os.unlink(tmp_path / "certs.d" / "foreign")
    assert restore_file(str(tmp_path / "certs.d"), {"state": "absent"})
    assert not (tmp_path / "certs.d").exists()
