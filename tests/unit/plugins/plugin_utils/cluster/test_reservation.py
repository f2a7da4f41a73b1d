# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps for the system follows the published rule."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.reservation import kube_reserved


@pytest.mark.parametrize(
    ("cpus", "memory", "reserved"),
    [
        (1, 900, ("60m", "255Mi")),
        (2, 2048, ("70m", "512Mi")),
        (2, 4096, ("70m", "1024Mi")),
        (4, 8192, ("80m", "1843Mi")),
        (8, 16384, ("90m", "2662Mi")),
        (64, 262144, ("230m", "12165Mi")),
    ],
)
def test_the_published_rule(cpus, memory, reserved):
    assert kube_reserved(cpus, memory) == dict(zip(("cpu", "memory"), reserved))
