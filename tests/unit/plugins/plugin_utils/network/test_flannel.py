# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flannel's objects, and the shell that writes the CNI configuration where flannel's own plugin is not used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.network.flannel import (
    WRITE_CONFLIST,
    Flannel,
    conflist_format,
    objects,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.network.settings import NetworkError

OWN = Flannel("10.244.0.0/16", "0.28.4", plugin_version="1.9.1-flannel1")
BRIDGE = Flannel("10.244.0.0/16", "0.28.4", cni_plugin=False)


def named(wanted: Flannel, kind: str) -> dict[str, Any]:
    """The one object of a kind."""
    (found,) = [content for content in objects(wanted) if content["kind"] == kind]
    return found


def net_conf(wanted: Flannel) -> dict[str, Any]:
    """Flannel's own settings, read back."""
    return json.loads(named(wanted, "ConfigMap")["data"]["net-conf.json"])


def test_own_plugin_is_installed_by_init_containers() -> None:
    spec = named(OWN, "DaemonSet")["spec"]["template"]["spec"]
    assert [container["image"] for container in spec["initContainers"]] == [
        "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1",
        "ghcr.io/flannel-io/flannel:v0.28.4",
    ]
    assert [container["name"] for container in spec["containers"]] == ["kube-flannel"]
    plugins = json.loads(named(OWN, "ConfigMap")["data"]["cni-conf.json"])["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["flannel", "portmap"]


def test_without_own_plugin_only_flannels_image_is_needed() -> None:
    spec = named(BRIDGE, "DaemonSet")["spec"]["template"]["spec"]
    assert "initContainers" not in spec
    assert {container["image"] for container in spec["containers"]} == {"ghcr.io/flannel-io/flannel:v0.28.4"}
    assert list(named(BRIDGE, "ConfigMap")["data"]) == ["net-conf.json"]


@pytest.mark.parametrize("wanted", [OWN, BRIDGE])
def test_every_mount_has_its_volume_and_no_volume_is_idle(wanted: Flannel) -> None:
    spec = named(wanted, "DaemonSet")["spec"]["template"]["spec"]
    mounted = {
        mount["name"]
        for container in spec["containers"] + spec.get("initContainers", [])
        for mount in container["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_everything_lives_in_its_namespace_and_is_bound_to_its_account() -> None:
    for content in objects(OWN):
        cluster_wide = content["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding")
        assert content["metadata"].get("namespace") == (None if cluster_wide else "kube-flannel")
    assert named(OWN, "ClusterRoleBinding")["subjects"] == [
        {"kind": "ServiceAccount", "name": "flannel", "namespace": "kube-flannel"}
    ]
    assert objects(OWN)[0]["kind"] == "Namespace"


def flanneld(wanted: Flannel) -> dict[str, Any]:
    """The container of flanneld."""
    return named(wanted, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]


def test_the_interface_is_the_one_with_the_address_of_the_node() -> None:
    container = flanneld(OWN)
    assert "--iface=$(HOST_IP)" in container["args"]
    assert {"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}} in container["env"]


def test_settings_reach_flannel() -> None:
    assert net_conf(OWN) == {"Network": "10.244.0.0/16", "EnableNFTables": True, "Backend": {"Type": "vxlan"}}
    other = Flannel(
        "10.1.0.0/16",
        version="0.28.4",
        backend="host-gw",
        mtu=1400,
        nftables=False,
        cni_plugin=False,
        image_registry="r.example.com/x/",
    )
    assert net_conf(other) == {"Network": "10.1.0.0/16", "EnableNFTables": False, "Backend": {"Type": "host-gw"}}
    writer = named(other, "DaemonSet")["spec"]["template"]["spec"]["containers"][1]
    assert {"name": "POD_MTU", "value": "1400"} in writer["env"]
    assert writer["image"] == "r.example.com/x/flannel-io/flannel:v0.28.4"
    assert net_conf(Flannel("10.1.0.0/16", version="1", mtu=1400, cni_plugin=False))["Backend"] == {
        "Type": "vxlan",
        "MTU": 1400,
    }


def test_two_address_families_and_ipv6_alone() -> None:
    dual = Flannel("10.244.0.0/16, fd00:10:244::/56", "1", cni_plugin=False)
    conf = net_conf(dual)
    assert (conf["Network"], conf["EnableIPv6"], conf["IPv6Network"]) == ("10.244.0.0/16", True, "fd00:10:244::/56")
    assert "EnableIPv4" not in conf
    conf = net_conf(Flannel("fd00:10:244::/56", "1", cni_plugin=False))
    assert (conf["EnableIPv4"], conf["EnableIPv6"], conf["IPv6Network"]) == (False, True, "fd00:10:244::/56")
    assert "Network" not in conf
    assert not {"EnableIPv4", "EnableIPv6"} & set(net_conf(OWN))


@pytest.mark.skipif(not shutil.which("sh"), reason="left out: there is no shell")
@pytest.mark.parametrize("addresses", ["192.0.2.1,fd00::1", "fd00::1,192.0.2.1"])
def test_with_two_families_flannel_gets_both_addresses_of_the_node(tmp_path: Path, addresses: str) -> None:
    container = flanneld(Flannel("10.244.0.0/16,fd00:10:244::/56", "1", cni_plugin=False))
    assert {"name": "HOST_IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIPs"}}} in container["env"]
    program = tmp_path / "flanneld"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    command = [part.replace("/opt/bin/flanneld", str(program)) for part in container["command"]] + container["args"]
    done = subprocess.run(
        command, env={**os.environ, "HOST_IPS": addresses}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["--ip-masq", "--kube-subnet-mgr", "--iface=192.0.2.1", "--public-ipv6=fd00::1"]


def test_pods_are_made_anew_when_settings_change_that_they_read_once() -> None:
    def mark(**settings: Any) -> dict[str, str]:
        wanted = Flannel("10.244.0.0/16", "1", cni_plugin=False, **settings)
        return named(wanted, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]

    assert mark() == mark() != mark(backend="host-gw")


def test_flannel_is_told_where_the_api_server_is() -> None:
    def env(wanted: Flannel) -> dict[str, str]:
        container = named(wanted, "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
        return {item["name"]: item.get("value") for item in container["env"]}

    told = env(Flannel("10.244.0.0/16", "1", cni_plugin=False, api_server="10.0.0.9:7443"))
    assert (told["KUBERNETES_SERVICE_HOST"], told["KUBERNETES_SERVICE_PORT"]) == ("10.0.0.9", "7443")
    assert "KUBERNETES_SERVICE_HOST" not in env(BRIDGE)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Flannel("10.244.0.0/16", "0.28.4"), "CNI plugin is not set"),
        (Flannel("10.244.0.0/16", "", cni_plugin=False), "version is not set"),
        (Flannel("10.244.0.0/25", "1", cni_plugin=False), "too small: each node takes a /24"),
        (Flannel("10.244.0.0/16", "1", backend="udp", cni_plugin=False), "choose one of vxlan, host-gw"),
    ],
)
def test_settings_that_cannot_work_are_refused(wanted: Flannel, says: str) -> None:
    with pytest.raises(NetworkError, match=says):
        objects(wanted)


def wait_for(path: Path, text: str) -> dict[str, Any]:
    """Wait until a file holds a text, and read it as JSON."""
    for _attempt in range(100):
        if path.exists() and text in path.read_text():
            return json.loads(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path} never held {text}")


@pytest.mark.skipif(not shutil.which("sh"), reason="left out: there is no shell")
@pytest.mark.parametrize("pods", ["10.244.0.0/16,fd00:10:244::/56", "fd00:10:244::/56"])
def test_the_shell_writes_the_networks_of_every_family(tmp_path: Path, pods: str) -> None:
    told, written = tmp_path / "subnet.env", tmp_path / "10-flannel.conflist"
    script = WRITE_CONFLIST.replace("/run/flannel/subnet.env", str(told))
    said = "FLANNEL_IPV6_NETWORK=fd00:10:244::/56\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\nFLANNEL_MTU=1430\n"
    ranges, routes = [[{"subnet": "fd00:10:244:1::/64"}]], [{"dst": "fd00:10:244::/56"}]
    if "," in pods:
        said = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n" + said
        ranges, routes = [[{"subnet": "10.244.1.0/24"}], *ranges], [{"dst": "10.244.0.0/16"}, *routes]
    told.write_text(said)
    wanted = Flannel(pods, "1", cni_plugin=False)
    env = dict(os.environ, CONFLIST=str(written), CONFLIST_FORMAT=conflist_format(wanted))
    with subprocess.Popen(["sh", "-c", script], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            bridge = wait_for(written, "fd00")["plugins"][0]
        finally:
            process.send_signal(signal.SIGTERM)
    assert (bridge["mtu"], bridge["ipam"]) == (1430, {"type": "host-local", "ranges": ranges, "routes": routes})


@pytest.mark.skipif(not shutil.which("sh"), reason="left out: there is no shell")
def test_the_shell_writes_the_plugins_from_what_flannel_says(tmp_path: Path) -> None:
    told, written = tmp_path / "subnet.env", tmp_path / "10-flannel.conflist"
    script = WRITE_CONFLIST.replace("/run/flannel/subnet.env", str(told)).replace("pause=15", "pause=0.1")
    env = dict(os.environ, CONFLIST=str(written), CONFLIST_FORMAT=conflist_format(BRIDGE))
    with subprocess.Popen(["sh", "-c", script], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.3)
            assert not written.exists()
            told.write_text(
                "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
            )
            bridge, portmap = wait_for(written, "10.244.1.0/24")["plugins"]
            assert bridge["mtu"] == 1450 and bridge["ipMasq"] is False and bridge["isDefaultGateway"] is True
            assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
            assert bridge["ipam"]["routes"] == [{"dst": "10.244.0.0/16"}]
            assert portmap["type"] == "portmap"
            stamp = written.stat().st_mtime_ns
            time.sleep(0.4)
            assert written.stat().st_mtime_ns == stamp
            told.write_text("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.9.65/26\nFLANNEL_MTU=1400\n")
            bridge = wait_for(written, "10.244.9.64/26")["plugins"][0]
            assert bridge["mtu"] == 1400
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0
