# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of a run: lines that stay and, on a terminal, a block below them that is redrawn in place."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from .text import Line, width, wrap

FRAME = 0.25  # seconds between two frames at least
CLOCK = 1.0  # seconds after which the block is redrawn because of its clocks
PROMPTS = ("prompt", "prompt_until", "do_var_prompt")


def erase(lines: Sequence[Line], columns: int) -> str:
    """Return the codes that remove a block that ends above the cursor; a terminal that became narrower has wrapped it."""
    height = sum(max(-(-width(line.text) // columns), 1) for line in lines)
    return f"\x1b[{height}F\x1b[J" if height else ""


def terminated(text: str, newline: bool) -> str:
    """Return *text* as Display ends it: with one line break, unless a prompt follows."""
    return text if text.endswith("\n") or not newline else f"{text}\n"


def level(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the level of a message of Display, an argument that ansible-core 2.16 does not have."""
    return {key: options[key] for key in ("caplevel",) if key in options}


def quiet_copy(display: Any, write: Callable[[str], None]) -> Any:
    """Return a copy of Ansible's Display that writes its text elsewhere, and to the log of Ansible where one is configured."""
    quiet = copy.copy(display)
    for name in ("_warns", "_errors", "_deprecations"):  # what was said already, each kept by its own Display
        if hasattr(quiet, name):
            setattr(quiet, name, copy.copy(getattr(quiet, name)))
    original = display.display

    def display_quietly(msg: str, color: str | None = None, **options: Any) -> None:
        if not options.get("screen_only"):
            write(terminated(msg, options.get("newline", True)))
            original(msg, color=color, log_only=True, **level(options))

    quiet.display = display_quietly
    return quiet


class Screen:
    """Takes over what Ansible displays, so that nothing is written into the block.

    Everything happens under the lock of Ansible's Display, which no thread holds while a worker is forked.
    """

    def __init__(
        self,
        display: Any,
        stream: TextIO,
        live: bool,
        frame: Callable[[int, int], list[Line]],
        paint: Callable[[Line], str],
        tick: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        """Expect the Display, and functions that return the block, colour a line, are called regularly, and write the log."""
        self.display = display
        self.stream = stream
        self.live = live
        self.frame = frame
        self.paint = paint
        self.tick = tick
        self.log = log
        self.lock = getattr(display, "_lock", None) or threading.RLock()
        self.original = display.display
        self.changed = True
        self._block: list[Line] = []
        self._drawn = 0.0
        self._held = 0  # open prompts and lines without an end
        self._open = False
        self._process = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slipway.kube.progress", daemon=True)

    @property
    def asking(self) -> bool:
        """Whether a prompt is open, below which nothing may be written."""
        return self._held > 0

    @property
    def columns(self) -> int | None:
        """The width in which lines that stay are wrapped, None where this is no terminal."""
        return self._size()[0] - 1 if self.stream.isatty() else None

    def start(self) -> None:
        """Take over the Display, in this process only: workers pass theirs on."""
        self.display.display = self._display
        for name in PROMPTS:
            setattr(self.display, name, self._held_back(getattr(self.display, name)))
        self._thread.start()

    def stop(self) -> None:
        """Remove the block and give the Display back."""
        self._stop.set()
        with self.lock:
            self.live = False
            self._write(self._erased())
            for name in ("display", *PROMPTS):
                self.display.__dict__.pop(name, None)
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(timeout=1)

    def settle(self) -> None:
        """Remove the block for good, because somebody else uses the terminal from now on."""
        with self.lock:
            self._write(self._erased())
            self.live = False

    def show(self, lines: Sequence[Line]) -> None:
        """Write lines that stay, above the block."""
        if not lines:
            return
        with self.lock, suppress(OSError):  # the run goes on when nobody reads any more
            self._write(self._erased())
            for line in lines:
                self.original(self.paint(line), screen_only=True)
            self._draw()

    def _display(self, msg: str, color: str | None = None, *arguments: Any, **options: Any) -> None:
        """Stand in for Display.display: what Ansible and plugins say is logged, and written above the block."""
        if getattr(self.display, "_final_q", None) or os.getpid() != self._process:
            self.original(msg, color, *arguments, **options)
            return
        with self.lock:
            if not options.get("screen_only"):
                self.log(terminated(msg, options.get("newline", True)))
            deprecation = msg.startswith("[DEPRECATION WARNING]") or "deprecation_warnings=False" in msg
            if deprecation or options.get("log_only"):
                self.original(msg, color, log_only=True, **level(options))
                return
            self._write(self._erased())
            with suppress(OSError):
                self.original(self._wrapped(msg), color, *arguments, **options)
            self._open = not terminated(msg, options.get("newline", True)).endswith("\n")
            self._draw()

    def _wrapped(self, text: str) -> str:
        """Return what plugins display, such as the report of the checks, without words that the edge of a terminal would cut."""
        ends = text[len(text.rstrip("\n")) :]
        return "\n".join(wrap(text, self.columns)) + ends if self.live and "\x1b" not in text else text

    def _held_back(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that asks without a block on the screen."""

        def held(*arguments: Any, **options: Any) -> Any:
            if getattr(self.display, "_final_q", None) or os.getpid() != self._process:
                return ask(*arguments, **options)
            with self.lock:
                self._held += 1
                self._write(self._erased())
            try:
                return ask(*arguments, **options)
            finally:
                with self.lock:
                    self._held -= 1

        return held

    def _watch(self) -> None:
        try:
            while not self._stop.wait(FRAME if self.live else CLOCK):
                self._refresh()
        except Exception as error:  # a defect here must not garble the output of a run that goes on
            self.live = False
            with suppress(OSError):  # nobody reads any more
                self.settle()
                self.display.warning(f"The block of slipway.kube.progress is gone: {error!r}")

    def _refresh(self) -> None:
        with self.lock:
            if self._stop.is_set():
                return
            self.tick()
            if self.live and (self.changed or time.monotonic() - self._drawn >= CLOCK):
                self._draw()

    def _draw(self) -> None:
        """Replace the block; the lock is held."""
        if not self.live or self._held or self._open or self._stop.is_set():
            return
        columns, rows = self._size()
        lines = self.frame(columns, rows)
        self.changed, self._drawn = False, time.monotonic()
        if lines != self._block:
            text = self._erased() + "".join(f"{self.paint(line)}\n" for line in lines)
            self._block = lines
            self._write(text)

    def _erased(self) -> str:
        codes = erase(self._block, self._size()[0]) if self._block else ""
        self._block = []
        return codes

    def _write(self, text: str) -> None:
        with suppress(OSError):  # nobody reads, the terminal is gone, or its disk is full
            self.stream.write(text)
            self.stream.flush()

    def _size(self) -> tuple[int, int]:
        """Return columns and rows of the terminal, which may have changed."""
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(size.columns, 1) if size.columns else 80, size.lines or 24
