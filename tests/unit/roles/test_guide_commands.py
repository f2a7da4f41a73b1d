# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the guides that write and check an inventory, run as they are written. Who runs the others is said in tests/harness/guides.py."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from harness.marked import run

GUIDES = Path(__file__).resolve().parents[3] / "docs" / "guides"
COMMAND = re.compile(r"^    ansible-playbook slipway\.kube\.(inventory [^\n]+)", re.MULTILINE)


def test_inventories_are_written_and_checked(tmp_path: Path) -> None:
    found = [
        one for name in ("first-cluster", "inventory") for one in COMMAND.findall((GUIDES / f"{name}.md").read_text())
    ]
    commands = [shlex.split(one) for one in dict.fromkeys(found) if "inventory_kubeconfig" not in one]
    assert len(commands) == 3
    # The one that checks an inventory follows one that writes it.
    commands.sort(key=lambda one: ("kube_control_plane_vip" in " ".join(one), "-i" in one))
    for number, (playbook, *arguments) in enumerate(commands):
        mine = tmp_path / "inventories" / "mine"
        code, output, contacted = run(tmp_path, playbook, *arguments, hosts="all: {}")
        assert (code, contacted) == (0, []), output
        groups = yaml.safe_load((mine / "hosts.yml").read_text())["kube_cluster"]["children"]
        assert groups["kube_control_plane"]["hosts"]
        if number == 1:
            assert "[slipway:" not in output
            mine.rename(tmp_path / "before")
