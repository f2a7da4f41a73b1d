# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written whole, commands run, one converging module at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import system as module
from ansible_collections.slipway.kube.plugins.module_utils._host.system import (
    HostError,
    Result,
    System,
    host_lock,
    sync,
    write_atomic,
)


def test_write_atomic_replaces_a_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "config"
    target.write_text("old")
    write_atomic(str(target), b"new", 0o600, os.getuid(), os.getgid())
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["config"]


def test_write_atomic_clears_what_a_killed_run_left(tmp_path):
    (tmp_path / ".config.abc.slipway").write_text("half")
    (tmp_path / ".config2.abc.slipway").write_text("another file's")
    write_atomic(str(tmp_path / "config"), b"new", 0o600, os.getuid(), os.getgid())
    assert sorted(os.listdir(tmp_path)) == [".config2.abc.slipway", "config"]


def test_write_atomic_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    target = tmp_path / "config"
    target.write_text("old")

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", no_space)
    with pytest.raises(HostError, match=r"No space left on device\. Free some space"):
        write_atomic(str(target), b"new", 0o600, os.getuid(), os.getgid())
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["config"]


def test_must_names_command_evidence_and_remedy():
    system = System(run=lambda command, env: Result(3, "", "first\nit broke"))
    with pytest.raises(HostError) as error:
        system.must("modprobe", "overlay", remedy="Load it.")
    assert (
        str(error.value)
        == "'modprobe overlay' failed with exit code 3. Evidence: first\nit broke. Load it. [slipway:command_failed]"
    )


def test_a_command_that_is_not_there_gives_127():
    assert System().run("slipway-no-such-command").code == 127


def test_commands_speak_the_c_locale_and_read_nothing():
    result = System().run(
        sys.executable,
        "-c",
        "import os, sys; print(os.environ['LC_ALL'], repr(sys.stdin.read()), os.environ['X'])",
        env={"X": "1"},
    )
    assert result.out.split() == ["C.UTF-8", "''", "1"]


@pytest.mark.parametrize("marker", ["run/systemd/container", ".dockerenv", "run/.containerenv"])
def test_a_container_is_told_by_its_marker(tmp_path, marker):
    assert not System(str(tmp_path)).in_container
    path = tmp_path / marker
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    assert System(str(tmp_path)).in_container


def test_the_lock_waits_for_another_process_and_names_it(tmp_path):
    path = str(tmp_path / "lock")
    script = f"""
import fcntl, os, time
handle = open({path!r}, 'w')
fcntl.flock(handle, fcntl.LOCK_EX)
handle.write(str(os.getpid()))
handle.flush()
print('held', flush=True)
time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HostError, match=f"locked by process {holder.pid}"), host_lock(0.1, path):
            pytest.fail("the lock was taken twice")
    finally:
        holder.kill()
        holder.wait()
    start = time.monotonic()
    with host_lock(5, path):
        assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("verb", "lasting"), [("enable", True), ("disable", True), ("mask", True), ("unmask", True), ("start", False)]
)
def test_what_systemctl_links_survives_a_power_cut(tmp_path, monkeypatch, verb, lasting):
    links = tmp_path / "etc/systemd/system"
    (links / "multi-user.target.wants").mkdir(parents=True)
    written = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: written.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    System(str(tmp_path), lambda command, env: Result(0)).systemctl(verb, "kubelet.service")
    assert written == ([str(links), str(links / "multi-user.target.wants")] if lasting else [])


def test_what_is_not_there_need_not_last(tmp_path):
    sync([str(tmp_path / "missing")])
