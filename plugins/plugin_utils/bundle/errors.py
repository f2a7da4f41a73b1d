# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that a bundle's user sees."""

from __future__ import annotations


class BundleError(Exception):
    """What is wrong, on which object, the evidence and the remedy, in that order; shown as it is."""
