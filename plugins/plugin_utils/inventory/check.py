# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an inventory, read by Ansible itself and checked as the playbook cluster does before it contacts a host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ..preflight.checks import check_inventory
from ..preflight.problem import Problem, drop_waived
from ..preflight.variables import Variables


def problems_of(files: Mapping[str, str]) -> list[Problem]:
    """Return the problems of an inventory.

    :param files: content by path in the folder of the inventory.
    """
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loader = DataLoader()
        inventory = InventoryManager(loader=loader, sources=[folder])
        manager = VariableManager(loader=loader, inventory=inventory)
        hostvars = HostVars(inventory=inventory, variable_manager=manager, loader=loader)
        known = {"hostvars": hostvars, "groups": inventory.get_groups_dict(), "inventory_hostname": "localhost"}
        cluster = Variables(loader, known).cluster()
        return drop_waived(cluster, check_inventory(cluster), [])
