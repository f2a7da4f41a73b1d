# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of releases against a small API server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Client
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials
from ansible_collections.slipway.kube.plugins.module_utils._release.engine import Engine
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import Settings
from ansible_collections.slipway.kube.plugins.module_utils._release.uninstall import Uninstall
from harness.api_server import Server, serving


class Died(BaseException):
    """The process that ran the release was killed."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server for the time of a test."""
    with serving() as running:
        yield running


class Releases:
    """Runs of releases against that server."""

    died = Died

    def __init__(self, server: Server) -> None:
        self.server = server

    def client(self) -> Client:
        """A client of its own for each run."""
        return Client(Credentials("http://127.0.0.1:%d" % self.server.server_port), timeout=5, patience=1, threads=4)

    def engine(self, objects: list[Any], check: bool = False, **options: Any) -> Engine:
        """A run that is to be."""
        settings = Settings(
            **{
                "name": "web",
                "run_id": "run-%d" % next(self.server.numbers),
                "objects": objects,
                "timeout": 0.4,
                **options,
            }
        )
        return Engine(self.client(), settings, check)

    def run(self, objects: list[Any], check: bool = False, **options: Any) -> dict[str, Any]:
        """A whole run."""
        return self.engine(objects, check, **options).run()

    def remove(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """A run that takes the release away."""
        settings = Settings(
            **{
                "name": "web",
                "run_id": "run-%d" % next(self.server.numbers),
                "state": "absent",
                "timeout": 0.4,
                **options,
            }
        )
        return Uninstall(self.client(), settings, check).run()

    def killed(self, at: int, objects: list[Any], **options: Any) -> bool:
        """A run whose process is killed at its n-th write. Says whether it came so far."""
        count = itertools.count(1)
        writes = ("PATCH", "POST", "PUT", "DELETE")
        engine = self.engine(objects, **options)
        client = engine.client
        once = client._once

        def until(method: str, *rest: Any) -> Any:
            if method in writes and "dryRun" not in rest[0] and next(count) >= at:
                raise Died
            return once(method, *rest)

        client._once = until  # type: ignore[method-assign]
        try:
            engine.run()
        except Died:
            engine.context.lock._end.set()
            for lease in [one for one in self.server.objects.values() if one.get("kind") == "Lease"]:
                # The process that held it is gone, and its host with it.
                lease["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"
            return True
        return False


@pytest.fixture
def releases(server: Server) -> Releases:
    """Runs of releases."""
    return Releases(server)


@pytest.fixture
def some() -> Callable[..., dict[str, Any]]:
    """Makes objects."""

    def make(kind: str, name: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
        metadata = {"name": name, **more.pop("metadata", {})}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}

    return make


@pytest.fixture
def workload(some: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes workloads."""

    def make(name: str, image: str = "app:1", kind: str = "Deployment", label: str = "web") -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "c", "image": image}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": label}}, "template": template}
        if kind == "Job":
            return some(kind, name, "batch/v1", spec={"template": template})
        return some(kind, name, "apps/v1", spec=spec)

    return make
