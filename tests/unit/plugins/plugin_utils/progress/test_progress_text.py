# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text is free of control codes, and its width is that of a terminal."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.text import (
    clip,
    count,
    duration,
    names,
    pad,
    plain,
    width,
    wrap,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\x1b[2J\x1b[31mred\x1b[0m\x1b]0;title\x07b", "aredb"),
        ("carriage\rreturn\x08\x07\x9b", "carriagereturn"),
        ("one\r\ntwo\n", "one\ntwo\n"),
        ("a\tb", "a       b"),
        ("\x1b[38:5:1mx\x1b(By\x1bMz", "xyz"),
        ("Grüße ✓", "Grüße ✓"),
    ],
)
def test_control_codes_are_removed(text, wanted):
    assert plain(text) == wanted


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_the_width_is_in_columns(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize("columns", range(8))
@pytest.mark.parametrize("text", ["Install packages", "日本語日本語", "ab"])
def test_a_clipped_text_is_never_wider(text, columns):
    assert width(clip(text, columns)) <= columns
    assert width(pad(text, columns)) == columns


def test_a_text_that_fits_is_not_clipped():
    assert (clip("abcd", 4), clip("abcde", 4)) == ("abcd", "ab..")


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(0, "0:00"), (40.6, "0:41"), (59.7, "1:00"), (723, "12:03"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_durations(seconds, wanted):
    assert duration(seconds) == wanted


def test_many_names_are_counted():
    assert names(["a", "b"]) == "a, b"
    assert names([f"w{number}" for number in range(10)], 4) == "w0, w1, w2 and 7 more"
    assert (count(1, "host"), count(2, "host"), count(2, "failure rescued", "failures rescued")) == (
        "1 host",
        "2 hosts",
        "2 failures rescued",
    )


def test_long_lines_are_wrapped_below_their_beginning_and_tables_stay():
    assert wrap("NODE  ROLE\ncp1   control-plane\n", 30, "  ") == ["  NODE  ROLE", "  cp1   control-plane"]
    assert wrap("  remedy: read the documentation", 24) == ["  remedy: read the", "  documentation"]
    assert wrap("Verified:   12 tests passed: nodes, pods", 30) == [
        "Verified:   12 tests passed:",
        "            nodes, pods",
    ]
    assert wrap("  - file /etc/x fetched from https://one", 24) == ["  - file /etc/x fetched", "    from https://one"]
    command = "Next:       kubectl --kubeconfig /a/path get nodes"
    assert wrap(command, 30) == [command]
    assert wrap("word " * 50, None) == [("word " * 50).rstrip()]
