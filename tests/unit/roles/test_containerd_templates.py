# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's configuration as its own parser would read it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jinja2
import pytest
import yaml

TEMPLATES = Path(__file__).parents[3] / "roles/containerd/templates"


def render(name, **variables):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["to_json"] = json.dumps
    return environment.get_template(name).render(**variables)


def config(name, selinux="absent", sys_resource=True):
    host = {"selinux": selinux, "capabilities": {"sys_resource": sys_resource}}
    return tomllib.loads(
        render(
            name,
            kube_host=host,
            containerd_snapshotter="overlayfs",
            containerd_sandbox_image="registry.k8s.io/pause:3.10.2",
        )
    )


PLUGINS = {
    3: ("config-v3.toml.j2", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"),
    2: ("config-v2.toml.j2", "io.containerd.grpc.v1.cri", "io.containerd.grpc.v1.cri"),
}


@pytest.mark.parametrize("version", PLUGINS)
def test_the_settings_are_where_this_version_looks_for_them(version):
    name, images, runtime = PLUGINS[version]
    data = config(name)
    assert data["version"] == version
    images, runtime = data["plugins"][images], data["plugins"][runtime]
    sandbox = images["pinned_images"]["sandbox"] if version == 3 else images["sandbox_image"]
    assert sandbox == "registry.k8s.io/pause:3.10.2"
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    runc = runtime["containerd"]["runtimes"]["runc"]
    assert runc == {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True}}
    assert runtime["enable_selinux"] is False
    assert "restrict_oom_score_adj" not in runtime


def test_the_containerd_of_a_distribution_uses_the_cni_plugins_of_kubernetes():
    """Debian builds it with /usr/lib/cni."""
    cni = config("config-v2.toml.j2")["plugins"]["io.containerd.grpc.v1.cri"]["cni"]
    assert cni == {"bin_dir": "/opt/cni/bin"}


@pytest.mark.parametrize("version", PLUGINS)
def test_properties_of_the_host_are_respected(version):
    name, _images, runtime = PLUGINS[version]
    settings = config(name, sys_resource=False)["plugins"][runtime]
    assert settings["restrict_oom_score_adj"] is True


@pytest.mark.parametrize("version", PLUGINS)
@pytest.mark.parametrize("selinux", ["enforcing", "permissive"])
def test_containers_are_not_confined_by_selinux_so_that_static_pods_can_use_the_paths_of_the_host(version, selinux):
    name, _images, runtime = PLUGINS[version]
    assert config(name, selinux=selinux)["plugins"][runtime]["enable_selinux"] is False


def test_a_proxy_is_given_to_the_unit_with_what_is_reached_directly():
    text = render(
        "proxy.env.j2",
        containerd_proxy={"http": 'http://user:p%40s"s$@proxy:3128', "https": ""},
        __containerd_direct=["localhost", "10.96.0.0/12"],
    )
    # systemd.exec(5), EnvironmentFile=: in double quotes, a backslash escapes a quote; % and $ have no meaning.
    assert text.splitlines()[1:] == [
        'HTTP_PROXY="http://user:p%40s\\"s$@proxy:3128"',
        'NO_PROXY="localhost,10.96.0.0/12"',
    ]


def test_a_password_of_the_proxy_is_only_in_a_file_that_root_reads():
    variables = yaml.safe_load((TEMPLATES.parent / "vars/main.yml").read_text())
    unit = render("http-proxy.conf.j2", __containerd_proxy_environment=variables["__containerd_proxy_environment"])
    assert unit.splitlines()[1:] == ["[Service]", f"EnvironmentFile={variables['__containerd_proxy_environment']}"]
    secret = [part for part in variables["__containerd_proxy_files"].split("{'path'") if "secret_content" in part]
    assert len(secret) == 1 and "__containerd_proxy_environment" in secret[0]


def test_containerd_restarts_when_the_proxy_changes():
    tasks = yaml.safe_load((TEMPLATES.parent / "tasks/main.yml").read_text())
    (layer,) = [task["slipway.kube.host_layer"] for task in tasks if "slipway.kube.host_layer" in task]
    assert "{{ __containerd_proxy_environment }}" in layer["units"][0]["restart_when_newer"]
