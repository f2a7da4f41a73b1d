# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.modules.release_info import OPTIONS, show


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "../shop"}, "name: '../shop' is not a valid release name. Use up to 53"),
        ({"namespace": "shop/secrets?x="}, "namespace: 'shop/secrets?x=' is not a valid namespace name. Use up to 63"),
    ],
)
def test_names_are_refused_before_a_cluster_is_asked(given: dict[str, Any], says: str) -> None:
    module: Any = SimpleNamespace(params={**dict.fromkeys(OPTIONS), **given})
    with pytest.raises(ReleaseError) as caught:
        show(module)
    assert says in str(caught.value)
