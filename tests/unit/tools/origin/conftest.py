# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the origin share: an origin as the command line requests it, and a signing key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from origin.addons import ADDONS
from origin.command import arguments, request_of
from origin.executor import HERE
from origin.request import OriginRequest


@pytest.fixture
def want() -> OriginRequest:
    """An origin of one version, with all add-ons."""
    options = ["--kubernetes", "1.36.3", "--architecture", "amd64", "--no-rpm"]
    options += [f"--addon={name}" for name in ADDONS]
    request = request_of(arguments().parse_args(["build", *options]))
    request.texts["pause.c"] = "int main(void) { return 0; }"
    return request


@pytest.fixture
def files() -> Path:
    """The folder of tools/origin."""
    return HERE


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signing key, made once: that takes a while."""
    path = tmp_path_factory.mktemp("site") / "keys" / "secret.asc"
    with repository.signer(path, Runner()):
        pass
    return path
