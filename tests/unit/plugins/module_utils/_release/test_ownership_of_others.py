# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is lost that was there before, that somebody else needs, or that holds the release itself."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError

RECORD = "slipway-release-web-r1"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.ex.io"},
    "spec": {
        "group": "ex.io",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


def test_the_way_back_leaves_what_was_there_before_it_became_part_of_the_release(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([workload("d")])
    by_hand = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-hand", "namespace": "default"}}
    server.put("/api/v1/namespaces/default/configmaps/by-hand", dict(by_hand, data={"precious": "1"}))
    server.bad.add("bad")
    brought = [some("ConfigMap", "by-hand", data={"x": "2"}), some("ConfigMap", "new")]
    answer = releases.run([workload("d", image="bad"), *brought], timeout=2)
    assert answer["rolled_back_to"] == 1
    assert "by-hand" in server.names("ConfigMap") and "new" not in server.names("ConfigMap")


def test_the_way_back_takes_away_what_a_killed_run_has_made(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([workload("d")])
    server.bad.add("bad")
    wanted = [workload("d", image="bad"), some("ConfigMap", "new")]
    releases.run(wanted, timeout=2, on_failure="keep")
    assert "new" in server.names("ConfigMap")
    answer = releases.run([*wanted, some("ConfigMap", "newer")], timeout=2)
    assert answer["rolled_back_to"] == 1
    assert not {"new", "newer"} & set(server.names("ConfigMap"))


def test_the_namespace_of_the_release_is_never_pruned(server: Any, releases: Any, some: Any) -> None:
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    releases.run([home, some("ConfigMap", "c")])
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], prune_kinds=["Namespace"])
    assert "default" in server.names("Namespace") and answer["pruned"] == []


def test_a_namespace_that_another_made_meanwhile_stays(server: Any, releases: Any, some: Any) -> None:
    server.refuse["/api/v1/namespaces/shop/configmaps/c"] = (422, {"reason": "Invalid", "message": "no"})

    def before(method: str, path: str, dry: bool) -> None:
        if (
            method == "PATCH"
            and path == "/api/v1/namespaces/shop"
            and not dry
            and "shop" not in server.names("Namespace")
        ):
            server.put(path, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})

    server.before = before
    with pytest.raises(ReleaseError):
        releases.run([some("ConfigMap", "c")], namespace="shop", create_namespace=True)
    assert "shop" in server.names("Namespace")


def test_the_way_back_leaves_a_definition_of_which_others_have_objects(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([workload("d")])
    server.bad.add("bad")

    def before(method: str, path: str, dry: bool) -> None:
        if path.endswith("deployments/d") and method == "PATCH" and not dry:
            theirs = {
                "apiVersion": "ex.io/v1",
                "kind": "Widget",
                "metadata": {"name": "theirs", "namespace": "default"},
            }
            server.put("/apis/ex.io/v1/namespaces/default/widgets/theirs", theirs)

    server.before = before
    releases.run([DEFINITION, workload("d", image="bad")], timeout=2)
    assert "widgets.ex.io" in server.names("CustomResourceDefinition")


def test_the_second_of_two_runs_for_the_same_changes_nothing(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c")])
    wanted = [some("ConfigMap", "c", data={"a": "9"})]
    twin: list[dict[str, Any]] = []

    def before(method: str, path: str, dry: bool) -> None:
        if "/leases/" in path and method == "GET" and not twin:
            twin.append({})
            twin[0].update(releases.run(wanted))

    server.before = before
    second = releases.run(wanted)
    assert twin[0]["changed"] and not second["changed"] and second["revision"] == twin[0]["revision"] == 2


@pytest.mark.parametrize("part", ["state", "intent", "parts"])
def test_a_damaged_record_is_named(server: Any, releases: Any, some: Any, part: str) -> None:
    releases.run([some("ConfigMap", "c")])
    data = server.find("Secret", RECORD)["data"]
    whole = base64.b64decode(data[part])
    data[part] = base64.b64encode(whole[: len(whole) // 2]).decode()
    with pytest.raises(ReleaseError, match=RECORD):
        releases.run([some("ConfigMap", "c", data={"a": "2"})])


def test_a_damaged_good_record_is_named(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    server.bad.add("bad")
    releases.run([workload("d", image="bad")], timeout=2)
    server.find("Secret", RECORD)["data"]["intent"] = "AAAA"
    with pytest.raises(ReleaseError, match=RECORD):
        releases.run([workload("d")])


def test_a_refusal_on_the_way_back_does_not_hide_what_failed(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([workload("d"), some("ConfigMap", "c")])
    server.bad.add("bad")

    def before(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and path.endswith("secrets/slipway-release-web-r2"):
            server.forbidden.update(
                {"/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/configmaps/n"}
            )

    server.before = before
    answer = releases.run([workload("d", image="bad"), some("ConfigMap", "c"), some("ConfigMap", "n")], timeout=2)
    assert answer["failed"] and "Not ready within the timeout" in answer["msg"] and "failed as well" in answer["msg"]
