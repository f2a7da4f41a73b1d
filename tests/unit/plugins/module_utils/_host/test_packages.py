# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages with apt and dnf: versions, holds, and repositories that are asked only when they must be."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import packages_apt, packages_dnf
from ansible_collections.slipway.kube.plugins.module_utils._host.package_database import Installed
from ansible_collections.slipway.kube.plugins.module_utils._host.packages import (
    WantedPackage,
    backend,
    matches,
    newest,
    plan_packages,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.packages_apt import parse_madison
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System


@pytest.mark.parametrize(
    ("version", "wanted", "same"),
    [
        ("1.36.3-1.1", "1.36.3", True),
        ("1.36.3-1.1", "1.36.3-1.1", True),
        ("1.36.3-1.1", "1.36.3-*", True),
        ("1.36.3-1.1", "1.36.3*", True),
        ("1.36.3-1.1", "1.36", True),
        ("1.36.3-1.1", "", True),
        ("1.36.30-1.1", "1.36.3", False),
        ("1.36.3-1.1", "1.36.3-1", True),
        ("1.36.3-1.10", "1.36.3-1.1", False),
        ("2.2.3-1~debian.12~bookworm", "2.2.3", True),
        ("3:2.2.3-3.1.el9", "2.2.3", True),
        ("3:2.2.3-3.1.el9", "3:2.2.3", True),
        ("2.2.3-3.1.el9", "3:2.2.3", False),
        ("1.36", "1.36.3", False),
    ],
)
def test_a_version_matches_its_beginning(version, wanted, same):
    assert matches(version, wanted) is same


def test_the_newest_build_of_a_version_is_taken():
    assert newest(["1.36.4-1.1", "1.36.3-2.1", "1.36.3-1.1"], "1.36.3") == "1.36.3-2.1"
    assert newest(["1.36.4-1.1"], "1.36.3") == ""


def test_dpkgs_states_are_told_apart():
    text = "kubelet\t1.36.3-1.1\thi \nkubeadm\t1.36.3-1.1\tii \nkubectl\t1.36.3-1.1\tiU \ncontainerd\t1.7\trc \nrunc\t\tun \nbroken\t1\tiFR\n"
    assert packages_apt.parse_query(text) == {
        "kubelet": Installed("1.36.3-1.1", True, True),
        "kubeadm": Installed("1.36.3-1.1", False, True),
        "kubectl": Installed("1.36.3-1.1", False, False),
        "broken": Installed("1", False, False),
    }


def test_madisons_table_is_read_without_source_packages():
    text = """\
 kubelet | 1.36.4-1.1 | https://a.test  Packages
 kubelet | 1.36.3-1.1 | https://a.test  Packages
 kubelet | 1.36.3-1.1 | https://b.test Packages
 kubelet | 9 | https://a.test Sources
"""
    assert parse_madison(text) == ["1.36.4-1.1", "1.36.3-1.1"]


def test_rpms_answers_are_read():
    assert packages_dnf.parse_query(
        "kubelet\t0:1.36.3-150500.1.1\npackage kubeadm is not installed\ncontainerd.io\t3:2.2.3-3.1.el9\n"
    ) == {"kubelet": "1.36.3-150500.1.1", "containerd.io": "3:2.2.3-3.1.el9"}
    # dnf 4 sorts the lines as texts.
    assert packages_dnf.parse_known(
        "0:1.36.10-150500.1.1\n0:1.36.3-150500.1.1\n0:1.36.9-150500.1.1\nLast metadata expiration check\n0:1.36.3-150500.1.1\n1:1.0-1\n"
    ) == ["1:1.0-1", "1.36.10-150500.1.1", "1.36.9-150500.1.1", "1.36.3-150500.1.1"]


@pytest.mark.parametrize(
    "text",
    [
        "# Added lock on Sat\nkubelet-0:1.36.3-150500.1.1.*\ncontainerd.io-0:2.2.3-3.1.el9.*\n!runc-0:1.1-1.*\n",
        'version = "1.0"\n[[packages]]\nname = "kubelet"\n[[packages.conditions]]\nkey = "evr"\ncomparator = "="\n[[packages]]\nname = "containerd.io"\n'
        '[[packages]]\nname = "runc"\n[[packages.conditions]]\nkey = "evr"\ncomparator = "!="\nvalue = "1"\n',
    ],
)
def test_versionlocks_of_dnf_4_and_5_are_read(text):
    assert set(packages_dnf.parse_locks(text)) == {"kubelet", "containerd.io"}


class AptHost:
    """A Debian host: its database, what its lists know, what its repositories would tell."""

    def __init__(self, root, database="", known="", repository="", install=(0,), audit=""):
        for program in ("usr/bin/dpkg-query", "usr/bin/apt-get"):
            (root / program).parent.mkdir(parents=True, exist_ok=True)
            (root / program).touch(mode=0o755)
        (root / "own.sources").write_text("")
        self.database, self.list, self.repository, self.codes, self.audit = (
            database,
            known,
            repository,
            list(install),
            audit,
        )
        self.ran = []
        self.system = System(str(root), self.run)

    def run(self, command, env):
        self.ran.append(command)
        if command[0] == "dpkg-query":
            return Result(1, self.database)
        if command[:2] == ["apt-cache", "madison"]:
            return Result(0, self.list)
        if command[:2] == ["apt-get", "update"]:
            assert env["DEBIAN_FRONTEND"] == "noninteractive"
            self.list = self.repository
        if command[:2] == ["apt-get", "install"]:
            code = self.codes.pop(0)
            return Result(code, "", "The following packages would be removed: docker.io" if code else "")
        if command[:2] == ["dpkg", "--audit"]:
            return Result(0, self.audit)
        return Result(0)

    def did(self, *beginning):
        return [command for command in self.ran if tuple(command[: len(beginning)]) == beginning]

    def plan(self, *wanted):
        return plan_packages(backend(self.system), [WantedPackage(**item) for item in wanted], ["/own.sources"])


KUBELET = {"name": "kubelet", "version": "1.36.3", "hold": True}
LISTED = " kubelet | 1.36.3-1.1 | https://a.test Packages\n"


def test_a_right_package_asks_only_the_local_database(tmp_path):
    host = AptHost(tmp_path, database="kubelet\t1.36.3-1.1\thi \n")
    assert host.plan(KUBELET) == []
    assert [command[0] for command in host.ran] == ["dpkg-query"]


@pytest.mark.parametrize(
    ("database", "sentence", "before"),
    [
        ("", "package kubelet installed: not installed -> 1.36.3 held", "not installed"),
        ("kubelet\t1.36.2-1.1\thi \n", "package kubelet changed: 1.36.2-1.1 held -> 1.36.3 held", "1.36.2-1.1 held"),
        ("kubelet\t1.36.3-1.1\tii \n", "package kubelet held at 1.36.3-1.1", "1.36.3-1.1"),
        (
            "kubelet\t1.36.3-1.1\tiU \n",
            "package kubelet repaired: 1.36.3-1.1 (half installed) -> 1.36.3 held",
            "1.36.3-1.1 (half installed)",
        ),
    ],
)
def test_what_a_package_needs_is_told_without_a_repository(tmp_path, database, sentence, before):
    host = AptHost(tmp_path, database=database)
    step = host.plan(KUBELET)[0]
    assert (step.sentence, step.before) == (sentence, before)
    assert [command[0] for command in host.ran] == ["dpkg-query"]


def test_what_was_installed_is_remembered(tmp_path):
    assert AptHost(tmp_path).plan(KUBELET)[0].remember == [("packages", "kubelet", {"version": None, "held": False})]
    old = AptHost(tmp_path, database="kubelet\t1.36.2-1.1\thi \n").plan(KUBELET)
    assert old[0].remember == [("packages", "kubelet", {"version": "1.36.2-1.1", "held": True})]


def test_a_known_version_is_installed_without_fetching_lists(tmp_path):
    host = AptHost(tmp_path, known=LISTED)
    host.plan(KUBELET)[0].apply()
    assert host.did("apt-get", "update") == []
    install = host.did("apt-get", "install")[0]
    assert install[-1] == "kubelet=1.36.3-1.1"
    assert "--no-remove" in install
    assert "-oDpkg::Options::=--force-confold" in install
    assert host.did("apt-mark", "hold") == [["apt-mark", "hold", "kubelet"]]


def test_an_unknown_version_fetches_the_lists_of_our_sources_only(tmp_path):
    host = AptHost(tmp_path, repository=LISTED)
    host.plan(KUBELET)[0].apply()
    updates = host.did("apt-get", "update")
    assert len(updates) == 1
    assert f"-oDir::Etc::SourceList={tmp_path}/own.sources" in updates[0]
    assert "-oDir::Etc::SourceParts=-" in updates[0]
    assert host.did("apt-get", "install")[0][-1] == "kubelet=1.36.3-1.1"


def test_a_version_that_is_nowhere_is_named_with_those_that_are(tmp_path):
    host = AptHost(tmp_path, repository=" kubelet | 1.36.4-1.1 | https://a.test Packages\n")
    with pytest.raises(
        HostError, match=r"Package kubelet 1\.36\.3 is not in the repositories.*they have 1\.36\.4-1\.1.*own\.sources"
    ):
        host.plan(KUBELET)[0].apply()
    assert host.did("apt-get", "install") == []


def test_a_repository_that_cannot_be_read_is_named(tmp_path):
    host = AptHost(tmp_path)
    plain = host.run
    host.system = System(
        str(tmp_path),
        lambda command, env: Result(100, "", "NO_PUBKEY 1234") if command[1] == "update" else plain(command, env),
    )
    with pytest.raises(
        HostError, match=r"repository of /own\.sources cannot be used. Evidence: NO_PUBKEY 1234.*correct key_url"
    ):
        host.plan(KUBELET)[0].apply()


def test_an_install_that_fails_once_is_tried_with_fresh_lists(tmp_path):
    host = AptHost(tmp_path, known=LISTED, repository=LISTED, install=(100, 0))
    host.plan(KUBELET)[0].apply()
    assert len(host.did("apt-get", "update")) == 1
    assert "--no-install-recommends" in host.did("apt-get", "install")[1]


def test_what_was_downloaded_in_a_closed_network_is_installed_the_same_way(tmp_path):
    host = AptHost(tmp_path, known=LISTED, repository=LISTED, install=(100, 0, 0))
    manager = backend(host.system)
    for download_only in (True, False):
        plan_packages(manager, [WantedPackage(**KUBELET)], [], download_only)[0].apply()
    commands = host.did("apt-get", "install")
    assert ["--download-only" in command for command in commands] == [True, True, False]
    assert ["--no-install-recommends" in command for command in commands] == [False, True, True]
    assert len(host.did("apt-mark", "hold")) == 1, "a download holds nothing"


def test_an_install_that_would_remove_something_is_explained(tmp_path):
    host = AptHost(tmp_path, known=LISTED, repository=LISTED, install=(100, 100))
    with pytest.raises(
        HostError,
        match=r"apt could not install kubelet=1\.36\.3-1\.1\. Evidence: .*removed: docker\.io.*another container runtime",
    ):
        host.plan(KUBELET)[0].apply()


def test_an_interrupted_dpkg_is_repaired_first(tmp_path):
    host = AptHost(
        tmp_path,
        database="kubelet\t1.36.3-1.1\tiU \n",
        known=LISTED,
        audit="The following packages are only half configured",
    )
    host.plan(KUBELET)[0].apply()
    assert host.ran.index(host.did("dpkg", "--configure")[0]) < host.ran.index(host.did("apt-get", "install")[0])


def test_a_package_that_the_repair_put_in_order_is_not_installed_again(tmp_path):
    host = AptHost(tmp_path, database="kubelet\t1.36.3-1.1\tiU \n", known=LISTED, audit="half configured")
    step = host.plan(KUBELET)[0]
    host.database = "kubelet\t1.36.3-1.1\tii \n"
    step.apply()
    assert host.did("apt-get", "install") == []
    assert host.did("apt-mark", "hold") == [["apt-mark", "hold", "kubelet"]]


def test_several_packages_are_one_transaction(tmp_path):
    known = LISTED + " kubeadm | 1.36.3-1.1 | https://a.test Packages\n"
    host = AptHost(tmp_path, known=known)
    for step in host.plan(KUBELET, dict(KUBELET, name="kubeadm")):
        step.apply()
    assert [command[-2:] for command in host.did("apt-get", "install")] == [
        ["kubelet=1.36.3-1.1", "kubeadm=1.36.3-1.1"]
    ]


def test_absent_and_no_longer_held(tmp_path):
    host = AptHost(tmp_path, database="kubelet\t1.36.3-1.1\thi \n")
    assert host.plan({"name": "kubelet", "hold": False})[0].sentence == "package kubelet no longer held at 1.36.3-1.1"
    assert host.plan({"name": "kubelet"}) == [], "no word about a hold leaves it"
    step = host.plan({"name": "kubelet", "state": "absent"})[0]
    assert step.sentence == "package kubelet removed"
    step.apply()
    assert host.did("apt-get", "purge")[0][-1] == "kubelet"


class DnfHost:
    """A RHEL-like host."""

    def __init__(self, root, database="", locks="", known="", install=0, own=False):
        self.own = own
        (root / "own.repo").write_text("# a comment\n[slipway-kubernetes]\nname=x\n[slipway-2]\n")
        for program in ("usr/bin/rpm", "usr/bin/dnf"):
            (root / program).parent.mkdir(parents=True, exist_ok=True)
            (root / program).touch(mode=0o755)
        (root / "etc/dnf/plugins").mkdir(parents=True)
        (root / "etc/dnf/plugins/versionlock.list").write_text(locks)
        self.database, self.known, self.install = database, known, install
        self.locked = root / "etc/dnf/plugins/versionlock.list"
        self.ran = []
        self.system = System(str(root), self.run)

    def run(self, command, env):
        self.ran.append(command)
        if command[0] == "rpm":
            return Result(0, self.database)
        if "repoquery" in command:
            own = any(word.startswith("--enablerepo=") for word in command)
            return Result(0, (self.known if own or not self.own else "") if not self.locked.read_text() else "")
        if "delete" in command:
            self.locked.write_text("")
        return Result(self.install if "install" in command else 0, "", "problem with installed package runc")

    def verbs(self):
        return [
            " ".join(word for word in command if not word.startswith("-"))
            for command in self.ran
            if command[0] == "dnf"
        ]


def test_dnf_installs_exactly_and_locks(tmp_path):
    host = DnfHost(tmp_path, known="1.36.2-150500.1.1\n1.36.3-150500.1.1\n")
    plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()
    assert host.verbs()[-2:] == ["dnf install kubelet-1.36.3-150500.1.1", "dnf versionlock add kubelet"]


ONLY_OWN = ["--disablerepo=*", "--enablerepo=slipway-kubernetes", "--enablerepo=slipway-2"]


def test_dnf_asks_our_repositories_only(tmp_path):
    # A repository of someone else that is broken does not matter.
    host = DnfHost(tmp_path, known="0:1.36.3-150500.1.1\n", own=True)
    plan_packages(backend(host.system), [WantedPackage(**KUBELET)], ["/own.repo"])[0].apply()
    queries = [command for command in host.ran if "repoquery" in command]
    assert len(queries) == 1
    assert set(ONLY_OWN) <= set(queries[0])
    install = next(command for command in host.ran if "install" in command)
    assert "--setopt=*.skip_if_unavailable=1" in install
    assert not set(ONLY_OWN) & set(install), "dependencies come from the repositories of the system"
    assert install[-1] == "kubelet-1.36.3-150500.1.1"


def test_dnf_refreshes_our_repositories_only(tmp_path):
    host = DnfHost(tmp_path, known="0:1.36.9-150500.1.1\n", own=True)
    with pytest.raises(HostError, match=r"they have 1\.36\.9"):
        plan_packages(backend(host.system), [WantedPackage(**KUBELET)], ["/own.repo"])[0].apply()
    refreshes = [command for command in host.ran if "makecache" in command]
    assert len(refreshes) == 1
    assert set(ONLY_OWN) <= set(refreshes[0])


def test_dnf_looks_elsewhere_for_what_our_repositories_do_not_have(tmp_path):
    host = DnfHost(tmp_path)
    host.system = System(
        str(tmp_path), lambda command, env: Result(0, "" if "--disablerepo=*" in command else "0:4.3.1-1.el9\n")
    )
    assert packages_dnf.Dnf(host.system).known("container-selinux", ["/own.repo"]) == ["4.3.1-1.el9"]


def test_dnf_does_not_wait_forever(tmp_path, monkeypatch):
    host = DnfHost(tmp_path, known="1.36.3-150500.1.1\n")
    (tmp_path / "var/cache/dnf").mkdir(parents=True)
    (tmp_path / "var/cache/dnf/metadata_lock.pid").write_text("1")
    (tmp_path / "proc/1").mkdir(parents=True)
    monkeypatch.setattr(packages_dnf, "LOCK_SECONDS", 0)
    with pytest.raises(HostError, match=r"metadata_lock\.pid is that of process 1"):
        plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()
    assert host.verbs() == []
    (tmp_path / "proc/1").rmdir()
    plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()
    commands = [command for command in host.ran if command[0] == "dnf"]
    assert len(commands) == 3
    assert all({"--setopt=timeout=30", "--setopt=retries=2"} <= set(command) for command in commands)


def test_a_lock_without_an_epoch_is_removed_by_its_entry(tmp_path):
    # dnf versionlock finds such an entry only by its whole text.
    locks = "kubelet-1.36.*\n0:kubelet-1.36.2-1.*\n"
    host = DnfHost(tmp_path, "kubelet\t0:1.36.2-150500.1.1\n", locks, "0:1.36.3-150500.1.1\n")
    plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()
    delete = next(command for command in host.ran if "delete" in command)
    assert delete[-3:] == ["kubelet", "kubelet-1.36.*", "0:kubelet-1.36.2-1.*"]


def test_dnf_unlocks_to_change_a_version(tmp_path):
    host = DnfHost(tmp_path, "kubelet\t1.36.2-150500.1.1\n", "kubelet-0:1.36.2-150500.1.1.*\n", "1.36.3-150500.1.1\n")
    step = plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0]
    assert step.before == "1.36.2-150500.1.1 held"
    step.apply()
    assert host.verbs()[0] == "dnf versionlock delete kubelet kubelet-0:1.36.2-150500.1.1.*"
    assert host.verbs()[-2:] == ["dnf install kubelet-1.36.3-150500.1.1", "dnf versionlock add kubelet"]


def test_dnf_downloads_and_leaves_the_lock(tmp_path):
    host = DnfHost(tmp_path, "kubelet\t1.36.2-150500.1.1\n", "kubelet-0:1.36.2-150500.1.1.*\n", "1.36.3-150500.1.1\n")
    plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [], download_only=True)[0].apply()
    (install,) = [command for command in host.ran if "install" in command]
    assert "--downloadonly" in install
    assert host.verbs()[-1] == "dnf versionlock add kubelet"


def test_a_failed_change_leaves_the_lock(tmp_path):
    host = DnfHost(tmp_path, "kubelet\t1.36.2-150500.1.1\n", "kubelet-0:1.36.2-150500.1.1.*\n", "1.36.9-150500.1.1\n")
    with pytest.raises(HostError, match=r"they have 1\.36\.9"):
        plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()
    assert host.verbs()[-1] == "dnf versionlock add kubelet"


def test_a_right_and_locked_rpm_needs_nothing(tmp_path):
    host = DnfHost(tmp_path, "kubelet\t1.36.3-150500.1.1\n", "kubelet-0:1.36.3-150500.1.1.*\n")
    assert plan_packages(backend(host.system), [WantedPackage(**KUBELET)], []) == []
    assert host.verbs() == []


def test_dnfs_refusal_is_explained(tmp_path):
    host = DnfHost(tmp_path, known="1.36.3-150500.1.1\n", install=1)
    with pytest.raises(
        HostError,
        match=r"dnf could not install kubelet-1\.36\.3-150500\.1\.1\. Evidence: problem with installed package runc",
    ):
        plan_packages(backend(host.system), [WantedPackage(**KUBELET)], [])[0].apply()


def test_a_host_without_a_known_package_manager_is_refused(tmp_path):
    with pytest.raises(HostError, match="neither apt-get nor dnf"):
        backend(System(str(tmp_path)))


@pytest.mark.parametrize(
    ("family", "manager"), [("ID=rocky\nID_LIKE=rhel\n", "Dnf"), ("ID=debian\n", "Apt"), ("", "Apt")]
)
def test_the_distribution_decides_where_a_host_has_both_package_managers(tmp_path, family, manager):
    # EPEL has dpkg and apt, Debian has rpm and dnf.
    for program in ("dpkg-query", "apt-get", "rpm", "dnf"):
        path = tmp_path / "usr/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(family)
    assert type(backend(System(str(tmp_path)))).__name__ == manager
