# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs say about their cluster, and the page on which it stands."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.learned import at_a_glance, learned_of, merged
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.pages import index_html

EVIL = "<script>alert(1)</script>"
NODES = [
    {"name": "cp1", "version": "1.37.2", "ready": True, "roles": []},
    {"name": EVIL, "version": "1.36.3", "ready": False},
]
HEALTH = {"msg": "1 error; token=correcthorse", "summary": {"error": 1, "warning": 0, "nodes": 2}, "nodes": NODES}
ENDS = [
    {"name": "apiserver", "end": "2027-01-02T03:04:05Z", "days": 20},
    {"name": "ca", "end": "2036-01-02T03:04:05Z", "days": 3600},
]
MANIFEST = {"time": "2026-05-01T03:00:00Z", "kubernetes": "1.37.2", "node": "cp1"}
RELEASE = {"name": "shop", "namespace": "web", "revision": 4, "status": "deployed"}


def learned(*results: tuple[str, dict[str, Any]], host: str = "cp1", check: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for action, result in results:
        found = merged(found, learned_of(f"slipway.kube.{action}", host, result, check))
    return found


def summary(folder: str, cluster: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    about = {
        "name": "slipway.kube.health",
        "inventory": ["hosts"],
        "started": f"{folder[:4]}-01-01T10:00:00+00:00",
        "hosts": {},
    }
    return {
        **about,
        "folder": folder,
        "files": ["changes.html", "log.txt"],
        "result": "done",
        "cluster": cluster or {},
        **more,
    }


def test_results_say_what_the_cluster_is_like() -> None:
    found = learned(
        ("health_info", HEALTH),
        ("backup", {"taken": True, "archive": "/b/x", "manifest": MANIFEST}),
        ("release", RELEASE),
    )
    assert found["health"] == {"text": "1 error; token=correcthorse", "error": 1, "warning": 0}
    assert [node["name"] for node in found["nodes"]] == ["cp1", EVIL]
    assert found["backup"] == {"time": MANIFEST["time"], "kubernetes": "1.37.2", "archive": "/b/x", "host": "cp1"}
    assert found["releases"] == {"web/shop": {"revision": 4, "status": "deployed"}}


def test_of_the_certificates_of_all_hosts_the_first_end_counts_and_of_backups_the_last_one() -> None:
    early, late = {"certificates": ENDS}, {"certificates": ENDS[1:]}
    for results in ((early, late), (late, early)):
        assert learned(*(("certificates", one) for one in results))["certificates"]["name"] == "apiserver"
    older = {"manifest": {**MANIFEST, "time": "2026-04-01T03:00:00Z"}}
    assert (
        learned(("backup_info", {"manifest": MANIFEST}), ("backup_info", older))["backup"]["time"] == MANIFEST["time"]
    )


@pytest.mark.parametrize(
    ("action", "result", "check"),
    [
        ("slipway.kube.health_info", {"msg": "x"}, False),
        ("slipway.kube.health_info", {"censored": "x", **HEALTH}, False),
        ("other.kube.health_info", HEALTH, False),
        ("health_info", HEALTH, False),
        ("slipway.kube.certificates", {"certificates": []}, False),
        ("slipway.kube.certificates", {"skipped": True}, False),
        ("slipway.kube.backup", {"taken": False}, False),
        ("slipway.kube.backup", {"manifest": MANIFEST}, True),
        ("slipway.kube.release", RELEASE, True),
        ("slipway.kube.app", {"manifests": []}, False),
    ],
)
def test_what_is_not_as_expected_says_nothing(action: str, result: dict[str, Any], check: bool) -> None:
    assert learned_of(action, "cp1", result, check) == {}


def test_the_health_of_a_part_is_not_that_of_the_cluster() -> None:
    found = learned(("health_info", {**HEALTH, "invocation": {"module_args": {"namespaces": ["shop"]}}}))
    assert "health" not in found and "nodes" in found


def test_the_newest_run_that_knows_it_counts() -> None:
    runs = [
        summary(
            "2026", learned(("release", {**RELEASE, "name": "old"}), ("release", {"name": "gone", "namespace": "web"}))
        ),
        summary("2025", learned(("health_info", HEALTH), ("release", {**RELEASE, "name": "gone"}))),
        summary(
            "2024",
            learned(
                ("health_info", {**HEALTH, "msg": "older"}), ("release", {**RELEASE, "name": "old", "revision": 1})
            ),
        ),
        summary("2023"),
        {"folder": "2022", "files": [], "name": "before there was such data"},
    ]
    found = at_a_glance(runs)
    assert found["health"][0]["text"].startswith("1 error") and found["health"][1]["folder"] == "2025"
    assert [(name, one["revision"]) for name, one, _run in found["releases"][0]] == [("web/old", 4)]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str | None] = []
        self.focusable = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [given.get("href")] * (tag == "a")
        self.focusable += "tabindex" in given and "aria-label" in given
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_the_cluster_at_a_glance_without_secrets_and_scripts() -> None:
    cluster = learned(
        ("health_info", HEALTH),
        ("certificates", {"certificates": ENDS}),
        ("backup", {"archive": EVIL, "manifest": MANIFEST}),
        ("release", {**RELEASE, "name": EVIL}),
    )
    text = index_html([summary("20260101T100000", cluster, log_complete=False)])
    page = Page(text)
    assert page.open == [] and "script" not in page.tags and "correcthorse" not in text
    for shown in (
        "1 error",
        "2027-01-02 03:04",
        "apiserver on cp1",
        "2026-05-01 03:00 UTC",
        "1 of 2 nodes not Ready",
        "revision 4",
        "Log, not complete",
    ):
        assert shown in text, shown
    assert page.links.count("20260101T100000/changes.html") == 6, "each card and the run itself"
    assert page.focusable == 1, "a list that scrolls can be reached with the keyboard"
    assert not [link for link in page.links if "://" in str(link)]
    assert text.count("<h1>") == 1 and "prefers-color-scheme:dark" in text and "auto-fit" in text


def test_without_such_data_there_are_only_the_runs() -> None:
    text = index_html([summary("20260101T100000")])
    assert 'class="glance"' not in text and "<h2>Runs</h2>" in text
