# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requested origin. Pure: all files have been read before."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import Request


@dataclass
class OriginRequest(Request):
    """The origin that the developer requests."""

    rpm: bool = False
    addons: list[str] = field(default_factory=list)  # of role addons
    key: str = ""  # digest of the signing key
    debian_sources: list[str] = field(default_factory=list)
    locks: dict[str, str] = field(default_factory=dict)  # digest of go.mod and go.sum by component
    texts: dict[str, str] = field(default_factory=dict)  # the source files beside this one, such as pause.c
