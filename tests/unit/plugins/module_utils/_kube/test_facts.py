# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that have one home: quantities, versions, timestamps and pod networks."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import timestamps, versions
from ansible_collections.slipway.kube.plugins.module_utils._kube.pod_networks import find_pod_network
from ansible_collections.slipway.kube.plugins.module_utils._kube.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("35m", 0.035),
        ("0.5", 0.5),
        (2, 2.0),
        ("1Ki", 1024.0),
        ("1E", 1e18),
        ("1E3", 1000.0),
        ("-1", -1.0),
        (".5Gi", 2.0**29),
        ("1e3m", None),
        ("10%", None),
        ("", None),
        (True, None),
    ],
)
def test_quantities(text: object, value: float | None) -> None:
    assert parse_quantity(text) == value


def test_versions() -> None:
    texts = ("1.36.3", "v1.36", "1.36.3-1.1", "1", None)
    assert [versions.parse_version(text) for text in texts] == [(1, 36, 3), (1, 36), (), (), ()]
    assert [versions.minor_of(text) for text in texts] == ["1.36", "1.36", "1.36", "", ""]
    assert [versions.minor_number(text) for text in ("v1.36.3-gke.1", "v2.0.0", "")] == [36, None, None]
    assert [versions.oldest_kubelet(minor) for minor in (27, 28, 36)] == [25, 25, 33]


def test_timestamps() -> None:
    assert timestamps.seconds_of("2026-11-28T08:15:00.250000Z") == timestamps.seconds_of("2026-11-28T08:15:00Z")
    assert timestamps.seconds_of(None) == timestamps.seconds_of("soon") == 0.0
    seconds = timestamps.seconds_of("2026-11-28T08:15:00Z") + 0.25
    assert timestamps.to_time(seconds) == "2026-11-28T08:15:00Z"
    assert timestamps.to_micro_time(seconds) == "2026-11-28T08:15:00.250000Z"
    assert timestamps.for_people(seconds) == "2026-11-28 08:15 UTC"


@pytest.mark.parametrize(
    ("daemon_sets", "expected"),
    [
        (["kube-proxy", "calico-node"], ("Calico", True)),
        (["canal"], ("Canal", True)),
        (["kube-flannel-ds", "kube-proxy"], ("Flannel", False)),
        (["kube-flannel-ds", "kube-network-policies"], ("Flannel", True)),
        (["kube-flannel-ds", "calico-node"], ("Calico", True)),
        (["kube-proxy"], None),
    ],
)
def test_pod_networks(daemon_sets: list[str], expected: tuple[str, bool] | None) -> None:
    assert find_pod_network(daemon_sets) == expected
