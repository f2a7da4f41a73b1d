# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program: its output kept for an error, its end bound to ours, a word now and then while it works."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from .errors import BundleError

EPOCH = 1767225600  # 2026-01-01: the age of everything made here, so that the same input gives the same bytes
_PR_SET_PDEATHSIG = 1
_SETPRIV = shutil.which("setpriv")
_BOUND = [_SETPRIV, "--pdeathsig", "TERM", "--"] if _SETPRIV else []  # a killed run takes its compiler along


def end_with_parent() -> None:
    """End this process when its parent does (prctl(2); Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Runner:
    """Runs programs for the steps of one run.

    :param say: is given a line of text whenever a long program has something to tell.
    :param pause: seconds between two such lines.
    """

    def __init__(self, say: Callable[[str], None] = lambda text: None, pause: float = 30.0) -> None:
        self.say = say
        self.pause = pause

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
        """Run *command* and return what it wrote to its standard output.

        :param what: the work, as an error names it.
        :param env: variables set beside the caller's.
        :param remedy: what to do when it fails, if that is known.
        :param timeout: seconds after which it is ended.
        :param progress: what to say of a number of lines on the program's standard error.
        :raises BundleError: it cannot be started or fails; the last lines that it wrote are told.
        """
        if not shutil.which(command[0]):
            raise BundleError(f"{what} failed: {command[0]} is not installed. {remedy}".strip())
        try:
            process = subprocess.Popen(
                [*_BOUND, *command],
                cwd=cwd,
                env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8", **(env or {})},
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise BundleError(
                f"{what} failed: {command[0]} cannot be started ({error.strerror}). {remedy}".strip()
            ) from error
        try:
            output, errors = self._attend(process, stdin, progress, timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            told = "\n".join((errors or output).strip().splitlines()[-12:])
            raise BundleError(
                f"{what} failed: `{shlex.join(command)}` ended with {process.returncode}:\n{told}\n{remedy}".strip()
            )
        return output

    def _attend(
        self, process: subprocess.Popen[bytes], stdin: bytes | None, progress: Callable[[int], str], timeout: float
    ) -> tuple[str, str]:
        lines: list[str] = []
        stderr, stdout = cast(BinaryIO, process.stderr), cast(BinaryIO, process.stdout)

        def listen() -> None:
            for line in stderr:
                lines.append(line.decode(errors="replace").rstrip("\n"))

        def feed() -> None:
            if stdin is not None and process.stdin is not None:
                try:
                    process.stdin.write(stdin)
                    process.stdin.close()
                except BrokenPipeError:
                    pass  # the exit status tells why

        output: list[bytes] = []
        threads = [
            threading.Thread(target=work, daemon=True) for work in (listen, feed, lambda: output.append(stdout.read()))
        ]
        for thread in threads:
            thread.start()
        began = spoken = time.monotonic()
        while process.poll() is None:
            try:
                process.wait(timeout=min(1.0, self.pause))
            except subprocess.TimeoutExpired:
                if time.monotonic() - began >= timeout:
                    process.kill()
                    lines.append(f"ended after {timeout:.0f} seconds without a result")
                if time.monotonic() - spoken >= self.pause:
                    spoken = time.monotonic()
                    self.say(progress(len(lines)))
        for thread in threads:
            thread.join(timeout=10)
        return b"".join(output).decode(errors="replace"), "\n".join(lines)
