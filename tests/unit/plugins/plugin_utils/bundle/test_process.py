# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner


def test_runner_returns_output_and_tells_of_failures(tmp_path: Path) -> None:
    run = Runner()
    assert run(["sh", "-c", "cat; echo err >&2"], what="echoing", stdin=b"in") == "in"
    assert (
        run(["sh", "-c", 'echo "$SOURCE_DATE_EPOCH $MINE"; pwd'], what="x", env={"MINE": "1"}, cwd=tmp_path)
        == f"1767225600 1\n{tmp_path}\n"
    )
    with pytest.raises(BundleError, match=r"(?s)digging failed: `sh -c .*exited with status 3:\nno spade\nBuy one\."):
        run(["sh", "-c", "echo no spade >&2; exit 3"], what="digging", remedy="Buy one.")
    with pytest.raises(BundleError, match="digging failed: no-such-program is not installed"):
        run(["no-such-program"], what="digging")


def test_runner_says_how_far_it_is_and_when_enough_is_enough() -> None:
    said: list[str] = []
    with pytest.raises(BundleError, match="killed after 0 seconds"):
        Runner(said.append, interval=0.05)(
            ["sh", "-c", "echo a >&2; exec sleep 30"],
            what="waiting",
            timeout=0.3,
            progress=lambda lines: f"{lines} done",
        )
    assert "1 done" in said


def test_a_program_does_not_outlive_the_run(tmp_path: Path) -> None:
    """A worker that is killed takes what it started along."""
    pid_file = tmp_path / "pid"
    child = os.fork()
    if child == 0:
        try:
            Runner()(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"], what="sleeping")
        finally:
            os._exit(1)
    for _attempt in range(200):
        if pid_file.exists() and pid_file.read_text().strip():
            break
        os.sched_yield()
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    program = int(pid_file.read_text())
    for _attempt in range(100):
        state = Path(f"/proc/{program}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    os.kill(program, 9)
    pytest.fail("the program is still running")
