# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examination as a whole, and its reports."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.kube.plugins.filter import health as filters
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis import health as examining
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import Finding, at_or_above
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.health import (
    ALL_CHECKS,
    Health,
    NotFound,
    examine,
)
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.modules import health_info

from .conftest import NOW, Cluster, crashed, deployment, endpoints, meta, node, pod, service, waiting

QUIET = ("control_plane", "dns")


class Answering(Cluster):
    """A cluster with the attributes of a client that the module returns."""

    requests = 7

    class credentials:
        server = "https://10.0.0.1:6443"


def broken() -> Answering:
    """A shop whose pods crash, on one of two nodes."""
    lists: dict[str, Any] = {
        **deployment(0),
        "Pod": [pod(state=crashed()), pod("other", owner="")],
        "Service": [service()],
        "EndpointSlice": [endpoints(ready=0)],
        "Node": [node("w1"), node("w2")],
    }
    lists["Node"][1]["spec"]["unschedulable"] = True
    cluster = Answering(lists)
    cluster.texts["/api/v1/namespaces/shop/pods/web-1-a/log"] = "<script>alert(1)</script>\nFATAL"
    return cluster


def told(cluster: Any, **options: Any) -> dict[str, Any]:
    """What the module returns."""
    return health_info.answer(examine(cluster, without=QUIET, **options), cluster, 1.234)


def test_a_whole_cluster() -> None:
    result = told(broken())
    assert [finding["fault"] for finding in result["findings"]] == ["crash_loop", "node_cordoned"]
    assert result["findings"][0]["logs"] == ["<script>alert(1)</script>", "FATAL"]
    assert result["msg"] == "1 error, 1 info; 1 of 2 pods are healthy."
    assert (result["requests"], result["seconds"], result["changed"]) == (7, 1.23, False)
    assert [one["name"] for one in result["nodes"]] == ["w1", "w2"] and result["nodes"][0]["pods"] == 2
    assert result["summary"]["namespaces"] == [
        {"name": "shop", "pods": 2, "pods_healthy": 1, "error": 1, "warning": 0, "info": 0}
    ]
    assert filters.at_least(result, "error")
    assert not filters.at_least({"findings": result["findings"][1:]}, "warning")


def test_findings_are_limited_by_severity_and_namespace() -> None:
    assert [finding["fault"] for finding in told(broken(), severity="error")["findings"]] == ["crash_loop"]
    assert told(broken(), namespaces=["other"])["findings"] == []
    inside = told(broken(), namespaces=["shop"])
    assert [finding["fault"] for finding in inside["findings"]] == ["crash_loop"] and inside["findings"][0]["logs"]
    assert told(broken(), logs=False)["findings"][0]["logs"] == []


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_every_check_can_be_skipped(name: str) -> None:
    assert name in health_info.DOCUMENTATION
    found = examine(broken(), without=[*QUIET, name]).findings  # type: ignore[arg-type]
    assert ("crash_loop" in [finding.fault for finding in found]) == (name != "workloads")


def test_one_release_only() -> None:
    cluster = broken()
    cluster.lists["Deployment"][0]["metadata"]["labels"] = {"slipway.kube/release": "shop"}
    cluster.lists["Service"] += [service("lost", {"app": "nothing"})]
    result = told(cluster, release=("shop", "shop"))
    assert [finding["fault"] for finding in result["findings"]] == ["crash_loop"]
    assert any("labelSelector=slipway.kube%2Frelease%3Dshop" in path for path in cluster.asked)


def test_many_namespaces_are_read_as_one_list() -> None:
    many = ["shop", "a", "b", "c", "d"]
    cluster = broken()
    cluster.lists["Pod"].append(dict(pod("unrelated", state=crashed(), owner="")))
    cluster.lists["Pod"][-1]["metadata"]["namespace"] = "elsewhere"
    assert [finding["fault"] for finding in told(cluster, namespaces=many)["findings"]] == ["crash_loop"]
    assert sum("/pods" in path for path in cluster.asked) == 1
    assert [finding["fault"] for finding in told(broken(), namespaces=many[:1])["findings"]] == ["crash_loop"]


def test_a_missing_namespace_or_release_is_reported() -> None:
    class Without(Answering):
        def find(self, path: str) -> dict[str, Any] | None:
            return None

    with pytest.raises(NotFound, match="Namespace shop does not exist"):
        examine(Without(), namespaces=["shop"])  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="Release web does not exist in namespace shop"):
        examine(Answering(), release=("shop", "web"))  # type: ignore[arg-type]


def test_forbidden_lists_are_reported_and_cause_no_findings() -> None:
    cluster = broken()
    cluster.forbidden = {"Secret", "Node", "EndpointSlice"}
    result = told(cluster)
    assert {"secrets", "nodes", "endpointslices"} <= set(result["unchecked"])
    assert [finding["fault"] for finding in result["findings"]] == ["crash_loop"]


def test_live_checks_are_part_of_examining_a_whole_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = Finding("etcd_member", "error", Reference("v1", "Pod", "kube-system", "etcd-a"), "x")
    monkeypatch.setattr(examining.ControlPlane, "findings", lambda self: [extra])
    monkeypatch.setattr(examining, "check_dns", lambda client, view: ([], {"DNS lookup": "far away"}))
    health = examine(broken())  # type: ignore[arg-type]
    assert health.findings[0].fault == "etcd_member" and health.unseen == {"DNS lookup": "far away"}
    assert "etcd_member" not in [finding.fault for finding in examine(broken(), namespaces=["shop"]).findings]  # type: ignore[arg-type]


def test_the_report_for_a_terminal() -> None:
    lines = filters.text(told(broken()), "lab")
    assert lines[0] == "Cluster lab: 1 error, 1 info; 1 of 2 pods are healthy."
    assert "2 of 2 nodes are Ready." in lines and any(line.startswith("w2") and "cordoned" in line for line in lines)
    assert (
        "ERROR Deployment shop/web: container app: terminates with exit code 1 repeatedly [slipway:crash_loop]" in lines
    )
    assert any(line.startswith("  chain: Service shop/web: it has no ready endpoints") for line in lines)
    assert lines[-1] == "Queried https://10.0.0.1:6443 in 1.23 s with 7 requests."
    fine = filters.text(told(Answering({"Pod": [pod()], **deployment()})))
    assert fine[0] == "Cluster: No faults found; 1 of 1 pods are healthy."


class Strict(HTMLParser):
    """Checks that every element is closed in turn, and collects external references."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("nodes", [2, 200])
def test_the_page_is_well_formed_and_self_contained(nodes: int) -> None:
    cluster = broken()
    cluster.lists["Node"] = [node(f"w{number}") for number in range(1, nodes + 1)]
    page = filters.html(told(cluster), "<lab>")
    parser = Strict()
    parser.feed(page)
    assert not parser.open and not parser.fetched and "script" not in parser.seen and "link" not in parser.seen
    assert not re.search(r"url\(|@import|https?://(?!10\.0\.0\.1)", page)
    assert "Health of cluster &lt;lab&gt;" in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count('class="node') == nodes + 1 and "crash_loop" in page and page.count("<section") == 1


def test_filters_reject_other_input() -> None:
    for function in (filters.text, filters.html):
        with pytest.raises(AnsibleFilterError, match=r"not a result of slipway\.kube\.health_info"):
            function({"findings": [{"fault": "x"}]})
    with pytest.raises(AnsibleFilterError, match="'fatal' is not a valid severity"):
        filters.at_least({"findings": []}, "fatal")
    found = told(broken())
    assert [len(filters.at_least(found, level)) for level in ("error", "warning", "info", "never")] == [
        1,
        1,
        2,
        0,
    ]


def test_severities_are_ordered() -> None:
    name = Reference("v1", "Pod", "n", "p")
    every = [Finding("x", severity, name, "t") for severity in ("info", "error", "warning")]
    assert [finding.severity for finding in at_or_above(every, "warning")] == ["error", "warning"]
    assert isinstance(Health().summary, dict) and NOW and meta("x") and waiting("x")
