# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router (BIRD, on the host that serves the lab) learns by BGP where a Service of another network is, and forgets it with the Service."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.hosts import Host, any_host_of
from harness.kube import Kube, eventually, workload
from harness.origin import addons
from harness.playbook import Run, addresses, run

if not addons(["metallb"]):
    pytest.skip("the origin was not asked for MetalLB", allow_module_level=True)

NAMESPACE = "announced"
NETWORK = "198.51.100.0/28"  # no network of the lab: only a route leads there
PASSWORD = "a-password-of-the-sessions"
ROUTER, NODES = 64513, 64512
BIRD = """router id {router};
protocol device {{ }}
protocol kernel {{ merge paths on; ipv4 {{ export all; }}; }}
template bgp node {{ local as {asn}; password "{password}"; hold time 9; ipv4 {{ import all; export none; }}; }}
{sessions}
"""


@pytest.fixture(scope="module")
def router(kube: Kube) -> Iterator[tuple[Host, str]]:
    """The router and its address."""
    host = any_host_of(kube.inventory.parent.name, "services")
    known = addresses(kube.inventory)
    address = known["cp1"].rpartition(".")[0] + ".2"
    sessions = "\n".join(
        f"protocol bgp {name} from node {{ neighbor {known[name]} as {NODES}; }}" for name in ("cp1", "w1")
    )
    text = BIRD.format(router=address, asn=ROUTER, password=PASSWORD, sessions=sessions)
    written = base64.b64encode(text.encode()).decode()
    code, output = host.execute(
        "sh", "-c", f"echo {written} | base64 -d >/etc/bird/bird.conf && systemctl restart bird"
    )
    assert code == 0, output
    yield host, address
    host.execute("systemctl", "stop", "bird")
    kube.remove_namespaces([NAMESPACE])


def play(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    return run("slipway.kube.addons", kube.inventory, folder, "-e", json.dumps(variables), *arguments).succeeded()


def routes(router: Host) -> str:
    return router.execute("ip", "route", "show", "proto", "bird")[1]


def answer(router: Host, address: str) -> str:
    command = (
        f"from urllib.request import urlopen; print(urlopen('http://{address}/hostname', timeout=2).read().decode())"
    )
    code, output = router.execute("python3", "-c", command)
    return output.strip() if code == 0 else ""


def test_a_router_learns_the_way_to_a_service(kube: Kube, router: tuple[Host, str], folder: Path) -> None:
    host, address = router
    peers = [{"myASN": NODES, "peerASN": ROUTER, "peerAddress": address, "holdTime": "9s"}]
    settings = {"metallb": {"addresses": [NETWORK], "bgp_peers": peers, "bgp_password": PASSWORD}}
    wanted = {"kube_addons": ["metallb"], "kube_addons_settings": settings}
    done = play(kube, folder / "announced", "-vvv", "--diff", **wanted)
    assert PASSWORD not in done.output.replace(json.dumps(wanted), "")
    print(f"\nMetalLB with BGP deployed and verified in {done.seconds:.0f} s")
    again = play(kube, folder / "again", **wanted)
    assert not again.changed(), again.changed()
    kube.make_namespace(NAMESPACE)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    kube.apply([workload(kube.agnhost), service], NAMESPACE)
    began = time.monotonic()
    status = ("get", "service", "web", "--output=jsonpath={.status.loadBalancer.ingress[0].ip}")
    given = eventually(lambda: kube.kubectl(f"--namespace={NAMESPACE}", *status), 60, "an address")
    assert given.startswith("198.51.100.")
    eventually(lambda: answer(host, given).startswith("web-"), 60, f"an answer through the router:\n{routes(host)}")
    print(f"reached through the router after {time.monotonic() - began:.1f} s:\n{routes(host)}")
    assert given in routes(host)
    kube.kubectl(f"--namespace={NAMESPACE}", "delete", "service", "web")
    began = time.monotonic()
    eventually(lambda: given not in routes(host), 30, "the route is withdrawn")
    print(f"withdrawn after {time.monotonic() - began:.1f} s")


def test_without_routers_layer_2_announces_again(kube: Kube, router: tuple[Host, str], folder: Path) -> None:
    near = router[1].rpartition(".")[0]
    settings = {"metallb": {"addresses": [f"{near}.200-{near}.210"]}}
    play(kube, folder / "layer-2", kube_addons=["metallb"], kube_addons_settings=settings)
    assert kube.get("l2advertisements.metallb.io", namespace="metallb-system")
    assert not kube.get("bgppeers.metallb.io", namespace="metallb-system")
    assert not kube.get("secret", "bgp-password", namespace="metallb-system")
    play(kube, folder / "off", kube_addons_set="none")
    assert kube.get("namespace", "metallb-system") is None
