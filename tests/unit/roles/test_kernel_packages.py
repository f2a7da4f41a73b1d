# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that the inventory names become part of the layer of role kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables

ROLE = Path(__file__).parents[3] / "roles" / "kernel"


@pytest.mark.parametrize("names", [[], ["nfs-common"], ["open-iscsi", "nfs-common"]])
def test_packages_of_the_distribution_are_installed(names: list[str]) -> None:
    assert load_variables(ROLE / "defaults/main.yml")["kernel_extra_packages"] == []
    tasks = load_variables(ROLE / "tasks/main.yml")
    (layer,) = [task["slipway.kube.host_layer"] for task in tasks if "slipway.kube.host_layer" in task]
    found = Templar(loader=DataLoader(), variables={"kernel_extra_packages": names}).template(layer["packages"])
    assert found == [{"name": name, "state": "present"} for name in names]
