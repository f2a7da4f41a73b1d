# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on a terminal is recorded as a person sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from harness.terminal import rendered, run

RECORD = Path(__file__).resolve().parents[2] / "recordings" / "record"


def test_what_is_redrawn_in_place_is_on_the_screen_once() -> None:
    first = "kept\r\n\x1b[1mPhase\x1b[0m  0:01\r\n  host  Install\r\n"
    assert rendered(first) == "kept\nPhase  0:01\n  host  Install\n"
    assert rendered(first + "\x1b[2F\x1b[JPhase: done\r\n") == "kept\nPhase: done\n"
    assert rendered("abc\rX\x1b[K") == "X\n" and rendered("") == "\n"


def test_what_is_typed_and_its_answer() -> None:
    command = [sys.executable, "-c", "print(input('name: ').upper()); raise SystemExit(3)"]
    found = run(command, answer=lambda output: b"me\r" if output == "name: " else b"", seconds=20)
    assert found.status == 3 and found.text() == "name: me\nME\n"


def test_a_recording_is_an_asciicast_and_a_text(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.get_terminal_size().columns, '\\u2588')"]
    done = subprocess.run(
        [str(RECORD), str(tmp_path / "new" / "one"), "200", "--", *command], check=True, capture_output=True
    )
    assert done.stdout.decode() == "200 \u2588\n" == (tmp_path / "new" / "one.txt").read_text()
    header, *parts = [json.loads(line) for line in (tmp_path / "new" / "one.cast").read_text().splitlines()]
    assert (header["version"], header["width"]) == (2, 200)
    assert "".join(text for _at, _kind, text in parts) == "200 \u2588\r\n" and {kind for _at, kind, _text in parts} == {
        "o"
    }
