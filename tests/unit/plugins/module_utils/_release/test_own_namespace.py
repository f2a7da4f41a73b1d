# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that goes with its own namespace, in which its lease and its records are."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import lock as lease

NAMESPACE = "/api/v1/namespaces/web"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/web/leases/slipway-release-web"


@pytest.mark.parametrize("pause_after", [0, 0.3])
def test_a_namespace_that_takes_the_lease_with_it_takes_nothing_over(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch, pause_after: float
) -> None:
    monkeypatch.setattr(lease, "RENEW", 0.05)
    monkeypatch.setattr(lease, "DURATION", 0.3)
    objects = [some("Namespace", "web"), some("ConfigMap", "c", metadata={"namespace": "web"})]
    assert releases.run(objects, namespace="web")["status"] == "deployed"
    ending: dict[str, Any] = {}

    def control(method: str, path: str, _dry: bool) -> None:
        # The namespace controller empties a namespace, which is there until that is done.
        with server.gate:
            if (method, path) == ("DELETE", NAMESPACE):
                ending.update(server.objects[NAMESPACE], until=time.monotonic() + 0.8)
                server.objects.pop(LEASE, None)
            elif (method, path) == ("GET", NAMESPACE) and ending:
                server.objects.pop(NAMESPACE, None)
                if time.monotonic() < ending["until"]:
                    server.objects[NAMESPACE] = {
                        **ending,
                        "metadata": {**ending["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
                    }

    server.before = control
    answer = releases.remove(namespace="web", prune_kinds=["Namespace"], timeout=5, pause_after=pause_after)
    assert ending and not answer.get("failed") and answer["finished"]
    assert answer["msg"] == "Deleted release web in namespace web: 2 objects."
    assert NAMESPACE not in server.objects and LEASE not in server.objects


def test_a_release_beside_another_namespace_keeps_its_lease_until_it_is_gone(
    server: Any, releases: Any, some: Any
) -> None:
    assert releases.run([some("Namespace", "other"), some("ConfigMap", "c")])["status"] == "deployed"
    del server.writes[:]
    assert releases.remove(prune_kinds=["Namespace"])["changed"]
    deleted = [path.rpartition("/")[2] for method, path in server.writes if method == "DELETE"]
    assert deleted == ["c", "other", "slipway-release-web-r1", "slipway-release-web"]
