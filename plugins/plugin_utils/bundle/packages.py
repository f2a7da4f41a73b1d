# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build Debian packages with the names, versions and file layout of the upstream packages.

Packages that a host without internet access cannot install (conntrack, socat, …) are recommended rather than required;
the preflight checks report what is missing.
Unit settings follow https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/ and
https://github.com/containerd/containerd/blob/main/docs/getting-started.md (Delegate, KillMode).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .files import replacing, write
from .process import EPOCH, Runner

KUBELET_SERVICE = """\
[Unit]
Description=kubelet, the node agent of Kubernetes
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
Wants=network-online.target
After=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
"""

KUBELET_DROP_IN = """\
# How kubeadm runs the kubelet. kubeadm init and join write the files in /var/lib/kubelet, people write /etc/default/kubelet.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""

CONTAINERD_SERVICE = """\
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io/docs/
After=network.target dbus.service

[Service]
Type=notify
ExecStart=/usr/bin/containerd
Restart=always
RestartSec=5
# containers outlive the daemon, and make cgroups of their own
Delegate=yes
KillMode=process
OOMScoreAdjust=-999
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""

RELOAD = """\
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload || true
fi
"""

# As in the upstream package: enabled and started on first installation, not touched by an upgrade.
CONTAINERD_POSTINST = (
    RELOAD
    + """\
if [ "$1" = configure ] && [ -z "$2" ]; then
    deb-systemd-helper enable containerd.service || true
    if [ -d /run/systemd/system ]; then
        deb-systemd-invoke start containerd.service || true
    fi
fi
"""
)


def stop_on_removal(unit: str) -> str:
    """Return a prerm script that stops *unit* when its package is removed, but not when it is upgraded."""
    return f"""\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop {unit} || true
fi
"""


def forget_on_purge(unit: str) -> str:
    """Return a postrm script that reloads systemd, and purges the enablement of *unit* with the package."""
    return (
        RELOAD
        + f"""\
if [ "$1" = purge ] && command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge {unit} || true
fi
"""
    )


@dataclass(frozen=True)
class Contents:
    """The content of a package besides its programs."""

    summary: str
    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    section: str = "net"


PACKAGES: Mapping[str, Contents] = {
    "kubeadm": Contents(
        "Command-line utility to make, join and upgrade a Kubernetes cluster",
        (("Recommends", "cri-tools (>= 1.30.0)"),),
    ),
    "kubectl": Contents("Command-line utility to talk to a Kubernetes cluster"),
    "kubelet": Contents(
        "Node agent of Kubernetes",
        (
            ("Depends", "kubernetes-cni (>= 1.2.0)"),
            ("Recommends", "conntrack, ethtool, iproute2, iptables, mount, nftables, socat, util-linux"),
        ),
        (
            ("/usr/lib/systemd/system/kubelet.service", KUBELET_SERVICE),
            ("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", KUBELET_DROP_IN),
        ),
        (
            ("postinst", RELOAD),
            ("prerm", stop_on_removal("kubelet.service")),
            ("postrm", forget_on_purge("kubelet.service")),
        ),
    ),
    "kubernetes-cni": Contents("Reference plugins of the container network interface"),
    "containerd.io": Contents(
        "Container runtime: containerd, its shim, ctr and runc",
        (("Provides", "containerd, runc"), ("Conflicts", "containerd, runc"), ("Replaces", "containerd, runc")),
        (("/usr/lib/systemd/system/containerd.service", CONTAINERD_SERVICE),),
        (
            ("postinst", CONTAINERD_POSTINST),
            ("prerm", stop_on_removal("containerd.service")),
            ("postrm", forget_on_purge("containerd.service")),
        ),
        section="admin",
    ),
}


def texts_of(name: str) -> dict[str, str]:
    """Return everything except the programs that determines the content of package *name*."""
    contents = PACKAGES[name]
    return {**dict(contents.files), **dict(contents.scripts), "control": control_of(name, "", "", 0, "")}


def control_of(name: str, version: str, architecture: str, installed_kib: int, built_from: str) -> str:
    """Return the control file (Debian policy 5.3).

    :param installed_kib: size of the package's files in KiB.
    :param built_from: the source of the programs, for the description.
    """
    contents = PACKAGES[name]
    lines = [
        f"Package: {name}",
        f"Version: {version}",
        f"Architecture: {architecture}",
        "Maintainer: slipway.kube authors <authors@slipway.invalid>",
        f"Installed-Size: {installed_kib}",
        f"Section: {contents.section}",
        "Priority: optional",
        *(f"{field}: {value}" for field, value in contents.fields),
        f"Description: {contents.summary}",
        f" Built by the Ansible collection slipway.kube from {built_from or 'upstream sources'}.",
    ]
    return "\n".join(lines) + "\n"


def build(
    name: str,
    version: str,
    architecture: str,
    programs: Mapping[str, Path],
    built_from: str,
    work: Path,
    target: Path,
    run: Runner,
) -> None:
    """Build one package with dpkg-deb; the same input yields the same bytes.

    :param programs: path on the host, and the program to install there.
    :param work: an empty folder on the file system of the programs.
    :param target: the file to write.
    :raises BundleError: dpkg-deb fails.
    """
    tree = work / "tree"
    for path, program in programs.items():
        put = tree / path.lstrip("/")
        put.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, put)
        put.chmod(0o755)
    for path, text in PACKAGES[name].files:
        write(tree / path.lstrip("/"), text.encode())
    installed = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    for script, text in PACKAGES[name].scripts:
        write(tree / "DEBIAN" / script, text.encode(), 0o755)
    write(
        tree / "DEBIAN" / "control", control_of(name, version, architecture, -(-installed // 1024), built_from).encode()
    )
    for part in [tree, *tree.rglob("*")]:
        if part.is_dir():
            part.chmod(0o755)
        os.utime(part, (EPOCH, EPOCH))
    with replacing(target) as draft:
        run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", str(tree), str(draft)],
            what=f"packing {name} {version}",
        )


def unpack(package: Path, target: Path, what: str, run: Runner) -> None:
    """Extract the files of a package.

    :param target: the folder to extract to.
    :param what: the work, as error messages name it.
    :raises BundleError: dpkg-deb fails.
    """
    run(["dpkg-deb", "--extract", str(package), str(target)], what=what)
