# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's manifest as data: settings of a small one made here, and of the published one where it lies beside the checkout."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.network.calico import (
    ENCAPSULATIONS,
    Calico,
    configure,
    merge_env,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.network.settings import NetworkError

ROOT = Path(__file__).resolve().parents[5]
PUBLISHED = sorted((ROOT.parent / "shared" / "calico").glob("calico-v*.yaml"))


def small() -> list[dict[str, Any]]:
    """What of the manifest's shape matters, made by hand."""
    node = {
        "name": "calico-node",
        "image": "quay.io/calico/node:v3.32.1",
        "env": [
            {"name": "NODENAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CALICO_IPV4POOL_IPIP", "value": "Always"},
            {"name": "CALICO_IPV4POOL_VXLAN", "value": "Never"},
            {"name": "CALICO_IPV6POOL_VXLAN", "value": "Never"},
            {"name": "FELIX_IPV6SUPPORT", "value": "false"},
        ],
        "livenessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-live", "-bird-live"]}},
        "readinessProbe": {"exec": {"command": ["/bin/calico-node", "-felix-ready", "-bird-ready"]}},
    }
    pod = {"initContainers": [{"name": "install-cni", "image": "quay.io/calico/cni:v3.32.1"}], "containers": [node]}
    controllers = {"containers": [{"name": "calico-kube-controllers", "image": "localhost:5000/controllers:1"}]}
    return [
        {
            "kind": "ConfigMap",
            "metadata": {"name": "calico-config"},
            "data": {
                "calico_backend": "bird",
                "veth_mtu": "0",
                "other": "kept",
                "cni_network_config": '{"plugins": [{"mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}',
            },
        },
        {"kind": "DaemonSet", "metadata": {"name": "calico-node"}, "spec": {"template": {"spec": pod}}},
        {
            "kind": "Deployment",
            "metadata": {"name": "calico-kube-controllers"},
            "spec": {"template": {"spec": controllers}},
        },
    ]


@functools.cache
def published(name: str) -> list[dict[str, Any]]:
    """A published manifest, read once."""
    text = next(path for path in PUBLISHED if path.name == name).read_text()
    return [content for content in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if content]


@pytest.fixture(params=["made here", *[path.name for path in PUBLISHED]])
def manifest(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The small manifest, and every published one that is there."""
    if request.param == "made here":
        return small()
    return published(request.param)


def container(objects: list[dict[str, Any]], kind: str = "DaemonSet") -> dict[str, Any]:
    """The first container of the workload of a kind."""
    return next(content for content in objects if content["kind"] == kind)["spec"]["template"]["spec"]["containers"][0]


def env(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The environment of calico-node, by name; every name is there once."""
    variables = container(objects)["env"]
    assert len({variable["name"] for variable in variables}) == len(variables)
    return {variable["name"]: variable.get("value") for variable in variables}


def images(objects: list[dict[str, Any]]) -> list[str]:
    """The images of a manifest's workloads, each once, in order of appearance."""
    pods = [
        content["spec"]["template"]["spec"] for content in objects if content["kind"] in ("DaemonSet", "Deployment")
    ]
    return list(
        dict.fromkeys(one["image"] for pod in pods for one in pod.get("initContainers", []) + pod["containers"])
    )


def config(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The data of calico-config."""
    return next(content for content in objects if content["kind"] == "ConfigMap")["data"]


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
@pytest.mark.parametrize("bgp", [False, True])
def test_settings_reach_pool_backend_and_probes(manifest: list[dict[str, Any]], encapsulation: str, bgp: bool) -> None:
    wanted = Calico("172.20.0.0/16", encapsulation=encapsulation, bgp=bgp, mtu=1400)
    if encapsulation.startswith("IPIP") and not bgp:
        with pytest.raises(NetworkError, match="needs BGP"):
            configure(manifest, wanted)
        return
    objects = configure(manifest, wanted)
    assert env(objects)["CALICO_IPV4POOL_CIDR"] == "172.20.0.0/16"
    assert (env(objects)["CALICO_IPV4POOL_IPIP"], env(objects)["CALICO_IPV4POOL_VXLAN"]) == ENCAPSULATIONS[
        encapsulation
    ]
    expected = "bird" if bgp else {"None": "none"}.get(encapsulation, "vxlan")
    assert config(objects)["calico_backend"] == expected
    assert config(objects)["veth_mtu"] == "1400"
    commands = [container(objects)[probe]["exec"]["command"] for probe in ("livenessProbe", "readinessProbe")]
    assert ["-bird-live" in commands[0], "-bird-ready" in commands[1]] == [bgp, bgp]
    assert "-felix-live" in commands[0] and "-felix-ready" in commands[1]
    assert "FELIX_WIREGUARDENABLED" not in env(objects)


def test_nothing_else_is_touched(manifest: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(manifest)
    objects = configure(manifest, Calico("192.168.0.0/16"))
    assert manifest == before
    changed = [(old["kind"], old["metadata"]["name"]) for old, new in zip(before, objects) if old != new]
    assert sorted(changed) == [("ConfigMap", "calico-config"), ("DaemonSet", "calico-node")]
    assert configure(objects, Calico("192.168.0.0/16")) == objects


def test_the_published_manifest_is_tried() -> None:
    if not PUBLISHED:
        pytest.skip("left out: the published manifest is not beside this checkout (../shared/calico)")
    objects = published(PUBLISHED[-1].name)
    assert len(objects) > 30
    assert [image.split(":")[0] for image in images(objects)] == [
        "quay.io/calico/cni",
        "quay.io/calico/node",
        "quay.io/calico/kube-controllers",
    ]


def test_the_address_of_the_node_is_the_one_that_kubernetes_knows(manifest: list[dict[str, Any]]) -> None:
    # Calico's default, first-found, takes another interface as soon as one with a higher index appears.
    found = env(configure(manifest, Calico("192.168.0.0/16")))
    assert found.get("IP", "autodetect") == "autodetect"
    assert found["IP_AUTODETECTION_METHOD"] == "kubernetes-internal-ip"


def ipam(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The address management of the CNI configuration, with the number that Calico fills in."""
    return json.loads(config(objects)["cni_network_config"].replace("__CNI_MTU__", "0"))["plugins"][0]["ipam"]


def test_two_address_families(manifest: list[dict[str, Any]]) -> None:
    wanted = Calico("192.168.0.0/16,fd00:10:244::/56", encapsulation="VXLANCrossSubnet", wireguard=True, mtu=1400)
    objects = configure(manifest, wanted)
    found = env(objects)
    assert found["CALICO_IPV4POOL_CIDR"] == "192.168.0.0/16"
    assert found["CALICO_IPV6POOL_CIDR"] == "fd00:10:244::/56"
    assert (found["CALICO_IPV4POOL_VXLAN"], found["CALICO_IPV6POOL_VXLAN"]) == ("CrossSubnet", "CrossSubnet")
    assert (found["IP6"], found["FELIX_IPV6SUPPORT"]) == ("autodetect", "true")
    assert found["IP_AUTODETECTION_METHOD"] == found["IP6_AUTODETECTION_METHOD"] == "kubernetes-internal-ip"
    # Pods with private addresses reach other networks through their node, as with IPv4.
    assert found["CALICO_IPV6POOL_NAT_OUTGOING"] == "true"
    assert found["FELIX_WIREGUARDENABLED"] == found["FELIX_WIREGUARDENABLEDV6"] == "true"
    assert found["FELIX_VXLANMTUV6"] == found["FELIX_WIREGUARDMTUV6"] == "1400"
    assert ipam(objects) == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
    assert configure(objects, wanted) == objects


def test_ipv6_alone(manifest: list[dict[str, Any]]) -> None:
    objects = configure(manifest, Calico("fd00:10:244::/56", wireguard=True))
    found = env(objects)
    assert (found["IP"], found["IP6"], found["CALICO_ROUTER_ID"]) == ("none", "autodetect", "hash")
    assert {"CALICO_IPV4POOL_CIDR", "IP_AUTODETECTION_METHOD", "FELIX_WIREGUARDENABLED"}.isdisjoint(found)
    assert (found["CALICO_IPV6POOL_VXLAN"], found["CALICO_IPV4POOL_IPIP"]) == ("Always", "Never")
    assert ipam(objects) == {"type": "calico-ipam", "assign_ipv4": "false", "assign_ipv6": "true"}


def test_ipv4_alone_stays_as_calico_publishes_it(manifest: list[dict[str, Any]]) -> None:
    objects = configure(manifest, Calico("192.168.0.0/16"))
    assert env(objects)["FELIX_IPV6SUPPORT"] == "false"
    assert not any("IP6" in name or name.endswith("V6") for name in env(objects))
    assert ipam(objects) == {"type": "calico-ipam"}


def test_the_plugins_of_package_kubernetes_cni_are_not_replaced(manifest: list[dict[str, Any]]) -> None:
    pod = next(item for item in configure(manifest, Calico("192.168.0.0/16")) if item["kind"] == "DaemonSet")["spec"]
    (installer,) = [one for one in pod["template"]["spec"]["initContainers"] if one["name"] == "install-cni"]
    (skipped,) = [item["value"].split(",") for item in installer["env"] if item["name"] == "SKIP_CNI_BINARIES"]
    assert {"bandwidth", "host-local", "loopback", "portmap", "tuning"} <= set(skipped)
    assert not {"calico", "calico-ipam"} & set(skipped)


def test_wireguard_and_further_environment() -> None:
    wanted = Calico(
        "192.168.0.0/16",
        wireguard=True,
        node_env={"IP_AUTODETECTION_METHOD": "interface=eth1", "NODENAME": None, "FELIX_X": True},
    )
    found = env(configure(small(), wanted))
    assert found["FELIX_WIREGUARDENABLED"] == "true"
    assert found["IP_AUTODETECTION_METHOD"] == "interface=eth1"
    assert found["FELIX_X"] == "true"
    assert "NODENAME" not in found


def test_images_move_to_another_registry() -> None:
    objects = configure(small(), Calico("192.168.0.0/16", image_registry="mirror.example.com:5000/"))
    assert images(objects) == [
        "mirror.example.com:5000/calico/cni:v3.32.1",
        "mirror.example.com:5000/calico/node:v3.32.1",
        "mirror.example.com:5000/controllers:1",
    ]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Calico("192.168.1.0/16"), "not a valid network in CIDR notation"),
        (Calico("192.168.0.0/16,10.244.0.0/16"), "two networks of one address family"),
        (Calico("192.168.0.0/16,fd00::/124"), "too small: each node takes a /122"),
        (Calico("192.168.0.0/16,fd00::/56", encapsulation="IPIP", bgp=True), "IP in IP carries only IPv4"),
        (Calico("192.168.0.0/28"), "too small"),
        (Calico("192.168.0.0/16", "vxlan"), "no encapsulation 'vxlan'; choose one of VXLAN"),
        (Calico("192.168.0.0/16", api_server="https://10.0.0.1"), "not HOST or HOST:PORT"),
        (Calico("192.168.0.0/16", mtu=100), "100 bytes is not valid"),
        (
            Calico("192.168.0.0/16", node_env={"CALICO_IPV4POOL_CIDR": "x"}),
            "CALICO_IPV4POOL_CIDR of calico-node is set through an option",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(wanted: Calico, says: str) -> None:
    with pytest.raises(NetworkError, match=says):
        configure(small(), wanted)


def test_another_manifest_is_refused_with_what_it_lacks() -> None:
    wanted = Calico("192.168.0.0/16")
    with pytest.raises(NetworkError, match="no ConfigMap named calico-config"):
        configure([], wanted)
    objects = small()
    del objects[1]
    with pytest.raises(NetworkError, match="no DaemonSet named calico-node"):
        configure(objects, wanted)
    objects = small()
    del objects[0]["data"]["cni_network_config"]
    with pytest.raises(NetworkError, match="no address management calico-ipam"):
        configure(objects, Calico("fd00::/56"))
    objects = small()
    del objects[0]["data"]["veth_mtu"]
    with pytest.raises(NetworkError, match="no key veth_mtu"):
        configure(objects, wanted)
    objects = small()
    del objects[1]["spec"]["template"]["spec"]["initContainers"]
    with pytest.raises(NetworkError, match="no container install-cni"):
        configure(objects, wanted)
    objects = small()
    container(objects)["name"] = "node"
    with pytest.raises(NetworkError, match="no container calico-node"):
        configure(objects, wanted)
    objects = small()
    container(objects)["readinessProbe"] = {"httpGet": {"port": 1}}
    with pytest.raises(NetworkError, match="no command in its readinessProbe"):
        configure(objects, wanted)


def test_merging_environment_keeps_order_and_replaces_sources() -> None:
    before = [{"name": "A", "valueFrom": {"fieldRef": {}}}, {"name": "B", "value": "1"}]
    assert merge_env(before, {"C": 3, "A": "x"}) == [
        {"name": "A", "value": "x"},
        {"name": "B", "value": "1"},
        {"name": "C", "value": "3"},
    ]


@pytest.mark.parametrize(
    ("api_server", "host", "port"),
    [
        ("10.0.0.1", "10.0.0.1", "7443"),
        ("api.example.com:6443", "api.example.com", "6443"),
        ("[fd00::1]:6443", "fd00::1", "6443"),
        ("fd00::1", "fd00::1", "7443"),
    ],
)
def test_the_api_server_is_told_to_the_network(api_server: str, host: str, port: str) -> None:
    told = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    assert Calico("192.168.0.0/16", api_server=api_server, api_port=7443).api_server_env() == told
    (added,) = configure(small(), Calico("192.168.0.0/16", api_server=api_server, api_port=7443))[3:]
    assert (
        added["metadata"] == {"name": "kubernetes-services-endpoint", "namespace": "kube-system"}
        and added["data"] == told
    )
    assert len(configure(small(), Calico("192.168.0.0/16"))) == 3


def test_pods_are_made_anew_when_settings_change_that_they_read_once() -> None:
    def mark(wanted: Calico) -> dict[str, str]:
        objects = configure(small(), wanted)
        return next(content for content in objects if content["kind"] == "DaemonSet")["spec"]["template"]["metadata"][
            "annotations"
        ]

    marks = [
        mark(Calico("192.168.0.0/16", mtu=mtu, api_server=host))
        for mtu, host in ((0, ""), (0, ""), (1400, ""), (0, "10.0.0.1"))
    ]
    assert marks[0] == marks[1]
    assert len({tuple(each.items()) for each in marks}) == 3
