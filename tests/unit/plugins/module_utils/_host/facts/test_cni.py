# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CNI configurations of a host, and whose they are."""

from __future__ import annotations

import json

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts.cni import gather_cni
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files


def conflist(name, *plugins):
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)})


PODMAN = conflist("podman", {"type": "bridge", "bridge": "cni-podman0"}, {"type": "portmap"}, {"type": "firewall"})


@pytest.mark.parametrize(
    ("name", "text", "network", "owner"),
    [
        (
            "10-calico.conflist",
            conflist("k8s-pod-network", {"type": "calico"}, {"type": "portmap"}),
            "k8s-pod-network",
            "Calico",
        ),
        ("10-flannel.conflist", conflist("cbr0", {"type": "flannel"}), "cbr0", "Flannel"),
        ("10-flannel.conflist", conflist("cbr0", {"type": "bridge", "bridge": "cni0"}), "cbr0", "Flannel"),
        ("05-cilium.conf", json.dumps({"name": "cilium", "type": "cilium-cni"}), "cilium", "Cilium"),
        ("10-weave.conflist", conflist("weave", {"type": "weave-net"}), "weave", "Weave"),
        ("87-podman-bridge.conflist", PODMAN, "podman", "Podman"),
        ("mynet.conflist", conflist("mynet", {"type": "bridge", "bridge": "cni-podman1"}), "mynet", "Podman"),
        ("100-crio-bridge.conflist", conflist("crio", {"type": "bridge", "bridge": "cni0"}), "crio", "CRI-O"),
        ("nerdctl-bridge.conflist", conflist("bridge", {"type": "bridge", "bridge": "nerdctl0"}), "bridge", "nerdctl"),
        ("20-own.json", json.dumps({"name": "own", "type": "macvlan"}), "own", ""),
        ("30-broken.conf", "{", "", ""),
        ("30-list.conf", "[1]", "", ""),
        ("30-odd.conflist", json.dumps({"name": 1, "plugins": ["x", {"type": ["y"]}]}), "1", ""),
    ],
)
def test_a_configuration_tells_whose_network_it_is(tmp_path, name, text, network, owner):
    (tmp_path / "etc/cni/net.d").mkdir(parents=True)
    (tmp_path / "etc/cni/net.d" / name).write_text(text)
    path = f"/etc/cni/net.d/{name}"
    assert gather_cni(Files(str(tmp_path))) == [{"path": path, "network": network, "owner": owner}]


def test_only_files_that_a_runtime_reads_count_in_its_order(tmp_path):
    assert gather_cni(Files(str(tmp_path))) == []
    (tmp_path / "etc/cni/net.d").mkdir(parents=True)
    for name in ("99-b.conf", "10-a.conflist", "calico-kubeconfig", "10-flannel.conflist.disabled", "whereabouts.d"):
        (tmp_path / "etc/cni/net.d" / name).write_text("{}")
    assert [one["path"][15:] for one in gather_cni(Files(str(tmp_path)))] == ["10-a.conflist", "99-b.conf"]
