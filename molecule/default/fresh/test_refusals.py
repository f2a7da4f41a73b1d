# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid configurations fail in preflight with evidence and remedy, and no host is changed."""

from __future__ import annotations

import http.server
import ipaddress
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.playbook import addresses, inventory_of, output_of, run
from harness.snapshot import compare, load, take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
ADDRESSES = addresses(INVENTORY)
MACHINE = str(next(iter(ipaddress.ip_network(ADDRESSES["cp1"] + "/24", strict=False).hosts())))
UNUSED_ADDRESS = MACHINE.rsplit(".", 1)[0] + ".250"
REPOSITORY = {"deb_url": f"http://{MACHINE}:9/deb/", "suite": "/", "key_url": f"http://{MACHINE}:9/deb/Release.key"}
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://192.0.2.1:6443"}}]
"""


class WrongKind(http.server.BaseHTTPRequestHandler):
    """A registry that serves every manifest with a wrong media type."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"{}")

    do_HEAD = do_GET

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The URL of a registry on this machine that is only reachable from the lab network."""
    server = http.server.ThreadingHTTPServer((MACHINE, 0), WrongKind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{MACHINE}:{server.server_port}"
    server.shutdown()
    server.server_close()


def refusal(name: str, *arguments: str, overlay: str = "") -> str:
    """Return the output of a run with an invalid configuration, which must fail before a host is changed."""
    folder = FOLDER / "refused" / name
    folder.mkdir(parents=True, exist_ok=True)
    if overlay:
        (folder / "overlay.yml").write_text(overlay)
        arguments += ("-i", str(folder / "overlay.yml"))
    done = run("slipway.kube.cluster", INVENTORY, folder, *arguments)
    assert done.process.returncode != 0, f"the run {name} did not fail"
    assert not done.changed(), done.changed()
    return done.output


def host(group: str, name: str, address: str) -> str:
    return f"all: {{children: {{{group}: {{hosts: {{{name}: {{ansible_host: {address}}}}}}}}}}}\n"


def test_two_hosts_with_one_address() -> None:
    assert "w1, w2" in refusal("one_address", overlay=host("kube_worker", "w2", ADDRESSES["w1"]))


@pytest.mark.parametrize(
    ("name", "variables", "quoted"),
    [
        ("pod_network", {"kube_pod_subnet": f"{MACHINE}/16"}, "kube_pod_subnet"),
        ("unsupported_version", {"kube_version": "1.29.0"}, "1.29.0"),
        ("version_not_in_the_sources", {"kube_version": "1.37.99"}, "1.37.99"),
        ("misspelt_variable", {"kube_pod_subnett": "10.244.0.0/16"}, "kube_pod_subnet"),
        ("repository_down", {"kube_kubernetes_repository": REPOSITORY}, f"http://{MACHINE}:9"),
        ("full_disk", {"kubernetes_eviction_hard": {"nodefs.available": "99%"}}, "nodefs"),
    ],
)
def test_a_wrong_value(name: str, variables: dict[str, object], quoted: str) -> None:
    output = refusal(name, "-e", json.dumps(variables))
    assert quoted in output and "Preflight checks failed and no host was changed" in output


def test_a_second_control_plane_without_an_endpoint() -> None:
    output = refusal(
        "endpoint",
        "-e",
        "kube_control_plane_endpoint=",
        overlay=host("kube_control_plane", "cp2", UNUSED_ADDRESS),
    )
    assert "kube_control_plane_endpoint" in output


def test_an_unreachable_host_is_reported_with_the_problems_of_the_others() -> None:
    variables = json.dumps({"kubernetes_eviction_hard": {"nodefs.available": "99%"}})
    output = refusal("unreachable", "-e", variables, overlay=host("kube_worker", "w2", UNUSED_ADDRESS))
    assert UNUSED_ADDRESS in output and "nodefs" in output


def test_a_registry_that_serves_another_media_type(registry: str) -> None:
    mirrors = {"registry.k8s.io": [{"url": registry, "override_path": True, "capabilities": ["pull", "resolve"]}]}
    assert "text/plain" in refusal("media_type", "-e", json.dumps({"kube_registry_mirrors": mirrors}))


def test_a_kubeconfig_of_another_cluster(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    assert "another cluster" in refusal("kubeconfig", "-e", f"control_plane_kubeconfig_local={path}")
    assert path.read_text() == KUBECONFIG


def test_no_host_was_changed() -> None:
    take(INVENTORY, "whole", FOLDER / "refused" / "after")
    found = compare(load(FOLDER / "fresh", "whole"), load(FOLDER / "refused" / "after", "whole"))
    assert not found, "\n".join(found)
