# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's cluster, with a namespace for each test."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.kube import Kube
from harness.playbook import output_of


@pytest.fixture(scope="session")
def lab() -> str:
    return f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


@pytest.fixture(scope="session")
def kube(lab: str) -> Kube:
    return Kube(lab)


@pytest.fixture
def folder(lab: str, request: pytest.FixtureRequest) -> Path:
    """Return the folder for the output of a test's runs."""
    return output_of(lab) / request.node.name


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """Create a namespace for one test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    if len(name) > 50:
        name = f"{name[:30].strip('-')}-{name[-19:].strip('-')}"  # the end tells the parameters
    kube.make_namespace(name)
    yield name
    kube.remove_namespaces([name])
