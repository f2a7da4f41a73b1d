# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on node_local_dns, whose image no test can run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.addon_templates import named, objects_of, render


def corefile(objects: list[dict[str, Any]]) -> dict[str, str]:
    """Return the blocks of the Corefile, without white space at the ends of lines, by zone."""
    text = named(objects, "ConfigMap", "node-local-dns")["data"]["Corefile"]
    assert text.count("{") == text.count("}")
    blocks = re.split(r"^(\S+):53 \{$", text, flags=re.MULTILINE)[1:]
    return dict(zip(blocks[::2], blocks[1::2]))


def test_it_answers_at_the_address_of_the_cluster_dns_and_at_its_own() -> None:
    objects = objects_of("node_local_dns")
    pod = named(objects, "DaemonSet", "node-local-dns")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][:2] == ["-localip", "169.254.20.10,10.96.0.10"]
    assert pod["hostNetwork"] and pod["dnsPolicy"] == "Default"
    found = corefile(objects)
    assert list(found) == ["cluster.local", "in-addr.arpa", "ip6.arpa", "."]
    assert all("bind 169.254.20.10 10.96.0.10\n" in block for block in found.values())
    assert "health 169.254.20.10:8080" in found["cluster.local"] and "health" not in found["."]
    # It asks the pods of the cluster DNS, at an address that is not its own.
    assert named(objects, "Service", "kube-dns-upstream")["spec"]["selector"] == {"k8s-app": "kube-dns"}
    assert container["args"][-2:] == ["-upstreamsvc", "kube-dns-upstream"]


@pytest.mark.parametrize(
    ("given", "servers"), [("cluster_dns", "__PILLAR__CLUSTER__DNS__"), ("host", "__PILLAR__UPSTREAM__SERVERS__")]
)
def test_who_resolves_other_names_is_a_setting(given: str, servers: str) -> None:
    found = corefile(objects_of("node_local_dns", external_names=given))
    assert f"forward . {servers}" in found["."]
    assert "forward . __PILLAR__CLUSTER__DNS__ {\n        force_tcp" in found["cluster.local"]


def test_answers_are_kept_as_long_as_is_set() -> None:
    found = corefile(objects_of("node_local_dns", cache_seconds=3))
    assert "success 9984 3\n" in found["cluster.local"] and "denial 9984 3\n" in found["cluster.local"]
    assert "cache 3\n" in found["."]


def test_its_own_address_has_the_family_of_the_cluster_dns() -> None:
    objects = render("node_local_dns", "objects.yml.j2", (), {}, dns="fd00:10:96::a")
    (container,) = named(objects, "DaemonSet", "node-local-dns")["spec"]["template"]["spec"]["containers"]
    assert container["args"][1] == "fd00::a9fe:140a,fd00:10:96::a"
    assert "health [fd00::a9fe:140a]:8080" in corefile(objects)["cluster.local"]
