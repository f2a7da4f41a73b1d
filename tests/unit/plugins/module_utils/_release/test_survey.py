# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has of some add-ons, and who installed it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import survey

SIGN = {"api_version": "v1", "kind": "ConfigMap", "namespace": "default", "name": "sign"}
ADDONS = [{"name": "mine", "release": "web", "signs": [SIGN]}]


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sign", "namespace": "default", **metadata}}


def test_an_installation_of_the_release_is_not_foreign(releases: Any) -> None:
    assert survey.foreign(releases.client(), survey.discover(releases.client()), "default", ADDONS) == []
    releases.run([config_map()])
    assert survey.foreign(releases.client(), survey.discover(releases.client()), "default", ADDONS) == []
    (other,) = survey.foreign(releases.client(), survey.discover(releases.client()), "kube-system", ADDONS)
    assert other["owner"] == "release web in namespace default"


def test_an_installation_of_somebody_else_is_described(server: Any, releases: Any) -> None:
    helm = {"meta.helm.sh/release-name": "ms", "meta.helm.sh/release-namespace": "tools"}
    fields = [{"manager": "helm"}, {"manager": "kubelet", "subresource": "status"}]
    content = config_map(annotations=helm, managedFields=fields)
    server.put("/api/v1/namespaces/default/configmaps/sign", content)
    (found,) = survey.foreign(releases.client(), survey.discover(releases.client()), "default", ADDONS)
    assert found["addon"] == "mine" and found["object"] == "ConfigMap default/sign"
    assert found["owner"] == "Helm release ms in namespace tools"


def test_a_kind_that_is_not_served_has_no_installation(releases: Any) -> None:
    sign = {"api_version": "metallb.io/v1beta1", "kind": "IPAddressPool", "namespace": "a", "name": "b"}
    assert (
        survey.foreign(
            releases.client(),
            survey.discover(releases.client()),
            "default",
            [{"name": "a", "release": "b", "signs": [sign]}],
        )
        == []
    )


def test_field_managers_are_those_of_the_content() -> None:
    fields = [{"manager": "kubectl"}, {"manager": "helm"}, {"manager": "kubelet", "subresource": "status"}]
    live = config_map(managedFields=fields)
    assert survey.managers(live) == ["helm", "kubectl"]
    assert survey.maker(live) == "field manager helm, kubectl"


def test_nodes_that_run_any_pod_come_first() -> None:
    class Client:
        def items(self, _path: str) -> list[dict[str, Any]]:
            addresses = [{"type": "Hostname", "address": "a"}, {"type": "InternalIP", "address": "10.0.0.1"}]
            return [
                {
                    "metadata": {"name": "a"},
                    "spec": {"taints": [{"effect": "NoSchedule"}]},
                    "status": {"addresses": addresses},
                },
                {"metadata": {"name": "b"}, "spec": {"taints": [{"effect": "PreferNoSchedule"}]}, "status": {}},
            ]

    assert survey.nodes(Client()) == [
        {"name": "b", "address": "", "schedulable": True},
        {"name": "a", "address": "10.0.0.1", "schedulable": False},
    ]


def test_a_default_class_bears_the_annotation() -> None:
    assert survey.is_default({"metadata": {"annotations": {survey.DEFAULT_CLASS: "true"}}})
    assert not survey.is_default({"metadata": {"annotations": {survey.DEFAULT_CLASS: "false"}}})
    assert not survey.is_default({"metadata": {}})


def test_volumes_are_told_with_their_claim_and_the_release_of_its_namespace(releases: Any) -> None:
    releases.run([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}])
    local = {"annotations": {survey.PROVISIONER: "rancher.io/local-path"}}

    class Client:
        find = releases.client().find

        def items(self, _path: str, trim: Any) -> list[Any]:
            metadata = {"monitoring": local, "gone": local, "": local, "static": {}}
            claims = {space: {"namespace": space, "name": "data"} if space else None for space in metadata}
            kept = {"claimRef": {"namespace": "monitoring", "name": "kept"}, "persistentVolumeReclaimPolicy": "Retain"}
            return [
                trim({"metadata": local, "spec": kept}),
                *(trim({"metadata": one, "spec": {"claimRef": claims[space]}}) for space, one in metadata.items()),
            ]

    # A volume that is retained does not go with the release of its claim.
    assert survey.volumes(Client()) == [
        {"provisioner": "rancher.io/local-path", "claim": "", "release": ""},
        {"provisioner": "rancher.io/local-path", "claim": "gone/data", "release": ""},
        {"provisioner": "rancher.io/local-path", "claim": "monitoring/data", "release": "web"},
        {"provisioner": "rancher.io/local-path", "claim": "monitoring/kept", "release": ""},
    ]


def test_objects_of_a_group_that_belong_to_no_release(server: Any, releases: Any) -> None:
    def role(name: str) -> dict[str, Any]:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name, "namespace": "default"},
        }

    releases.run([role("ours")])
    server.put("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/theirs", role("theirs"))
    group = "rbac.authorization.k8s.io"
    assert survey.resources(releases.client(), survey.discover(releases.client()), "default", group) == [
        "Role default/theirs"
    ]
    assert (
        survey.resources(releases.client(), survey.discover(releases.client()), "default", "gateway.networking.k8s.io")
        == []
    )


def test_what_an_object_of_the_group_has_made_is_not_listed(server: Any, releases: Any) -> None:
    """It goes with its maker. A maker of another group says nothing: an Ingress stays, and its certificate would not."""
    group = "rbac.authorization.k8s.io"
    for name, made_by in (("made", f"{group}/v1"), ("asked-for", "networking.k8s.io/v1")):
        metadata = {"name": name, "namespace": "default", "ownerReferences": [{"apiVersion": made_by, "name": "x"}]}
        content = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata}
        server.put(f"/apis/{group}/v1/namespaces/default/roles/{name}", content)
    found = survey.resources(releases.client(), survey.discover(releases.client()), "default", group)
    assert found == ["Role default/asked-for"]


def test_the_pod_network_and_what_it_does_by_itself() -> None:
    class Client:
        def __init__(self, *names: str) -> None:
            self.names = names

        def items(self, _path: str) -> list[dict[str, Any]]:
            return [{"metadata": {"name": name}} for name in self.names]

    def network(*names: str) -> dict[str, Any]:
        return survey.network(Client(*names))

    assert network("kube-flannel-ds", "kube-network-policies") == {"name": "Flannel", "network_policy": False}
    assert network("calico-node") == {"name": "Calico", "network_policy": True}
    assert network("kube-proxy") == {"name": "", "network_policy": False}


@pytest.mark.parametrize(
    ("service", "addresses"),
    [({"spec": {"clusterIPs": ["10.96.0.10", "fd00::a"]}}, ["10.96.0.10", "fd00::a"]), ({"spec": {}}, []), (None, [])],
)
def test_the_addresses_of_the_cluster_dns(service: dict[str, Any] | None, addresses: list[str]) -> None:
    class Client:
        def find(self, path: str) -> Any:
            return service if path.endswith("/kube-dns") else None

    assert survey.dns(Client()) == addresses


def test_the_pods_of_a_daemon_set_are_found_when_it_is_deleted() -> None:
    def pod(name: str, kind: str, owner: str, node: str) -> dict[str, Any]:
        metadata = {"name": name, "ownerReferences": [{"kind": kind, "name": owner}]}
        return {"metadata": metadata, "spec": {"nodeName": node}}

    def node(name: str, ready: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}

    lists = {
        "/api/v1/nodes": [node("a", "True"), node("b", "Unknown")],
        "/api/v1/namespaces/kube-system/pods": [
            pod("mine-1", "DaemonSet", "mine", "a"),
            pod("mine-2", "DaemonSet", "mine", "b"),
            pod("other", "DaemonSet", "others", "a"),
            pod("replica", "ReplicaSet", "mine", "a"),
            {"metadata": {"name": "static"}},
        ],
    }

    class Client:
        def items(self, path: str) -> list[dict[str, Any]]:
            return lists[path]

    assert survey.pods(Client(), "kube-system", ["mine"]) == [
        {"name": "mine-1", "node": "a", "ready": True},
        {"name": "mine-2", "node": "b", "ready": False},
    ]
