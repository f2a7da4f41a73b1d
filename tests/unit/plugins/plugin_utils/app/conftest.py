# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that expand descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError


class Made:
    """The objects of a description."""

    def __init__(self, **fields: Any) -> None:
        options = {name: fields.pop(name) for name in ("timeout", "wait") if name in fields}
        self.expansion = expand(read({"name": "web", "namespace": "shop", "image": "web:1", **fields}), **options)
        self.objects = self.expansion.objects
        self.warnings = self.expansion.warnings

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [content for content in self.objects if content["kind"] == kind]

    def one(self, kind: str, name: str = "") -> dict[str, Any]:
        found = [content for content in self.all(kind) if not name or content["metadata"]["name"].startswith(name)]
        assert len(found) == 1, [content["metadata"]["name"] for content in found]
        return found[0]

    @property
    def workload(self) -> dict[str, Any]:
        kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
        return next(content for content in self.objects if content["kind"] in kinds)

    @property
    def template(self) -> dict[str, Any]:
        spec = self.workload["spec"]
        return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]

    @property
    def pod(self) -> dict[str, Any]:
        return self.template["spec"]

    @property
    def container(self) -> dict[str, Any]:
        return self.pod["containers"][0]


@pytest.fixture
def make() -> Callable[..., Made]:
    """Return what expands an application; by default a Deployment with one image."""
    return Made


@pytest.fixture
def refused() -> Callable[..., list[str]]:
    """Return what lists the problems of an invalid description."""

    def problems(**fields: Any) -> list[str]:
        with pytest.raises(InputError) as raised:
            Made(**fields)
        return raised.value.problems

    return problems
