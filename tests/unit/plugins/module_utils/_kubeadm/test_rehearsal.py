# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot that does not have what the cluster had is no backup. etcd is a stand-in here; scenario backup has the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd_tools, rehearsal
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.etcd_tools import EtcdToolError, Tools

FIELDS = '"ClusterID" : 1\n"Revision" : 42\n"More" : false\n"Count" : %d\n'
ETCD = """#!/bin/sh
printf '%s\\n' "$@" > {folder}/arguments
case {behaviour} in
  serves) exec sleep 60 ;;
  fails) echo '{{"level":"panic","msg":"cannot open snapshot"}}' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(str(tmp_path))
    monkeypatch.setattr(made, "etcdctl", lambda *arguments: FIELDS % 9 if "--rev=42" in arguments else "")
    monkeypatch.setattr(made, "etcdutl", lambda *arguments: Path(arguments[-1].partition("=")[2]).mkdir() or "")
    write(tmp_path, "serves", 9)
    return made


def write(folder: Path, behaviour: str, count: int) -> None:
    for name, text in (
        ("etcd", ETCD.format(folder=folder, behaviour=behaviour)),
        ("etcdctl", f"#!/bin/sh\n[ -e {folder}/arguments ] && printf '{FIELDS % count}'\n".replace('\n"', '\\n"')),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def rehearse(tools: Tools, tmp_path: Path) -> int:
    work = tmp_path / "work"
    work.mkdir()
    try:
        return rehearsal.rehearse(tools, "snapshot.db", 42, str(work))
    finally:
        assert not list(work.iterdir()), "its data is left"


def test_the_number_of_objects_is_returned_and_nothing_is_left(tools: Tools, tmp_path: Path) -> None:
    before = set(Path("/run").glob("slipway-rehearsal.*"))
    assert rehearse(tools, tmp_path) == 9
    assert set(Path("/run").glob("slipway-rehearsal.*")) == before
    given = (tmp_path / "arguments").read_text().splitlines()
    urls = [one for one in given if "urls=" in one]
    listening = [one for one in urls if one.startswith("--listen-")]
    assert len(listening) == 2 and all("=unix:///" in one for one in listening), "somebody else could read it"
    # etcd 3.6 wants the form HOST:PORT of what a member tells others.
    told = {one.partition("=")[2] for one in urls if one not in listening}
    assert told == {"http://127.0.0.1:1"}


def test_another_number_is_no_backup(tools: Tools, tmp_path: Path) -> None:
    write(tmp_path, "serves", 8)
    with pytest.raises(EtcdToolError, match=r"has 8 objects from it, and the cluster had 9 at revision 42"):
        rehearse(tools, tmp_path)


def test_an_etcd_that_ends_is_told(tools: Tools, tmp_path: Path) -> None:
    write(tmp_path, "fails", 9)
    (tmp_path / "etcdctl").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(EtcdToolError, match=r"does not serve the snapshot.*cannot open snapshot"):
        rehearse(tools, tmp_path)


def test_an_answer_without_a_number_is_told() -> None:
    with pytest.raises(EtcdToolError, match="did not return a number of keys"):
        rehearsal.count_of("")


def test_a_program_that_takes_too_long_is_not_called_missing() -> None:
    with pytest.raises(EtcdToolError, match=r"sleep did not finish within 1 seconds. \[slipway:command_failed\]"):
        etcd_tools.run("sleep", "9", seconds=0.5 + 0.1)
    with pytest.raises(EtcdToolError, match=r"absent cannot be run.*\[slipway:program_missing\]"):
        etcd_tools.run("/absent")
