# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-ons that an inventory selects: names, sets, versions, settings, their order, and their published manifests."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import manifest, registry, selection
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

COMPONENTS = {"metrics_server": "0.9.0", "local_path_provisioner": "0.0.30", "metallb": "0.15.3", "traefik": "3.6.12"}
COMPONENTS |= {"agnhost": "2.66.1", "gateway_api": "1.4.0"}
COMPONENTS.update(prometheus="3.15.0", alertmanager="0.35.0", node_exporter="1.12.1", kube_state_metrics="2.18.0")
COMPONENTS |= {"victoria_logs": "1.52.1"}
POOL = {"metallb": {"addresses": ["10.0.0.200-10.0.0.220"]}}


def names(listed: list[str], chosen: str = "auto", nodes: int = 3, given: dict[str, Any] | None = None) -> Any:
    found = selection.names_of(registry.load(), listed, chosen, nodes, given or {})
    return found if found is None else set(found)


def select(listed: list[str], given: dict[str, Any] | None = None) -> list[selection.Selected]:
    return selection.select(registry.load(), listed, given or {}, COMPONENTS)


def test_several_hosts_keep_what_they_have_until_somebody_selects() -> None:
    assert names([]) is None
    assert names([], "none") == set()
    assert names(["traefik"]) == {"traefik"}


def test_a_single_host_gets_the_basic_set_without_what_lacks_a_required_setting() -> None:
    assert names([], nodes=1) == {"metrics_server", "local_path_storage", "traefik"}
    assert names([], nodes=1, given=POOL) == {"metrics_server", "local_path_storage", "traefik", "metallb"}
    assert names([], "none", nodes=1) == set()


def test_the_full_set_contains_the_basic_one() -> None:
    basic = {"metrics_server", "local_path_storage", "traefik"}
    assert names([], "basic") == basic
    assert names([], "full") == {*basic, "monitoring", "logs"}


def test_a_setting_that_must_not_be_shown_is_not_part_of_what_tasks_loop_over() -> None:
    given = {"alertmanager": {"receivers": [{"name": "hook", "webhook_configs": [{"url": "https://hunter2"}]}]}}
    (one,) = select(["monitoring"], {"monitoring": given})
    assert one.settings["alertmanager"] == given["alertmanager"]
    assert "alertmanager" not in one.as_dict()["settings"] and "hunter2" not in str(one.as_dict())
    assert one.as_dict()["settings"]["retention"] == "15d"


def test_versions_and_images_come_from_the_table_unless_set() -> None:
    (one,) = select(["metrics_server"])
    assert one.images == ("registry.k8s.io/metrics-server/metrics-server:v0.9.0",)
    (one,) = select(["metrics_server"], {"metrics_server": {"version": "0.9.1", "replicas": "2"}})
    assert one.images == ("registry.k8s.io/metrics-server/metrics-server:v0.9.1",)
    assert one.settings["replicas"] == 2
    (one,) = select(["local_path_storage"])
    assert one.images[1] == "registry.k8s.io/e2e-test-images/agnhost:2.66.1"


def test_an_addon_comes_after_those_that_it_uses() -> None:
    assert [one.addon.name for one in select(["traefik", "metallb"], POOL)] == ["metallb", "traefik"]
    known = registry.load()
    known["metallb"] = dataclasses.replace(known["metallb"], after=("traefik",))
    with pytest.raises(InputError, match="metallb, traefik wait for each other"):
        selection.select(known, ["metallb", "traefik"], POOL, COMPONENTS)


@pytest.mark.parametrize(
    ("listed", "given", "problem"),
    [
        (["metric_server"], {}, "did you mean metrics_server"),
        ([], {"treafik": {}}, "kube_addons_settings: there is no add-on treafik; did you mean traefik"),
        (["metallb"], {}, "kube_addons_settings.metallb: missing required arguments: addresses"),
        (
            ["traefik"],
            {"traefik": {"replica": 1}},
            "kube_addons_settings.traefik: there is no setting replica. Supported parameters include",
        ),
        (["traefik"], {"traefik": {"service": "Ingress"}}, "value of service must be one of: auto"),
        (["traefik"], {"traefik": {"replicas": "many"}}, "replicas"),
        (["traefik"], {"traefik": ["a"]}, "must be a mapping of settings"),
        (
            ["metallb"],
            {"metallb": {"version": "9.9.9", **POOL["metallb"]}},
            "The digests of the published manifests of MetalLB 9.9.9",
        ),
    ],
)
def test_what_is_wrong_with_a_selection(listed: list[str], given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as error:
        select(listed, given)
    assert problem in str(error.value)


def test_all_problems_of_a_selection_are_in_one_list() -> None:
    with pytest.raises(InputError) as error:
        select(["metallb", "a", "traefik"], {"traefik": {"replicas": "many"}, "b": {}})
    assert len(error.value.problems) == 4


def test_a_row_of_the_table_without_the_version() -> None:
    with pytest.raises(InputError, match="the row of kube_versions has no metrics_server"):
        selection.select(registry.load(), ["metrics_server"], {}, {})


def test_an_addon_of_the_user_can_refer_to_what_is_known_only(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "addon.yml").write_text(
        'title: Mine\ndescription: A.\nversion: "1"\nimages: ["docker.io/a/b:{tag}"]\n'
    )
    with pytest.raises(InputError, match=r"\{tag\}, which does not exist"):
        selection.select(registry.load([str(tmp_path)]), ["mine"], {}, COMPONENTS)


MANIFEST = "kind: Service\nmetadata: {name: a}\n---\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1, paused: true}\n"
DIGEST = hashlib.sha256(MANIFEST.encode()).hexdigest()


def test_a_chart_is_a_folder_beside_the_description_or_has_the_version_of_the_addon(tmp_path: Path) -> None:
    def chart(name: str, text: str) -> Any:
        (tmp_path / name).mkdir()
        text = f'title: Mine\ndescription: A test.\nversion: "1.2"\nchart: {text}\n'
        (tmp_path / name / "addon.yml").write_text(text)
        if name == "own_one":
            (tmp_path / name / "chart").mkdir()
        (one,) = selection.select(registry.load([str(tmp_path)]), [name], {}, {})
        return one.as_dict()["chart"]

    assert chart("own_one", "{chart: chart}") == {
        "chart": str(tmp_path / "own_one" / "chart"),
        "release_name": "own-one",
    }
    upstream = {"chart": "headlamp", "repository": "https://charts.example.com"}
    text = "{chart: headlamp, repository: 'https://charts.example.com'}"
    assert chart("headlamp", text) == {**upstream, "version": "1.2", "release_name": "headlamp"}


def patch(kind: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "a"}, "spec": {"replicas": 2}}


def test_a_published_manifest_is_changed_as_data() -> None:
    service, deployment = manifest.configure(
        [MANIFEST], [{"url": "example.com/a", "sha256": DIGEST}], [patch("Deployment")]
    )
    assert deployment["spec"] == {"replicas": 2, "paused": True}
    assert "spec" not in service


def test_a_manifest_that_is_not_the_expected_one_is_refused() -> None:
    with pytest.raises(InputError, match=f"has the SHA-256 digest {DIGEST}, not 00"):
        manifest.configure([MANIFEST], [{"url": "example.com/a", "sha256": "00"}], [])
    with pytest.raises(InputError, match="has 0 objects DaemonSet a"):
        manifest.configure([MANIFEST], [{"url": "example.com/a", "sha256": DIGEST}], [patch("DaemonSet")])


def test_digests_of_several_manifests_are_given_in_their_order() -> None:
    (one,) = select(["gateway_api"], {})
    assert len(one.manifests) == 6 and one.manifests[0]["url"].endswith(
        "/v1.4.0/config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml"
    )
    mine = {"gateway_api": {"version": "1.5.0", "manifests_sha256": list("abcdef")}}
    (one,) = select(["gateway_api"], mine)
    assert [published["sha256"] for published in one.manifests] == list("abcdef")
    with pytest.raises(InputError, match="has 1 digests, but Gateway API has 6 published manifests"):
        select(["gateway_api"], {"gateway_api": {"version": "1.5.0", "manifests_sha256": "a"}})
