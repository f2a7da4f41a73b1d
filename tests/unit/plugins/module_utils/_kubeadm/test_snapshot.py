# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of etcd is kept only if it is complete."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd, snapshot

DATABASE = os.urandom(100_000)
WHOLE = DATABASE + hashlib.sha256(DATABASE).digest()


def lines(data, size=4096):
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [json.dumps({"result": {"blob": base64.b64encode(part).decode()}}).encode() + b"\n" for part in parts]


@pytest.mark.parametrize("size", [7, 4096, 10**6])
def test_a_whole_snapshot_is_stored(size):
    handle = io.BytesIO()
    assert snapshot.store(snapshot.blobs(lines(WHOLE, size)), handle) == len(WHOLE)
    assert handle.getvalue() == WHOLE


@pytest.mark.parametrize("data", [b"", WHOLE[:-1], WHOLE[:-32], WHOLE[1:], bytes([WHOLE[0] ^ 1]) + WHOLE[1:]])
def test_a_damaged_one_is_refused(data):
    with pytest.raises(etcd.EtcdError, match="damaged and was not kept"):
        snapshot.store(snapshot.blobs(lines(data)), io.BytesIO())


def test_an_error_of_etcd_is_told():
    with pytest.raises(etcd.EtcdError, match="Evidence: no leader"):
        list(snapshot.blobs([b'{"error": {"message": "no leader"}}\n']))


def test_the_newest_snapshots_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd, "has_credentials", lambda pki: True)
    monkeypatch.setattr(etcd, "stream", lambda *arguments: lines(WHOLE))
    folder = tmp_path / "snapshots"
    params = {"directory": str(folder), "label": "before-1.37.2", "keep": 2}
    assert snapshot.converge(params, True, None)["changed"] and not folder.exists()
    for number in range(3):
        (tmp_path / f"snapshots/etcd-{number}.db").parent.mkdir(exist_ok=True)
        (folder / f"etcd-{number}.db").write_text("old")
        os.utime(folder / f"etcd-{number}.db", (number, number))
    (folder / "other").write_text("not ours")
    result = snapshot.converge(params, False, None)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 3 and names[:2] == ["etcd-2.db", result["path"].rpartition("/")[2]] and names[2] == "other"
    assert (folder.stat().st_mode & 0o777, os.stat(result["path"]).st_mode & 0o777) == (0o700, 0o600)


def test_nothing_is_left_of_a_snapshot_that_broke_off(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd, "stream", lambda *arguments: lines(WHOLE[:5000]))
    with pytest.raises(etcd.EtcdError):
        snapshot.take(tmp_path, "etcd-x.db")
    assert list(tmp_path.iterdir()) == []
