# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for upstream on this machine, programs for the control node, and the table of versions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from harness.playbook import ROOT

DEFAULTS = ROOT / "roles" / "cluster" / "defaults" / "main.yml"


def cache() -> Path:
    """Return the folder that keeps what is built and collected."""
    return Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache" / "slipway")


def origin() -> dict[str, Any]:
    """Return the index of the origin; empty where the lab uses upstream and has none."""
    path = cache() / "origin" / "origin.json"
    index: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return index


def addons(names: list[str]) -> list[str]:
    """Return those of the add-ons that can be had here: all of them, or what the origin was asked to build."""
    built = origin().get("addons", names)
    return [name for name in names if name in built]


def programs() -> Path:
    """Return the folder with kubectl, helm and kwok for this machine.

    :raises AssertionError: there are none.
    """
    folder = cache() / "programs"
    assert folder.is_dir(), f"there are no programs for the control node in {folder}: make programs"
    return folder


def versions() -> dict[str, Any]:
    """Return the versions of everything that belongs to the Kubernetes of a new cluster."""
    defaults = yaml.safe_load(DEFAULTS.read_text())
    minor = ".".join(str(defaults["kube_version"]).split(".")[:2])
    row: dict[str, Any] = defaults["kube_versions"][minor]
    return row
