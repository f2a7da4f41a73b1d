# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way of add-ons in a cluster: installations of somebody else, a second default class, data that would be lost."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry, selection
from ansible_collections.slipway.kube.plugins.plugin_utils.addons.refusals import refusals, switched_off, tables_left

COMPONENTS = {
    "metrics_server": "0.9.0",
    "local_path_provisioner": "0.0.30",
    "agnhost": "2.66.1",
    "gateway_api": "1.4.0",
    "kube_network_policies": "0.8.0",
    "node_local_dns": "1.26.8",
}
FLANNEL = {"name": "Flannel", "network_policy": False}
TABLE = "inet kube-network-policies"


def chosen(*names: str, **settings: Any) -> dict[str, Any]:
    known = registry.load()
    return {
        "addons": [one.as_dict() for one in selection.select(known, names, settings, COMPONENTS)],
        "depths": selection.depths(known),
        "volumes_of": {one.release: one.volumes_of for one in known.values() if one.volumes_of},
        "resources_of": {one.release: list(one.resources_of) for one in known.values() if one.resources_of},
        "tables": {one.release: list(one.tables) for one in known.values() if one.tables},
    }


def seen(**found: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"releases": [], "foreign": [], "default_classes": [], "volumes": [], "resources": {}}
    return {**nothing, "network": FLANNEL, **found}


HELM = {"addon": "metrics_server", "object": "Deployment kube-system/metrics-server", "owner": "Helm release ms"}


def test_an_empty_cluster_is_in_nobodys_way() -> None:
    assert refusals(chosen("metrics_server", "local_path_storage"), seen()) == []


def test_an_installation_of_somebody_else_is_refused_with_both_ways_out() -> None:
    (text,) = refusals(chosen("metrics_server"), seen(foreign=[HELM]))
    assert "Deployment kube-system/metrics-server (Helm release ms)" in text
    assert "remove metrics_server from kube_addons" in text and "kube_addons_adopt" in text
    assert refusals(chosen("metrics_server"), seen(foreign=[HELM]), ["metrics_server"]) == []


def test_a_second_default_class_is_refused() -> None:
    other = [{"name": "nfs", "release": ""}]
    (text,) = refusals(chosen("local_path_storage"), seen(default_classes=other))
    assert "the default is nfs" in text and "default_class: false" in text
    assert (
        refusals(chosen("local_path_storage", local_path_storage={"default_class": False}), seen(default_classes=other))
        == []
    )
    assert refusals(chosen("metrics_server"), seen(default_classes=other)) == []


def test_its_own_class_is_not_a_second_one() -> None:
    own = [{"name": "local-path", "release": "addon-local-path-storage"}]
    assert refusals(chosen("local_path_storage"), seen(default_classes=own)) == []
    adopted = [{"name": "local-path", "release": ""}]
    assert refusals(chosen("local_path_storage"), seen(default_classes=adopted)) == []


def volume(claim: str, provisioner: str = "rancher.io/local-path", release: str = "") -> dict[str, str]:
    return {"provisioner": provisioner, "claim": claim, "release": release}


def test_storage_with_volumes_is_not_removed() -> None:
    releases = ["addon-local-path-storage", "shop"]
    nfs = volume("shop/files", "nfs")
    both = [volume("shop/a", release="shop"), volume("shop/b"), nfs]
    (text,) = refusals(chosen(), seen(releases=releases, volumes=both))
    assert "2 persistent volumes of rancher.io/local-path" in text and "claims shop/a, shop/b." in text
    assert refusals(chosen(), seen(releases=releases, volumes=[nfs])) == []
    assert refusals(chosen("local_path_storage"), seen(releases=releases, volumes=both)) == []


def test_storage_goes_after_the_addons_whose_volumes_it_has() -> None:
    releases = ["addon-local-path-storage", "addon-monitoring"]
    found = seen(releases=releases, volumes=[volume("monitoring/data", release="addon-monitoring")])
    assert refusals(chosen(), found) == []
    assert switched_off(chosen(), found) == ["addon-monitoring", "addon-local-path-storage"]
    found["releases"] = releases[:1]
    assert len(refusals(chosen(), found)) == 1


def test_kinds_go_after_the_addons_that_have_objects_of_them() -> None:
    """Traefik has a Gateway, which must be gone before the kind Gateway, and kinds of its own."""
    found = seen(releases=["addon-gateway-api", "addon-local-path-storage", "addon-metallb", "addon-traefik"])
    gone = switched_off(chosen(), found)
    assert gone == ["addon-traefik", "addon-gateway-api", "addon-metallb", "addon-local-path-storage"]


def test_only_releases_of_addons_are_switched_off() -> None:
    found = seen(releases=["addon-gone", "addon-metrics-server", "shop"])
    assert switched_off(chosen("metrics_server"), found) == ["addon-gone"]


def test_kinds_with_objects_of_somebody_else_are_not_removed() -> None:
    routes = {"gateway.networking.k8s.io": ["HTTPRoute shop/web"]}
    (text,) = refusals(chosen(), seen(releases=["addon-gateway-api"], resources=routes))
    assert "1 objects of its kinds, which would be deleted with them: HTTPRoute shop/web" in text
    assert refusals(chosen("gateway_api"), seen(releases=["addon-gateway-api"], resources=routes)) == []
    assert refusals(chosen(), seen(releases=["addon-gateway-api"], resources={"gateway.networking.k8s.io": []})) == []


def kernel(**features: bool | None) -> dict[str, Any]:
    return {"release": "6.1.0", "features": features}


def test_hosts_whose_kernel_lacks_a_feature_are_named() -> None:
    kernels = {
        "cp1": kernel(nft_queue=True, nfnetlink_queue=True),
        "w1": kernel(nft_queue=False, nfnetlink_queue=True),
        "w2": kernel(nft_queue=None, nfnetlink_queue=None),
    }
    (text,) = refusals(chosen("network_policy"), seen(), [], kernels)
    assert "1 of 3 hosts do not have: w1 (6.1.0: nft_queue)." in text and "remove network_policy" in text
    assert refusals(chosen("metrics_server"), seen(), [], kernels) == []


def test_a_pod_network_that_does_the_same_is_enough() -> None:
    (text,) = refusals(chosen("network_policy"), seen(network={**FLANNEL, "name": "Cilium", "network_policy": True}))
    assert "does what the pod network Cilium does already" in text and "remove network_policy" in text
    assert refusals(chosen("network_policy"), seen()) == []
    assert refusals(chosen("metrics_server"), seen(network={**FLANNEL, "network_policy": True})) == []


def test_a_pod_network_beside_which_an_addon_has_no_effect() -> None:
    (text,) = refusals(chosen("node_local_dns"), seen(network={"name": "Cilium", "network_policy": True}))
    assert "NodeLocal DNSCache does not work with the pod network Cilium" in text and "local redirect policy" in text
    assert refusals(chosen("node_local_dns"), seen()) == []


def test_tables_go_with_the_release_of_an_addon_that_is_no_longer_selected() -> None:
    ours = seen(releases=["addon-network-policy"])
    assert tables_left(chosen(), ours) == [TABLE]
    assert tables_left(chosen("network_policy"), ours) == []


def test_tables_of_somebody_else_stay() -> None:
    # Whatever the DaemonSet that made them is called, and where the cluster was not looked at.
    assert tables_left(chosen(), seen()) == []
