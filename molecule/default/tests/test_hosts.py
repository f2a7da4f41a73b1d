# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host must be as a node, looked at on the host itself and not through the collection's modules."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from testinfra import get_host

from harness.targets import components, group, targets, variables

testinfra_hosts = targets("kube_cluster")

PACKAGES = ("kubeadm", "kubectl", "kubelet", "kubernetes-cni", "containerd.io")
MIRRORED = "/etc/containerd/certs.d/registry.k8s.io/hosts.toml"


@pytest.fixture
def name(host: Any) -> str:
    """The host's name in the inventory."""
    return str(host.backend.host)


@pytest.fixture
def is_control_plane(name: str) -> bool:
    return name in group("kube_control_plane")


def has_dnf(host: Any) -> bool:
    return bool(host.exists("dnf"))


def test_nothing_brings_swap_back(host: Any) -> None:
    lines = [line for line in host.file("/etc/fstab").content_string.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if len(line.split()) > 2 and line.split()[2] == "swap"]
    if not host.file("/run/systemd/container").exists:  # a container shows the swap of the machine around it
        assert host.check_output("swapon --show --noheadings") == ""


@pytest.mark.parametrize("module", ["overlay", "br_netfilter"])
def test_kernel_modules_are_there_now_and_after_a_boot(host: Any, module: str) -> None:
    assert re.search(f"^{module}$", host.file("/etc/modules-load.d/k8s.conf").content_string, re.M)
    there = {"overlay": "grep -qw overlay /proc/filesystems", "br_netfilter": "test -d /proc/sys/net/bridge"}[module]
    assert host.run(there).rc == 0


@pytest.mark.parametrize(
    "key", ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables", "net.ipv4.ip_forward"]
)
def test_sysctls_are_set_now_and_after_a_boot(host: Any, key: str) -> None:
    assert host.sysctl(key) == 1
    assert re.search(rf"^{re.escape(key)}\s*=\s*1$", host.file("/etc/sysctl.d/k8s.conf").content_string, re.M)


def test_the_lab_has_every_package_manager() -> None:
    assert {has_dnf(get_host(target)) for target in testinfra_hosts} == {True, False}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_at_their_version_and_held(host: Any, name: str, package: str) -> None:
    wanted = {"kubernetes-cni": "cni_plugins", "containerd.io": "containerd"}.get(package, "kubernetes")
    assert host.package(package).is_installed
    assert re.match(rf"{re.escape(str(components(name)[wanted]))}([-~+]|$)", host.package(package).version)
    if has_dnf(host):
        locks = host.check_output("dnf --quiet versionlock list").splitlines()
        version = host.check_output(
            "rpm --query --queryformat '%%{NAME}-%%{EPOCHNUM}:%%{VERSION}-%%{RELEASE}' %s", package
        )
        assert f"{version}.*" in locks
    else:
        assert package in host.check_output("apt-mark showhold").split()


@pytest.mark.parametrize("program", ["containerd", "runc", "kubelet", "kubeadm", "kubectl"])
def test_programs_belong_to_packages(host: Any, program: str) -> None:
    package = {"containerd": "containerd.io", "runc": "containerd.io"}.get(program, program)
    query = "rpm --query --queryformat '%%{NAME}' --file" if has_dnf(host) else "dpkg-query --search"
    assert host.check_output(f"{query} /usr/bin/%s", program).split(":")[0] == package


def test_packages_are_signed_by_their_repositories(host: Any) -> None:
    if not has_dnf(host):
        assert "Signed-By: /etc/apt/keyrings/" in host.check_output("cat /etc/apt/sources.list.d/slipway-*.sources")
        return
    files = host.check_output("cat /etc/yum.repos.d/slipway-*.repo")
    assert files.count("gpgcheck=1") == files.count("[slipway-") == 2
    for package in PACKAGES:
        signature = host.check_output("rpm --query --queryformat '%%{RSAHEADER:pgpsig}' %s", package)
        key = signature.split()[-1][-8:]
        assert host.run("rpm --query gpg-pubkey-%s", key).rc == 0, f"{package}: {signature}"


@pytest.mark.parametrize("unit", ["containerd", "kubelet"])
def test_services_run_and_start_at_boot(host: Any, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


def test_containerd_runs_with_the_configuration_for_its_version(host: Any, name: str) -> None:
    # What containerd itself understood, defaults merged in.
    dumped = host.check_output("containerd config dump")
    assert re.search(r"^version = 3$", dumped, re.M)
    assert re.search(r"^\s*SystemdCgroup = true$", dumped, re.M)
    assert re.search(
        rf"^\s*sandbox = ['\"]registry\.k8s\.io/pause:{re.escape(components(name)['pause'])}['\"]$", dumped, re.M
    )
    assert re.search(r"^\s*config_path = ['\"]/etc/containerd/certs\.d['\"]$", dumped, re.M)


def test_the_sources_are_upstreams(host: Any, name: str) -> None:
    assert host.run(f"ls {MIRRORED}").rc != 0, "no registry has a mirror"
    assert "kube_mirror_url" not in variables(name)
    folder, system = ("/etc/yum.repos.d", "centos/9") if has_dnf(host) else ("/etc/apt/sources.list.d", "debian")
    lists = host.check_output(f"cat {folder}/slipway-*")
    assert "https://pkgs.k8s.io/core:/stable:/v" in lists
    assert f"https://download.docker.com/linux/{system}" in lists


def test_the_kubelet_has_this_hosts_settings(host: Any, name: str) -> None:
    arguments = host.check_output("tr '\\0' ' ' < /proc/$(pgrep -x kubelet)/cmdline")
    assert f"--node-ip={variables(name)['ansible_host']}" in arguments
    assert "--config-dir=/etc/kubernetes/kubelet.conf.d" in arguments
    dropin = json.loads(host.file("/etc/kubernetes/kubelet.conf.d/20-slipway.conf").content_string)
    assert dropin["serverTLSBootstrap"] is True
    servers = re.findall(r"^nameserver\s+(\S+)", host.file(dropin["resolvConf"]).content_string, re.M)
    assert not [server for server in servers if server.startswith("127.") or server == "::1"]


def test_pods_are_in_control_groups_of_systemd(host: Any) -> None:
    assert re.search(r"^cgroupDriver: systemd$", host.file("/var/lib/kubelet/config.yaml").content_string, re.M)
    assert host.service("kubepods.slice").is_running
    groups = host.check_output("cat /proc/$(pgrep -xo kube-proxy)/cgroup")
    assert re.search(r"/kubepods\.slice/.*/cri-containerd-[0-9a-f]{64}\.scope", groups)


def test_secrets_are_roots_alone(host: Any, is_control_plane: bool) -> None:
    paths = [
        "/etc/kubernetes/kubelet.conf",
        "/var/lib/slipway/host.json",
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
    ]
    if is_control_plane:
        names = ("ca", "apiserver", "apiserver-kubelet-client", "etcd/ca", "etcd/server", "front-proxy-ca", "sa")
        paths += ["/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf", "/root/.kube/config"]
        paths += [f"/etc/kubernetes/pki/{name}.key" for name in names]
    modes = {path: host.check_output("stat -L -c '%%a %%U:%%G' %s", path) for path in paths}
    assert set(modes.values()) == {"600 root:root"}, modes
    assert host.check_output("stat -c '%a %U:%G' /var/lib/slipway") == "700 root:root"


def test_no_way_to_join_is_left_behind(host: Any) -> None:
    assert not host.file("/etc/kubernetes/bootstrap-kubelet.conf").exists
    assert host.check_output("find /tmp /root -maxdepth 1 -name '*kubeadm*' -o -maxdepth 1 -name 'slipway-*'") == ""


def test_the_record_says_what_the_host_was(host: Any) -> None:
    record = json.loads(host.file("/var/lib/slipway/host.json").content_string)
    assert record["cluster"]["name"] == "kubernetes"
    assert record["operation"] == ""
    assert record["before"]["packages"]["kubelet"] == {"version": None, "held": False}
    assert record["before"]["files"]["/etc/sysctl.d/k8s.conf"] == {"state": "absent"}
    assert record["footprint"]["folders"]["/var/lib/kubelet"] is None
    assert "lo" in record["footprint"]["links"]
