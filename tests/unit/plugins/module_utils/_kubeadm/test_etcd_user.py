# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's data belongs to its user, who is created, and recorded before, where the host has none."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd_user

ME = pwd.getpwuid(os.getuid()).pw_name


def system(called, code=0):
    return System("/", lambda command, _environment: called.append(command) or Result(code, "", "no"))


def test_a_user_that_is_there_is_used_and_not_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_user, "USER", ME)
    called, record, folder = [], Record(str(tmp_path / "record")), tmp_path / "lib" / "etcd"
    etcd_user.own_data(str(folder), record, system(called))
    assert called == [] and record.before["users"] == {}
    assert folder.stat().st_uid == os.getuid() and folder.stat().st_mode & 0o777 == 0o700


def test_a_user_is_recorded_before_it_is_created(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_user, "USER", "nobody-like-this")
    called, record = [], Record(str(tmp_path / "record"))
    with pytest.raises(HostError, match="useradd"):
        etcd_user.own_data(str(tmp_path / "etcd"), record, system(called, code=1))
    assert called[0][0] == "useradd" and "--system" in called[0] and called[0][-1] == "nobody-like-this"
    assert Record.load(str(tmp_path / "record")).before["users"] == {"nobody-like-this": False}
    with pytest.raises(HostError, match="cannot be given to user nobody-like-this"):
        etcd_user.own_data(str(tmp_path / "etcd"), record, system(called))
