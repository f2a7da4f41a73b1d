# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are copied off the host by rclone itself, here to a folder under the name of a remote. Scenario backup has S3."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import backup, offsite

NOW = 1_767_322_800.0  # 2026-01-02T03:00:00Z
TIMES = ("20260101T000000Z", "20260102T000000Z", "20260102T030000Z")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name in ("host", "remote"):
        (tmp_path / name).mkdir()
    (tmp_path / "rclone.conf").write_text(f"[offsite]\ntype = alias\nremote = {tmp_path / 'remote'}\n")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # where pip installs rclone
    monkeypatch.setattr(offsite, "CONFIG", str(tmp_path / "rclone.conf"))
    return {"cluster": "k", "dir": str(tmp_path / "host"), "remote": "offsite:k", "keep": 2, "keep_days": 30}


def copy(config: dict[str, Any]) -> list[str]:
    return offsite.copy(config, lambda names: backup.expired_names(names, config, NOW))


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "remote/k").iterdir())


def test_what_is_missing_there_is_copied_and_what_is_old_goes(config: dict[str, Any], tmp_path: Path) -> None:
    for name in (f"k-{TIMES[0]}.tar.age", f"k-{TIMES[1]}.tar", "other-20260102T030000Z.tar", ".lock", "notes"):
        (tmp_path / "host" / name).write_text(name)
    assert copy(config) == []
    assert names(tmp_path) == [f"k-{TIMES[0]}.tar.age", f"k-{TIMES[1]}.tar"]
    (tmp_path / "remote/k/of-somebody-else").write_text("")
    (tmp_path / "host" / f"k-{TIMES[2]}.tar.age").write_text("new")
    (tmp_path / "host" / f"k-{TIMES[0]}.tar.age").unlink()
    assert copy(config) == [f"k-{TIMES[0]}.tar.age"]
    assert names(tmp_path) == [f"k-{TIMES[1]}.tar", f"k-{TIMES[2]}.tar.age", "of-somebody-else"]


def test_a_remote_that_refuses_is_told_and_the_archives_stay(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "host" / f"k-{TIMES[2]}.tar.age").write_text("new")
    with pytest.raises(
        offsite.OffsiteError, match=r"could not be copied to absent:k.*didn't find section in config file"
    ):
        copy({**config, "remote": "absent:k"})
    (tmp_path / "remote/k").write_text("a file where the folder would be")
    with pytest.raises(offsite.OffsiteError, match=r"kept in .*/host, but could not be copied to offsite:k"):
        copy(config)
    assert (tmp_path / "host" / f"k-{TIMES[2]}.tar.age").exists()


def test_evidence_is_named_once_and_ends_before_the_remedy(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "host" / f"k-{TIMES[2]}.tar.age").write_text("new")

    def program(*command: str, **options: float) -> str:
        raise offsite.EtcdToolError("rclone failed with exit code 1. Evidence: dial tcp: connection refused [slipway:command_failed]")

    with pytest.raises(
        offsite.OffsiteError, match=r"to offsite:k: rclone .*\. Evidence: .* connection refused\. Check backup_remote,"
    ) as raised:
        offsite.copy(config, lambda names: [], program)
    assert str(raised.value).count("Evidence") == 1 and str(raised.value).count("[slipway:") == 1


def test_an_archive_that_cannot_be_removed_stays(config: dict[str, Any], tmp_path: Path) -> None:
    for time in TIMES:
        (tmp_path / "host" / f"k-{time}.tar").write_text(time)

    def program(*command: str, **options: float) -> str:
        if "deletefile" in command:
            raise offsite.EtcdToolError("rclone failed with exit code 1. Evidence: AccessDenied")
        return offsite.run(*command, **options)

    def copied() -> list[str]:
        return offsite.copy(config, lambda found: backup.expired_names(found, config, NOW), program)

    assert copied() == []
    assert names(tmp_path) == [f"k-{TIMES[1]}.tar", f"k-{TIMES[2]}.tar"], "what is too old was copied"
    (tmp_path / "remote/k" / f"k-{TIMES[0]}.tar").write_text("old")
    assert copied() == [] and len(names(tmp_path)) == 3


def test_a_folder_that_is_not_mounted_is_told(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "host" / f"k-{TIMES[2]}.tar.age").write_text("new")
    for folder in (tmp_path / "remote", tmp_path / "absent"):
        with pytest.raises(offsite.OffsiteError, match="is not mounted"):
            copy({**config, "remote": str(folder)})
    assert not list((tmp_path / "remote").iterdir())


@pytest.mark.parametrize(("remote", "path"), [("a:b/c", "a:b/c/x"), ("a:", "a:x"), ("/mnt/nas/", "/mnt/nas/x")])
def test_paths_in_a_remote(remote: str, path: str) -> None:
    assert offsite.join(remote, "x") == path
