# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a lab, and what prevents it."""

from __future__ import annotations

import ipaddress

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import layout, networks

SUBNET = "10.123.0.0/24"
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
br-1\t00007B0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def want(**changed):
    return dict(
        {
            "name": "lab",
            "kind": "container",
            "vm_cpus": 2,
            "vm_memory": 2048,
            "vm_disk": 20,
            "vm_image": "",
            "vm_kernel": "",
            "machine": "2 CPUs",
            "control_planes": 1,
            "workers": 2,
            "mirror": True,
            "subnet": SUBNET,
            "ip_families": ["ipv4"],
            "second_network": False,
            "proxy": False,
            "bundle": "/b",
            "disk_needed_mb": 11000,
            "distribution": "debian13",
            "host_distributions": {},
        },
        **changed,
    )


def have(**changed):
    good = {
        "running": True,
        "remote": False,
        "installable": True,
        "missing_programs": {},
        "socket": "/var/run/docker.sock",
        "capabilities_missing": [],
        "routes": [],
        "own_routes": [],
        "network_subnets": [],
        "ipv6": True,
        "sources": "origin",
        "disk_free_mb": 50000,
        "disk_path": "/var/lib/docker",
        "bundle_found": True,
        "sources_problem": "",
        "kinds": [],
        "architecture": "x86_64",
        "tun": True,
        "root": True,
        "disk_built": False,
        "memory_mb": 16000,
        "kernel_missing": [],
        "image_problem": "",
        "machines": [],
    }
    return dict(good, **changed)


def test_a_host_keeps_its_address_whatever_is_added():
    few = {host["name"]: host["address"] for host in layout.hosts(1, 2, True, SUBNET)}
    many = {host["name"]: host["address"] for host in layout.hosts(3, 30, True, SUBNET)}
    assert few == {
        "services": "10.123.0.2",
        "mirror": "10.123.0.3",
        "cp1": "10.123.0.11",
        "w1": "10.123.0.21",
        "w2": "10.123.0.22",
    }
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many) == 35


def test_no_host_has_the_gateways_or_the_broadcast_address():
    network = ipaddress.ip_network("10.9.0.0/26")
    addresses = [host["address"] for host in layout.hosts(9, 42, True, str(network))]
    assert networks.gateway(str(network)) not in addresses
    assert str(network.broadcast_address) not in addresses


@pytest.mark.parametrize(
    ("control_planes", "workers", "subnet", "said"),
    [
        (10, 0, SUBNET, "at most 9"),
        (1, 43, "10.9.0.0/26", "no room"),
        (1, 1, "10.9.0.1/24", "host bits"),
        (1, 1, "lab", "does not appear"),
        (1, 1, "fd00::/64", "not an IPv4 network"),
    ],
)
def test_a_subnet_that_cannot_serve_is_refused(control_planes, workers, subnet, said):
    with pytest.raises(ValueError, match=said):
        layout.hosts(control_planes, workers, True, subnet)


def test_full_capabilities_mean_privileged():
    assert layout.container_flags([], "20.10.24")["privileged"] is True


def test_missing_capabilities_are_dropped_and_the_rest_given_one_by_one():
    flags = layout.container_flags(["SYS_TIME", "SYS_RESOURCE"], "20.10.24+dfsg1")
    assert flags["privileged"] is False
    assert flags["capabilities"] == ["ALL"]
    assert flags["cap_drop"] == ["SYS_RESOURCE", "SYS_TIME"]
    assert flags["device_cgroup_rules"] == ["a *:* rwm"]
    assert set(flags) == set(layout.container_flags([], "")), (
        "both ways set the same options, so that one run's containers compare with another's"
    )


def test_routes_are_read_in_the_kernels_own_notation():
    assert [route["destination"] for route in layout.parse_routes(ROUTES)] == [
        "0.0.0.0/0",
        "172.17.0.0/16",
        "10.123.0.0/24",
    ]


def test_the_default_route_overlaps_nothing_and_the_labs_own_is_its_own():
    routes = layout.parse_routes(ROUTES)
    assert layout.overlaps("10.124.0.0/24", routes, []) == []
    assert layout.overlaps(SUBNET, routes, [SUBNET]) == []
    assert layout.overlaps(SUBNET, routes, []) == ["10.123.0.0/24 overlaps the route to 10.123.0.0/24 by br-1"]
    assert len(layout.overlaps("172.17.4.0/24", routes, [])) == 1


def test_a_free_subnet_is_proposed():
    assert layout.free_subnet(layout.parse_routes(ROUTES)) == "10.123.1.0/24"
    assert layout.free_subnet([{"destination": "10.0.0.0/8", "interface": "tun0"}]) == ""


def test_loopback_name_servers_are_of_no_use_to_hosts():
    text = (
        "# made by hand\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\nnameserver\nsearch example.com\n"
    )
    assert layout.name_servers(text, ["ipv4"]) == ["192.0.2.53"]


def test_hosts_get_the_name_servers_of_their_address_families():
    text = "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"
    assert layout.name_servers(text, ["ipv6"]) == ["2001:db8::53"]
    assert layout.name_servers(text, ["ipv4", "ipv6"]) == ["192.0.2.53", "2001:db8::53"]


def test_nothing_speaks_against_a_good_machine():
    assert layout.problems(want(), have()) == []


@pytest.mark.parametrize(
    ("wanted", "machine", "said"),
    [
        ({"name": "Lab_1"}, {}, "lab_name 'Lab_1'"),
        ({"control_planes": 0}, {}, "at least one control plane"),
        ({"workers": -1}, {}, "cannot be negative"),
        ({"control_planes": 10}, {}, "at most 9"),
        (
            {},
            {"routes": [{"destination": "10.0.0.0/8", "interface": "tun0"}]},
            "overlaps the route to 10.0.0.0/8 by tun0",
        ),
        ({}, {"network_subnets": ["10.99.0.0/24"]}, "already uses 10.99.0.0/24"),
        ({}, {"remote": True}, "DOCKER_HOST"),
        ({}, {"running": False, "installable": False}, "apt-get install docker.io"),
        ({}, {"installable": False, "missing_programs": {"mmdebstrap": "mmdebstrap"}}, "apt-get install mmdebstrap"),
        ({}, {"capabilities_missing": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        ({}, {"disk_free_mb": 900}, "900 MiB free and the lab needs about 11000 (hosts: 5)"),
        ({}, {"sources_problem": "no source of software"}, "no source of software"),
        (
            {"host_distributions": {"w3": "debian12"}},
            {},
            "names w3, which is no host of the lab: it has services, mirror, cp1, w1, w2",
        ),
        (
            {"host_distributions": {"w1": "el7"}},
            {},
            "unknown distribution el7 for w1. Use one of debian12, debian13, el9",
        ),
        (
            {"host_distributions": {"mirror": "el9"}},
            {},
            "el9 for mirror, which serves the other hosts and needs Debian",
        ),
    ],
)
def test_what_cannot_work_is_named_with_its_remedy(wanted, machine, said):
    found = layout.problems(want(**wanted), have(**machine))
    assert len(found) == 1
    assert said in found[0]


def test_all_problems_come_out_together():
    found = layout.problems(
        want(name="X!"), have(running=False, installable=False, disk_free_mb=1, sources_problem="no source")
    )
    assert len(found) == 4


def test_an_engine_that_can_be_installed_is_no_problem():
    assert layout.problems(want(), have(running=False, missing_programs={"dockerd": "docker.io"})) == []


def test_the_network_of_an_engine_that_does_not_run_may_be_the_labs_own():
    routes = layout.parse_routes(ROUTES)
    assert layout.problems(want(), have(routes=routes, running=False)) == []
    assert len(layout.problems(want(), have(routes=routes))) == 1


def test_a_lab_without_a_mirror_needs_no_bundle():
    assert layout.problems(want(mirror=False), have(bundle_found=False)) == []


@pytest.mark.parametrize(
    ("version", "dropped"), [("20.10.24+dfsg1", ["SYS_TIME"]), ("28.2.2", ["BPF", "SYS_TIME"]), ("", ["SYS_TIME"])]
)
def test_an_old_engine_is_not_told_of_capabilities_that_it_does_not_know(version, dropped):
    assert layout.container_flags(["SYS_TIME", "BPF"], version)["cap_drop"] == dropped


@pytest.mark.parametrize(
    ("wanted", "machine", "said"),
    [
        ({}, {"kinds": ["container"]}, "has hosts of kind container, but lab_kind is vm: remove the lab first"),
        ({}, {"architecture": "aarch64"}, "this machine is aarch64"),
        ({}, {"tun": False}, "modprobe tun"),
        ({}, {"root": False}, "run this as root once"),
        ({"vm_cpus": 0}, {}, "lab_vm_cpus is 0"),
        ({"vm_memory": 100}, {}, "lab_vm_memory is 100: a machine has at least 512"),
        ({"vm_disk": 1}, {}, "lab_vm_disk is 1"),
        ({}, {"memory_mb": 5000}, "need 6144 MiB of memory (3 times 2048) and this machine has 5000"),
        (
            {},
            {"machines": ["2 CPUs", "4 CPUs"]},
            "has machines with 4 CPUs, but 2 CPUs was requested. Changing them would destroy their data",
        ),
        ({"vm_image": "/a:b.qcow2"}, {}, "has a colon in its path"),
        ({"distribution": "el9"}, {}, "lab_distribution is el9, but virtual machines are made with debian12, debian13"),
        ({"host_distributions": {"w1": "debian12"}}, {}, "all machines have lab_distribution"),
        ({"vm_image": "/x.vmdk"}, {"image_problem": "it is neither"}, "lab_vm_image /x.vmdk is not a valid disk image"),
        (
            {"vm_kernel": "/uml"},
            {"kernel_missing": ["linux", "modules"]},
            "lab_vm_kernel /uml has no linux and no modules",
        ),
        ({"vm_kernel": "/uml", "vm_image": "/x.qcow2"}, {}, "lab_vm_kernel and lab_vm_image are both set"),
    ],
)
def test_what_speaks_against_machines_is_named_and_nothing_else(wanted, machine, said):
    (found,) = layout.problems(want(kind="vm", **wanted), have(**machine))
    assert said in found
    container = layout.problems(want(**wanted), have(**dict(machine, kinds=[])))
    assert container == [], "of no interest to containers"


def test_a_disk_that_is_there_takes_no_root():
    assert layout.problems(want(kind="vm"), have(root=False, disk_built=True)) == []


def test_a_lab_of_machines_does_not_become_one_of_containers():
    (found,) = layout.problems(want(), have(kinds=["vm"]))
    assert "lab_kind is container" in found


def test_only_nodes_are_machines():
    assert {host["name"]: host["kind"] for host in layout.hosts(1, 1, True, SUBNET, "vm")} == {
        "services": "container",
        "mirror": "container",
        "cp1": "vm",
        "w1": "vm",
    }


def test_hosts_have_the_distribution_of_the_lab_or_their_own():
    hosts = layout.hosts(1, 2, True, SUBNET)
    assert layout.distributions(hosts, "debian13", {"w2": "el9", "services": "debian12"}) == {
        "services": "debian12",
        "mirror": "debian13",
        "cp1": "debian13",
        "w1": "debian13",
        "w2": "el9",
    }


def test_hosts_that_serve_the_others_are_debian_whatever_the_lab_is():
    found = layout.distributions(layout.hosts(1, 1, True, SUBNET), "el9", {})
    assert found == {"services": "debian13", "mirror": "debian13", "cp1": "el9", "w1": "el9"}
