# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is written into the block, and nothing is left of it."""

from __future__ import annotations

import io
import re
import threading

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.screen import Screen, erase, quiet_copy
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.text import Line


class Display:
    """The part of Ansible's Display that the screen takes over; that of ansible-core 2.16 has no C(caplevel)."""

    def __init__(self, stream):
        self.stream = stream
        self._lock = threading.RLock()
        self._final_q = None
        self._warns = set()

    def display(self, msg, color=None, stderr=False, screen_only=False, log_only=False, newline=True):
        if not log_only:
            self.stream.write(msg + ("\n" if newline and not msg.endswith("\n") else ""))

    def warning(self, msg):
        if msg not in self._warns:
            self._warns.add(msg)
            self.display(f"[WARNING]: {msg}", stderr=True)

    def prompt(self, msg):
        self.stream.write(msg)
        return "answer"

    prompt_until = do_var_prompt = prompt


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def made():
    """Return a function that makes a screen, and what it needs: its stream, its log and the block that it shows."""
    screens = []

    def make(live, stream=None):
        stream = stream or Terminal()
        log, block = [], [Line("block")]
        screen = Screen(
            Display(stream), stream, live, lambda columns, rows: list(block), str_of, lambda: None, log.append
        )
        screen._thread = Quiet()  # frames are drawn by the test
        screen.start()
        screens.append(screen)
        return screen, stream, log, block

    yield make
    for screen in screens:
        screen.stop()


class Quiet:
    def start(self):
        pass

    def is_alive(self):
        return False


def str_of(line):
    return line.text


def test_the_height_that_is_erased_is_that_on_a_narrower_terminal():
    assert erase([], 80) == ""
    assert erase([Line("x" * 79), Line(""), Line("a")], 80) == "\x1b[3F\x1b[J"
    assert erase([Line("x" * 79), Line("a")], 40) == "\x1b[3F\x1b[J"


def test_lines_that_stay_are_above_the_block(made):
    screen, stream, _log, block = made(live=True)
    screen._refresh()
    screen.show([Line("problem")])
    assert stream.getvalue() == "block\n\x1b[1F\x1b[Jproblem\nblock\n"
    block[:] = [Line("two"), Line("lines")]
    screen.changed = True
    screen._refresh()
    screen.stop()
    assert stream.getvalue().endswith("\x1b[1F\x1b[Jtwo\nlines\n\x1b[2F\x1b[J")


def test_a_frame_that_is_the_same_is_not_written_again(made):
    screen, stream, _log, _block = made(live=True)
    screen._refresh()
    screen.changed = True
    screen._refresh()
    assert stream.getvalue() == "block\n"


def test_what_others_display_is_above_the_block_and_in_the_log(made):
    screen, stream, log, _block = made(live=True)
    screen._refresh()
    screen.display.warning("look")
    screen.display.display("[DEPRECATION WARNING]: old")
    screen.display.display("only on screen", screen_only=True)
    text = re.sub(r"\x1b\[\d*[A-Z]", "", stream.getvalue())
    assert text == "block\n[WARNING]: look\nblock\nonly on screen\nblock\n"
    assert log == ["[WARNING]: look\n", "[DEPRECATION WARNING]: old\n"]


def test_a_prompt_has_no_block_around_it(made):
    screen, stream, _log, block = made(live=True)
    screen._refresh()

    def ask(msg):
        assert screen.asking
        block[:] = [Line("other")]
        screen._refresh()
        return msg

    screen.display.prompt = screen._held_back(ask)
    assert screen.display.prompt("name?") == "name?"
    assert stream.getvalue() == "block\n\x1b[1F\x1b[J"
    assert not screen.asking


def test_a_line_without_an_end_is_finished_before_the_block_returns(made):
    screen, stream, _log, _block = made(live=True)
    screen.display.display("half", newline=False)
    screen._refresh()
    screen.display.display(" and half")
    assert stream.getvalue() == "half and half\nblock\n"


def test_a_worker_passes_its_text_on(made):
    screen, stream, log, _block = made(live=True)
    screen.display._final_q = object()
    screen.display.display("from a worker")
    assert (stream.getvalue(), log) == ("from a worker\n", [])
    screen.display._final_q = None


def test_without_a_terminal_there_is_no_control_code(made):
    screen, stream, _log, _block = made(live=False, stream=io.StringIO())
    screen._refresh()
    screen.show([Line("line")])
    screen.display.warning("look")
    screen.stop()
    assert stream.getvalue() == "line\n[WARNING]: look\n"
    assert screen.columns is None


def test_the_display_is_given_back(made):
    screen, _stream, _log, _block = made(live=True)
    screen.stop()
    assert not {"display", "prompt", "prompt_until", "do_var_prompt"} & set(screen.display.__dict__)


def test_a_defect_ends_the_block_and_not_the_run(made):
    screen, stream, _log, _block = made(live=True)
    screen._refresh()
    screen.frame = lambda columns, rows: 1 // 0
    screen.changed = True
    screen._stop.wait = lambda seconds: False
    screen._watch()
    assert not screen.live
    assert "[WARNING]: The block of slipway.kube.progress is gone: ZeroDivisionError" in stream.getvalue()


def test_the_quiet_copy_writes_elsewhere_and_remembers_its_own_warnings():
    stream, log = Terminal(), []
    display = Display(stream)
    quiet = quiet_copy(display, log.append)
    quiet.warning("look")
    quiet.display("on the screen only", screen_only=True)
    assert (stream.getvalue(), log) == ("", ["[WARNING]: look\n"])
    display.warning("look")
    assert stream.getvalue() == "[WARNING]: look\n"


def test_a_reader_that_is_gone_does_not_end_the_run(made):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    screen, _stream, log, _block = made(live=False, stream=Closed())
    screen.show([Line("line")])
    screen.stop()
    assert log == []
