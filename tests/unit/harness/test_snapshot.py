# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two snapshots of a host are held against each other."""

from __future__ import annotations

import json

import pytest

from harness import snapshot_host
from harness.snapshot import compare, differences, load
from harness.snapshot_host import content, lines


def test_what_is_new_gone_or_different_is_told() -> None:
    before = {"files": {"/a": "1", "/b": "2"}, "units": {"x": "active"}}
    after = {"files": {"/a": "1", "/b": "3", "/c": "4"}, "units": {}}
    assert differences(before, after) == [
        "files: /b was 2, is 3",
        "files: /c is new (4)",
        "units: x is gone (was: active)",
    ]
    assert differences(before, before) == []


def test_a_host_of_which_there_is_no_second_snapshot_is_not_forgotten() -> None:
    assert compare({"w1": {"files": {"/a": "1"}}}, {}) == ["w1: files: /a is gone (was: 1)"]


def test_an_empty_snapshot_is_an_error(tmp_path) -> None:
    with pytest.raises(AssertionError, match="there is no snapshot"):
        load(tmp_path)
    (tmp_path / "w1.json").write_text(json.dumps({"files": {}}))
    with pytest.raises(AssertionError, match="w1 lists no files"):
        load(tmp_path, "whole")


def test_a_file_is_known_by_mode_owner_size_and_content(tmp_path) -> None:
    path = tmp_path / "x"
    path.write_text("one")
    path.chmod(0o600)
    first = content(str(path))
    assert first.startswith("-rw-------") and " 3 " in first
    path.write_text("two")
    assert content(str(path)) != first
    (tmp_path / "link").symlink_to("x")
    assert content(str(tmp_path / "link")).endswith("-> x")


def test_a_file_is_known_by_its_label_where_selinux_gives_it_one(tmp_path, monkeypatch) -> None:
    (tmp_path / "x").write_text("1")
    plain = content(str(tmp_path / "x"))
    label = b"system_u:object_r:etc_t:s0"
    monkeypatch.setattr(snapshot_host.os, "getxattr", lambda path, name, follow_symlinks: label + b"\0", raising=False)
    assert content(str(tmp_path / "x")) == f"{plain} {label.decode()}"


def test_a_line_that_comes_twice_counts_twice() -> None:
    assert lines("a\nb\na\n# no\n", "^#") == {"a": "present", "b": "present", "a (2)": "present"}


@pytest.mark.parametrize("port", [39401, 45073])
def test_the_ports_of_dockers_resolver_do_not_count(port: int) -> None:
    """They are others after each start of a container."""
    rules = (
        f"-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:{port}\n"
        f"-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport {port} -j SNAT --to-source :53\n"
        f"ip saddr 127.0.0.11 tcp sport {port} counter snat to :53\n"
        "ip saddr 10.0.0.1 tcp sport 99 counter snat to :53\n"
    )
    assert snapshot_host.without_passing_ports(rules).splitlines() == [
        "-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:PORT",
        "-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport PORT -j SNAT --to-source :53",
        "ip saddr 127.0.0.11 tcp sport PORT counter snat to :53",
        "ip saddr 10.0.0.1 tcp sport 99 counter snat to :53",
    ]
