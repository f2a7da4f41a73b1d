# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take snapshots of hosts and tell where two of them differ.

By hand: ``python tests/harness/snapshot.py INVENTORY whole|running FOLDER`` takes one, ``python tests/harness/snapshot.py FOLDER FOLDER``
holds two against each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(__file__).with_name("snapshot.yml")
ESSENTIAL = {"whole": ("files", "units", "packages", "sysctls", "interfaces", "mounts"), "running": ("incarnations",)}

Snapshot = dict[str, dict[str, str]]


def take(inventory: Path, kind: str, folder: Path, *arguments: str) -> dict[str, Snapshot]:
    """Take a snapshot of every host of group kube_cluster into *folder*; return them by host.

    :param kind: "whole" (what the host is) or "running" (what a run that changes nothing leaves alone).
    :raises AssertionError: where a host could not be listed, or the listing is empty in a section that never is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json") if "--limit" not in arguments else ():
        old.unlink()
    extra = ["-e", f"snapshot_kind={kind}", "-e", f"snapshot_folder={folder.resolve()}"]
    command = ["ansible-playbook", str(PLAYBOOK), "-i", str(inventory), *extra, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    return load(folder, kind)


def load(folder: Path, kind: str = "") -> dict[str, Snapshot]:
    """Read the snapshots of a folder, by host.

    :raises AssertionError: where there is none, or one is empty where no host is.
    """
    taken = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    assert taken, f"there is no snapshot in {folder}"
    for host, snapshot in taken.items():
        for section in ESSENTIAL.get(kind, ()):
            assert snapshot.get(section), f"the snapshot of {host} lists no {section}"
    return taken


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Return a sentence for each thing that is not the same in two snapshots of one host."""
    found = []
    for section in sorted({*before, *after}):
        old, new = before.get(section, {}), after.get(section, {})
        for thing in sorted({*old, *new}):
            if thing not in new:
                found.append(f"{section}: {thing} is gone (was: {old[thing]})")
            elif thing not in old:
                found.append(f"{section}: {thing} is new ({new[thing]})")
            elif old[thing] != new[thing]:
                found.append(f"{section}: {thing} was {old[thing]}, is {new[thing]}")
    return found


def compare(before: dict[str, Snapshot], after: dict[str, Snapshot]) -> list[str]:
    """Return the differences on all hosts of *before*, each with the host's name."""
    return [f"{host}: {text}" for host in before for text in differences(before[host], after.get(host, {}))]


if __name__ == "__main__":
    if len(sys.argv) > 3:
        take(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
    else:
        found = compare(load(Path(sys.argv[1])), load(Path(sys.argv[2])))
        print("\n".join(found) or "no difference")
        sys.exit(1 if found else 0)
