# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes, and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.prune import select
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import Settings

SETTINGS = Settings("web")


def live(
    kind: str, name: str, uid: str = "", release: str = "web", space: str = "default", **metadata: Any
) -> dict[str, Any]:
    """An object of a release."""
    annotations = {"slipway.kube/release-namespace": space, **metadata.pop("annotations", {})}
    about = {"name": name, "namespace": "default", "uid": uid or name, "labels": {"slipway.kube/release": release}}
    return {"apiVersion": "v1", "kind": kind, "metadata": {**about, "annotations": annotations, **metadata}}


def names(found: Any) -> list[str]:
    """Names of objects."""
    return [one["metadata"]["name"] for one in found]


def test_only_what_is_the_releases_own_goes() -> None:
    unmarked = live("ConfigMap", "unmarked")
    unmarked["metadata"]["labels"] = {}
    old = [
        live("ConfigMap", "mine"),
        live("ConfigMap", "moved", release="other"),
        live("ConfigMap", "namesake", space="elsewhere"),
        unmarked,
        live("ConfigMap", "renamed", uid="same"),
        live("ConfigMap", "going", deletionTimestamp="now"),
    ]
    gone, why = select(old, [live("ConfigMap", "current", uid="same")], [], SETTINGS)
    assert names(gone) == ["mine"] and why == []


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Namespace"])
def test_data_stays_unless_it_is_named(kind: str) -> None:
    gone, why = select([live(kind, "data")], [], [], SETTINGS)
    assert gone == [] and why == [
        f"{kind} default/data is kept, because its data would be deleted with it; to delete it, set prune_kinds: [{kind}]."
    ]
    gone, why = select([live(kind, "data")], [], [], Settings("web", prune_kinds=[kind]))
    assert names(gone) == ["data"] and why == []


def test_what_asks_to_stay_stays() -> None:
    keep = live("ConfigMap", "k", annotations={"helm.sh/resource-policy": "keep"})
    owned = live("ConfigMap", "o", ownerReferences=[{"controller": True}])
    gone, why = select([keep, owned], [], [], SETTINGS)
    assert gone == [] and len(why) == 2


def version(number: int) -> dict[str, Any]:
    """A version of a ConfigMap."""
    return live(
        "ConfigMap",
        f"v{number}",
        annotations={"slipway.kube/version-of": "settings"},
        creationTimestamp=f"2026-01-0{number}",
    )


def test_of_a_family_the_newest_five_stay() -> None:
    gone, _why = select([version(number) for number in (3, 1, 2, 5, 4, 6)], [version(7)], [version(7)], SETTINGS)
    assert sorted(names(gone)) == ["v1", "v2"]
    gone, _why = select([version(1), version(2)], [], [], SETTINGS)
    assert sorted(names(gone)) == ["v1", "v2"]


def test_a_definition_stays_while_others_have_objects_of_it(server: Any, releases: Any, some: Any) -> None:
    names = {"kind": "Thing", "plural": "things"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "schema": schema}
    spec = {"group": "x.io", "names": names, "scope": "Namespaced", "versions": [version]}
    definition = some("CustomResourceDefinition", "things.x.io", "apiextensions.k8s.io/v1", spec=spec)
    releases.run([definition, some("Thing", "mine", "x.io/v1"), some("ConfigMap", "c")])
    order = [path.rpartition("/")[2] for method, path in server.writes if method == "APPLY"]
    assert order == ["things.x.io", "c", "mine"]
    path = "/apis/x.io/v1/namespaces/default/things/foreign"
    server.put(path, some("Thing", "foreign", "x.io/v1", metadata={"namespace": "default"}))
    answer = releases.run([some("ConfigMap", "c")])
    assert "CustomResourceDefinition things.x.io is kept, because 1 objects" in answer["warnings"][0]
    assert server.names("Thing") == ["foreign"]
    del server.objects[path]
    assert not releases.run([some("ConfigMap", "c")], prune=False)["changed"]
    answer = releases.run([some("ConfigMap", "c")])
    assert [one["kind"] for one in answer["pruned"]] == ["CustomResourceDefinition"] and server.names(
        "CustomResourceDefinition"
    ) == []


def test_a_claim_that_stayed_goes_later_when_it_is_named(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("PersistentVolumeClaim", "data"), some("ConfigMap", "c")])
    assert "is kept" in releases.run([some("ConfigMap", "c")])["warnings"][0]
    assert releases.run([some("ConfigMap", "c", data={"a": "b"})])["changed"] and server.names(
        "PersistentVolumeClaim"
    ) == ["data"]
    answer = releases.run([some("ConfigMap", "c", data={"a": "b"})], prune_kinds=["PersistentVolumeClaim"])
    assert [one["name"] for one in answer["pruned"]] == ["data"] and server.names("PersistentVolumeClaim") == []


def test_a_release_goes_and_its_objects_stay_on_request(server: Any, releases: Any, some: Any, workload: Any) -> None:
    objects = [some("ConfigMap", "c", metadata={"labels": {"app": "web"}}), workload("d")]
    releases.run(objects)
    predicted = releases.remove(check=True, orphan=True)
    assert predicted["changed"] and "2 objects stay and belong to no release" in predicted["msg"]
    assert server.find("ConfigMap", "c")["metadata"]["labels"]["slipway.kube/release"] == "web"
    answer = releases.remove(orphan=True)
    assert answer["changed"] and answer["pruned" if "pruned" in answer else "objects"] is not None
    assert server.names("ConfigMap") == ["c"] and server.names("Deployment") == ["d"]
    assert server.find("ConfigMap", "c")["metadata"]["labels"] == {"app": "web"}
    assert server.names("Secret") == [] and server.names("Lease") == []
    assert not releases.remove(orphan=True)["changed"]
    other = releases.run(objects, name="other")
    assert other["status"] == "deployed", "another release takes them without force"


def test_a_release_goes_as_a_whole_and_its_records_last(server: Any, releases: Any, some: Any, workload: Any) -> None:
    hooks = {"pre": [workload("migrate", kind="Job")]}
    releases.run([some("ConfigMap", "c"), some("PersistentVolumeClaim", "data")], hooks=hooks)
    releases.run([some("ConfigMap", "d"), some("PersistentVolumeClaim", "data")], prune=False, hooks=hooks)
    server.put(
        "/api/v1/namespaces/default/configmaps/foreign", some("ConfigMap", "foreign", metadata={"namespace": "default"})
    )
    predicted = releases.remove(check=True)
    assert sorted(one["name"] for one in predicted["pruned"])[:2] == ["c", "d"] and server.names("ConfigMap") == [
        "c",
        "d",
        "foreign",
    ]
    del server.writes[:]
    answer = releases.remove()
    assert answer["changed"] and server.names("ConfigMap") == ["foreign"] and server.names("Job") == []
    assert (
        server.names("PersistentVolumeClaim") == ["data"]
        and "PersistentVolumeClaim default/data is kept" in answer["warnings"][0]
    )
    assert server.names("Secret") == [] and server.names("Lease") == []
    deleted = [path for method, path in server.writes if method == "DELETE"]
    assert ["secrets" in path or "leases" in path for path in deleted] == [False] * 3 + [True] * 3
    assert not releases.remove()["changed"]


def test_a_definition_goes_whose_objects_only_the_application_writes(server: Any, releases: Any, some: Any) -> None:
    names = {"kind": "State", "plural": "states"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "schema": schema}
    spec = {"group": "x.io", "names": names, "scope": "Namespaced", "versions": [version]}
    definition = some("CustomResourceDefinition", "states.x.io", "apiextensions.k8s.io/v1", spec=spec)
    definition["metadata"]["annotations"] = {"slipway.kube/objects": "generated"}
    releases.run([definition, some("ConfigMap", "c")])
    server.put("/apis/x.io/v1/namespaces/default/states/own", some("State", "own", "x.io/v1", metadata={}))
    answer = releases.run([some("ConfigMap", "c")])
    assert [one["kind"] for one in answer["pruned"]] == ["CustomResourceDefinition"]
