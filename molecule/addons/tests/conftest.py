# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's cluster, and what it consists of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.kube import Kube
from harness.playbook import output_of

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


@pytest.fixture(scope="session")
def kube() -> Kube:
    return Kube(LAB)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """Return the folder for the output of a test's runs."""
    return output_of(LAB) / request.node.name
