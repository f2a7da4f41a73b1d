# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that build a root file system from Debian packages."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation fragment slipway.kube.bootstrap."""

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
    description: Folder in which the results are kept between labs.
    type: path
    required: true
  mirror:
    description: Debian mirror from which packages are installed. If empty, the default mirror of Debian is used.
    type: str
    default: ""
"""
