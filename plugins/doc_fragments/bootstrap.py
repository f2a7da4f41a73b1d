# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that make a root file system from Debian packages."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.bootstrap."""

    DOCUMENTATION = r"""
options:
  suite:
    description: Debian release, by code name.
    type: str
    default: bookworm
  recipe:
    description: Folder with the hook C(customize) and the files that it installs.
    type: path
    required: true
  cache:
    description: Folder that keeps what was made between labs.
    type: path
    required: true
  mirror:
    description: Debian mirror to take packages from. Empty for Debian's own.
    type: str
    default: ""
"""
