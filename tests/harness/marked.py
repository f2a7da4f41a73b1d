# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of the collection with hosts that cannot be reached: whoever tries to contact one leaves a mark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOSTS = """
kube_cluster:
  vars: {ansible_connection: mark}
  children:
    kube_control_plane: {hosts: {cp1: {ansible_host: 192.0.2.11}}}
    kube_worker: {hosts: {w1: {ansible_host: 192.0.2.21}, w2: {ansible_host: 192.0.2.22}}}
"""


def run(folder: Path, playbook: str, *arguments: str, hosts: str = HOSTS) -> tuple[int, str, list[str]]:
    """Run a playbook on hosts that cannot be reached.

    :returns: the return code, the output, and the hosts that somebody tried to contact.
    """
    (folder / "hosts.yml").write_text(hosts)
    mark = folder / "mark"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), f"slipway.kube.{playbook}", *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests" / "harness" / "connection"),
        "ANSIBLE_INVENTORY": "hosts.yml",
        "ANSIBLE_RESULT_FORMAT": "yaml",
        "MARK": str(mark),
    }
    environment.pop("ANSIBLE_STDOUT_CALLBACK", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, mark.read_text().split() if mark.exists() else []
