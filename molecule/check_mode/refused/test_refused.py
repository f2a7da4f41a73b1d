# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that requires a login and a host without IPv6 are refused, in one list and before anything is changed."""

from __future__ import annotations

import os

from harness.hosts import any_host_of
from harness.playbook import inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
LAB = SCENARIO.replace("_", "-")
CONFIGURATION = "/etc/tinyproxy/tinyproxy.conf"


def test_a_proxy_that_requires_a_login_and_a_host_without_ipv6_are_refused() -> None:
    login = f"echo 'BasicAuth user word' >>{CONFIGURATION} && systemctl restart tinyproxy"
    without = "sysctl --quiet --write net.ipv6.conf.all.disable_ipv6=1"
    for host, command in (("services", login), ("w1", without)):
        code, output = any_host_of(LAB, host).execute("sh", "-c", command)
        assert code == 0, output
    refused = run("slipway.kube.cluster", inventory_of(SCENARIO), output_of(SCENARIO) / "refused")
    assert refused.process.returncode != 0
    assert not refused.changed(), "\n".join(refused.changed())
    for said in (
        "The proxy requires a login.",
        "HTTP status 407",
        "The kernel of the host has no IPv6",
        "kube_http_proxy",
    ):
        assert said in refused.output, refused.output[-4000:]
