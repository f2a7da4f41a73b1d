# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that takes a release away deletes nothing any more when another run has taken the release over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import LockLost
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import Settings
from ansible_collections.slipway.kube.plugins.module_utils._release.uninstall import Uninstall


@pytest.fixture
def uninstall(releases: Any, some: Callable[..., Any], server: Any) -> Uninstall:
    """A release that is about to be taken away."""
    releases.run([some("ConfigMap", "c", data={"a": "1"})])
    del server.writes[:]
    return Uninstall(releases.client(), Settings(name="web", run_id="mine", state="absent", timeout=1), False)


def lose(uninstall: Uninstall) -> None:
    """The thread that renews the lease finds another run's name on it."""
    uninstall.context.lock._lost = "thief"


def deleted(server: Any) -> list[str]:
    """What was deleted."""
    return [path for method, path in server.writes if method == "DELETE"]


def test_nothing_is_deleted_when_the_lock_was_lost_while_planning(
    uninstall: Uninstall, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = uninstall._plan

    def slow() -> Any:
        found = plan()
        lose(uninstall)
        return found

    monkeypatch.setattr(uninstall, "_plan", slow)
    with pytest.raises(LockLost, match=r"Another run \(thief\)"):
        uninstall.run()
    assert deleted(server) == [] and server.names("Lease") == ["slipway-release-web"]


@pytest.mark.parametrize("wait", [True, False])
def test_the_records_stay_when_the_lock_was_lost_while_deleting(uninstall: Uninstall, server: Any, wait: bool) -> None:
    uninstall.settings.wait = wait

    def before(method: str, path: str, _dry: bool) -> None:
        if method == "DELETE" and path.endswith("/configmaps/c"):
            lose(uninstall)

    server.before = before
    with pytest.raises(LockLost):
        uninstall.run()
    assert deleted(server) == ["/api/v1/namespaces/default/configmaps/c"]
    assert server.statuses() == ["deployed"] and server.names("Lease") == ["slipway-release-web"]
