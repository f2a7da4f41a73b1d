# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of any shape at any place of a description is accepted or refused by its path, and no Secret is shown."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand, masked
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

CANARY = "c4n4ry-of-a-secret"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ODD: list[Any] = [None, [], {}, "x", 5, True, [None], ["x"], {"x": None}, [[]], {"kind": []}]
PATCH = {
    "kind": "Deployment",
    "metadata": {"name": "w", "labels": {"a": "b"}},
    "spec": {"template": {"spec": {"containers": [{"name": "w", "image": "x"}]}}},
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "y", "annotations": {LAST_APPLIED: CANARY}},
    "stringData": {"a": CANARY},
}
WEB: dict[str, Any] = {
    "name": "w",
    "namespace": "n",
    "image": "i:1",
    "ports": {"http": 80},
    "env": {"A": "b"},
    "config_maps": {"c": {"k": "v"}},
    "overrides": [PATCH],
    "manifests": [{"apiVersion": "v1", "kind": "List", "items": [SECRET]}],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return every path in a structure."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield (*path, key)
        yield from places(below, (*path, key))


def test_odd_shapes_end_in_no_traceback() -> None:
    refused = 0
    for path in places(WEB):
        for odd in ODD:
            made = place = copy.deepcopy(WEB)
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = copy.deepcopy(odd)
            try:
                shown = [masked(content) for content in expand(read(made)).objects]
            except InputError:
                refused += 1
                continue
            assert CANARY not in str(shown) or path[0] == "manifests" and path[-1] == "kind", path
    assert refused > 100


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"$patch": "delete"}, r"overrides\[0\]: must not change apiVersion, kind and metadata.name of Deployment n/w"),
        ({"$patch": "replace", "spec": {}}, "must not change apiVersion"),
        ({"metadata": {"$patch": "replace"}}, "must not change apiVersion"),
        ({"spec": {"$retainKeys": 3}}, r"spec.\$retainKeys: must be a list, not 3"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": 3}}, r"finalizers: must be a list"),
        ({"spec": {"template": {"spec": {"containers": [3]}}}}, r"containers\[0\].name: is required"),
    ],
)
def test_a_patch_that_leaves_no_object_is_refused(patch: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        expand(read({**WEB, "overrides": [{"kind": "Deployment", **patch}]}))


def test_a_job_without_a_spec_is_left_to_the_server() -> None:
    job = {"name": "w", "namespace": "n", "image": "i:1", "kind": "Job", "overrides": [{"kind": "Job", "spec": None}]}
    (made,) = [one for one in expand(read(job)).objects if one["kind"] == "Job"]
    assert made["metadata"]["name"].startswith("w-") and "spec" not in made


def test_a_secret_in_a_list_is_an_object_of_the_application() -> None:
    objects = expand(read(WEB)).objects
    assert ("Secret", "y") in [(content["kind"], content["metadata"]["name"]) for content in objects]
    assert CANARY not in str([masked(content) for content in objects])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"overrides": [{"kind": "Deployment", "metadata": "w"}]},
            r"overrides\[0\].metadata: must be a mapping, not a string",
        ),
        ({"manifests": [{"kind": ["Secret"]}]}, "manifests: Object 1 .* lacks apiVersion, metadata.name"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        expand(read({**WEB, **more}))
