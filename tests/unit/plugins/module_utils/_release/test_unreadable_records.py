# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record that cannot be read is named with the remedy, whoever reads it, and nothing is changed."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.history import read_revision
from ansible_collections.slipway.kube.plugins.module_utils._release.revision import parts_of

TOLD = r"Secret default/slipway-release-web-r1 of a release revision cannot be read: .*To drop the revision, delete this Secret; its objects are kept\."
BROKEN = {
    "no parts": ("parts", b""),
    "odd parts": ("parts", b"[3]"),
    "parts that are no number": ("parts", b'{"parts": "x", "sha256": ""}'),
    "another intent": ("intent", b"x"),
    "no state": ("state", b""),
    "an odd state": ("state", gzip.compress(b"[1]")),
}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, releases: Any, some: Callable[..., Any], server: Any) -> Callable[[], None]:
    """Breaks the record of a release that is there."""
    part, content = BROKEN[request.param]

    def spoil() -> None:
        server.find("Secret", "slipway-release-web-r1")["data"][part] = base64.b64encode(content).decode()
        del server.writes[:]

    releases.run([some("ConfigMap", "c", data={"a": "1"})])
    return spoil


def changed(server: Any) -> list[str]:
    """What was written besides the lease."""
    return [path for _method, path in server.writes if "/leases" not in path]


def test_a_run_refuses(broken: Callable[[], None], releases: Any, some: Callable[..., Any], server: Any) -> None:
    broken()
    with pytest.raises(ReleaseError, match=TOLD):
        releases.run([some("ConfigMap", "c", data={"a": "2"})])
    with pytest.raises(ReleaseError, match=TOLD):
        releases.remove()
    assert changed(server) == []
    # Who comes next, from another host too, need not wait.
    assert server.find("Lease", "slipway-release-web")["spec"]["holderIdentity"] == ""


def test_the_history_refuses(broken: Callable[[], None], releases: Any) -> None:
    broken()
    with pytest.raises(ReleaseError, match=TOLD):
        read_revision(releases.client(), "default", "web", 1)


def test_the_way_back_tells(
    broken: Callable[[], None], releases: Any, some: Callable[..., Any], workload: Any, server: Any
) -> None:
    server.bad.add("bad:1")

    def before(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and path.endswith("/deployments/d") and not dry:
            broken()

    server.before = before
    answer = releases.run([workload("d", "bad:1")])
    assert answer["failed"] and "The rollback to revision 1 failed as well: Secret default/" in answer["msg"]


@pytest.mark.parametrize("text", [b"", b"x", b"[]", b'{"parts": null}', b'{"parts": "many"}'])
def test_parts_that_cannot_be_counted_are_none(text: bytes) -> None:
    secret = {"metadata": {"name": "s"}, "data": {"parts": base64.b64encode(text).decode()}}
    assert parts_of(secret) == []
