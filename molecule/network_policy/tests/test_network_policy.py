# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on network_policy beside Flannel: packets are denied and pass as policies say, from node to node, and nothing of it stays.

The run that made the cluster has verified the same with the module cluster_verify; here kubectl and a pod's own requests do.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.hosts import Host, hosts_of
from harness.kube import Kube, eventually
from harness.playbook import Run, output_of, run
from harness.reset import reset

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
TABLE = "inet kube-network-policies"
SPACES = ("here", "there")
OFF = {"kube_addons": [], "kube_addons_set": "none"}


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(LAB)


def nodes() -> list[Host]:
    return [host for host in hosts_of(LAB) if host.name in ("cp1", "w1")]


def tables() -> dict[str, bool]:
    """Return for each node whether it has the table of kube-network-policies."""
    return {host.name: TABLE in host.execute("nft", "list", "tables")[1] for host in nodes()}


def play(kube: Kube, name: str, *arguments: str, book: str = "addons", **variables: Any) -> Run:
    return run(f"slipway.kube.{book}", kube.inventory, output_of(LAB) / name, "-e", json.dumps(variables), *arguments)


def pod(kube: Kube, name: str, node: str) -> dict[str, Any]:
    """Return a pod on that node, which answers on port 8080."""
    container = {"name": "agnhost", "image": kube.agnhost, "args": ["netexec", "--http-port=8080", "--udp-port=-1"]}
    spec = {
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"name": name}}, "spec": spec}


def policy(name: str, pods: str, **spec: Any) -> dict[str, Any]:
    spec["podSelector"] = {"matchLabels": {"name": pods}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def addresses(kube: Kube) -> dict[str, str]:
    """Address of each test pod: a server on the worker and one on the control plane, and clients in two namespaces. The last test ends the cluster."""
    for space in SPACES:
        kube.kubectl("create", "namespace", space)
    kube.apply([pod(kube, "server", "w1"), pod(kube, "near", "w1"), pod(kube, "far", "cp1")], "here")
    kube.apply([pod(kube, "far", "cp1")], "there")
    for space in SPACES:
        kube.kubectl(f"--namespace={space}", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s")
    return {
        f"{space}/{one['metadata']['name']}": one["status"]["podIP"]
        for space in SPACES
        for one in kube.get("pods", namespace=space)
    }


def reaches(kube: Kube, source: str, target: str) -> bool:
    """Whether a pod (NAMESPACE/NAME) gets a connection to an address or a name."""
    space, _slash, name = source.partition("/")
    command = ("exec", name, "--", "/agnhost", "connect", "--timeout=3s", f"{target}:8080")
    return kube.kubectl(f"--namespace={space}", *command, check=False) == ""


def seen(kube: Kube, target: str) -> dict[str, bool]:
    sources = ("here/near", "here/far", "there/far")
    with ThreadPoolExecutor() as pool:  # each waits for packets that are dropped
        return dict(zip(sources, pool.map(lambda source: reaches(kube, source, target), sources)))


def settled(kube: Kube, target: str, **wanted: bool) -> None:
    """Wait until exactly these clients reach the target.

    :raises AssertionError: others do, after a minute.
    """
    expected = {name.replace("_", "/"): value for name, value in wanted.items()}
    eventually(lambda: seen(kube, target) == expected, 60, f"{target} is reached as {expected}")


def test_every_node_has_the_rules() -> None:
    assert tables() == {"cp1": True, "w1": True}


def test_ingress_is_denied_and_allowed_by_label_namespace_and_address(kube: Kube, addresses: dict[str, str]) -> None:
    server = addresses["here/server"]
    assert all(seen(kube, server).values())
    kube.apply([policy("deny", "server", policyTypes=["Ingress"])], "here")
    settled(kube, server, here_near=False, here_far=False, there_far=False)
    for source, wanted in (
        ({"podSelector": {"matchLabels": {"name": "far"}}}, {"here_near": False, "here_far": True, "there_far": False}),
        (
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "there"}}},
            {"here_near": False, "here_far": False, "there_far": True},
        ),
        (
            {"ipBlock": {"cidr": "10.244.0.0/16", "except": [f"{addresses['here/far']}/32"]}},
            {"here_near": True, "here_far": False, "there_far": True},
        ),
    ):
        kube.apply([policy("allow", "server", policyTypes=["Ingress"], ingress=[{"from": [source]}])], "here")
        settled(kube, server, **wanted)
    kube.kubectl("--namespace=here", "delete", "networkpolicy", "--all")
    settled(kube, server, here_near=True, here_far=True, there_far=True)


def test_egress_is_denied_but_for_names(kube: Kube, addresses: dict[str, str]) -> None:
    kube.kubectl("--namespace=here", "expose", "pod", "server", "--port=8080")
    kube.kubectl("--namespace=there", "expose", "pod", "far", "--name=other", "--port=8080")
    names = [{"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}]
    to = [{"to": [{"podSelector": {"matchLabels": {"name": "server"}}}]}]
    kube.apply([policy("out", "far", policyTypes=["Egress"], egress=names + to)], "here")
    eventually(lambda: not reaches(kube, "here/far", addresses["there/far"]), 60, "egress is denied")
    assert reaches(kube, "here/far", "server.here.svc.cluster.local")
    assert not reaches(kube, "here/far", "other.there.svc.cluster.local")
    assert reaches(kube, "here/near", "other.there.svc.cluster.local")
    kube.kubectl("--namespace=here", "delete", "networkpolicy", "--all")


def test_a_second_run_has_nothing_to_do(kube: Kube) -> None:
    again = play(kube, "again", "--diff", book="cluster").succeeded()
    print(f"\nsecond run {again.seconds:.0f} s")
    assert not again.changed(), again.output
    assert "NetworkPolicy is enforced" in again.output


def test_switched_off_nothing_stays(kube: Kube, addresses: dict[str, str]) -> None:
    kube.apply([policy("deny", "server", policyTypes=["Ingress"])], "here")
    settled(kube, addresses["here/server"], here_near=False, here_far=False, there_far=False)
    planned = play(kube, "off-planned", "--check", "--diff", **OFF).succeeded()
    assert sum("Delete the packet filter rules" in one for one in planned.changed()) == 2
    assert tables() == {"cp1": True, "w1": True}
    # A host is missed: the next run for all of them finishes it.
    part = play(kube, "off-part", "--limit", "localhost,cp1", **OFF).succeeded()
    assert "w1" in part.output and tables() == {"cp1": False, "w1": True}
    off = play(kube, "off", **OFF).succeeded()
    assert sum("Delete the packet filter rules" in one for one in off.changed()) == 1
    assert tables() == {"cp1": False, "w1": False}
    assert kube.get("daemonset", "kube-network-policies", "kube-system") is None
    # The policy is still there; nothing enforces it, and nothing drops packets any more.
    settled(kube, addresses["here/server"], here_near=True, here_far=True, there_far=True)
    assert not play(kube, "off-again", "--diff", **OFF).succeeded().changed()


def test_a_reset_removes_the_rules_as_well(kube: Kube) -> None:
    play(kube, "on-again", addons_verify="never").succeeded()
    eventually(lambda: all(tables().values()), 60, "every node has the rules")
    reset(kube.inventory, Path(output_of(LAB) / "reset"))
    assert tables() == {"cp1": False, "w1": False}
