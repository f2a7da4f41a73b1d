# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units, sysctls, modules, swap and firewall go back to what the record says."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import Result, System
from ansible_collections.slipway.kube.plugins.module_utils._reset import host
from ansible_collections.slipway.kube.plugins.module_utils._reset.host import CannotRestore, restore_verbs


def put(root, path: str, text: str = "") -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def record_of(before: dict | None = None, sysctls: dict | None = None) -> Record:
    return Record("/record", {"before": before or {}, "footprint": {"sysctls": sysctls or {}}})


@pytest.mark.parametrize(
    ("before", "active_before", "enabled", "active", "verbs"),
    [
        ("absent", "absent", "enabled", "active", ["disable", "stop"]),
        ("absent", "absent", "disabled", "inactive", []),
        ("absent", "absent", "enabled", "activating", ["disable", "stop"]),
        ("absent", "absent", "disabled", "failed", []),
        ("enabled", "active", "enabled", "active", []),
        ("enabled", "active", "disabled", "inactive", ["enable", "start"]),
        ("disabled", "inactive", "enabled", "active", ["disable", "stop"]),
        ("masked", "inactive", "enabled", "active", ["mask", "stop"]),
        ("disabled", "inactive", "masked", "inactive", ["unmask"]),
        ("static", "active", "static", "inactive", ["start"]),
        ("enabled-runtime", "active", "enabled-runtime", "active", []),
    ],
)
def test_units_go_back(before: str, active_before: str, enabled: str, active: str, verbs: list[str]) -> None:
    assert restore_verbs({"enabled": before, "active": active_before}, enabled, active) == verbs


def test_a_unit_that_is_gone_is_left_alone() -> None:
    system = System(run=lambda _command, _environment: Result(0, "LoadState=not-found\nActiveState=inactive\n"))
    assert host.plan_units(system, {"kubelet.service": {"enabled": "absent", "active": "absent"}}) == []


def test_a_runtime_that_was_there_reads_its_own_configuration_again(tmp_path) -> None:
    put(tmp_path, "/etc/containerd/config.toml")
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        return Result(0, "LoadState=loaded\nActiveState=active\nExecMainStartTimestampMonotonic=1\n")

    before = {"units": {"containerd.service": {"enabled": "enabled", "active": "active"}}}
    system = System(str(tmp_path), run)
    assert host.plan_restarts(system, record_of(before)) == []
    before["files"] = {"/etc/containerd/config.toml": {"state": "file"}}
    (step,) = host.plan_restarts(system, record_of(before))
    step.apply()
    assert called[-1] == ["systemctl", "restart", "containerd.service"]
    before["units"]["containerd.service"]["active"] = "absent"
    assert host.plan_restarts(system, record_of(before)) == []
    # A removed file shows in the time of its folder.
    put(tmp_path, "/etc/NetworkManager/conf.d/own.conf")
    before["units"]["NetworkManager.service"] = {"enabled": "enabled", "active": "active"}
    (step,) = host.plan_restarts(system, record_of(before))
    step.apply()
    assert called[-1] == ["systemctl", "restart", "NetworkManager.service"]


def test_sysctls_go_back_those_of_the_roles_before_those_of_the_cluster(tmp_path) -> None:
    put(tmp_path, "/proc/sys/net/ipv4/ip_forward", "1\n")
    put(tmp_path, "/proc/sys/vm/overcommit_memory", "1\n")
    put(tmp_path, "/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
    footprint = {"net.ipv4.ip_forward": "5", "vm.overcommit_memory": "0", "net.ipv4.tcp_rmem": "4096 131072 6291456"}
    record = record_of({"sysctls": {"net.ipv4.ip_forward": "0", "net.bridge.x": None, "net.gone": "1"}}, footprint)
    system, notes = System(str(tmp_path)), []
    steps = host.plan_sysctls(system, record, notes)
    said = {step.sentence for step in steps}
    assert said == {"sysctl net.ipv4.ip_forward restored to 0", "sysctl vm.overcommit_memory restored to 0"}
    for step in steps:
        step.apply()
    assert (tmp_path / "proc/sys/vm/overcommit_memory").read_text() == "0\n"
    assert host.plan_sysctls(system, record, notes) == [] and notes == []


def test_in_a_container_the_machines_sysctls_are_left_alone_and_that_is_said(tmp_path) -> None:
    put(tmp_path, "/.dockerenv")
    put(tmp_path, "/proc/sys/vm/overcommit_memory", "1\n")
    put(tmp_path, "/proc/sys/net/ipv4/ip_forward", "1\n")
    notes: list[str] = []
    steps = host.plan_sysctls(
        System(str(tmp_path)), record_of(sysctls={"vm.overcommit_memory": "0", "net.ipv4.ip_forward": "0"}), notes
    )
    assert [step.subject for step in steps] == ["sysctl net.ipv4.ip_forward"]
    assert len(notes) == 1 and "vm.overcommit_memory (was 0)" in notes[0]


def test_a_sysctl_that_cannot_go_back_is_said_and_stops_nothing(tmp_path) -> None:
    put(tmp_path, "/proc/sys/net/x", "1\n")
    (step,) = host.plan_sysctls(System(str(tmp_path)), record_of({"sysctls": {"net.x": "0"}}), [])
    (tmp_path / "proc/sys/net/x").unlink()
    (tmp_path / "proc/sys/net/x").mkdir()
    with pytest.raises(Exception, match=r"net\.x"):
        step.apply()


def modules(tmp_path, code: int) -> tuple[list, list]:
    put(tmp_path, "/proc/modules", "br_netfilter 32768 0 - Live 0x0\noverlay 1 3 - Live 0x0\n")
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        return Result(code, "", "Module br_netfilter is in use.")

    record = record_of({"modules": {"br_netfilter": False, "overlay": True, "nf_tables": False}})
    return host.plan_modules(System(str(tmp_path), run), record), called


def test_modules_that_were_not_loaded_are_unloaded(tmp_path) -> None:
    (step,), called = modules(tmp_path, 0)
    step.apply()
    assert called == [["modprobe", "--remove", "br_netfilter"]]


@pytest.mark.parametrize(
    ("footprint", "unloaded"), [({}, []), ({"modules": []}, ["ip_vs"]), ({"modules": ["ip_vs"]}, [])]
)
def test_a_module_that_kube_proxy_has_loaded_is_unloaded(tmp_path, footprint: dict, unloaded: list[str]) -> None:
    put(tmp_path, "/proc/modules", "ip_vs 229376 0 - Live 0x0\n")
    record = Record("/record", {"footprint": footprint})
    steps = host.plan_modules(System(str(tmp_path)), record)
    assert [step.subject for step in steps] == [f"kernel module {name}" for name in unloaded]


def test_a_module_in_use_stays_and_that_is_said(tmp_path) -> None:
    (step,), _called = modules(tmp_path, 1)
    with pytest.raises(CannotRestore, match=r"br_netfilter stays loaded.*is in use"):
        step.apply()


def test_in_a_container_modules_are_the_machines(tmp_path) -> None:
    put(tmp_path, "/run/systemd/container", "docker")
    assert modules(tmp_path, 0)[0] == []


SWAPS = "Filename\tType\tSize\tUsed\tPriority\n"
SWAP_UNIT = {"enabled": "generated", "active": "active", "done": "mask"}


def swap_host(tmp_path, load: str = "masked", active: str = "inactive") -> tuple[System, list]:
    put(tmp_path, "/proc/swaps", SWAPS)
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        if command[:2] == ["systemctl", "show"]:
            return Result(0, f"LoadState={load}\nActiveState={active}\nUnitFileState={load}\n")
        if command[0] == "swapon":
            put(tmp_path, "/proc/swaps", SWAPS + "/dev/vdb partition 1048576 0 -2\n")
        return Result(0)

    return System(str(tmp_path), run), called


def test_swap_is_on_again_through_fstab_first(tmp_path) -> None:
    system, called = swap_host(tmp_path)
    record = record_of({"swap": {"active": ["/dev/vdb"]}})
    (step,) = host.plan_swap(system, record)
    step.apply()
    assert [command for command in called if command[0] == "swapon"] == [["swapon", "--all"]]
    assert host.plan_swap(system, record) == []


def test_a_masked_swap_unit_is_unmasked_and_started(tmp_path) -> None:
    system, called = swap_host(tmp_path)
    (step,) = host.plan_swap(system, record_of({"swap": {"dev-zram0.swap": SWAP_UNIT}}))
    step.apply()
    assert [command[1:] for command in called[-3:]] == [
        ["unmask", "dev-zram0.swap"],
        ["daemon-reload"],
        ["start", "dev-zram0.swap"],
    ]


def test_swap_that_is_on_is_left_alone(tmp_path) -> None:
    system, _called = swap_host(tmp_path, load="loaded", active="active")
    put(tmp_path, "/proc/swaps", SWAPS + "/dev/vdb partition 1048576 0 -2\n")
    assert host.plan_swap(system, record_of({"swap": {"active": ["/dev/vdb"], "dev-vdb.swap": SWAP_UNIT}})) == []


def test_what_was_opened_in_the_firewall_is_closed_where_it_was(tmp_path) -> None:
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        return Result(0)

    before = {
        "firewall": {
            "port 6443/tcp": ["permanent"],
            "source 10.244.0.0/16": ["runtime"],
            "protocol 4 internal": ["runtime"],
        }
    }
    for step in host.plan_firewall(System(str(tmp_path), run), record_of(before)):
        step.apply()
    removed = [command for command in called if "--remove" in command[-1]]
    assert removed == [
        ["firewall-cmd", "--permanent", "--remove-port=6443/tcp"],
        ["firewall-cmd", "--zone=trusted", "--remove-source=10.244.0.0/16"],
        ["firewall-cmd", "--zone=internal", "--remove-protocol=4"],
    ]


def test_the_permanent_configuration_is_restored_while_firewalld_does_not_run(tmp_path) -> None:
    put(tmp_path, "/usr/bin/firewall-offline-cmd")
    (tmp_path / "usr/bin/firewall-offline-cmd").chmod(0o755)
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        return Result(0 if command[0] == "firewall-offline-cmd" else 252)

    (step,) = host.plan_firewall(
        System(str(tmp_path), run), record_of({"firewall": {"port 6443/tcp public": ["runtime", "permanent"]}})
    )
    step.apply()
    assert called[-1] == ["firewall-offline-cmd", "--zone=public", "--remove-port=6443/tcp"]


ZONES = "/etc/firewalld/zones"
TRUSTED = '<zone target="ACCEPT"><short>Trusted</short>{}<forward/></zone>'
OURS = '<source address="10.244.0.0/16"/>'


def zones_after_reset(tmp_path, was: str | None, default: str, now: str) -> dict[str, str]:
    """Reset a host whose zone trusted was recorded as *was*, and return the files of its zones by name."""
    recorded = {"state": "file", "content": was, "encoding": "utf-8", "mode": "0644", "uid": 0, "gid": 0}
    put(tmp_path, "/usr/lib/firewalld/zones/trusted.xml", default)
    put(tmp_path, f"{ZONES}/trusted.xml", now)
    put(tmp_path, f"{ZONES}/trusted.xml.old", "written by firewall-cmd")

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        if "--remove-source=10.244.0.0/16" in command:
            put(tmp_path, f"{ZONES}/trusted.xml", now.replace(OURS, "\n  "))
        return Result(0)

    firewall = {
        "source 10.244.0.0/16": ["runtime", "permanent"],
        f"file {ZONES}/trusted.xml": recorded if was else {"state": "absent"},
        f"file {ZONES}/trusted.xml.old": {"state": "absent"},
    }
    for step in host.plan_firewall(System(str(tmp_path), run), record_of({"firewall": firewall})):
        step.apply()
    return {path.name: path.read_text() for path in (tmp_path / ZONES.lstrip("/")).iterdir()}


def test_the_file_of_a_zone_that_had_none_is_removed(tmp_path) -> None:
    assert zones_after_reset(tmp_path, None, TRUSTED.format(""), TRUSTED.format(f"\n{OURS}\n")) == {}


def test_the_file_of_a_zone_is_written_as_it_was(tmp_path) -> None:
    was = TRUSTED.format('\n\n<port protocol="tcp" port="1"/>')
    now = TRUSTED.format(f'{OURS}<port port="1" protocol="tcp"/>')
    assert zones_after_reset(tmp_path, was, TRUSTED.format(""), now) == {"trusted.xml": was}


def test_what_was_changed_in_a_zone_since_is_kept(tmp_path) -> None:
    now = TRUSTED.format(f'<port port="1" protocol="tcp"/>{OURS}')
    kept = zones_after_reset(tmp_path, None, TRUSTED.format(""), now)
    assert sorted(kept) == ["trusted.xml", "trusted.xml.old"]
    assert 'port="1"' in kept["trusted.xml"]


def test_a_firewall_that_does_not_run_is_not_asked(tmp_path) -> None:
    system = System(str(tmp_path), lambda _command, _environment: Result(252, "not running"))
    assert host.plan_firewall(system, record_of({"firewall": {"port 6443/tcp": ["runtime"]}})) == []


def test_a_user_that_the_cluster_created_is_removed_and_another_kept(tmp_path) -> None:
    put(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/bash\netcd:x:998:998::/var/lib/etcd:/usr/sbin/nologin\n")
    called = []
    system = System(str(tmp_path), lambda command, _environment: called.append(command) or Result(0))
    assert host.plan_users(system, record_of()) == []
    (step,) = host.plan_users(system, record_of({"users": {"etcd": False}}))
    step.apply()
    assert called == [["userdel", "etcd"]] and step.sentence == "user etcd removed"
    put(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/bash\n")
    assert host.plan_users(system, record_of({"users": {"etcd": False}})) == []
