# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object that a webhook of the same release refuses until its pods are ready is sent again until the deadline of the run."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._release import apply
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import OperationFailed
from ansible_collections.slipway.kube.plugins.module_utils._release.planned import PlannedObject

MESSAGE = 'Internal error occurred: failed calling webhook "pools.example.com": connection refused'


class Client:
    """Refuses the pool a number of times."""

    def __init__(self, refusals: int) -> None:
        self.left = refusals

    def each(self, function: Any, items: Any) -> list[Any]:
        return [function(item) for item in items]

    def apply(self, _path: str, content: Any, *_rest: Any, **_more: Any) -> Any:
        if content["kind"] == "IPAddressPool" and self.left:
            self.left -= 1
            raise ApiError(500, "InternalError", MESSAGE, "PATCH", "/pools")
        return content


def planned(kind: str, api_version: str) -> PlannedObject:
    content = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    return PlannedObject(Reference(api_version, kind, "", "a"), "create", content)


POOL = planned("IPAddressPool", "metallb.io/v1beta1")
WEBHOOK = planned("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1")


def send(refusals: int, *objects: PlannedObject) -> Any:
    client: Any = Client(refusals)
    return apply.Sender(client, str, time.monotonic() + 30).send(list(objects))


def test_the_webhook_of_the_release_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "RETRY_FOR", 0)
    monkeypatch.setattr(apply, "RETRY_EVERY", 0)
    assert len(send(3, POOL, WEBHOOK)) == 2


def test_a_webhook_of_somebody_else_is_not_waited_for_that_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "RETRY_FOR", 0)
    monkeypatch.setattr(apply, "RETRY_EVERY", 0)
    with pytest.raises(OperationFailed, match="connection refused"):
        send(3, POOL)
