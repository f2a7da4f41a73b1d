# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that create a root file system from Debian packages."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.bootstrap."""

    DOCUMENTATION = r"""
options:
  suite:
    description: Code name of the Debian release.
    type: str
    default: bookworm
  recipe:
    description: Directory with the hook C(customize) and the files that it installs.
    type: path
    required: true
  cache:
    description: Directory that caches root file systems for further labs.
    type: path
    required: true
  mirror:
    description: URL of a Debian mirror for packages. If empty, Debian's own is used.
    type: str
    default: ""
"""
