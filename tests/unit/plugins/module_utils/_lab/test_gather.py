# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab would be on a machine on which nothing is built yet."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import gather, sources


@pytest.fixture
def wanted(tmp_path, monkeypatch):
    """The options of a lab on a machine without an engine, an origin, a bundle and a network."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setattr(sources, "unreachable", lambda: "pkgs.k8s.io: no such name")
    machine = {"capabilities_missing": [], "installable": True, "missing_programs": {}}
    inspect = gather.inspect_engine
    monkeypatch.setattr(gather, "inspect_engine", lambda *arguments: {**inspect(*arguments), **machine})
    return {
        "name": "lab",
        "folder": str(tmp_path / "lab"),
        "kind": "container",
        "control_planes": 1,
        "workers": 1,
        "mirror": True,
        "subnet": "10.123.78.0/24",
        "ip_families": ["ipv4"],
        "second_network": False,
        "proxy": False,
        "distribution": "debian13",
        "host_distributions": {},
        "bundle": str(tmp_path / "bundle"),
        "sources": "auto",
        "origin": str(tmp_path / "origin"),
        "disk_needed": 1,
        "name_servers": [],
        "user": "ops",
        "mirror_port": 80,
        "cluster_variables": {},
        "waits": {},
        "mirror_variables": {},
        "vm_cpus": 2,
        "vm_memory": 2048,
        "vm_disk": 20,
        "vm_image": "",
        "vm_kernel": "",
    }


def test_what_must_be_built_first_is_a_problem_of_a_run(wanted):
    found = gather.gather(wanted, check=False)
    assert [("make origin" in text, "bundle.json" in text) for text in found["problems"]] == [
        (True, False),
        (False, True),
    ]
    assert found["unbuilt"] == found["problems"]


def test_check_mode_says_it_and_goes_on(wanted):
    found = gather.gather(wanted, check=True)
    assert found["problems"] == [] and len(found["unbuilt"]) == 2
    assert [host["name"] for host in found["hosts"]] == ["services", "mirror", "cp1", "w1"]
    assert found["sources"]["used"] == "origin"


def test_hosts_with_a_virtual_address_have_no_load_balancer(wanted):
    def cluster(**variables):
        inventory = gather.gather({**wanted, "cluster_variables": variables}, check=True)["inventory"]
        return inventory["all"]["children"]["kube_cluster"]["vars"]

    assert cluster()["kube_control_plane_endpoint"] == "10.123.78.2:6443"
    found = cluster(kube_control_plane_vip="10.123.78.100")
    assert found["kube_control_plane_vip"] == "10.123.78.100" and "kube_control_plane_endpoint" not in found


def test_a_lab_belongs_to_the_folder_that_it_was_created_from(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    mounts = [
        {"Source": "/var/lib/docker/volumes/x", "Destination": "/var"},
        {"Source": f"{theirs}/hosts/cp1", "Destination": "/lab"},
    ]
    assert gather.owner_of([{"Mounts": mounts}], str(theirs) + "/") == ""
    assert gather.owner_of([{"Mounts": mounts}], str(ours)) == str(theirs)
    # A checkout that was deleted does not keep its lab from being removed.
    theirs.rmdir()
    assert gather.owner_of([{"Mounts": mounts}], str(ours)) == ""
