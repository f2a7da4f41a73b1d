# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether updates require a reboot, as Debian says it and as rpm's database shows it."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import reboot
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

RPM = """1764000000 kernel-core
package kernel-rt is not installed
1764000500 glibc
1763000000 systemd
1764000600 kernel-core
"""


@pytest.fixture
def host(tmp_path):
    for name, text in {"proc/stat": "cpu 1 2\nbtime 1764000200\nprocesses 5\n", "run/x": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_debian_says_it(host, monkeypatch):
    monkeypatch.setattr(reboot, "run", lambda command: pytest.fail("rpm is not asked on Debian"))
    (host / "var/lib/dpkg").mkdir(parents=True)
    (host / "var/lib/dpkg/status").write_text("")
    assert reboot.gather_reboot(Files(str(host))) == []
    (host / "run/reboot-required").write_text("*** System restart required ***\n")
    assert reboot.gather_reboot(Files(str(host))) == ["/run/reboot-required exists"]
    (host / "run/reboot-required.pkgs").write_text("linux-base\nlibc6\nlinux-base\n")
    assert reboot.gather_reboot(Files(str(host))) == ["/run/reboot-required exists, because of libc6, linux-base"]


def test_debian_without_that_word_has_a_newer_kernel(host, monkeypatch):
    monkeypatch.setattr(reboot.platform, "release", lambda: "6.1.0-1-amd64")
    for name in (
        "var/lib/dpkg/status",
        "boot/vmlinuz-6.1.0-1-amd64",
        "boot/vmlinuz-6.1.0-2-amd64",
        "boot/initrd.img-6.1.0-2-amd64",
    ):
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text("")
    assert reboot.gather_reboot(Files(str(host))) == ["installed since the boot: kernel 6.1.0-2-amd64"]
    (host / "proc/stat").write_text("btime 99999999999\n")
    assert reboot.gather_reboot(Files(str(host))) == []


def test_rpm_shows_it(host, monkeypatch):
    monkeypatch.setattr(reboot, "run", lambda command: RPM)
    assert reboot.gather_reboot(Files(str(host))) == ["installed since the boot: glibc, kernel-core"]
    (host / "proc/stat").write_text("btime 1764000600\n")
    assert reboot.gather_reboot(Files(str(host))) == []
    monkeypatch.setattr(reboot, "run", lambda command: "")
    assert reboot.gather_reboot(Files(str(host))) == []
