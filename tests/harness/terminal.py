# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program on a pseudo terminal: what it writes and when, what is typed, and the screen that this makes."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROWS = 24
CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


@dataclass
class Recording:
    """What a program has written.

    :ivar parts: each with the seconds since the start.
    """

    columns: int
    rows: int = ROWS
    status: int = 0
    parts: list[tuple[float, str]] = field(default_factory=list)

    @property
    def output(self) -> str:
        """Everything that was written."""
        return "".join(text for _at, text in self.parts)

    def cast(self) -> str:
        """Return an asciicast, which asciinema and its players show (https://docs.asciinema.org/manual/asciicast/v2/)."""
        header = {"version": 2, "width": self.columns, "height": self.rows, "env": {"TERM": "xterm"}}
        lines = [json.dumps(header), *(json.dumps([round(at, 3), "o", text]) for at, text in self.parts)]
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Return what is on the screen at the end and above it, without colours."""
        return rendered(self.output)


def run(
    command: Sequence[str],
    columns: int = 80,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    answer: Callable[[str], bytes] = lambda output: b"",
    seconds: float = 180,
) -> Recording:
    """Run a program on a terminal until it ends or closes it.

    :param answer: called with everything that was written so far; returns what is typed.
    :param seconds: after which the terminal is closed.
    """
    pid, descriptor = pty.fork()
    if pid == 0:
        if folder is not None:
            os.chdir(folder)
        os.execvpe(command[0], list(command), dict(os.environ if environment is None else environment))
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    recording, begun = Recording(columns), time.monotonic()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")  # a read can end within a character
    while time.monotonic() - begun < seconds:
        if not select.select([descriptor], [], [], 1)[0]:
            continue
        try:
            data = os.read(descriptor, 65536)
        except OSError:
            break
        if not data:
            break
        recording.parts.append((time.monotonic() - begun, decoder.decode(data)))
        if typed := answer(recording.output):
            os.write(descriptor, typed)
    os.close(descriptor)
    recording.status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return recording


def rendered(output: str) -> str:
    """Return the lines that some output leaves on a terminal, including those that have scrolled away.

    It knows what the callback progress uses: colours, moving up, and erasing.
    """
    lines, row, column, at = [""], 0, 0, 0
    while at < len(output):
        if found := CONTROL.match(output, at):
            number = int(found[1]) if found[1].isdigit() else 1
            if found[2] in "AF":
                row, column = max(row - number, 0), 0 if found[2] == "F" else column
            elif found[2] == "J":
                lines[row:] = [lines[row][:column]]
            elif found[2] == "K":
                lines[row] = lines[row][:column]
            at = found.end()
            continue
        character = output[at]
        at += 1
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif character >= " ":
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
            column += 1
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"
