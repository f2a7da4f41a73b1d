# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that approves renewed serving certificates, installed as the role installs it, against a kubectl that keeps the requests."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import serving_requests

from .test_serving_certificates import GOOD

ROOT = Path(__file__).resolve().parents[5]
KUBECTL = """#!{python}
import json, sys
words = [word for word in sys.argv[1:] if not word.startswith("--kubeconfig=")]
if words[:2] == ["certificate", "approve"]:
    open({approved!r}, "a").write(words[2] + "\\n")
elif "signerName%3Dkubernetes.io%2Fkubelet-serving" in words[2]:
    print(open({requests!r}).read())
elif words[2] == {inventory!r} and {known}:
    print(json.dumps({{"data": {{"nodes.json": json.dumps({{"w1": {node}}})}}}}))
else:
    sys.exit("Error from server (NotFound)")
"""


def request(**over):
    encoded = base64.b64encode(GOOD).decode()
    spec = {
        "signerName": serving_requests.SIGNER,
        "username": "system:node:w1",
        "groups": ["system:nodes", "system:authenticated"],
        "usages": ["digital signature", "server auth"],
        "request": encoded,
    }
    return {"metadata": {"name": "csr-1"}, "spec": {**spec, **over}, "status": {}}


@pytest.fixture
def approver(tmp_path):
    """Install the program as the role does, and return a function that runs it."""
    variables = yaml.safe_load((ROOT / "roles/kubernetes/vars/main.yml").read_text())
    for installed in variables["__kubernetes_approver_files"][:3]:
        name = installed["path"].partition("/slipway_kube/")[2]
        assert f"/plugins/module_utils/{name}'" in installed["content"]
        target = tmp_path / "lib/slipway_kube" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "plugins/module_utils" / name, target)

    def run(requests, addresses=("192.0.2.21", "2001:db8::21"), known=True):
        (tmp_path / "requests").write_text(json.dumps({"items": requests}))
        program = tmp_path / "bin/kubectl"
        program.parent.mkdir(exist_ok=True)
        node = {"name": "w1", "addresses": list(addresses), "host_names": []}
        values = {
            "python": sys.executable,
            "approved": str(tmp_path / "approved"),
            "requests": str(tmp_path / "requests"),
        }
        program.write_text(KUBECTL.format(inventory=serving_requests.INVENTORY, node=node, known=known, **values))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        environment = {"PYTHONPATH": str(tmp_path / "lib"), "PATH": f"{program.parent}:{os.environ['PATH']}"}
        command = [sys.executable, "-B", "-m", "slipway_kube._kubeadm.approver"]
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        approved = tmp_path / "approved"
        return done, approved.read_text().split() if approved.exists() else []

    return run


def test_a_request_for_the_names_of_its_node_is_approved(approver):
    done, approved = approver([request(), {**request(), "status": {"conditions": [{"type": "Approved"}]}}])
    assert (done.returncode, approved, done.stdout) == (0, ["csr-1"], "csr-1 of w1 is approved\n")


def test_other_requests_are_told_and_left(approver):
    for requests, options, why in (
        ([request()], {"addresses": ["192.0.2.21"]}, "the request contains 2001:db8::21"),
        ([request(username="system:node:w9")], {}, "csr-1 of w9 is not approved: node 'w9' is not in the inventory"),
        ([request(username="eve")], {}, "'eve' is not a node"),
    ):
        done, approved = approver(requests, **options)
        assert done.returncode == 0 and approved == [] and why in done.stdout


def test_nothing_to_do_asks_for_nothing_more(approver):
    done, approved = approver([], known=False)
    assert (done.returncode, done.stdout, done.stderr, approved) == (0, "", "", [])


def test_without_the_inventory_nothing_is_approved_and_the_unit_fails(approver):
    done, approved = approver([request()], known=False)
    assert done.returncode == 1 and "failed: Error from server (NotFound)" in done.stderr and approved == []
