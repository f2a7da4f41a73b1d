# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of add-ons: those of the collection are valid, those of a user are read alike, and what is wrong with one is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

GOOD = 'title: Mine\ndescription: A test.\nversion: "1"\n'


def addon(path: Path, name: str, text: str) -> Path:
    (path / name).mkdir(parents=True)
    (path / name / "addon.yml").write_text(text)
    return path


def test_the_collection_has_the_basic_set() -> None:
    found = registry.load()
    assert {name for name, one in found.items() if "basic" in one.sets} == {
        *("local_path_storage", "metallb", "metrics_server", "traefik"),
    }
    for one in found.values():
        assert one.signs, f"{one.name} could not be recognized where somebody else installed it"
        assert (one.folder / "check.yml").is_file(), f"{one.name} is not verified"


def test_pods_with_temporary_files_only_let_a_node_leave() -> None:
    texts = [path.read_text() for one in registry.load().values() for path in one.folder.glob("objects.yml.j2")]
    temporary = [text for text in texts if "mountPath: /tmp}" in text]
    assert len(temporary) == 2
    for text in temporary:
        assert 'cluster-autoscaler.kubernetes.io/safe-to-evict: "true"' in text


def test_an_addon_of_the_user_is_read_like_ours_and_can_replace_one(tmp_path: Path) -> None:
    addon(tmp_path, "mine", GOOD)
    addon(tmp_path, "traefik", GOOD)
    found = registry.load([str(tmp_path)])
    assert found["mine"].release == "addon-mine"
    assert found["traefik"].title == "Mine"
    assert "metallb" in found


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("Mine", GOOD, "is not valid for an add-on"),
        ("mine", "title: [", "cannot be read"),
        ("mine", "- a", "it is a list, not a mapping"),
        ("mine", 'description: A.\nversion: "1"', "title: is missing"),
        ("mine", GOOD + "image: a", "image: unknown key"),
        ("mine", GOOD + "images: a", "images: must be a list, not a string"),
        ("mine", GOOD + "component: etcd", "set either component"),
        ("mine", "title: Mine\ndescription: A.", "set either component"),
        ("mine", GOOD + "signs: [{kind: Pod}]", "signs[0]: api_version, name missing"),
        ("mine", GOOD + "settings: {a: {type: str}}", "settings.a: needs a type and a description"),
        ("mine", GOOD + "provides: storage", "provides: must be one of network_policy, not storage"),
        ("mine", GOOD + "tables: [inet mine]", "tables: signs must contain the DaemonSet whose pods leave them"),
        ("mine", GOOD + "conflicts: {proxies: {}}", "conflicts: needs pod_networks or proxy_modes, each a mapping"),
        ("mine", GOOD + "kernel: [nft_queu]", "kernel: nft_queu is unknown; there are overlay, "),
        ("mine", GOOD + "chart: {repository: 'https://a'}", "chart: needs chart, a folder"),
        ("mine", GOOD + "chart: {chart: a, version: '1'}", "chart: needs chart, a folder"),
        ("mine", GOOD + "webhooks: {labels: app=x}", "webhooks: needs labels"),
        ("mine", GOOD + "manifests: [{url: 'https://a/b'}]", "manifests[0]: needs url and sha256"),
    ],
)
def test_a_folder_that_is_not_valid(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(InputError) as error:
        registry.load([str(addon(tmp_path, name, text))])
    assert problem in str(error.value)
    assert name in str(error.value)


def test_a_path_without_addons(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path} contains no add-on"):
        registry.load([str(tmp_path)])
