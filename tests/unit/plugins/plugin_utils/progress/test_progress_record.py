# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run: its data, its pages and its files."""

from __future__ import annotations

import errno
import json
import os
import time
import xml.etree.ElementTree as ET
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.progress import private
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.log import RunLog
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.pages import index_html, run_html
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.record import (
    FOLDER,
    Record,
    about,
    folder_of,
    full_name,
    new_record,
    records,
    summaries,
    version_of,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.state import Run
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.summary import (
    groups_of,
    masked,
    steps_of,
    summary_of,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.timeline import timeline_svg

ROOT = Path(__file__).resolve().parents[5]
EVIL = '<script>alert("&")</script>'
ABOUT = about("/x/site.yml", {"inventory": ["/x/hosts"], "extra_vars": ["password=correcthorse"]})


def made(check=False, name="Prepare", hosts=("cp1", "w1", "w2")):
    """Two phases: all hosts change in the first one, the last host fails in it, check mode does not know the second one."""
    run = Run("site.yml", [("p1", name), ("p2", "Verify")], 100.0, check)
    run.play_started("p1", name, 100.0)
    run.task_started("t1", f"Install {EVIL}")
    for number, host in enumerate(hosts):
        run.host_started(host, "t1", "", 101.0)
        run.diff(host, "t1", "", "-old\n+password: correcthorse\n+new", 101.5)
        run.host_ended(host, "t1", "", "changed", 103.0 + number, ("file /etc/a changed",))
    run.task_started("t2", "Break")
    run.host_started(hosts[-1], "t2", "", 110.0)
    run.message("failed", hosts[-1], "Break", f"no space\ntoken=correcthorse {EVIL}", 111.0)
    run.host_ended(hosts[-1], "t2", "", "failed", 111.0)
    run.play_started("p2", "Verify", 112.0)
    run.task_started("t3", "Start pods")
    run.host_ended(hosts[0], "t3", "", "skipped", 112.5, (), "runs only outside check mode")
    run.finish(113.0)
    return run


class Page(HTMLParser):
    """Which elements are open, and what a page links."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags = [], [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for key, value in attrs if key in ("href", "src")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_summary_has_what_each_host_did_and_no_secret():
    summary = summary_of(made(), ABOUT)
    assert (summary["name"], summary["result"], summary["seconds"]) == ("site.yml", "failed", 13.0)
    assert summary["hosts"]["w2"] == {"changed": 1, "failed": 1}
    assert summary["phases"][0]["lost"] == {"w2": "failed"}
    assert summary["problems"][0]["hosts"] == ["w2"] and "no space" in summary["problems"][0]["text"]
    assert "correcthorse" not in json.dumps(summary)
    assert summary["versions"]["slipway.kube"] == version_of() != "unknown"


@pytest.mark.parametrize(
    ("run", "result"),
    [(Run("x", [], 0.0), "unfinished"), (made(check=True), "failed"), (made(), "failed")],
)
def test_a_run_that_has_not_ended_is_unfinished(run, result):
    assert summary_of(run, ABOUT)["result"] == result


def test_steps_are_in_their_order_and_hosts_with_the_same_steps_together():
    run = made(check=True)
    steps = steps_of(run)
    assert [step["host"] for step in steps] == ["cp1", "w1", "w2", "cp1"]
    assert steps[0]["changes"] == ["file /etc/a changed"] and steps[0]["diff"] == "-old\n+password: ********\n+new"
    assert steps[3]["unknown"] == "runs only outside check mode"
    groups = [(group.phase, group.hosts) for group in groups_of(steps, reversed(run.seen))]
    assert groups == [("Prepare", ["w2", "w1", "cp1"]), ("Verify", ["cp1"])]


def test_outside_check_mode_nothing_is_unknown():
    assert [step for step in steps_of(made()) if step["unknown"]] == []


@pytest.mark.parametrize("check", [False, True])
def test_a_page_is_whole_and_repeats_nothing_unescaped(check):
    run = made(check=check, name=EVIL)
    text = run_html(summary_of(run, ABOUT), steps_of(run))
    page = Page(text)
    assert page.open == [] and "script" not in page.tags
    assert not [link for link in page.links if "://" in link], "static pages load nothing from elsewhere"
    assert ("Known only in a real run" in text) == check
    assert text.count("&lt;script&gt;") > 3
    assert "prefers-color-scheme:dark" in text


def test_the_timeline_shows_when_each_host_was_at_work():
    run = made(name=EVIL)
    root = ET.fromstring(timeline_svg(run))
    bars = [
        (one.get("class"), one[0].text.split(",")[0])
        for one in root.iter("{http://www.w3.org/2000/svg}rect")
        if len(one)
    ]
    assert bars == [(f"p{0}", f"{host}: {EVIL}") for host in ("cp1", "w1", "w2", "w2")]
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "failed" in texts and f"1. {EVIL}: 0:12, 3 hosts, w2 failed" in texts


def test_the_timeline_of_many_hosts_and_of_no_host_can_be_drawn():
    root = ET.fromstring(timeline_svg(made(hosts=[f"w{number}" for number in range(400)])))
    assert "and 100 more hosts" in [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    empty = Run("x.yml", [("p", "Nobody")], 5.0)
    empty.finish(5.0)
    ET.fromstring(timeline_svg(empty))


def test_an_interrupted_task_is_on_the_timeline():
    run = Run("x.yml", [("p", "Wait")], 0.0)
    run.play_started("p", "Wait", 0.0)
    run.host_started("w1", "t", "Sleep", 1.0)
    run.finish(9.0)
    assert run.phases[0].work == {"w1": [(1.0, 9.0)]}


def test_records_are_private_bounded_and_listed(tmp_path):
    for number in range(5):
        record = Record(tmp_path / FOLDER, 3, {**ABOUT, "name": f"run {number}"}, pytest.fail)
        run = made(check=number == 4)
        record.begin(run)
        record.end(run)
    notes = tmp_path / FOLDER / "notes"
    notes.mkdir()
    found = summaries(tmp_path / FOLDER)
    assert [one["name"] for one in found] == ["run 4", "run 3", "run 2"]
    assert {"plan.html", "plan.json"} < set(found[0]["files"]) and "changes.html" in found[1]["files"]
    for path in [tmp_path / FOLDER, *(tmp_path / FOLDER).rglob("*")]:
        assert path == notes or path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / FOLDER / ".gitignore").read_text() == "*\n"
    page = Page((tmp_path / FOLDER / "index.html").read_text())
    assert page.open == [] and len(page.links) == 9
    assert all((tmp_path / FOLDER / link).is_file() for link in page.links)


def test_a_killed_run_stays_unfinished_and_a_damaged_record_is_left_out(tmp_path):
    record = Record(tmp_path, 50, ABOUT, pytest.fail)
    record.begin(Run("x", [], 0.0))
    (Record(tmp_path, 50, ABOUT, pytest.fail).path / "summary.json").write_text("{broken")
    found = summaries(tmp_path)
    assert [one["result"] for one in found] == ["unfinished"] and len(records(tmp_path)) == 2
    assert "still running, or killed" in index_html(found)


def test_where_the_records_of_an_inventory_are(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hosts.yml").touch()
    assert folder_of([str(tmp_path / "mine")]) == folder_of(["a,b", str(tmp_path / "mine" / "hosts.yml")])
    assert folder_of([str(tmp_path / "mine")]) == tmp_path / "mine" / ".runs"
    assert folder_of(["localhost,"]) is None and folder_of([]) is None


def test_records_are_not_built_into_the_collection():
    patterns = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    assert any(fnmatch(f"inventories/mine/{FOLDER}", pattern) for pattern in patterns)


def test_a_collection_s_playbook_has_a_full_name():
    assert full_name("/c/ansible_collections/slipway/kube/playbooks/cluster.yml") == "slipway.kube.cluster"
    assert full_name("/c/ansible_collections/a/b/playbooks/c/d.yaml") == "a.b.c.d"
    assert full_name("/c/site.yml") == "site.yml"


def test_the_version_of_a_built_collection_is_that_of_its_manifest(tmp_path):
    (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "9.8.7"}}')
    assert version_of(tmp_path) == "9.8.7"
    assert version_of(tmp_path / "missing") == "unknown"


def test_no_record_is_kept_where_none_can_be(tmp_path, monkeypatch):
    (tmp_path / "hosts").touch()
    warned = []
    there = about("/x/site.yml", {"inventory": [str(tmp_path / "hosts")]})
    assert new_record(None, 50, about("/x/site.yml", {"inventory": ["localhost,"]}), warned.append) is None
    assert new_record(None, 0, there, warned.append) is None
    monkeypatch.setattr(private.os, "geteuid", lambda: os.getuid() + 1)
    assert new_record(None, 50, there, warned.append) is None
    assert warned == [], "nobody asked for it"
    assert new_record(str(tmp_path / "runs"), 50, there, warned.append) is None
    assert "belongs to another user" in warned[0]


def test_a_record_that_cannot_be_written_is_a_warning(tmp_path):
    warned = []
    record = Record(tmp_path / "runs", 50, ABOUT, warned.append)
    record.path.rmdir()
    record.end(made())
    assert len(warned) == 1 and "cannot write the record" in warned[0]


def test_a_line_that_is_much_too_long_is_cut_before_it_is_masked() -> None:
    started = time.monotonic()
    text = masked("x" * 3_000_000 + "\n" + "a." * 100_000 + "\n" + "line\n" * 10_000)
    assert time.monotonic() - started < 5
    assert text.count("\n") < 2_100 and text.endswith("more lines")
    assert masked("db_password=" + "s" * 2_000) == "db_password=********"


def test_a_record_that_cannot_be_shown_is_left_out(tmp_path: Path) -> None:
    damaged = tmp_path / "20260101T000000"
    damaged.mkdir()
    (damaged / "summary.json").write_text('{"hosts": {"a": 1}, "inventory": 5}')
    assert summaries(tmp_path) == []


def test_a_link_of_another_user_is_no_folder_for_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    os.lchown(tmp_path / "link", 1, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        private.make_folder(tmp_path / "link")


def test_a_record_of_a_run_that_goes_on_is_not_removed(tmp_path: Path) -> None:
    first = Record(tmp_path, 1, ABOUT, pytest.fail)
    first.begin(made())
    others = [Record(tmp_path, 1, ABOUT, pytest.fail) for _number in range(2)]
    assert {path.name for path in records(tmp_path)} == {one.path.name for one in (first, *others)}
    assert [one["goes_on"] for one in summaries(tmp_path)] == [True]
    for one in (*others, first):
        one.end(made())
    assert [one["goes_on"] for one in summaries(tmp_path)] == [False] * 3
    last = Record(tmp_path, 1, ABOUT, pytest.fail)
    assert records(tmp_path) == [last.path]


def test_a_record_of_a_killed_run_can_be_removed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        Record(tmp_path, 1, ABOUT, pytest.fail)
        os._exit(9)  # nobody releases the lock
    os.waitpid(child, 0)
    (killed,) = records(tmp_path)
    last = Record(tmp_path, 1, ABOUT, pytest.fail)
    assert records(tmp_path) == [last.path] != [killed]


def test_a_full_disk_leaves_no_record_that_looks_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    record, log = Record(tmp_path, 9, ABOUT, warned.append), RunLog(tmp_path / "log.txt")
    record.begin(Run("x", [], 0.0))
    assert record.complete and log.complete

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(private.os, "open", full)
    record.end(made())
    monkeypatch.setattr(private.os, "write", full)
    log.write("text")
    assert not record.complete and not log.complete
    assert len(warned) == 1 and "not complete" in warned[0] and "No space left" in warned[0]
    monkeypatch.undo()
    assert [one["result"] for one in summaries(tmp_path)] == ["unfinished"]


@pytest.mark.parametrize(
    ("local", "told"),
    [({"ok": 3}, "0:05, 1 host, 1 changed"), ({"changed": 1}, "0:05, 2 hosts, 2 changed")],
)
def test_the_control_node_is_counted_where_something_changed_on_it(local: dict[str, int], told: str) -> None:
    summary = {"result": "done", "seconds": 5, "hosts": {"localhost": local, "cp1": {"changed": 2}}, "started": ""}
    assert told in run_html(
        {**summary, "name": "site.yml", "phases": [], "problems": [], "check": False, "versions": {}, "inventory": []},
        [],
    )
