# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bundle has for this machine, and the table of versions from which it is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from harness.playbook import ROOT

DEFAULTS = ROOT / "roles" / "cluster" / "defaults" / "main.yml"


def cache() -> Path:
    """Return the folder that keeps the bundle, where role bundle puts it."""
    return Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache" / "slipway")


def programs() -> Path:
    """Return the folder with the bundle's programs for the control node (kubectl, helm, kwok), as this machine runs them.

    :raises AssertionError: the bundle has none.
    """
    machine = "arm64" if os.uname().machine == "aarch64" else "amd64"
    folder = cache() / "bundle" / "bin" / f"linux-{machine}"
    assert folder.is_dir(), f"the bundle has no programs for the control node in {folder}: make programs"
    return folder


def versions() -> dict[str, Any]:
    """Return the versions of everything that belongs to the Kubernetes of a new cluster."""
    defaults = yaml.safe_load(DEFAULTS.read_text())
    minor = ".".join(str(defaults["kube_version"]).split(".")[:2])
    row: dict[str, Any] = defaults["kube_versions"][minor]
    return row
