# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts had no way out but the proxy, which nothing inside the cluster was asked of, and the interface of the default route is not the nodes'."""

from __future__ import annotations

import os
import re

import pytest

from harness.hosts import Host, any_host_of, hosts_of
from harness.targets import variables

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}".replace("_", "-")
PROXY = variables("cp1")["kube_https_proxy"]
SERVERS = {"pkgs.k8s.io", "download.docker.com", "registry.k8s.io"}
UPSTREAM = r"(.+\.)?(k8s\.io|docker\.com|docker\.io|ghcr\.io|quay\.io|github\.com|githubusercontent\.com|pkg\.dev|cloudfront\.net)"


@pytest.fixture(scope="module")
def nodes() -> list[Host]:
    return hosts_of(LAB)


def curl(host: Host, *arguments: str) -> tuple[int, str]:
    return host.execute("curl", "--silent", "--show-error", "--max-time", "5", *arguments)


def test_only_names_of_upstream_were_asked_of_the_proxy() -> None:
    code, log = any_host_of(LAB, "services").execute("journalctl", "--unit=tinyproxy", "--output=cat")
    assert code == 0, log
    asked = set(re.findall(r"Request \(file descriptor \d+\): \S+ (?:https?://)?(\[[^\]]*\]|[^\s:/]+)", log))
    assert asked >= SERVERS, f"{asked} of {log[:2000]}"
    assert not {name for name in asked if not re.fullmatch(UPSTREAM, name)}
    assert "refused" not in log


def test_a_node_reaches_upstream_through_the_proxy_and_not_without_it(nodes: list[Host]) -> None:
    url = f"https://pkgs.k8s.io/core:/stable:/v{'.'.join(str(version()).split('.')[:2])}/deb/Release.key"
    for node in nodes:
        assert curl(node, "--noproxy", "*", url)[0] != 0
        services = variables("cp1")["kube_control_plane_endpoint"].rpartition(":")[0]
        assert curl(node, "--noproxy", "*", "--resolve", f"pkgs.k8s.io:443:{services}", url)[0] != 0
        code, output = curl(node, "--proxy", PROXY, "--fail", url)
        assert code == 0 and "PGP PUBLIC KEY" in output, output


def version() -> str:
    return any_host_of(LAB, "cp1").execute("kubeadm", "version", "--output=short")[1].strip().lstrip("v")


def test_the_proxy_refuses_what_is_internal(nodes: list[Host]) -> None:
    for target in (*variables("w1")["kube_node_ip"].split(","), "10.96.0.1", "fd00:10:96::1", "w1", "web.reach.svc"):
        host = f"[{target}]" if ":" in target else target
        code, output = curl(nodes[0], "--proxy", PROXY, "--write-out", "%{http_code}", f"http://{host}:10250/")
        assert code == 0 and output.endswith("403"), f"{target}: {output}"


def test_the_default_route_is_not_that_of_the_node_s_address(nodes: list[Host]) -> None:
    for node in nodes:
        own = variables(node.name)["kube_node_ip"].split(",")[0]
        source = re.search(r" src (\S+)", node.execute("ip", "route", "get", "192.0.2.1")[1])
        assert source and source.group(1) != own
        others = [other for other in nodes if other is not node]
        for other in others:
            second = re.search(r" src (\S+)", other.execute("ip", "route", "get", "192.0.2.1")[1])
            assert second and node.execute("ping", "-c1", "-W1", second.group(1))[0] != 0
            assert node.execute("ping", "-c1", "-W1", variables(other.name)["kube_node_ip"].split(",")[0])[0] == 0


def test_the_proxy_is_not_shown_to_everyone(nodes: list[Host]) -> None:
    for node in nodes:
        assert PROXY not in node.execute("systemctl", "show", "containerd.service")[1]
        mode, text = (node.execute(*command)[1] for command in (("stat", "-c%a", ENVIRONMENT), ("cat", ENVIRONMENT)))
        assert mode.strip() == "600" and f'HTTPS_PROXY="{PROXY}"' in text


ENVIRONMENT = "/etc/containerd/proxy.env"
