# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installed software, from the package databases of Debian and Rocky and the output of systemd."""

from __future__ import annotations

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import packages
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

DPKG = """Package: kubeadm
Status: hold ok installed
Priority: optional
Section: admin
Installed-Size: 70000
Architecture: amd64
Version: 1.36.3-1.1
Depends: cri-tools (>= 1.30.0)
Description: Command-line utility for administering a cluster
 Package: kubelet
 is not what this line is about.

Package: kubelet
Status: deinstall ok config-files
Version: 1.35.0-1.1

Package: libkubectl
Status: install ok installed
Version: 9

Package: containerd.io
Status: install ok installed
Version: 2.2.3-1~debian.12~bookworm
"""
SYSTEMCTL = """Id=kubelet.service
LoadState=loaded
ActiveState=activating
UnitFileState=enabled

Id=docker.service
LoadState=not-found
ActiveState=inactive
UnitFileState=

Id=firewalld.service
LoadState=masked
ActiveState=inactive
UnitFileState=masked
"""


def test_dpkg():
    versions, held = packages.parse_dpkg_status(DPKG, packages.PACKAGES)
    assert versions == {"kubeadm": "1.36.3-1.1", "containerd.io": "2.2.3-1~debian.12~bookworm"}
    assert held == ["kubeadm"]


def test_rpm():
    text = "kubeadm 1.36.3-150500.1.1\npackage kubelet is not installed\ncontainerd.io (none):2.2.3-3.1.el9\niptables 1:1.8.10-2.el9\n"
    assert packages.parse_rpm(text) == {
        "kubeadm": "1.36.3-150500.1.1",
        "containerd.io": "2.2.3-3.1.el9",
        "iptables": "1:1.8.10-2.el9",
    }


def test_versionlock():
    text = "# Added lock on Tue\nkubeadm-0:1.36.3-150500.1.1.*\n!kubectl-0:1.30.0-1.*\nkubernetes-cni-0:1.9.1-1.*\nother-0:1-1.*\nkubelet-1.36.*\n"
    text += "1:socat-1.7-1.*\n"
    assert sorted(packages.parse_locks(text)) == ["kubeadm", "kubelet", "kubernetes-cni", "other", "socat"]


def test_units():
    assert packages.parse_units(SYSTEMCTL) == {
        "kubelet.service": {"active": True, "enabled": True, "masked": False},
        "firewalld.service": {"active": False, "enabled": False, "masked": True},
    }
    assert packages.parse_units("") == {}


def test_packages_of_a_debian_host(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(DPKG)
    looked = packages.gather_packages(Files(str(tmp_path)))
    assert looked["held"] == ["kubeadm"]
    assert "containerd.io" in looked["packages"]


def test_packages_of_a_rocky_host(tmp_path, monkeypatch):
    (tmp_path / "etc/dnf/plugins").mkdir(parents=True)
    (tmp_path / "etc/dnf/plugins/versionlock.list").write_text("kubelet-0:1.36.3-150500.1.1.*\n*tools-0:1.*\n")
    (tmp_path / "etc/dnf/versionlock.toml").write_text('[[packages]]\nname = "kubeadm"\n')
    monkeypatch.setattr(packages, "run", lambda command: "kubelet 1.36.3-150500.1.1\n" if command[0] == "rpm" else "")
    assert packages.gather_packages(Files(str(tmp_path))) == {
        "packages": {"kubelet": "1.36.3-150500.1.1"},
        "held": ["conntrack-tools", "cri-tools", "kubeadm", "kubelet"],
    }


ZONES = """\
internal
  target: default
  interfaces:
  sources:
  ports:

public (default, active)
  target: default
  ingress-priority: 0
  interfaces: eth0 eth1
  sources:
  services: dhcpv6-client ssh
  ports: 6443/tcp 10250/tcp
  protocols: 4
  rich rules:
\trule priority="1" family="ipv4" accept

trusted (active)
  target: ACCEPT
  interfaces:
  sources: 10.244.0.0/16
  ports:
"""


def test_zones_with_interfaces_or_sources_are_read():
    public, trusted = packages.parse_zones(ZONES)
    assert public == {
        "zone": "public",
        "target": "default",
        "interfaces": ["eth0", "eth1"],
        "sources": [],
        "ports": ["6443/tcp", "10250/tcp"],
        "protocols": ["4"],
    }
    assert (trusted["zone"], trusted["target"], trusted["sources"]) == ("trusted", "ACCEPT", ["10.244.0.0/16"])
    assert packages.parse_zones("") == []


def test_firewalls(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "run", lambda command, **_options: ZONES if "--list-all-zones" in command else "")
    for path, text in {
        "ufw/ufw.conf": "# on at boot\nENABLED=yes\nLOGLEVEL=low\n",
        "ufw/user.rules": "*filter\n### RULES ###\n\n### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -j ACCEPT\n",
        "ufw/user6.rules": "### tuple ### route:allow any any ::/0 any fd00::/64 in\n",
        "default/ufw": 'DEFAULT_FORWARD_POLICY="ACCEPT"\n',
    }.items():
        (tmp_path / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc" / path).write_text(text)
    units = {"firewalld.service": {"active": True, "enabled": True, "masked": False}}
    everything = {"route": True, "protocol": "any", "ports": "any"}
    assert packages.gather_firewall(Files(str(tmp_path)), units) == {
        "firewalld": True,
        "zones": packages.parse_zones(ZONES),
        "ufw": True,
        "ufw_rules": [
            {"route": False, "protocol": "tcp", "ports": "22", "destination": "0.0.0.0/0", "source": "0.0.0.0/0"},
            dict(everything, destination="::/0", source="fd00::/64"),
            dict(everything, destination="0.0.0.0/0", source="0.0.0.0/0"),
            dict(everything, destination="::/0", source="::/0"),
        ],
    }
    (tmp_path / "etc/ufw/ufw.conf").write_text("ENABLED=no\n")
    assert packages.gather_firewall(Files(str(tmp_path)), {}) == {
        "firewalld": False,
        "zones": [],
        "ufw": False,
        "ufw_rules": [],
    }


def test_a_program_that_is_not_there_says_nothing():
    assert packages.run(["/no/such/program"]) == ""
