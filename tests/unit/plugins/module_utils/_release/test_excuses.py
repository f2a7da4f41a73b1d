# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals of a dry run that the release itself resolves."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import apply
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError

SETTINGS = "/api/v1/namespaces/default/configmaps/settings"
DOWN = {
    "reason": "InternalError",
    "message": 'Internal error occurred: failed calling webhook "check.example.org": failed to call webhook: '
    'Post "https://operator.default.svc:443/check?timeout=10s": no endpoints available for service "operator"',
}
NOT_FOUND = {"reason": "NotFound", "message": 'roles.rbac.authorization.k8s.io "app" not found'}
BINDING = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings/app"


def repairs(server: Any, after: int) -> Any:
    """The webhook responds again so many requests after the workload behind it was applied."""
    left = [-1]

    def before(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and "/deployments/" in path and not dry:
            left[0] = after
        elif method == "PATCH" and path == SETTINGS and not dry and left[0] >= 0:
            left[0] -= 1
            if left[0] < 0:
                server.refuse.clear()

    return before


def test_an_operator_whose_webhook_is_down_is_repaired_by_its_release(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_FOR", 0)
    service = some("Service", "operator", spec={"ports": [{"port": 443}]})
    releases.run([service, some("ConfigMap", "settings", data={"a": "1"}), workload("operator")])
    server.refuse[SETTINGS] = (500, DOWN)
    server.before = repairs(server, after=1)
    objects = [service, some("ConfigMap", "settings", data={"a": "2"}), workload("operator", "app:fixed")]
    predicted = releases.run(objects, check=True)
    assert predicted["schema_only"] == ["ConfigMap default/settings"]
    answer = releases.run(objects, timeout=5)
    assert answer["status"] == "deployed" and server.find("ConfigMap", "settings")["data"] == {"a": "2"}
    assert "because the admission webhook that checks it does not respond" in answer["warnings"][0]


def test_a_webhook_of_somebody_else_that_is_down_refuses_the_run(server: Any, releases: Any, some: Any) -> None:
    server.refuse[SETTINGS] = (500, DOWN)
    with pytest.raises(ReleaseError, match="no endpoints available"):
        releases.run([some("ConfigMap", "settings", data={"a": "2"})])


def test_a_webhook_that_knows_no_dry_run_is_told_and_nothing_changes_the_second_time(
    server: Any, releases: Any, some: Any
) -> None:
    message = 'admission webhook "check.example.org" does not support dry run'

    def before(method: str, path: str, dry: bool) -> None:
        server.refuse = {SETTINGS: (400, {"reason": "BadRequest", "message": message})} if dry else {}

    server.before = before
    answer = releases.run([some("ConfigMap", "settings", data={"a": "1"})])
    assert answer["status"] == "deployed" and "does not support dry run" in answer["warnings"][0]
    answer = releases.run([some("ConfigMap", "settings", data={"a": "1"})])
    assert not answer["changed"] and answer["warnings"] == []


def test_a_role_and_its_binding_come_together_for_who_may_not_bind(server: Any, releases: Any, some: Any) -> None:
    api = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "app"}
    binding = some("RoleBinding", "app", api, roleRef=reference, subjects=[])
    server.refuse[BINDING] = (404, NOT_FOUND)

    def before(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and "/roles/" in path and not dry:
            server.refuse.clear()

    server.before = before
    with pytest.raises(ReleaseError, match="not found"):
        releases.run([binding])
    answer = releases.run([binding, some("Role", "app", api, rules=[])])
    assert answer["status"] == "deployed" and server.names("RoleBinding") == ["app"]
    assert "because its Role app is part of this release" in answer["warnings"][0]
