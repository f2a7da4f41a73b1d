# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy Canary with real pods: behind the same Service for a while, then followed or withdrawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.kube import Kube, begin, call, eventually

NETEXEC = "exec /agnhost netexec --http-port=8080 --udp-port=-1"


def options(kube: Kube, namespace: str, command: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "namespace": namespace,
        "image": kube.agnhost,
        "command": ["sh", "-c", command],
        "ports": {"http": 8080},
        "probe": "/",
        "replicas": 3,
        "strategy": {"type": "Canary", "percent": 30, "observe": 15},
        "hooks": {"post": {"check": {"command": ["/agnhost", "connect", "web-preview:8080", "--timeout=5s"]}}},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
        "security": {"run_as_user": 65534, "read_only_root_filesystem": True},
        "timeout": 150,
        **more,
    }


def pods_behind(kube: Kube, namespace: str, service: str = "web") -> list[str]:
    """Return the names of the pods to which a Service sends requests."""
    slices = kube.get("endpointslice", namespace=namespace) or []
    found = [one for one in slices if one["metadata"]["labels"]["kubernetes.io/service-name"] == service]
    ends = [end for one in found for end in one.get("endpoints") or [] if end["conditions"]["ready"]]
    return sorted(end["targetRef"]["name"] for end in ends)


def test_a_version_is_tried_followed_and_withdrawn(kube: Kube, namespace: str, folder: Path) -> None:
    call(kube, folder / "first", "app", options(kube, namespace, NETEXEC)).ok()
    before = pods_behind(kube, namespace)
    assert len(before) == 3 == len(pods_behind(kube, namespace, "web-preview"))
    second = begin(kube, folder / "second", "app", options(kube, namespace, "true; " + NETEXEC))
    behind = eventually(lambda: len(found := pods_behind(kube, namespace)) == 4 and found, 60, "a canary behind web")
    (canary,) = set(behind) - set(before)
    assert canary.startswith("web-canary-") and pods_behind(kube, namespace, "web-preview") == [canary]
    answer = second.wait().ok().answer
    assert {one["name"]: one["action"] for one in answer["objects"]}["web-canary"] == "run"
    after = pods_behind(kube, namespace)
    assert (
        len(after) == 3 and not set(after) & {*before, canary} and not kube.get("deployment", "web-canary", namespace)
    )
    assert not call(kube, folder / "again", "app", options(kube, namespace, "true; " + NETEXEC)).ok().answer["changed"]
    generation = kube.get("deployment", "web", namespace)["metadata"]["generation"]
    dies = "timeout 10 /agnhost netexec --http-port=8080 --udp-port=-1; echo 'lost the database' >&2; exit 3"
    bad = call(kube, folder / "bad", "app", options(kube, namespace, dies))
    assert bad.failed and "The canary failed after" in bad.message and "lost the database" in bad.message, bad.message
    assert "Deployment " in bad.message and bad.message.endswith("was never changed.")
    assert kube.get("deployment", "web", namespace)["metadata"]["generation"] == generation
    assert pods_behind(kube, namespace) == after and not kube.get("deployment", "web-canary", namespace)
