# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that testinfra looks at, from the inventory of SLIPWAY_INVENTORY or of the scenario's lab."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from harness.origin import DEFAULTS
from harness.playbook import ROOT, inventory_of


def inventory() -> Path:
    """Return the inventory to test.

    :raises AssertionError: where neither variable says which, or the file is not there.
    """
    named, scenario = os.environ.get("SLIPWAY_INVENTORY"), os.environ.get("MOLECULE_SCENARIO_NAME")
    assert named or scenario, "set SLIPWAY_INVENTORY to the inventory of the cluster to test"
    path = Path(named) if named else inventory_of(f"molecule-{scenario}")
    assert path.exists(), f"there is no inventory {path}"
    return path.resolve()


@functools.cache
def listing() -> dict[str, Any]:
    """Return the inventory as ansible-inventory lists it."""
    command = ["ansible-inventory", "-i", str(inventory()), "--list"]
    listed: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return listed


def group(name: str) -> list[str]:
    """Return the hosts of a group and of its children.

    :raises AssertionError: where there are none, so that no test passes because it had nothing to look at.
    """
    entry = listing().get(name, {})
    found = [*entry.get("hosts", []), *(host for child in entry.get("children", []) for host in group(child))]
    assert found, f"group {name} of {inventory()} has no hosts"
    return list(dict.fromkeys(found))


def variables(host: str) -> dict[str, Any]:
    """Return a host's variables as the inventory has them, templates left as they are."""
    return dict(listing()["_meta"]["hostvars"][host])


def targets(name: str) -> list[str]:
    """Return testinfra's names of the hosts of a group: reached as the inventory says, as root."""
    # One connection a host for all tests: testinfra asks ssh to share it and does not say where.
    shared = Path(tempfile.gettempdir()) / "slipway-testinfra-%C"
    os.environ.setdefault("ANSIBLE_SSH_EXTRA_ARGS", f"-o ControlPath={shared}")
    return [f"ansible://{host}?ansible_inventory={inventory()}&sudo=True" for host in group(name)]


def components(host: str) -> dict[str, str]:
    """Return the versions of a cluster's parts that the host's variables or the defaults ask for, "kubernetes" among them."""
    wanted = {**yaml.safe_load(DEFAULTS.read_text()), **variables(host)}
    version = str(wanted["kube_version"])
    return {**wanted["kube_versions"][".".join(version.split(".")[:2])], "kubernetes": version}
