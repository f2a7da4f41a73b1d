# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tools/origin``: find the collection of this checkout, and run the command."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".cache" / "collections"

if not (COLLECTIONS / "ansible_collections" / "slipway" / "kube").is_dir():
    sys.exit(f"tools/origin: {COLLECTIONS} does not exist. Run `make venv` first, and use the Python of .venv.")
sys.path[:1] = [str(ROOT / "tools"), str(COLLECTIONS)]

from origin.command import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
