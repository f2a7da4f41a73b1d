# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module says what it does."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import progress


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "said"))
    return tmp_path / "said"


def said(path):
    return progress.text_of(path.read_bytes())


def test_the_latest_lines_replace_those_before(path):
    progress.tell("drains node w1", "pod shop/web-1: " + "x" * 100)
    assert said(path).startswith("drains node w1\npod shop/web-1: xxx")
    progress.tell("waits\n for\tetcd")
    assert said(path) == "waits for etcd", "a line is one line, and nothing of a longer text is left"
    progress.tell(*map(str, range(100)))
    assert said(path).split("\n") == list(map(str, range(progress.LINES)))
    progress.tell("ö" * 5000)
    assert 3000 < len(path.read_bytes()) <= progress.LIMIT + 1 and said(path)


def test_any_user_of_the_host_can_read_it_whatever_the_umask(path):
    before = os.umask(0o077)
    try:
        progress.tell("one")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_or_link_that_is_there_already_is_not_touched(path):
    other = path.parent / "other"
    other.write_text("precious")
    path.symlink_to(other)
    progress.tell("one")
    assert other.read_text() == "precious"
    assert not progress.is_watched(), "and the module goes on in silence"


def test_nothing_happens_where_nobody_watches(monkeypatch):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    progress.tell("one")
    assert not progress.is_watched()


def test_the_file_is_gone_with_the_module(path):
    code = (
        "import sys\n"
        "from ansible_collections.slipway.kube.plugins.module_utils._kube import progress\n"
        "progress.tell('one')\n"
        "import os; assert os.path.exists(os.environ[progress.VARIABLE])\n"
        "sys.exit(3)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[5] / ".cache" / "collections")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 3
    assert not path.exists()


def test_what_is_not_complete_says_nothing():
    assert progress.text_of(b"") == progress.text_of(b"half a li") == ""


def test_what_a_killed_module_left_is_removed_after_a_day(path):
    for name, age in ((".slipway-old", 2 * progress.OLD), (".slipway-new", 5), ("mine", 2 * progress.OLD)):
        (path.parent / name).touch()
        os.utime(path.parent / name, (time.time() - age,) * 2)
    progress.tell("one")
    assert {found.name for found in path.parent.iterdir()} == {"said", ".slipway-new", "mine"}
