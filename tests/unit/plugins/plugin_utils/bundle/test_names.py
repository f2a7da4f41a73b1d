# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import (
    BundleError,
    ImageName,
    check_kubernetes_version,
)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("calico/node:v3.32.1", "docker.io/calico/node:v3.32.1"),
        ("quay.io/calico/node:v3.32.1", "quay.io/calico/node:v3.32.1"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry.example:5000/team/app:2.0", "registry.example:5000/team/app:2.0"),
        (f"ghcr.io/a/b:1@sha256:{'0' * 64}", "ghcr.io/a/b:1"),
    ],
)
def test_names_are_read_as_engines_do(text: str, whole: str) -> None:
    assert str(ImageName.parse(text)) == whole


@pytest.mark.parametrize(
    "text", ["", "UPPER/case:1", "a b", "quay.io/x@sha256:12", f"quay.io/x@sha256:{'0' * 64}", "quay.io/../x:1"]
)
def test_what_is_no_image_name_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        ImageName.parse(text)


def test_the_repository_of_an_image_in_the_registry_tree() -> None:
    assert ImageName.parse("registry.k8s.io/coredns/coredns:v1.14.2").folder == "v2/registry.k8s.io/coredns/coredns"


def test_a_kubernetes_version_is_three_numbers() -> None:
    check_kubernetes_version("1.36.3")
    for wrong in ("1.36", "v1.36.3", "1.36.3-rc.1", ""):
        with pytest.raises(BundleError, match="three numbers"):
            check_kubernetes_version(wrong)
