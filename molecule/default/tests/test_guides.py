# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides tell a person to type works as it is written, one after the other, with their names and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import guides
from harness.playbook import output_of
from harness.targets import inventory

COMMANDS = guides.IN_SCENARIOS["default"]


@pytest.fixture(scope="module")
def folder() -> Path:
    return guides.home(inventory(), output_of("molecule-default") / "guides")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guides_works(folder: Path, command: str) -> None:
    guides.run(command, COMMANDS[command], folder)
