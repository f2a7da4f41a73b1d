# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for the sources of a release, which are read on the control node (doc fragment C(slipway.kube.sources))."""

from __future__ import annotations

from typing import Any

# The action plugin reads the sources and passes the objects to the module; none of these values reaches a host.
SOURCE_OPTIONS: dict[str, Any] = dict(
    manifests=dict(type="list", elements="raw"),
    files=dict(type="list", elements="path"),
    templates=dict(type="list", elements="raw"),
    kustomize=dict(type="path"),
    helm=dict(
        type="dict",
        options=dict(
            chart=dict(type="str", required=True),
            release_name=dict(type="str"),
            repository=dict(type="str"),
            version=dict(type="str"),
            values=dict(type="dict"),
            values_files=dict(type="list", elements="path"),
            include_crds=dict(type="bool", default=True),
            api_versions=dict(type="list", elements="str"),
            kube_version=dict(type="str"),
            binary_path=dict(type="path"),
        ),
    ),
)
