# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups and restores of a scenario's cluster, as an administrator with a key of age makes them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from harness.kube import Kube
from harness.playbook import Run, run


@dataclass
class Keys:
    """A pair of age."""

    private: Path
    public: str


class Administrator:
    """Somebody who has age on the control node, as its user would have installed it: here it comes from a host.

    :ivar fetched: the folder to which archives are copied.
    """

    def __init__(self, kube: Kube, folder: Path) -> None:
        self.inventory, self.folder = kube.inventory, folder
        self.programs, self.fetched = folder / "bin", folder / "fetched"
        self.programs.mkdir(parents=True, exist_ok=True)
        for old in self.fetched.glob("*"):
            old.unlink()
        for name in ("age", "age-keygen"):
            parts, _about = kube.host.container.get_archive(f"/usr/bin/{name}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as packed:
                packed.extract(name, self.programs, filter="fully_trusted")
        os.environ["PATH"] = f"{self.programs}:{os.environ['PATH']}"
        self.keys = self.make_keys("right")

    def make_keys(self, name: str) -> Keys:
        path = self.folder / f"{name}.key"
        path.unlink(missing_ok=True)
        subprocess.run([self.programs / "age-keygen", "-o", path], check=True, capture_output=True)
        shown = subprocess.run([self.programs / "age-keygen", "-y", path], check=True, capture_output=True, text=True)
        return Keys(path, shown.stdout.strip())

    def back_up(self, name: str, *arguments: str) -> Run:
        recipients = json.dumps({"backup_age_recipients": [self.keys.public]})
        fetch = f"backup_fetch_dir={self.fetched}"
        return run("slipway.kube.backup", self.inventory, self.folder / name, "-e", recipients, "-e", fetch, *arguments)

    def restore(self, name: str, archive: Path, key: Path | str, *arguments: str) -> Run:
        given = ("-e", f"restore_archive={archive}", "-e", f"restore_age_identity={key}")
        return run("slipway.kube.restore", self.inventory, self.folder / name, *given, *arguments)
