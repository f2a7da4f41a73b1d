# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the bundle share: a bundle as the role requests it, and a signing key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest

ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture
def defaults() -> dict:
    """The variables of the roles `cluster` and `bundle`, templates left as they are."""
    values = {}
    for role in ("cluster", "bundle"):
        values.update(yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8")))
    return values


@pytest.fixture
def want(defaults: dict) -> BundleRequest:
    """What the role requests when nothing is set."""
    return BundleRequest(
        architecture="amd64",
        kubernetes_versions=["1.36.3"],
        table={
            minor: {name: str(value) for name, value in row.items()} for minor, row in defaults["kube_versions"].items()
        },
        package_formats=defaults["bundle_package_formats"],
        network_plugins=defaults["bundle_network_plugins"],
    )


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signing key, made once: that takes a while."""
    path = tmp_path_factory.mktemp("site") / "keys" / "secret.asc"
    with repository.signer(path, Runner()):
        pass
    return path
