# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategic merge patches."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.app.strategic import BadPatch, merge

POD = {
    "spec": {
        "containers": [
            {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"name": "log", "image": "log:1"},
        ],
        "tolerations": [{"key": "a"}],
        "nodeSelector": {"disktype": "ssd", "zone": "a"},
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
    "metadata": {"finalizers": ["a"]},
}

CASES = [
    (
        "mappings merge",
        {"spec": {"nodeSelector": {"zone": "b"}}},
        ("spec", "nodeSelector"),
        {"disktype": "ssd", "zone": "b"},
    ),
    ("null removes", {"spec": {"nodeSelector": {"zone": None}}}, ("spec", "nodeSelector"), {"disktype": "ssd"}),
    ("plain lists are replaced", {"spec": {"tolerations": [{"key": "b"}]}}, ("spec", "tolerations"), [{"key": "b"}]),
    (
        "named lists merge by name, also inside of others",
        {"spec": {"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]}},
        ("spec", "containers", 0, "env"),
        [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
    ),
    (
        "a new one is added at the end",
        {"spec": {"containers": [{"name": "x"}]}},
        ("spec", "containers", 2),
        {"name": "x"},
    ),
    (
        "one is deleted by its name",
        {"spec": {"containers": [{"name": "web", "$patch": "delete"}]}},
        ("spec", "containers"),
        [{"name": "log", "image": "log:1"}],
    ),
    (
        "a list is replaced when asked",
        {"spec": {"containers": [{"$patch": "replace"}, {"name": "x"}]}},
        ("spec", "containers"),
        [{"name": "x"}],
    ),
    (
        "a mapping is replaced when asked",
        {"spec": {"nodeSelector": {"$patch": "replace", "a": "b"}}},
        ("spec", "nodeSelector"),
        {"a": "b"},
    ),
    ("a mapping is emptied when asked", {"spec": {"nodeSelector": {"$patch": "delete"}}}, ("spec", "nodeSelector"), {}),
    ("finalizers are a set", {"metadata": {"finalizers": ["b", "a"]}}, ("metadata", "finalizers"), ["a", "b"]),
    (
        "values of a set are deleted",
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        ("metadata", "finalizers"),
        [],
    ),
    (
        "only some keys are kept",
        {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
        ("spec", "volumes", 0),
        {"name": "v", "hostPath": {"path": "/x"}},
    ),
    (
        "an order is a hint only",
        {"spec": {"$setElementOrder/containers": [{"name": "log"}]}},
        ("spec", "containers", 0, "name"),
        "web",
    ),
]


@pytest.mark.parametrize(("patch", "place", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_merge(patch, place, expected) -> None:
    before = copy.deepcopy(POD)
    found = merge(POD, patch)
    for step in place:
        found = found[step]
    assert found == expected
    assert before == POD


def test_ports_merge_by_the_key_of_their_object() -> None:
    container = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "x"}]}]}}
    patch = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 8}]}]}}
    assert merge(container, patch)["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "name": "x", "hostPort": 8}
    ]
    service = {"spec": {"ports": [{"port": 80, "name": "x"}]}}
    assert merge(service, {"spec": {"ports": [{"port": 81}]}})["spec"]["ports"] == [
        {"port": 80, "name": "x"},
        {"port": 81},
    ]
    policy = {"spec": {"ingress": [{"ports": [{"port": 80}]}]}}
    assert merge(policy, {"spec": {"ingress": [{"ports": []}]}})["spec"]["ingress"] == [{"ports": []}]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"spec": {"containers": [{"image": "x"}]}},
            "spec.containers[0].name: is required, because the items of this list are merged by it.",
        ),
        ({"spec": {"$patch": "remove"}}, "spec.$patch: must be replace, merge or delete, not 'remove'."),
    ],
)
def test_bad_patches_say_where(patch, message) -> None:
    with pytest.raises(BadPatch, match="^" + message.replace("$", r"\$").replace("[", r"\[").replace(".", r"\.") + "$"):
        merge(POD, patch)
