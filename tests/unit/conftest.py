# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let ``ansible_collections.slipway.kube`` mean this checkout, wherever it lies and whatever its folder is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def stand_in(name: str, path: list[str]) -> None:
    """Put a package that holds nothing but the folders *path* under *name*; Python finds the rest below it."""
    package = ModuleType(name)
    package.__path__ = path
    sys.modules[name] = package
    parent, child = name.rpartition(".")[::2]
    if parent:
        setattr(sys.modules[parent], child, package)


try:
    importlib.import_module("ansible_collections")  # comes with the package `ansible`: keep the others reachable
except ImportError:
    stand_in("ansible_collections", [])
stand_in("ansible_collections.slipway", [])
stand_in("ansible_collections.slipway.kube", [str(ROOT)])
# Ansible's loader finds the filters of a collection, for templates, in a package with a file.
sys.modules["ansible_collections.slipway.kube"].__dict__["_collection_meta"] = {}
for name in ("plugins", "plugins.filter"):
    stand_in(f"ansible_collections.slipway.kube.{name}", [str(ROOT / name.replace(".", "/"))])
sys.modules["ansible_collections.slipway.kube.plugins.filter"].__file__ = str(ROOT / "plugins/filter/__init__.py")
