# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole layer: order, record, prediction, and being ended anywhere."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.files import WantedFile
from ansible_collections.slipway.kube.plugins.module_utils._host.layer import Layer, WantedLayer
from ansible_collections.slipway.kube.plugins.module_utils._host.packages import WantedPackage
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._host.units import WantedUnit

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}
FORWARD = "proc/sys/net/ipv4/ip_forward"


class Killed(BaseException):
    """The process ends here and now."""


class Host:
    """A Debian host in a folder, with a package database and one unit; it can end at its n-th command."""

    def __init__(self, root):
        self.root = root
        self.installed = {}
        self.held = set()
        self.unit = None
        self.ran = []
        self.end_at = None
        self.installable = True
        self.write(FORWARD, "0\n")
        self.write("etc/fstab", "/swapfile none swap sw 0 0\n")
        for program in ("usr/bin/dpkg-query", "usr/bin/apt-get"):
            self.write(program, "")
            (root / program).chmod(0o755)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run(self, command, env):
        self.ran.append(command)
        looks = command[0] in ("dpkg-query", "apt-cache", "dpkg") or command[1] == "show"
        if not looks and self.end_at is not None:
            self.end_at -= 1
            if self.end_at < 0:
                raise Killed
        return getattr(self, "_" + command[0].replace("-", "_"))(command) or Result(0)

    def _dpkg_query(self, command):
        states = {name: ("h" if name in self.held else "i") + "i " for name in self.installed}
        return Result(0, "".join(f"{name}\t{self.installed[name]}\t{state}\n" for name, state in states.items()))

    def _apt_cache(self, command):
        return Result(0, f" {command[2]} | 2.2.3-1 | https://a.test Packages\n")

    def _apt_get(self, command):
        if "--download-only" in command:
            self.downloaded_before = {path.name for path in (self.root / "etc").rglob("*") if path.is_file()}
            return Result(0) if self.installable else Result(100, "", "containerd conflicts with runc")
        assert (self.root / "etc/app/config.toml").exists(), (
            "the configuration is there before the package starts its unit"
        )
        self.installed["app"] = "2.2.3-1"
        self.unit = self.unit or {"enabled": "disabled", "started": None}

    def _apt_mark(self, command):
        self.held.add(command[2])

    def _dpkg(self, command):
        return None

    def _systemctl(self, command):
        if command[1] == "show":
            if self.unit is None:
                return Result(0, "LoadState=not-found\nActiveState=inactive\n")
            started = self.unit["started"]
            active = "active" if started else "inactive"
            micro = int(started * 1e6) if started else 0
            return Result(
                0,
                f"LoadState=loaded\nActiveState={active}\nUnitFileState={self.unit['enabled']}\nExecMainStartTimestampMonotonic={micro}\n",
            )
        if command[1] == "enable":
            self.unit["enabled"] = "enabled"
        if command[1] in ("start", "restart"):
            time.sleep(0.01)  # the clock of files is coarser than that of units
            self.unit["started"] = time.clock_gettime(time.CLOCK_MONOTONIC)
            time.sleep(0.02)  # the clock of files ticks every 10 ms at most: what is written from now on is newer
        return None

    def layer(self, content="one\n", **more):
        wanted = WantedLayer(
            name="app",
            cluster="kubernetes",
            swap="absent",
            sysctls_file="",
            sysctls={"net.ipv4.ip_forward": 1},
            files=[WantedFile(path="/etc/app/config.toml", content=content, **ME)],
            packages=[WantedPackage("app", "2.2.3", hold=True)],
            units=[
                WantedUnit("app.service", enabled=True, state="started", restart_when_newer=["/etc/app/config.toml"])
            ],
        )
        for key, value in more.items():
            setattr(wanted, key, value)
        record = Record.load(str(self.root / "record"))
        return Layer(
            System(str(self.root), self.run),
            record,
            wanted,
            fetch=lambda url: b"",
            footprint=lambda: {"packages": ["bash"]},
        )

    def state(self):
        return {
            "sysctl": (self.root / FORWARD).read_text().strip(),
            "fstab": (self.root / "etc/fstab").read_text(),
            "config": (self.root / "etc/app/config.toml").read_text(),
            "packages": dict(self.installed),
            "held": set(self.held),
            "enabled": self.unit["enabled"],
            "newer": self.unit["started"] is not None,
        }


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


SENTENCES = [
    "file /etc/fstab: 1 line(s) of swap commented out",
    "sysctl net.ipv4.ip_forward set to 1",
    "file /etc/app/config.toml written",
    "package app installed: not installed -> 2.2.3 held",
    "unit app.service enabled",
    "unit app.service started",
]


def listing(root):
    return sorted((str(path), path.read_bytes() if path.is_file() else b"") for path in root.rglob("*"))


def test_a_check_run_changes_nothing_and_says_what_the_run_does(host):
    before = listing(host.root)
    predicted = host.layer().run(check=True).as_dict()
    assert listing(host.root) == before
    assert {command[0] for command in host.ran} <= {"dpkg-query", "systemctl"}
    assert predicted["changes"] == SENTENCES
    assert host.layer().run(check=False).as_dict() == predicted
    for check in (True, False):
        again = host.layer().run(check).as_dict()
        assert again == {"changed": False, "changes": [], "diff": [], "restarted": [], "notes": []}


REPOSITORY = WantedFile(path="/etc/apt/sources.list.d/app.sources", content="Types: deb\n", **ME)
CONFIG = WantedFile(path="/etc/app/config.toml", content="one\n", **ME)


@pytest.mark.parametrize("files", [[REPOSITORY, CONFIG], [CONFIG, REPOSITORY]])
def test_files_of_a_package_are_written_when_it_is_certain_that_it_can_be_installed(host, files):
    predicted = host.layer(files=files).run(check=True).as_dict()
    assert host.layer(files=files).run(check=False).as_dict() == predicted
    assert host.downloaded_before == {"fstab", "app.sources"}


def test_a_package_that_cannot_be_installed_leaves_the_configuration_of_others(host):
    host.write("etc/app/config.toml", "of another package\n")
    host.installable = False
    with pytest.raises(HostError, match="conflicts with runc"):
        host.layer(files=[REPOSITORY, CONFIG]).run(check=False)
    assert (host.root / "etc/app/config.toml").read_text() == "of another package\n"


def test_an_unchanged_host_is_looked_at_once(host):
    host.layer().run(check=False)
    host.ran.clear()
    host.layer().run(check=False)
    assert [command[0] for command in host.ran] == ["dpkg-query", "systemctl"]


def test_what_was_there_is_in_the_record(host):
    host.layer().run(check=False)
    host.layer("two\n").run(check=False)
    record = Record.load(str(host.root / "record"))
    assert (record.cluster_name, record.footprint) == ("kubernetes", {"packages": ["bash"]})
    assert record.before["sysctls"] == {"net.ipv4.ip_forward": "0"}
    assert record.before["files"]["/etc/app/config.toml"] == {"state": "absent"}
    assert record.before["files"]["/etc/fstab"]["content"] == "/swapfile none swap sw 0 0\n"
    assert record.before["packages"] == {"app": {"version": None, "held": False}}
    assert record.before["units"] == {"app.service": {"enabled": "absent", "active": "absent"}}


def test_a_changed_file_restarts_its_unit(host):
    host.layer().run(check=False)
    predicted = host.layer("two\n").run(check=True).as_dict()
    assert predicted["changes"] == [
        "file /etc/app/config.toml changed",
        "unit app.service restarted: /etc/app/config.toml changed since its start",
    ]
    assert predicted["restarted"] == ["app.service"]
    assert host.layer("two\n").run(check=False).as_dict() == predicted
    assert not host.layer("two\n").run(check=False).steps


@pytest.mark.parametrize("moment", range(8))
def test_a_run_that_is_ended_anywhere_is_finished_by_the_next(tmp_path, moment):
    whole = Host(tmp_path / "whole")
    whole.layer().run(check=False)
    host = Host(tmp_path / "ended")
    host.end_at = moment
    try:
        host.layer().run(check=False)
        ended = False
    except Killed:
        ended = True
    host.end_at = None
    if ended:
        assert host.layer().run(check=False).steps, "there was something left to do"
    assert host.state() == whole.state()
    assert not host.layer().run(check=False).steps
    before = [Record.load(str(root / "record")).before for root in (whole.root, host.root)]
    assert before[0] == before[1]


def test_the_moments_above_are_inside_the_run(tmp_path):
    host = Host(tmp_path)
    host.end_at = 1000
    host.layer().run(check=False)
    assert 1000 - host.end_at >= 6, "fewer commands than moments: shorten the list"


def test_an_end_between_file_and_restart_is_made_up_for(host):
    host.layer().run(check=False)
    host.end_at = 0
    with pytest.raises(Killed):
        host.layer("two\n").run(check=False)
    host.end_at = None
    assert (host.root / "etc/app/config.toml").read_text() == "two\n"
    assert host.layer("two\n").run(check=True).as_dict()["restarted"] == ["app.service"]
    assert host.layer("two\n").run(check=False).as_dict()["restarted"] == ["app.service"]
    assert not host.layer("two\n").run(check=False).steps


def test_what_cannot_work_is_refused_before_anything_is_touched(host):
    before = listing(host.root)
    with pytest.raises(HostError, match=r"no unit other\.service"):
        host.layer(packages=[], units=[WantedUnit("other.service", enabled=True)]).run(check=False)
    assert listing(host.root) == before


def test_another_clusters_host_is_refused_before_anything_is_touched(host):
    host.layer().run(check=False)
    before = listing(host.root)
    with pytest.raises(HostError, match="prepared for cluster 'kubernetes'"):
        host.layer("two\n", cluster="other").run(check=False)
    assert listing(host.root) == before


def test_a_record_that_cannot_be_written_stops_the_run_before_a_change(host, monkeypatch):
    def no_space(record):
        raise HostError("the disk is full")

    monkeypatch.setattr(Record, "save", no_space)
    before = listing(host.root)
    with pytest.raises(HostError, match="disk is full"):
        host.layer().run(check=False)
    assert listing(host.root) == before


def test_modules_and_parameters_get_their_files():
    files = WantedLayer(
        name="kernel",
        modules_file="/etc/modules-load.d/k8s.conf",
        modules=["overlay", "br_netfilter"],
        sysctls_file="/etc/sysctl.d/k8s.conf",
        sysctls={"a.b": 1},
    ).all_files
    assert [(item.path, item.content.splitlines()[1:]) for item in files] == [
        ("/etc/modules-load.d/k8s.conf", ["overlay", "br_netfilter"]),
        ("/etc/sysctl.d/k8s.conf", ["a.b = 1"]),
    ]


def test_a_changed_key_at_the_same_url_is_fetched_again_when_the_repository_needs_it(tmp_path):
    host, served = Host(tmp_path), ["old key"]
    key = "etc/apt/keyrings/app.asc"
    updated = []

    def update(command):
        text = (tmp_path / key).read_text()
        updated.append(text)
        if text != "new key":
            return Result(
                100, "", "W: GPG error: https://a.test InRelease: The following signatures: NO_PUBKEY 1F\nE: not signed"
            )
        return Result(0)

    def apt_get(command):
        return update(command) if "update" in command else Host._apt_get(host, command)

    def madison(command):
        return Result(0, f" {command[2]} | 2.2.3-1 | https://a.test Packages\n" if "new key" in updated else "")

    host._apt_get, host._apt_cache = apt_get, madison
    layer = host.layer()
    layer.wanted.files.insert(0, WantedFile(path=f"/{key}", url="https://a.test/key", **ME))
    layer.wanted.package_sources = []
    layer.fetch = lambda url: served[0].encode()
    host.write(key, "old key")
    layer.record.fetched(f"/{key}", "https://a.test/key")
    with pytest.raises(HostError, match="key_url"):
        layer.run(check=False)
    assert updated == ["old key"], "a key that has not changed is no reason to try again"
    served[0] = "new key"
    result = layer.run(check=False)
    assert updated == ["old key", "old key", "new key"]
    assert "file /etc/apt/keyrings/app.asc fetched again from https://a.test/key" in result.as_dict()["changes"]
    again = host.layer()
    again.wanted.files.insert(0, WantedFile(path=f"/{key}", url="https://a.test/key", **ME))
    assert not again.run(check=False).as_dict()["changed"]
