# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin nodes, read by ansible-inventory from a server with the objects of kubelets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.api_server import Server, serving

ROOT = Path(__file__).resolve().parents[4]
COMMAND = Path(sys.executable).parent / "ansible-inventory"
pytestmark = pytest.mark.skipif(
    not (ROOT / ".cache/collections/ansible_collections/slipway/kube/galaxy.yml").exists(), reason="needs make venv"
)
SOURCE = """
plugin: slipway.kube.nodes
kubeconfig: config
groups:
  not_ready: not k8s_node.ready
keyed_groups:
  - {prefix: zone, key: "k8s_node.labels['topology.kubernetes.io/zone'] | default('none')"}
compose:
  ansible_user: "'admin'"
"""


def node(name: str, address: str, ready: str = "True", **labels: str) -> dict[str, Any]:
    status = {
        "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}],
        "conditions": [{"type": "Ready", "status": ready}],
        "nodeInfo": {
            "kubeletVersion": "v1.37.2",
            "osImage": "Debian 13",
            "containerRuntimeVersion": "containerd://2.2.3",
        },
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        zone = {"topology.kubernetes.io/zone": "a"}
        for one in (
            node("cp1", "192.0.2.11", **{"node-role.kubernetes.io/control-plane": ""}),
            node("w1", "192.0.2.21", **zone),
            node("w2", "192.0.2.22", ready="Unknown"),
        ):
            running.put(f"/api/v1/nodes/{one['metadata']['name']}", one)
        yield running


def listed(folder: Path, port: int, name: str = "nodes.yml", beside: str = ".") -> subprocess.CompletedProcess[str]:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
    }
    (folder / beside / "config").write_text(json.dumps(config))
    (folder / name).write_text(SOURCE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "K8S"))}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    environment["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "true"
    command = [str(COMMAND), "-i", name, "--list"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def plain(value: Any) -> Any:
    """Return a value without the mark that ansible-core adds to what is no template."""
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value


def test_each_node_is_a_host(server: Server, tmp_path: Path) -> None:
    done = listed(tmp_path, server.server_port, "office.nodes.yml")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found["kube_cluster"]["children"]) == ["kube_control_plane", "kube_worker"]
    assert found["kube_control_plane"]["hosts"] == ["cp1"] and found["kube_worker"]["hosts"] == ["w1", "w2"]
    assert found["not_ready"]["hosts"] == ["w2"] and found["zone_a"]["hosts"] == ["w1"]
    variables = found["_meta"]["hostvars"]["w1"]
    assert (plain(variables["ansible_host"]), plain(variables["ansible_user"])) == ("192.0.2.21", "admin")
    assert plain(variables["k8s_node"]["version"]) == "1.37.2" and variables["k8s_node"]["ready"] is True
    assert server.writes == [] and {line.partition("?")[0] for line in server.asked} == {"GET /api/v1/nodes"}


def test_what_a_node_says_is_no_template(server: Server, tmp_path: Path) -> None:
    server.find("Node", "w1")["status"]["nodeInfo"]["osImage"] = "{{ lookup('pipe', 'echo run') }}"
    found = json.loads(listed(tmp_path, server.server_port).stdout)
    assert found["_meta"]["hostvars"]["w1"]["k8s_node"]["os"] == {
        "__ansible_unsafe": "{{ lookup('pipe', 'echo run') }}"
    }


def test_a_cluster_that_cannot_be_read_is_named(server: Server, tmp_path: Path) -> None:
    server.forbidden.add("/api/v1/nodes")
    done = listed(tmp_path, server.server_port)
    assert done.returncode != 0 and "Grant the permission" in done.stderr, done.stderr


def test_the_kubeconfig_is_relative_to_the_file_of_the_inventory(server: Server, tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    done = listed(tmp_path, server.server_port, "inventory/nodes.yml", "inventory")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kube_worker"]["hosts"] == ["w1", "w2"]
