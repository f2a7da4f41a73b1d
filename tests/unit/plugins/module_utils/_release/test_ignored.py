# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that others own, or that a chart makes anew: the value of the cluster is kept, in plan, diff, digest and rollback."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import ignored
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.ignored import Ignored, with_live, without
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import pack, read_settings
from ansible_collections.slipway.kube.plugins.module_utils._release.store import Store

BUNDLE = ({"kind": "MutatingWebhookConfiguration", "fields": ["/webhooks/*/clientConfig/caBundle"]},)


def hook(name: str, bundle: str = "") -> dict[str, Any]:
    """A webhook of a configuration."""
    client = {"service": {"name": "s", "namespace": "default"}, **({"caBundle": bundle} if bundle else {})}
    return {"name": name, "clientConfig": client}


@pytest.mark.parametrize(
    ("pointer", "mine", "theirs", "made"),
    [
        ("/data/a", {"data": {"a": 1, "b": 1}}, {"data": {"a": 2, "b": 2}}, {"data": {"a": 2, "b": 1}}),
        ("/data/*", {"data": {"a": 1, "b": 1}}, {"data": {"a": 2, "c": 2}}, {"data": {"a": 2, "b": 1}}),
        ("/data/a~1b~0c", {"data": {"a/b~c": 1}}, {"data": {"a/b~c": 2}}, {"data": {"a/b~c": 2}}),
        ("/x/1", {"x": [1, 2]}, {"x": [1, 4]}, {"x": [1, 4]}),
        ("/x/1", {"x": [1, 2]}, {"x": [1, 4, 5]}, {"x": [1, 2]}),
        ("/x/0", {"x": ["t=2", "a", "b"]}, {"x": ["a", "t=1", "b"]}, {"x": ["t=2", "a", "b"]}),
        ("/x/0/v", {"x": [{"v": 1}, {"p": 80}]}, {"x": [{"v": 2}, {"p": 80, "q": 1}]}, {"x": [{"v": 2}, {"p": 80}]}),
        ("/x/0/v", {"x": [{"v": 1}, {"p": [80]}]}, {"x": [{"v": 2}, {"p": [81]}]}, {"x": [{"v": 1}, {"p": [80]}]}),
        ("/x/*", {"x": [1, 2, 9]}, {"x": [3, 4]}, {"x": [3, 4, 9]}),
        (
            "/x/0/v",
            {"x": [{"name": "mine", "v": 1}]},
            {"x": [{"name": "injected", "v": 2}, {"name": "mine", "v": 3}]},
            {"x": [{"name": "mine", "v": 3}]},
        ),
        (
            "/x/*/v",
            {"x": [{"name": "mine", "v": 1}]},
            {"x": [{"name": "other", "v": 2}]},
            {"x": [{"name": "mine", "v": 1}]},
        ),
        ("/spec/replicas", {"spec": None}, {"spec": {"replicas": 2}}, {"spec": None}),
        ("/spec", {"spec": {"a": 1}}, {"spec": {"b": 2}}, {"spec": {"b": 2}}),
        ("/x/7", {"x": [1]}, {"x": [2]}, {"x": [1]}),
        ("/x/a", {"x": [1]}, {"x": [2]}, {"x": [1]}),
    ],
)
def test_a_field_is_taken_from_the_live_object_where_both_have_it(
    pointer: str, mine: dict[str, Any], theirs: dict[str, Any], made: dict[str, Any]
) -> None:
    some = [Ignored("A", (pointer,))]
    assert with_live({"kind": "A", **mine}, {"kind": "A", **theirs}, some) == {"kind": "A", **made}
    assert with_live({"kind": "B", **mine}, {"kind": "B", **theirs}, some) == {"kind": "B", **mine}
    assert with_live({"kind": "A", **mine}, None, some) == {"kind": "A", **mine}
    assert without({"kind": "A", **made}, some) == without({"kind": "A", **mine}, some) or pointer == "/spec/replicas"


def test_several_items_of_a_list_keep_their_values() -> None:
    some = [Ignored("A", ("/x/0", "/x/2"))]
    assert with_live({"kind": "A", "x": [1, 2, 3]}, {"x": [7, 2, 9]}, some)["x"] == [7, 2, 9]
    assert with_live({"kind": "A", "x": [1, 2, 3]}, {"x": [7, 8, 9]}, some)["x"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("pointer", "told"),
    [
        ("spec/replicas", "'spec/replicas' is not a JSON pointer"),
        ("/a~2", "is not a JSON pointer"),
        ("", "is not a JSON pointer"),
        ("/metadata", "identifies the object"),
        ("/metadata/name", "identifies the object"),
        ("/kind", "identifies the object"),
        ("/metadata/annotations/a~1b", ""),
        ("/kinds", ""),
    ],
)
def test_what_is_no_pointer_is_refused(pointer: str, told: str) -> None:
    found = ignored.problems([{"kind": "A", "fields": [pointer]}], "ignore_differences")
    assert (told in found[0] and "ignore_differences[1].fields" in found[0]) if told else found == []


def test_bad_fields_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ReleaseError, match=r"ignore_differences\[1\]\.fields: 'data' is not a JSON pointer"):
        read_settings(
            {
                "name": "web",
                "_payload": pack([{}], {}),
                "ignore_differences": [{"kind": "ConfigMap", "fields": ["data"]}],
            }
        )


def test_what_another_owns_is_no_difference(server: Any, releases: Any, some: Any) -> None:
    version = "admissionregistration.k8s.io/v1"
    mine = some("MutatingWebhookConfiguration", "w", version, webhooks=[hook("a", "Cg=="), hook("b")])
    entries = ignored.read(BUNDLE)
    assert releases.run([mine], ignored=entries)["status"] == "deployed"
    live = server.find("MutatingWebhookConfiguration", "w")
    assert live["webhooks"][0]["clientConfig"]["caBundle"] == "Cg=="
    live["webhooks"][0]["clientConfig"]["caBundle"] = "aW5qZWN0ZWQ="
    told = releases.run([mine], check=True, ignored=entries)
    assert not told["changed"] and told["diff"] == []
    answer = releases.run([mine], ignored=entries)
    assert (answer["changed"], answer["revision"]) == (False, 1)
    del server.asked[:]
    assert not releases.run([mine], ignored=entries)["changed"]
    assert not [line for line in server.asked if "(dry)" in line]
    mine["metadata"]["labels"] = {"new": "label"}
    answer = releases.run([mine], ignored=entries)
    (diff,) = answer["diff"]
    assert answer["revision"] == 2 and diff["before"]["webhooks"] == diff["after"]["webhooks"]
    live = server.find("MutatingWebhookConfiguration", "w")
    assert live["webhooks"][0]["clientConfig"]["caBundle"] == "aW5qZWN0ZWQ="
    assert releases.run([mine], check=True)["changed"], "without the option it is a difference"


def test_a_value_that_a_chart_makes_anew_is_kept_and_comes_back(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    kept = ignored.read([{"kind": "Secret", "name": "s", "fields": ["/data/password"]}])

    def secret(password: str, user: str = "u") -> dict[str, Any]:
        data = {
            name: base64.b64encode(text.encode()).decode() for name, text in (("password", password), ("user", user))
        }
        return some("Secret", "s", type="Opaque", data=data)

    def password() -> str:
        return base64.b64decode(server.find("Secret", "s")["data"]["password"]).decode()

    releases.run([secret("first-canary")], ignored=kept)
    assert not releases.run([secret("second-canary")], ignored=kept)["changed"] and password() == "first-canary"
    answer = releases.run([secret("third-canary", "v")], ignored=kept)
    assert answer["revision"] == 2 and password() == "first-canary" and "canary" not in str(answer)
    server.bad.add("app:broken")
    answer = releases.run([secret("fourth-canary"), workload("d", "app:broken")], ignored=kept)
    assert answer["rolled_back_to"] == 2 and password() == "first-canary"
    assert base64.b64decode(server.find("Secret", "s")["data"]["user"]) == b"v" and "canary" not in str(answer)


def password_of(content: Any) -> str:
    return base64.b64decode(content["data"]["password"]).decode()


def random_secret(some: Any, password: str) -> dict[str, Any]:
    return some("Secret", "s", type="Opaque", data={"password": base64.b64encode(password.encode()).decode()})


KEPT = ignored.read([{"kind": "Secret", "name": "s", "fields": ["/data/password"]}])


@pytest.mark.parametrize("at", range(2, 6))
def test_a_revision_that_is_resumed_records_what_is_applied(
    server: Any, releases: Any, some: Any, workload: Any, at: int
) -> None:
    config = some("ConfigMap", "c", data={"a": "2"})
    releases.run([some("ConfigMap", "c", data={"a": "1"})])
    assert releases.killed(at, [config, random_secret(some, "first-canary"), workload("d")], ignored=KEPT)
    answer = releases.run([config, random_secret(some, "second-canary"), workload("d")], ignored=KEPT)
    assert answer["status"] == "deployed"
    store = Store(releases.client(), "web", "default")
    store.refresh()
    recorded = [one for one in store.read(answer["revision"]).objects if one["kind"] == "Secret"]
    assert password_of(recorded[0]) == password_of(server.find("Secret", "s"))


def test_a_revision_that_is_restored_keeps_what_a_chart_made_anew(server: Any, releases: Any, some: Any) -> None:
    first = [random_secret(some, "first-canary"), some("ConfigMap", "c", data={"a": "1"})]
    second = [random_secret(some, "first-canary"), some("ConfigMap", "c", data={"a": "2"})]
    releases.run(first, ignored=KEPT)
    releases.run(second, ignored=KEPT)
    live = server.find("Secret", "s")
    live["data"]["password"] = base64.b64encode(b"rotated-canary").decode()
    answer = releases.run([], revision=1)
    assert answer["status"] == "deployed" and server.find("ConfigMap", "c")["data"] == {"a": "1"}
    assert password_of(server.find("Secret", "s")) == "rotated-canary" and "canary" not in str(answer)
    assert not releases.run([], revision=1)["changed"]


def test_the_payload_names_what_is_kept() -> None:
    kept = [{"kind": "Secret", "name": "s", "fields": ["/data/a"]}]
    settings = read_settings({"name": "web", "_payload": pack([{}], {}, kept)})
    assert settings.ignored == [Ignored("Secret", ("/data/a",), "s")]
