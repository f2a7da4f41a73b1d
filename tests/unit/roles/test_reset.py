# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role reset asks the control planes that are kept, also those that are lost, and changes nothing if none can remove a node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
HERE = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
LOST = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become": False}


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder in which this checkout is the collection."""
    (tmp_path / "ansible_collections/slipway").mkdir(parents=True)
    (tmp_path / "ansible_collections/slipway/kube").symlink_to(ROOT)
    return tmp_path


def test_a_lost_control_plane_is_an_answer_like_another(collections: Path, tmp_path: Path) -> None:
    hosts = {
        "kube_control_plane": {"hosts": {"cp1": LOST, "cp2": HERE}},
        "kube_worker": {"hosts": {"w1": LOST, "w2": HERE}},
    }
    inventory = tmp_path / "hosts.yml"
    variables = {"kube_record_dir": str(tmp_path / "record")}
    inventory.write_text(yaml.safe_dump({"kube_cluster": {"children": hosts, "vars": variables}}))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "slipway.kube.reset", "-i", str(inventory)]
    done = subprocess.run(
        [*command, "--limit", "w1,w2", "-e", "reset_confirm=kubernetes"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "No control plane that is kept can drain the nodes" in done.stdout + done.stderr, done.stdout
    assert "cp1 is not reachable (" in done.stdout + done.stderr
    assert "cp2 is not a node of the cluster" in done.stdout + done.stderr
    assert done.returncode != 0 and "Reset the host" not in done.stdout
