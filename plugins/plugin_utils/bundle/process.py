# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program: report its output on failure, stop it when this process ends, show progress while it runs."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from .names import BundleError

EPOCH = 1767225600  # 2026-01-01: the timestamp of all generated files, so that the same input yields the same bytes
_PR_SET_PDEATHSIG = 1
_SETPRIV = shutil.which("setpriv")
_PREFIX = [_SETPRIV, "--pdeathsig", "TERM", "--"] if _SETPRIV else []  # when the run is killed, so is the compiler


def end_with_parent() -> None:
    """Terminate this process when its parent ends (prctl(2); Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Runner:
    """Run programs for the steps of one run.

    :param report: called with a line of text at intervals while a program runs.
    :param interval: seconds between two such lines.
    """

    def __init__(self, report: Callable[[str], None] = lambda text: None, interval: float = 30.0) -> None:
        self.report = report
        self.interval = interval

    def __call__(
        self,
        command: Sequence[str],
        what: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        remedy: str = "",
        timeout: float = float("inf"),
        progress: Callable[[int], str] = lambda lines: f"{lines} lines of output so far",
    ) -> str:
        """Run *command* and return its standard output.

        :param what: the work, as error messages name it.
        :param env: variables to set in addition to the caller's.
        :param remedy: what to do on failure, where that is known.
        :param timeout: seconds after which the program is killed.
        :param progress: the text to report for a number of lines on the program's standard error.
        :raises BundleError: the program cannot be started or fails; the message contains the last lines of its output.
        """
        if not shutil.which(command[0]):
            raise BundleError(
                f"{what} failed: {command[0]} is not installed. {remedy}".strip() + " [slipway:program_missing]"
            )
        with tempfile.TemporaryFile() as log:
            try:
                process = subprocess.Popen(
                    [*_PREFIX, *command],
                    cwd=cwd,
                    env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8", **(env or {})},
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
            except OSError as error:
                raise BundleError(
                    f"{what} failed: {command[0]} cannot be started ({error.strerror}). {remedy}".strip()
                    + " [slipway:program_missing]"
                ) from error
            output, note = self._wait(process, stdin, log, progress, timeout)
            if process.returncode:
                lines = (_lines(log) or output.strip().splitlines()) + ([note] if note else [])
                said = "\n".join(lines[-12:])
                raise BundleError(
                    f"{what} failed: `{shlex.join(command)}` exited with status {process.returncode}:\n{said}\n{remedy}".strip()
                    + " [slipway:program_failed]"
                )
        return output

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        stdin: bytes | None,
        log: BinaryIO,
        progress: Callable[[int], str],
        timeout: float,
    ) -> tuple[str, str]:
        """Wait until the program ends; return its output, and a note if it was killed after *timeout* seconds."""
        began = reported = time.monotonic()
        note = ""
        try:
            while True:
                try:
                    output = process.communicate(stdin, timeout=min(1.0, self.interval))[0]
                    return output.decode(errors="replace"), note
                except subprocess.TimeoutExpired:
                    stdin = None  # communicate() accepts the input once
                now = time.monotonic()
                if now - began >= timeout:
                    process.kill()
                    note = f"killed after {timeout:.0f} seconds without a result"
                if now - reported >= self.interval:
                    reported = now
                    self.report(progress(len(_lines(log))))
        except BaseException:
            process.kill()
            process.wait()
            raise


def _lines(log: BinaryIO) -> list[str]:
    """Return what has been written to *log* so far, without moving its position, which the program shares."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace").splitlines()
