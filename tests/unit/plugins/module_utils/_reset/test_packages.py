# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that came with the cluster go; those that others need, or that were there, stay."""

from __future__ import annotations

import re

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.packages_dnf import parse_signers
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._reset.packages import (
    choose_removal,
    packages_to_remove,
    parse_simulation,
    plan_packages,
)

SIMULATED = """\
Reading package lists...
Purg kubeadm [1.36.3-1.1]
Purg kubelet [1.36.3-1.1]
Remv conntrack [1:1.4.7-1+b2]
Purg old-leftover [1]
"""


def test_apts_simulation_is_read() -> None:
    assert parse_simulation(SIMULATED) == ["conntrack", "kubeadm", "kubelet", "old-leftover"]


def test_a_dependency_that_came_along_goes_and_one_that_was_there_stays() -> None:
    named, automatic = ["kubeadm", "kubelet"], ["conntrack", "old-leftover"]
    assert choose_removal(named, parse_simulation(SIMULATED), automatic, ["old-leftover"]) == [
        "conntrack",
        "kubeadm",
        "kubelet",
    ]


def test_software_that_needs_them_is_a_reason_to_refuse() -> None:
    with pytest.raises(HostError, match=r"docker-ce.*reset_packages: false"):
        choose_removal(["containerd.io"], ["containerd.io", "docker-ce"], [], ["bash"])


def host(tmp_path, versions: dict[str, str], depends: dict[str, str] | None = None) -> tuple[System, list[list[str]]]:
    """A Debian host; *versions* are the states of its packages, as "VERSION" or "VERSION hold"; *depends* their field Depends."""
    called = []
    for program in ("dpkg-query", "apt-get"):
        path = tmp_path / "usr/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        if command[0] == "dpkg-query" and "Depends" in command[2]:
            return Result(0, "".join(f"{(depends or {}).get(name, '')}, \n" for name in command[3:]))
        if command[0] == "dpkg-query":
            wanted = [name for name in command[3:] if name in versions]
            states = {
                name: "hi " if "hold" in versions[name] else "rc " if versions[name] == "" else "ii " for name in wanted
            }
            if "Version" in command[2]:
                return Result(
                    0,
                    "".join(
                        f"{name}\t{versions[name].split()[0]}\t{states[name]}\n" for name in wanted if versions[name]
                    ),
                )
            return Result(0, "".join(f"{name}\t{states[name]}\n" for name in wanted))
        if "--simulate" in command:
            return Result(0, "".join(f"Purg {name} [1]\n" for name in command if name in versions))
        return Result(0, "")

    return System(str(tmp_path), run), called


def record_of(tmp_path, packages: dict, before: list[str]) -> Record:
    data = {"cluster": {"name": "lab"}, "before": {"packages": packages}, "footprint": {"packages": before}}
    return Record(str(tmp_path / "record"), data)


ABSENT = {"version": None, "held": False}


def test_only_recorded_absent_packages_are_removed(tmp_path) -> None:
    system, _called = host(tmp_path, {"kubelet": "1.36.3-1.1 hold", "containerd.io": "2.2.3", "kubectl": ""})
    packages = {
        "kubelet": ABSENT,
        "containerd.io": {"version": "1.7.2", "held": False},
        "kubectl": ABSENT,
        "kubeadm": ABSENT,
    }
    record = record_of(tmp_path, packages, ["bash", "containerd.io"])
    assert packages_to_remove(system, record) == ["kubectl", "kubelet"]  # kubectl left its configuration
    notes: list[str] = []
    steps = plan_packages(system, record, ["kubectl", "kubelet"], notes)
    assert [step.sentence for step in steps] == [
        "packages no longer held: kubelet",
        "packages removed: kubectl, kubelet",
    ]
    assert notes == ["Package containerd.io stays at 2.2.3; before the cluster it was at 1.7.2."]


def test_what_a_package_needs_that_stays_at_its_new_version_stays_too(tmp_path) -> None:
    versions = {
        "kubelet": "1.37.2-1.1 hold",
        "kubernetes-cni": "1.9.1-1.1",
        "cri-tools": "1.37.0-1.1",
        "kubeadm": "1.37.2-1.1",
    }
    system, _called = host(tmp_path, versions, {"kubelet": "iptables (>= 1.4.21), kubernetes-cni (>= 1.2.0)"})
    packages = {"kubelet": {"version": "1.30.1-1.1", "held": False}}
    packages.update(dict.fromkeys(("kubernetes-cni", "cri-tools", "kubeadm"), ABSENT))
    record = record_of(tmp_path, packages, ["bash", "kubelet"])
    removed = packages_to_remove(system, record)
    assert removed == ["cri-tools", "kubeadm"]
    notes: list[str] = []
    plan_packages(system, record, removed, notes)
    assert "Package kubelet stays at 1.37.2-1.1; before the cluster it was at 1.30.1-1.1." in notes
    assert "Package kubernetes-cni stays because kubelet needs it." in notes


def test_a_hold_that_was_there_comes_back(tmp_path) -> None:
    system, called = host(tmp_path, {"kubelet": "1.36.3-1.1"})
    record = record_of(tmp_path, {"kubelet": {"version": "1.36.3-1.1", "held": True}}, ["kubelet"])
    (step,) = plan_packages(system, record, [], [])
    step.apply()
    assert called[-1] == ["apt-mark", "hold", "kubelet"]


def test_a_host_without_recorded_packages_is_not_asked(tmp_path) -> None:
    system, called = host(tmp_path, {})
    assert plan_packages(system, record_of(tmp_path, {}, []), [], []) == []
    assert packages_to_remove(system, record_of(tmp_path, {}, [])) == []
    assert called == []


SIGNED = """\
gpg-pubkey\t9a296436-6a45d8b0\t(none)
gpg-pubkey\t350d275d-64a1b2c3\t(none)
gpg-pubkey\tfd431d51-4ae0493b\t(none)
cri-tools\t1.37.0-150500.1.1\tRSA/SHA256, Wed Nov 25 10:00:00 2026, Key ID 234654da9a296436
kubelet\t1.37.2-150500.1.1\tRSA/SHA256, Wed Nov 25 10:00:00 2026, Key ID 234654da9a296436
containerd.io\t2.2.3-1.el9\tRSA/SHA512, Wed Nov 25 10:00:00 2026, Key ID 1f1e2d3c350d275d
bash\t5.1.8-9.el9\tRSA/SHA256, Wed Nov 25 10:00:00 2026, Key ID 702d426d350d275d
unsigned\t1-1\t(none)
"""


def test_trusted_keys_are_told_from_the_signatures_of_packages() -> None:
    assert parse_signers(SIGNED) == {
        "gpg-pubkey-9a296436-6a45d8b0": {"kubelet", "cri-tools"},
        "gpg-pubkey-350d275d-64a1b2c3": {"containerd.io", "bash"},
        "gpg-pubkey-fd431d51-4ae0493b": set(),
    }


@pytest.mark.parametrize(
    ("before", "removed_keys"),
    [
        (
            [],
            ["gpg-pubkey-9a296436-6a45d8b0"],
        ),  # also that of cri-tools, which dnf removes with the kubelet; that of bash stays
        (["gpg-pubkey-9a296436-6a45d8b0"], []),
        (None, []),  # recorded by an earlier release
    ],
)
def test_keys_that_came_with_removed_packages_are_no_longer_trusted(tmp_path, before, removed_keys) -> None:
    called = []
    for program in ("rpm", "dnf"):
        path = tmp_path / "usr/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        if command[:2] == ["rpm", "-qa"]:
            done = any("remove" in one for one in called)
            gone = r"^(kubelet|cri-tools|containerd\.io)\t.*\n"
            return Result(0, re.sub(gone, "", SIGNED, flags=re.M) if done else SIGNED)
        if command[:2] == ["rpm", "-q"]:
            return Result(0, "kubelet\t0:1.37.2-150500.1.1\ncontainerd.io\t0:2.2.3-1.el9\n")
        return Result(0, "")

    record = record_of(tmp_path, {"kubelet": ABSENT, "containerd.io": ABSENT}, ["bash"])
    if before is not None:
        record.footprint["rpm_keys"] = before
    steps = plan_packages(System(str(tmp_path), run), record, ["containerd.io", "kubelet"], [])
    for step in steps:
        step.apply()
    erased = [command for command in called if command[:2] == ["rpm", "--erase"]]
    assert erased == ([["rpm", "--erase", *removed_keys]] if removed_keys else [])
    assert any("remove" in command for command in called)
    called.clear()
    assert plan_packages(System(str(tmp_path), run), record, [], []) == [], "they stay where the packages do"


def test_copies_that_rpm_keeps_of_the_clusters_files_are_removed(tmp_path) -> None:
    for program in ("rpm", "dnf"):
        path = tmp_path / "usr/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    folder = tmp_path / "etc/sysconfig"
    folder.mkdir(parents=True)
    for name in ("other.rpmnew", "other.rpmsave", "kubelet.rpmnew"):
        (folder / name).touch()

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        if "remove" in command:
            (folder / "kubelet.rpmsave").touch()  # rpm does so with a changed file of a package
        return Result(0, "kubelet\t0:1.37.2-150500.1.1\n" if command[:2] == ["rpm", "-q"] else "")

    record = record_of(tmp_path, {"kubelet": ABSENT}, ["bash"])
    record.remember("files", "/etc/sysconfig/kubelet", {"state": "absent"})
    record.remember("files", "/etc/sysconfig/other", {"state": "file"})
    for step in plan_packages(System(str(tmp_path), run), record, ["kubelet"], []):
        step.apply()
    assert sorted(path.name for path in folder.iterdir()) == ["other.rpmnew", "other.rpmsave"]
