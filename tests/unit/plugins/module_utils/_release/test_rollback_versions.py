# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollback to a revision with API versions that the cluster no longer serves."""

from __future__ import annotations

from typing import Any

import pytest

GROUP = "certs.example.org"


def serve(server: Any, *versions: str) -> None:
    """Let the cluster serve a kind in these versions only, by a definition that no release contains."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/certificates.{GROUP}"
    server.objects.pop(path, None)
    if versions:
        served = [{"name": version, "served": True, "storage": version == versions[0]} for version in versions]
        names = {"plural": "certificates", "kind": "Certificate"}
        spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": served}
        server.put(path, {"kind": "CustomResourceDefinition", "metadata": {"name": path}, "spec": spec})


def image(server: Any) -> str:
    """The image that is live."""
    return str(server.find("Deployment", "d")["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.parametrize("left", [("v1",), ()])
def test_the_last_good_image_is_back_although_a_version_is_gone(
    server: Any, releases: Any, some: Any, workload: Any, left: tuple[str, ...]
) -> None:
    serve(server, "v1beta1")
    releases.run([some("Certificate", "tls", f"{GROUP}/v1beta1", spec={"name": "old"}), workload("d")])
    serve(server, *left)
    server.bad.add("app:broken")
    newer = [some("Certificate", "tls", f"{GROUP}/v1", spec={"name": "new"})] if left else []
    answer = releases.run([*newer, workload("d", "app:broken")])
    assert answer["failed"] and answer["rolled_back_to"] == 1 and image(server) == "app:1"
    restored = server.objects.get(f"/apis/{GROUP}/v1/namespaces/default/certificates/tls")
    if left:
        assert restored["spec"] == {"name": "old"} and restored["apiVersion"] == f"{GROUP}/v1"
        expected = f"The rollback applied Certificate default/tls as {GROUP}/v1, because the cluster no longer serves {GROUP}/v1beta1."
    else:
        expected = (
            f"The rollback left out Certificate default/tls, because the cluster no longer serves {GROUP}/v1beta1."
        )
    assert expected in answer["warnings"]
