# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a lab listen where its hosts look for them, and its proxy refuses what is internal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest

TEMPLATES = Path(__file__).parents[3] / "roles/lab/templates"
LAB = {"lab_server_names": ["pkgs.k8s.io"], "lab_ip_families": ["ipv4"], "lab_proxy": False, "kube_api_port": 6443}


def render(name: str, **changed: Any) -> str:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    environment.filters["bool"] = bool
    known = {"lab_backends": ["10.123.0.11"], "__lab_origin_root": "/srv/origin", "kube_dns_domain": "cluster.local"}
    return environment.get_template(name).render({**LAB, **known, **changed})


def listens(text: str) -> list[str]:
    return re.findall(r"^\s*listen ([^\s;]+)", text, re.M)


@pytest.mark.parametrize(
    ("changed", "origin", "balancer"),
    [
        ({}, ["443"], ["6443"]),
        ({"lab_ip_families": ["ipv6"]}, ["443", "[::]:443"], ["6443", "[::]:6443"]),
        (
            {"lab_ip_families": ["ipv4", "ipv6"], "lab_proxy": True},
            ["127.0.0.1:443"],
            ["6443", "[::]:6443"],
        ),
    ],
)
def test_the_services_listen_in_every_family_and_the_origin_behind_a_proxy_only_for_it(
    changed: dict[str, Any], origin: list[str], balancer: list[str]
) -> None:
    assert listens(render("origin.conf.j2", **changed)) == origin
    assert listens(render("balancer.conf.j2", **changed)) == balancer


def test_a_control_plane_without_ipv4_is_a_backend() -> None:
    assert "server [fd00::b]:6443 max_fails" in render("balancer.conf.j2", lab_backends=["fd00::b"])


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("pkgs.k8s.io", False),
        ("registry-1.docker.io", False),
        ("10.96.0.1", True),
        ("fd00::b", True),
        ("[fd00::b]", True),
        ("w1", True),
        ("kubernetes.default.svc", True),
        ("kubernetes.default.svc.cluster.local", True),
    ],
)
def test_the_proxy_refuses_what_is_internal(name: str, refused: bool) -> None:
    patterns = render("tinyproxy-filter.j2").split()
    assert any(re.search(pattern, name) for pattern in patterns) is refused
