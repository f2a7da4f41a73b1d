# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network of a host."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import network as look_network
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

IP_ADDRESS = """[
{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536,"address":"00:00:00:00:00:00",
 "addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]},
{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","UP"],"mtu":1450,"address":"52:54:00:12:34:56",
 "addr_info":[{"family":"inet","local":"10.0.0.5","prefixlen":24,"scope":"global"},
              {"family":"inet6","local":"fd00::5","prefixlen":64,"scope":"global"},
              {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},
{"ifindex":3,"ifname":"eth1","flags":["BROADCAST"],"mtu":1500,"address":"52:54:00:12:34:57","addr_info":[{}]}]"""

ROUTE = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth1	00000000	FE00000A	0003	0	0	200	00000000	0	0	0
eth0	00000000	0100000A	0003	0	0	100	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	100	00FFFFFF	0	0	0
"""
NOWHERE = "0" * 32
GATEWAY, NETWORK = "fd000000000000000000000000000001", "fd000000000000000000000000000000"
ROUTE6 = f"""{NOWHERE} 00 {NOWHERE} 00 {GATEWAY} 00000400 00000001 00000000 00000003     eth0
{NETWORK} 40 {NOWHERE} 00 {NOWHERE} 00000100 00000001 00000000 00000001     eth0
{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} ffffffff 00000001 00000000 00200200       lo
"""
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2823 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11111 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22222 1 0000000000000000 100 0 0 10 0
   2: 0500000A:192B 0600000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 33333 1 0000000000000000 20 4 30 10 -1
"""


def test_addresses():
    assert look_network.parse_ip_addresses(IP_ADDRESS) == [
        {
            "interface": "eth0",
            "address": "10.0.0.5",
            "prefix": 24,
            "family": "ipv4",
            "mac": "52:54:00:12:34:56",
            "mtu": 1450,
        },
        {
            "interface": "eth0",
            "address": "fd00::5",
            "prefix": 64,
            "family": "ipv6",
            "mac": "52:54:00:12:34:56",
            "mtu": 1450,
        },
    ]
    assert look_network.parse_ip_addresses("") == []
    assert look_network.parse_ip_addresses("Option -json is unknown") == []


@pytest.mark.parametrize(
    ("family", "addresses", "chosen"),
    [
        ("ipv4", ["10.0.0.11/24", "10.0.0.100/32"], "10.0.0.11"),
        ("ipv4", ["10.0.0.100/32", "10.0.0.11/24"], "10.0.0.11"),
        ("ipv6", ["fd00::100/128", "fd00::11/64"], "fd00::11"),
        ("ipv4", ["10.0.0.11/32"], "10.0.0.11"),
        ("ipv4", [], ""),
    ],
)
def test_a_virtual_address_is_not_that_of_the_host(family, addresses, chosen):
    # The kernel lists the latest IPv6 address first.
    parts = [text.split("/") for text in addresses]
    listed = [{"interface": "eth0", "address": one, "prefix": int(length), "family": family} for one, length in parts]
    assert look_network.choose_default(listed, "eth0", family) == chosen


def test_default_routes():
    assert look_network.parse_route_ipv4(ROUTE) == ("eth0", "10.0.0.1")
    assert look_network.parse_route_ipv4(ROUTE.splitlines()[0]) == ("", "")
    assert look_network.parse_route_ipv6(ROUTE6) == ("eth0", "fd00::1")
    assert look_network.parse_route_ipv6("") == ("", "")


@pytest.mark.parametrize(
    ("server", "loopback"),
    [
        ("127.0.0.53", True),
        ("127.0.0.11", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("x", False),
    ],
)
def test_loopback_servers(server, loopback):
    assert look_network.is_loopback(server) is loopback


STUB = "# made by systemd-resolved\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.com\n"
REAL = "nameserver 10.0.0.1\nnameserver 10.0.0.2\n"


@pytest.mark.parametrize(
    ("etc", "resolved", "manager", "loopback", "usable"),
    [
        (REAL, "", "", False, "/etc/resolv.conf"),
        (STUB, REAL, "", True, "/run/systemd/resolve/resolv.conf"),
        (STUB, STUB, REAL, True, "/run/NetworkManager/no-stub-resolv.conf"),
        ("nameserver 127.0.0.11\n", "", "", True, ""),
        ("nameserver 10.0.0.1\nnameserver 127.0.0.1\n", "", "", True, ""),
        ("", "", "", False, ""),
        ("#nameserver 127.0.0.1\n" + REAL, "", "", False, "/etc/resolv.conf"),
    ],
)
def test_resolver(etc, resolved, manager, loopback, usable):
    described = look_network.describe_resolver(dict(zip(look_network.RESOLVER_PATHS, (etc, resolved, manager))))
    assert (described["loopback"], described["usable_path"]) == (loopback, usable)


def test_listening_sockets():
    assert look_network.parse_listening(TCP) == {10275: "11111", 22: "22222"}


def test_the_process_that_listens_is_named():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        ports = look_network.gather_ports(Files(), [port])
        assert list(ports) == [str(port)]
        assert ports[str(port)].endswith(")")
        assert look_network.gather_ports(Files(), [port + 1 if port < 65535 else 1]) == {}


def test_network_without_the_program_ip(monkeypatch):
    """The kernel's own interfaces give the primary addresses where iproute2 is not installed."""
    expected = look_network.gather_network(Files())
    monkeypatch.setattr(look_network, "run", lambda command, timeout: "")
    network = look_network.gather_network(Files())
    assert network["default_interface"] == expected["default_interface"]
    for address in network["addresses"]:
        assert address in expected["addresses"]


@pytest.mark.parametrize(("disabled", "ipv6"), [(None, False), ("0\n", True), ("1\n", False)])
def test_whether_the_kernel_has_ipv6(tmp_path, disabled, ipv6):
    if disabled is not None:
        folder = tmp_path / "proc/sys/net/ipv6/conf/all"
        folder.mkdir(parents=True)
        (folder / "disable_ipv6").write_text(disabled)
    assert look_network.gather_network(Files(str(tmp_path)))["ipv6"] is ipv6


def test_sysctls_are_read() -> None:
    # The kernel refuses to read them with a buffer of 4 MiB or more (proc_sys_call_handler, fs/proc/proc_sysctl.c).
    assert Files().read("/proc/sys/kernel/ostype") == "Linux\n"


def test_no_more_is_read_than_wanted(tmp_path) -> None:
    (tmp_path / "long").write_text("x" * 200_000)
    assert len(Files(str(tmp_path)).read("/long", limit=150_000)) == 150_000
    assert len(Files(str(tmp_path)).read("/long")) == 200_000
