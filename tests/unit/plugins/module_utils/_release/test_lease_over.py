# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run whose lease was not renewed in time writes only where the lease is known to be still its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._release import lock as lease
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import LockLost

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/slipway-release-web"
OVER = 0.6  # seconds for which a lease holds in these tests


@pytest.fixture
def lock(releases: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[lease.Lock]:
    """A lock whose time passes quickly, to be taken by the test."""
    monkeypatch.setattr(lease, "DURATION", OVER)
    monkeypatch.setattr(lease, "RENEW", 0.05)
    made = lease.Lock(releases.client(), "web", "default", "mine")
    yield made
    made._end.set()


def stolen(server: Any) -> None:
    """Another run takes the lease, whose time is over."""
    content = server.find("Lease", "slipway-release-web")
    content["spec"]["holderIdentity"] = "thief"
    server.put(PATH, content)


def refusing(status: int) -> Callable[..., Any]:
    """A server that refuses every renewal."""

    def refuse(*_arguments: Any) -> Any:
        raise ApiError(status, "Refused", "refused")

    return refuse


def hanging(*_arguments: Any) -> Any:
    """A connection that brings no answer."""
    threading.Event().wait(10)
    raise Unreachable("no answer")


@pytest.mark.parametrize("renewal", [refusing(403), refusing(500), hanging])
def test_a_run_that_cannot_renew_sees_that_another_one_has_the_release(
    lock: lease.Lock, server: Any, monkeypatch: pytest.MonkeyPatch, renewal: Callable[..., Any]
) -> None:
    assert lock.acquire() == ""
    monkeypatch.setattr(lock.client, "replace", renewal)
    time.sleep(OVER + 0.2)
    lock.check()  # nobody took it yet
    stolen(server)
    with pytest.raises(LockLost, match=r"Another run \(thief\) has taken over release web"):
        lock.check()


def test_a_server_that_is_away_ends_the_run_only_when_the_lease_is_over(
    lock: lease.Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lock.acquire() == ""
    patiences: list[Any] = []

    def away(*_arguments: Any, patience: Any = None, **_more: Any) -> Any:
        patiences.append(patience)
        raise Unreachable("The API server does not answer.")

    monkeypatch.setattr(lock.client, "_repeat", away)
    monkeypatch.setattr(lock.client, "get", away)
    lock.check()
    time.sleep(0.2)
    lock.check()
    time.sleep(OVER)
    with pytest.raises(
        LockLost, match=r"another run may have taken over the release.*The API server does not answer\..*Run it again"
    ):
        lock.check()
    assert lease.RENEW in patiences


def test_a_lease_that_may_not_be_read_is_not_known_to_be_ours(
    lock: lease.Lock, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lock.acquire() == ""
    monkeypatch.setattr(lock.client, "replace", refusing(403))
    server.forbidden.add(PATH)
    lock.check()
    time.sleep(OVER + 0.2)
    with pytest.raises(LockLost, match="another run may have taken over the release"):
        lock.check()


def test_a_server_that_comes_back_is_survived(lock: lease.Lock, server: Any) -> None:
    assert lock.acquire() == ""
    replace = lock.client.replace
    lock.client.replace = refusing(503)  # type: ignore[method-assign]
    time.sleep(OVER + 0.2)
    lock.check()
    lock.client.replace = replace  # type: ignore[method-assign]
    time.sleep(0.3)
    del server.asked[:]
    lock.check()
    assert "GET " + PATH not in server.asked
    lock.release()
    assert server.find("Lease", "slipway-release-web")["spec"]["holderIdentity"] == ""


def test_the_time_of_a_lease_counts_from_before_the_request(lock: lease.Lock, server: Any) -> None:
    def slow(method: str, _path: str, _dry: bool) -> None:
        if method in ("POST", "PUT"):
            time.sleep(OVER + 0.1)

    server.before = slow
    assert lock.acquire() == ""
    del server.asked[:]
    lock.check()
    assert server.asked == ["GET " + PATH]


def test_without_a_lease_there_is_nothing_to_ask(lock: lease.Lock, server: Any) -> None:
    lock.check()
    assert lock.acquire() == ""
    lock.release()
    time.sleep(OVER + 0.1)
    del server.asked[:]
    lock.check()
    assert server.asked == []


def test_a_lease_that_was_lost_is_not_deleted(lock: lease.Lock, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW", 60)
    assert lock.acquire() == ""
    stolen(server)
    lock.remove()
    assert server.find("Lease", "slipway-release-web")["spec"]["holderIdentity"] == "thief" and not lock.held


def test_a_lease_that_was_renewed_without_an_answer_is_deleted(
    lock: lease.Lock, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW", 60)
    assert lock.acquire() == ""
    server.put(PATH, server.find("Lease", "slipway-release-web"))
    lock.remove()
    assert server.names("Lease") == []


def test_what_others_wrote_on_a_lease_is_survived(
    lock: lease.Lock, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW", 60)
    assert lock.acquire() == ""
    content = server.find("Lease", "slipway-release-web")
    odd = " ".join([*lease.process().split(" ")[:2], "x", "y"])
    content["metadata"]["annotations"] = {lease.PROCESS: odd, lease.STARTED: "soon"}
    content["spec"]["holderIdentity"] = "other"
    assert "other" in lock.acquire()
    content["spec"]["holderIdentity"] = "mine"
    assert lock.acquire() == ""
