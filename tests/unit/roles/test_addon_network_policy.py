# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on network_policy."""

from __future__ import annotations

from typing import Any

from harness.addon_templates import named, objects_of


def container(**settings: Any) -> dict[str, Any]:
    """Return the container of its DaemonSet."""
    found = named(objects_of("network_policy", **settings), "DaemonSet", "kube-network-policies")
    (one,) = found["spec"]["template"]["spec"]["containers"]
    return dict(one)


def test_its_port_is_a_setting_of_its_metrics_and_its_probes() -> None:
    for settings, port in (({}, 9080), ({"metrics_port": 19080}, 19080)):
        found = container(**settings)
        assert f"--metrics-bind-address=127.0.0.1:{port}" in found["command"]
        probes = [found[name]["httpGet"]["port"] for name in ("readinessProbe", "livenessProbe")]
        assert probes == [port, port]
