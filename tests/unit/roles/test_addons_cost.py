# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role addons costs each host: the descriptions of the add-ons are read once, not for every host and condition."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
COMMAND = str(Path(sys.executable).parent / "ansible-playbook")


def times_read(folder: Path, hosts: int) -> int:
    """Run the role without add-ons, as in playbook cluster, and return how often the selection was evaluated."""
    names = [f"h{number}" for number in range(hosts)]
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {
        "kube_control_plane": {"hosts": {names[0]: {}}},
        "kube_worker": {"hosts": {name: {} for name in names[1:]}},
    }
    inventory = {"kube_cluster": {"vars": connection, "children": groups}}
    role = {"name": "Reconcile", "ansible.builtin.import_role": {"name": "slipway.kube.addons"}}
    play = {"hosts": "kube_cluster", "gather_facts": False, "tasks": [role]}
    count = folder / "count"
    count.write_text("")
    # An extra variable replaces that of the role, so each evaluation leaves a line.
    counted = {
        "__addons_hosts": f"{{{{ query('ansible.builtin.pipe', 'echo one >> {count}; echo') + {names} }}}}",
        "kube_host": {"network": {"tables": ["inet kube-network-policies"]}},
        "kube_reference_control_plane": names[0],
        "kube_reference_state": "healthy",
    }
    for name, content in (("hosts.yml", inventory), ("site.yml", [play]), ("counted.yml", counted)):
        (folder / name).write_text(yaml.safe_dump(content))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
    }
    command = [COMMAND, "-i", "hosts.yml", "site.yml", "-e", "@counted.yml"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return len(count.read_text().splitlines())


def test_without_addons_their_descriptions_are_read_once_for_all_hosts(tmp_path: Path) -> None:
    assert times_read(tmp_path, 4) == 1
