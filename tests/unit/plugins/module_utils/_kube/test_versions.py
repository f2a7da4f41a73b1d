# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.versions import minor_of, version_key


@pytest.mark.parametrize(
    ("version", "minor"), [("1.36.3", "1.36"), ("v1.36.3", "1.36"), ("1.36", "1.36"), ("newest", ""), ("", "")]
)
def test_the_minor_version(version: str, minor: str) -> None:
    assert minor_of(version) == minor


def test_versions_of_packages_are_sorted_by_their_numbers() -> None:
    assert sorted(["1.36.10-1.1", "1.36.9-1.1"], key=version_key) == ["1.36.9-1.1", "1.36.10-1.1"]
