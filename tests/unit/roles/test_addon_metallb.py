# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on metallb: layer 2, or BGP where there are routers."""

from __future__ import annotations

import base64
import json
from typing import Any

import jinja2
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry, selection
from ansible_collections.slipway.kube.plugins.plugin_utils.app.strategic import merge

PEER = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"}


def objects(**settings: Any) -> dict[str, list[Any]]:
    """Return the objects by kind."""
    given = {"addresses": ["192.0.2.200-192.0.2.210"], **settings}
    (one,) = selection.select(registry.load(), ["metallb"], {"metallb": given}, {"metallb": "0.15.3"})
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
    environment.filters["to_json"] = json.dumps
    environment.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()
    template = environment.from_string((one.addon.folder / "objects.yml.j2").read_text())
    found: dict[str, list[Any]] = {}
    for each in yaml.safe_load_all(template.render(addon=one.as_dict(), private=given)):
        found.setdefault(each["kind"], []).append(each)
    return found


def test_without_routers_layer_2_announces() -> None:
    assert set(objects()) == {"IPAddressPool", "L2Advertisement"}


def test_routers_are_told_instead() -> None:
    found = objects(bgp_peers=[PEER, {**PEER, "peerAddress": "192.0.2.2", "holdTime": "9s", "ebgpMultiHop": True}])
    assert set(found) == {"IPAddressPool", "BGPPeer", "BGPAdvertisement"}
    first, second = found["BGPPeer"]
    assert first["spec"] == PEER and first["metadata"]["name"] == "peer-1"
    assert second["spec"] == {**PEER, "peerAddress": "192.0.2.2", "holdTime": "9s", "ebgpMultiHop": True}
    assert found["BGPAdvertisement"][0]["spec"] == {"ipAddressPools": ["default"]}


def test_how_they_are_told_and_the_password_are_settings() -> None:
    how = {"aggregationLength": 28, "communities": ["65535:65282"], "peers": ["peer-1"]}
    found = objects(bgp_peers=[PEER], bgp_password="hidden", bgp_advertisement=how)
    assert found["BGPAdvertisement"][0]["spec"] == {"ipAddressPools": ["default"], **how}
    (secret,) = found["Secret"]
    assert secret["type"] == "kubernetes.io/basic-auth" and base64.b64decode(secret["data"]["password"]) == b"hidden"
    assert found["BGPPeer"][0]["spec"]["passwordSecret"] == {"name": "bgp-password", "namespace": "metallb-system"}
    assert "Secret" not in objects(bgp_password="hidden")


def test_the_password_is_not_part_of_what_tasks_show() -> None:
    (one,) = selection.select(
        registry.load(),
        ["metallb"],
        {"metallb": {"addresses": ["192.0.2.200/29"], "bgp_peers": [PEER], "bgp_password": "hidden"}},
        {"metallb": "0.15.3"},
    )
    assert "hidden" not in json.dumps(one.as_dict())


def test_numbers_of_autonomous_systems_fit_into_their_type() -> None:
    """The published kind says int32 with a maximum beyond it, which the API server refuses with every object."""
    (one,) = selection.select(
        registry.load(), ["metallb"], {"metallb": {"addresses": ["192.0.2.200/29"]}}, {"metallb": "0.15.3"}
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
    text = environment.from_string((one.addon.folder / "patches.yml.j2").read_text())
    patches = list(yaml.safe_load_all(text.render(addon=one.as_dict(), groups={})))
    (patch,) = [each for each in patches if each["metadata"]["name"] == "bgppeers.metallb.io"]
    number = {"type": "integer", "format": "int32", "maximum": 4294967295}
    fields = {"myASN": number, "peerASN": number, "peerPort": {"type": "integer"}}
    schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": fields}}}}
    published = {"spec": {"versions": [{"name": name, "schema": schema} for name in ("v1beta1", "v1beta2")]}}
    for version in merge(published, patch)["spec"]["versions"]:
        found = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        assert found["myASN"]["format"] == found["peerASN"]["format"] == "int64"
        assert found["peerPort"] == fields["peerPort"]
