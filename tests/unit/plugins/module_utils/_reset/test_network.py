# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces, routes and packet rules are a cluster's, and which are somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.netlink import Chain, Table
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._reset import network_steps
from ansible_collections.slipway.kube.plugins.module_utils._reset.mounts import (
    choose_mounts,
    is_pod_namespace,
    parse_fstab,
    parse_mounts,
)
from ansible_collections.slipway.kube.plugins.module_utils._reset.network import (
    choose_ipsets,
    choose_links,
    choose_routes,
    choose_routing_rules,
    choose_rules,
    choose_tables,
    parse_ipvs,
    tunnel_in_use,
)
from ansible_collections.slipway.kube.plugins.module_utils._reset.network_steps import plan_network


def link(name: str, kind: str = "", master: str = "") -> dict:
    found: dict = {"ifname": name}
    if kind:
        found["linkinfo"] = {"info_kind": kind}
    if master:
        found["master"] = master
    return found


def test_interfaces_of_flannel_and_the_bridge_go_pods_first() -> None:
    links = [
        link("lo"),
        link("eth0"),
        link("flannel.1", "vxlan"),
        link("cni0", "bridge"),
        link("veth12345678", "veth", "cni0"),
    ]
    assert choose_links(links, ["lo", "eth0"]) == ["veth12345678", "cni0", "flannel.1"]


def test_interfaces_of_calico_go() -> None:
    links = [link("vxlan.calico", "vxlan"), link("cali0123456789a", "veth"), link("wireguard.cali", "wireguard")]
    assert choose_links(links, []) == ["cali0123456789a", "vxlan.calico", "wireguard.cali"]


@pytest.mark.parametrize(
    "foreign",
    [
        link("docker0", "bridge"),
        link("veth1234567", "veth", "docker0"),
        link("vethabcdef12", "veth", "br-lan"),
        link("califragilistic", "dummy"),
        link("mycni0", "bridge"),
        link("flannel", "vxlan"),
        link("tunl0", "ipip"),
    ],
)
def test_other_interfaces_stay(foreign: dict) -> None:
    assert choose_links([foreign], []) == []


def test_what_was_there_before_stays_whatever_its_name() -> None:
    assert choose_links([link("cni0", "bridge"), link("kube-ipvs0", "dummy")], ["cni0"]) == ["kube-ipvs0"]


def test_a_pods_pair_whose_bridge_is_gone_already_goes() -> None:
    assert choose_links([link("veth0a1b2c3d", "veth")], []) == ["veth0a1b2c3d"]


def test_the_kernels_own_tunnel_is_emptied_only_if_calico_used_it() -> None:
    used = {"ifname": "tunl0", "flags": ["NOARP", "UP"], "addr_info": [{"local": "192.168.7.0"}]}
    assert tunnel_in_use([used], ["lo"])
    assert not tunnel_in_use([used], ["lo", "tunl0"])
    assert not tunnel_in_use([{"ifname": "tunl0", "flags": ["NOARP"], "addr_info": []}], ["lo"])
    assert not tunnel_in_use([], [])


def test_only_routes_into_the_pod_network_go() -> None:
    routes = [
        {"dst": "default", "gateway": "10.0.0.1", "dev": "eth0", "flags": []},
        {"dst": "10.0.0.0/24", "dev": "eth0", "protocol": "kernel"},
        {"dst": "10.244.3.0/24", "gateway": "10.0.0.13", "dev": "eth0"},
        {"dst": "10.244.1.0/24", "dev": "cni0", "protocol": "kernel"},
        {"dst": "10.244.2.0/24", "gateway": "10.244.2.0", "dev": "flannel.1"},
        {"type": "blackhole", "dst": "10.244.9.0/26", "protocol": "bird"},
        {"dst": "10.0.0.0/8", "gateway": "10.0.0.1", "dev": "eth0"},
        {"dst": "172.30.0.0/24", "gateway": "10.0.0.1", "dev": "eth0"},
        {"dst": "fd00:10:244:1::/64", "gateway": "fd00::13", "dev": "eth0"},
    ]
    assert choose_routes(routes, ["10.244.0.0/16", "fd00:10:244::/56"], ["flannel.1", "cni0"]) == [
        ["10.244.3.0/24", "via", "10.0.0.13", "dev", "eth0"],
        ["blackhole", "10.244.9.0/26"],
        ["fd00:10:244:1::/64", "via", "fd00::13", "dev", "eth0"],
    ]


def table(family: str, name: str, *chains: Chain, use: int | None = None) -> Table:
    return Table(family, name, len(chains) if use is None else use, chains)


IDLE = Chain("FORWARD", base=True, accepts=True, use=0)


def test_tables_of_the_cluster_go_and_foreign_ones_stay() -> None:
    ours = [
        table("ip", "kube-proxy", IDLE),
        table("ip6", "kube-proxy"),
        table("inet", "kube-network-policies"),
        table("ip", "flannel-ipv4"),
        table("inet", "cni_hostport"),
        table("ip6", "calico"),
        table("arp", "calico-arp"),
    ]
    foreign = [table("inet", "filter"), table("inet", "firewalld", IDLE), table("ip", "my-kube-proxy")]
    assert choose_tables(ours + foreign, []) == ours


@pytest.mark.parametrize(
    ("found", "before", "goes"),
    [
        (table("ip", "nat", IDLE), [], True),
        (table("ip", "nat", IDLE), ["ip nat"], False),
        (table("ip", "nat", Chain("INPUT", True, True, 2)), [], False),
        (table("ip", "nat", Chain("INPUT", True, False, 0)), [], False),
        (table("ip", "nat", IDLE, Chain("MINE", False, True, 0)), [], False),
        (table("ip", "nat", IDLE, use=2), [], False),  # a set is in it
        (table("inet", "nat", IDLE), [], False),
    ],
)
def test_an_empty_table_of_iptables_goes_if_it_was_not_there(found: Table, before: list[str], goes: bool) -> None:
    assert bool(choose_tables([found], before)) is goes


def test_a_table_that_the_removal_of_rules_empties_goes_too() -> None:
    full = table("ip", "nat", Chain("PREROUTING", True, True, 1), Chain("KUBE-SERVICES", False, True, 1))
    assert choose_tables([full], [], ["ip nat"]) == [full]
    assert choose_tables([full], ["ip nat"], ["ip nat"]) == []


SAVED = """\
# Generated by iptables-save v1.8.9 (nf_tables) on Fri Nov 21 08:00:00 2026
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:FLANNEL-FWD - [0:0]
:KUBE-FIREWALL - [0:0]
:cali-FORWARD - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -j DOCKER-USER
-A FORWARD -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment "NodeLocal DNS Cache: allow DNS traffic" -j ACCEPT
-A DOCKER-USER -m comment --comment "not for KUBE- or cali: chains" -j RETURN
-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-0123456789abcdef01234567 - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -s 10.244.0.5/32 -m comment --comment "name: \\"cbr0\\" id: \\"x\\"" -j CNI-0123456789abcdef01234567
COMMIT
*mangle
:OUTPUT ACCEPT [0:0]
-A OUTPUT -j ACCEPT
COMMIT
"""


def test_only_chains_of_the_cluster_and_the_jumps_into_them_go() -> None:
    filtering, nat = choose_rules(SAVED)
    assert (filtering.table, filtering.chains) == ("filter", ["FLANNEL-FWD", "KUBE-FIREWALL", "cali-FORWARD"])
    assert filtering.rules == [
        "-A INPUT -j KUBE-FIREWALL",
        '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD',
        '-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT',
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
        '-A FORWARD -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment "NodeLocal DNS Cache: allow DNS traffic" -j ACCEPT',
    ]
    assert (nat.table, nat.chains) == ("nat", ["CNI-0123456789abcdef01234567", "KUBE-SERVICES"])
    assert len(nat.rules) == 2
    assert (filtering.emptied, nat.emptied) == (False, True)


def test_the_script_deletes_jumps_then_contents_then_chains() -> None:
    lines = choose_rules(SAVED)[1].script.splitlines()
    assert lines[0] == "*nat" and lines[-1] == "COMMIT"
    assert [line[:2] for line in lines[1:-1]] == ["-D", "-D", "-F", "-F", "-X", "-X"]
    assert lines[1].startswith("-D PREROUTING -m comment")


PODMAN = """\
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-aaaaaaaaaaaaaaaaaaaaaaaa - [0:0]
:CNI-bbbbbbbbbbbbbbbbbbbbbbbb - [0:0]
:CNI-DN-cccccccccccccccccccccc - [0:0]
:CNI-DN-dddddddddddddddddddddd - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"podman\\" id: \\"p\\"" -j CNI-aaaaaaaaaaaaaaaaaaaaaaaa
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"cbr0\\" id: \\"c\\"" -j CNI-bbbbbbbbbbbbbbbbbbbbbbbb
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podman\\" id: \\"p\\"" -j CNI-DN-cccccccccccccccccccccc
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"cbr0\\" id: \\"c\\"" -j CNI-DN-dddddddddddddddddddddd
-A CNI-DN-cccccccccccccccccccccc -j CNI-HOSTPORT-SETMARK
COMMIT
*filter
:FORWARD ACCEPT [0:0]
:CNI-FORWARD - [0:0]
:CNI-ADMIN - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -d 10.88.0.2/32 -j ACCEPT
COMMIT
"""


def test_chains_of_podmans_networks_stay() -> None:
    (nat,) = choose_rules(PODMAN, ["podman"])
    assert nat.chains == ["CNI-bbbbbbbbbbbbbbbbbbbbbbbb", "CNI-DN-dddddddddddddddddddddd"]
    assert [rule.rsplit(" ", 1)[1] for rule in nat.rules] == nat.chains
    assert not nat.emptied


def test_podmans_networks_are_those_in_its_files(tmp_path, monkeypatch) -> None:
    for name in ("usr/sbin/iptables-nft-save", "etc/cni/net.d/87-podman-bridge.conflist"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / name).write_text('{"name": "podman", "plugins": [{"type": "bridge", "bridge": "cni-podman0"}]}')
    monkeypatch.setattr(network_steps, "list_tables", list)
    monkeypatch.setattr(network_steps, "list_ipsets", list)
    system = System(str(tmp_path), lambda command, env: Result(0, PODMAN if command == ["iptables-nft-save"] else ""))
    (step,) = plan_network(system, Record(str(tmp_path), {}), [], [])
    assert "CNI-bbb" in step.before
    assert "CNI-aaa" not in step.before


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_rules_that_have_gone_since_the_plan_are_not_removed_again(tmp_path, monkeypatch, failures) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/iptables-nft-save").touch(mode=0o755)
    monkeypatch.setattr(network_steps, "list_tables", list)
    monkeypatch.setattr(network_steps, "list_ipsets", list)
    rules = "*nat\n:OUTPUT ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:CNI-DN-1 - [0:0]\n-A OUTPUT -j CNI-DN-1\nCOMMIT\n"
    scripts = []

    def run(command, env):
        if command[0] == "iptables-nft-save":
            return Result(0, rules)
        if command[0] == "iptables-nft-restore":
            scripts.append(Path(command[-1]).read_text())
            return Result(int(len(scripts) <= failures), "", "line 5 failed: No chain/target/match by that name.")
        return Result(0, "")

    (step,) = plan_network(System(str(tmp_path), run), Record(str(tmp_path), {}), [], [])
    rules = rules.replace(":CNI-DN-1 - [0:0]\n-A OUTPUT -j CNI-DN-1\n", "")  # a pod has ended
    if failures == 3:
        with pytest.raises(HostError, match=r"in 3 attempts\. Evidence: line 5"):
            step.apply()
    else:
        step.apply()
    assert set(scripts) == {"*nat\n-F KUBE-MARK-MASQ\n-X KUBE-MARK-MASQ\nCOMMIT\n"}


def test_chains_that_podman_does_not_use_go() -> None:
    unused = PODMAN.replace("podman", "cbr0")
    assert choose_rules(unused, ["podman"]) == choose_rules(unused)
    assert len(choose_rules(unused)) == 2


def test_without_rules_of_the_cluster_nothing_is_touched() -> None:
    assert choose_rules("*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j DOCKER_OUTPUT\nCOMMIT\n") == []
    assert choose_rules("") == []


def test_what_cilium_made_goes() -> None:
    links = [
        link("lxc0123456789ab", "veth"),
        link("lxc_health", "veth"),
        link("lxcbr0", "bridge"),
        link("lxc-web", "veth"),
    ]
    links += [link("cilium_net", "veth"), link("cilium_host", "veth"), link("cilium_vxlan", "vxlan")]
    assert choose_links(links, []) == ["cilium_host", "cilium_net", "lxc0123456789ab", "lxc_health", "cilium_vxlan"]
    rules = "*filter\n:INPUT ACCEPT [0:0]\n:CILIUM_INPUT - [0:0]\n"
    rules += '-A INPUT -m comment --comment "cilium-feeder: CILIUM_INPUT" -j CILIUM_INPUT\nCOMMIT\n'
    (filtering,) = choose_rules(rules)
    assert filtering.chains == ["CILIUM_INPUT"] and filtering.emptied
    assert choose_ipsets(["cilium_node_set_v4", "cilium"], []) == ["cilium_node_set_v4"]


def test_the_routing_rules_are_again_those_before_cilium() -> None:
    main = {"priority": 32766, "src": "all", "table": "main"}
    mine = {"priority": 9, "src": "all", "fwmark": "0x1", "table": "200"}
    proxy = [{"priority": 9, "src": "all", "fwmark": "0x200", "fwmask": "0xf00", "table": "2004"}]
    proxy += [{"priority": 10, "src": "all", "fwmark": "0xa00", "fwmask": "0xf00", "table": "2005"}]
    assert choose_routing_rules([*proxy, {"priority": 100, "src": "all", "table": "local"}, mine, main]) == [
        ["delete", "priority", "9", "table", "2004"],
        ["delete", "priority", "10", "table", "2005"],
        ["add", "priority", "0", "table", "local"],
        ["delete", "priority", "100", "table", "local"],
    ]
    assert choose_routing_rules([{"priority": 0, "src": "all", "table": "local"}, mine, main]) == []


def test_sets_of_sets_go_before_their_members() -> None:
    names = ["KUBE-CLUSTER-IP", "cali40all-hosts-net", "mine", "KUBE-LIST", "cali60s:x"]
    assert choose_ipsets(names, ["cali60s:x"]) == ["KUBE-LIST", "KUBE-CLUSTER-IP", "cali40all-hosts-net"]


def test_ipvs_services_are_read_from_the_kernels_table() -> None:
    text = (
        "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port\n"
    )
    text += (
        "TCP  0A60000A:0035 rr\n  -> 0AF40002:0035      Masq    1      0          0\nUDP  [fd00:0000::000a]:0035 rr\n"
    )
    assert parse_ipvs(text) == [("-t", "10.96.0.10:53"), ("-u", "[fd00:0000::000a]:53")]


def test_mounts_below_the_clusters_folders_go_inner_ones_first() -> None:
    mountinfo = (
        "22 1 8:1 / / rw - ext4 /dev/vda1 rw\n"
        "30 22 0:40 / /var/lib/kubelet/pods/a/volumes/x\\040y rw shared:1 - tmpfs tmpfs rw\n"
        "31 30 0:41 / /var/lib/kubelet/pods/a/volumes/x\\040y/in rw - tmpfs tmpfs rw\n"
        "32 22 0:42 / /var/lib/kubelet rw - ext4 /dev/vdb rw\n"
        "33 22 0:4 net:[4026] /run/netns/cni-1-2 rw - nsfs nsfs rw\n"
        "34 22 0:4 net:[4027] /run/netns/mine rw - nsfs nsfs rw\n"
        "35 22 8:17 / /var/lib/kubelet/own rw - ext4 /dev/vdc rw\n"
        "36 22 8:17 / /var/lib/kubeletish/x rw - ext4 /dev/vdc rw\n"
    )
    fstab = "# a comment\n/dev/vdc /var/lib/kubelet/own ext4 defaults 0 2\nUUID=1 none swap sw 0 0\n"
    assert choose_mounts(parse_mounts(mountinfo), ["/var/lib/kubelet"], parse_fstab(fstab)) == [
        "/var/lib/kubelet/pods/a/volumes/x y/in",
        "/var/lib/kubelet/pods/a/volumes/x y",
        "/run/netns/cni-1-2",
    ]


def test_only_containerds_namespaces_are_pods() -> None:
    assert is_pod_namespace("/run/netns/cni-5f0c") and is_pod_namespace("/var/run/netns/cni-5f0c")
    assert not is_pod_namespace("/run/netns/vpn") and not is_pod_namespace("/run/netns/cni-a/b")
