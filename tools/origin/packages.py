# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build deb and rpm packages with the names, versions and file layout of the upstream packages, from one description.

Packages that a host without internet access cannot install (conntrack, socat, …) are recommended rather than required;
the preflight checks report what is missing.
Unit settings follow https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/ and
https://github.com/containerd/containerd/blob/main/docs/getting-started.md (Delegate, KillMode).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import replacing, write
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import EPOCH, Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.repository import Signer

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
    """The content of a package besides its programs.

    :param fields: relations to other packages, as a deb names them.
    :param rpm_fields: the same for an rpm.
    :param unit: the systemd unit that is stopped on removal.
    :param scripts: of a deb; an rpm enables and starts nothing.
    """

    summary: str
    fields: tuple[tuple[str, str], ...] = ()
    rpm_fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    section: str = "net"
    unit: str = ""


PACKAGES: Mapping[str, Contents] = {
    "kubeadm": Contents(
        "Command-line utility to make, join and upgrade a Kubernetes cluster",
        (("Recommends", "cri-tools (>= 1.30.0)"),),
        (("Recommends", "cri-tools >= 1.30.0"),),
        (("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", KUBELET_DROP_IN),),
    ),
    "kubectl": Contents("Command-line utility to talk to a Kubernetes cluster"),
    "kubelet": Contents(
        "Node agent of Kubernetes",
        (
            ("Depends", "kubernetes-cni (>= 1.2.0)"),
            ("Recommends", "conntrack, ethtool, iproute2, iptables, mount, nftables, socat, util-linux"),
        ),
        (
            ("Requires", "kubernetes-cni >= 1.2.0"),
            ("Recommends", "conntrack-tools ethtool iproute iptables nftables socat util-linux"),
        ),
        (
            ("/usr/lib/systemd/system/kubelet.service", KUBELET_SERVICE),
            ("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=\n"),
        ),
        (
            ("postinst", RELOAD),
            ("prerm", stop_on_removal("kubelet.service")),
            ("postrm", forget_on_purge("kubelet.service")),
        ),
        unit="kubelet.service",
    ),
    "cri-tools": Contents("Command-line utility to inspect a container runtime"),
    "kubernetes-cni": Contents("Reference plugins of the container network interface"),
    "containerd.io": Contents(
        "Container runtime: containerd, its shim, ctr and runc",
        (("Provides", "containerd, runc"), ("Conflicts", "containerd, runc"), ("Replaces", "containerd, runc")),
        (("Provides", "containerd runc"), ("Conflicts", "containerd runc"), ("Obsoletes", "containerd runc")),
        (("/usr/lib/systemd/system/containerd.service", CONTAINERD_SERVICE),),
        (
            ("postinst", CONTAINERD_POSTINST),
            ("prerm", stop_on_removal("containerd.service")),
            ("postrm", forget_on_purge("containerd.service")),
        ),
        section="admin",
        unit="containerd.service",
    ),
}


def files_of(name: str, form: str) -> dict[str, str]:
    """Return the texts in a package by their paths; those in /etc are settings of the host, which the package does not overwrite."""

    def of_form(text: str) -> str:
        return text.replace("/etc/default/kubelet", "/etc/sysconfig/kubelet") if form == "rpm" else text

    return {of_form(path): of_form(text) for path, text in PACKAGES[name].files}


def settings_of(name: str) -> str:
    """Return the list of a deb's settings (conffiles, Debian policy 10.7)."""
    return "".join(f"{path}\n" for path in files_of(name, "deb") if path.startswith("/etc/"))


def texts_of(name: str, form: str) -> dict[str, str]:
    """Return everything except the programs that determines the content of package *name*."""
    if form == "rpm":
        return {**files_of(name, form), "spec": spec_of(name, "", "", "", [*files_of(name, form)], "")}
    return {
        **files_of(name, form),
        **dict(PACKAGES[name].scripts),
        "conffiles": settings_of(name),
        "control": control_of(name, "", "", 0, ""),
    }


def description_of(built_from: str) -> str:
    """Return where the programs come from.

    :param built_from: the source of the programs.
    """
    return f"Built by tools/origin of the Ansible collection slipway.kube from {built_from}."


def control_of(name: str, version: str, architecture: str, installed_kib: int, built_from: str) -> str:
    """Return the control file of a deb (Debian policy 5.3).

    :param installed_kib: size of the package's files in KiB.
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
        f" {description_of(built_from)}",
    ]
    return "\n".join(lines) + "\n"


def spec_of(name: str, version: str, release: str, tree: str, paths: Sequence[str], built_from: str) -> str:
    """Return the spec file of an rpm (https://rpm-software-management.github.io/rpm/manual/spec.html).

    :param tree: the folder with its files.
    :param paths: of its files on the host.
    """
    contents = PACKAGES[name]
    lines = [
        "%global debug_package %{nil}",
        "%global __os_install_post %{nil}",
        f"Name: {name}",
        f"Version: {version}",
        f"Release: {release}",
        f"Summary: {contents.summary}",
        "License: Apache-2.0",
        "AutoReqProv: no",
        *(f"{field}: {value}" for field, value in contents.rpm_fields),
        "%description",
        description_of(built_from),
        "%install",
        f"cp -a '{tree}/.' %{{buildroot}}/",
        "%files",
        "%defattr(-,root,root,-)",
        *(f"%dir {path.rpartition('/')[0]}" for path in paths if path.endswith(".service.d/10-kubeadm.conf")),
        *(f"%config(noreplace) {path}" if path.startswith("/etc/") else path for path in paths),
    ]
    if contents.unit:
        # In Lua, which rpm runs by itself: scripts of a shell would make the package require /bin/sh from another one.
        running = 'posix.stat("/run/systemd/system")'
        reload = f'if {running} then rpm.execute("systemctl", "daemon-reload") end'
        stop = f'rpm.execute("systemctl", "--no-reload", "disable", "--now", "{contents.unit}")'
        lines += ["%post -p <lua>", reload]
        lines += ["%preun -p <lua>", f"if tonumber(arg[2]) == 0 and {running} then {stop} end"]
        lines += ["%postun -p <lua>", reload]
    return "\n".join(lines) + "\n"


def write_tree(name: str, form: str, programs: Mapping[str, Path], tree: Path) -> list[str]:
    """Write the files of a package to the folder *tree*.

    :param programs: path on the host, and the program to install there.
    :returns: the paths on the host.
    """
    for path, program in programs.items():
        put = tree / path.lstrip("/")
        put.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, put)
        put.chmod(0o755)
    texts = files_of(name, form)
    for path, text in texts.items():
        write(tree / path.lstrip("/"), text.encode())
    return [*programs, *texts]


def build_deb(
    name: str,
    version: str,
    architecture: str,
    programs: Mapping[str, Path],
    built_from: str,
    work: Path,
    target: Path,
    run: Runner,
) -> None:
    """Build a deb with dpkg-deb; the same input yields the same bytes.

    :param version: including the revision.
    :param programs: path on the host, and the program to install there.
    :param work: an empty folder on the file system of the programs.
    :param target: the file to write.
    :raises BundleError: dpkg-deb fails.
    """
    tree = work / "tree"
    write_tree(name, "deb", programs, tree)
    installed = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    for script, text in PACKAGES[name].scripts:
        write(tree / "DEBIAN" / script, text.encode(), 0o755)
    if settings_of(name):
        write(tree / "DEBIAN" / "conffiles", settings_of(name).encode())
    control = control_of(name, version, architecture, -(-installed // 1024), built_from)
    write(tree / "DEBIAN" / "control", control.encode())
    for part in [tree, *tree.rglob("*")]:
        if part.is_dir():
            part.chmod(0o755)
        os.utime(part, (EPOCH, EPOCH))
    with replacing(target) as draft:
        run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", str(tree), str(draft)],
            what=f"packing {name} {version}",
        )


def build_rpm(
    name: str,
    version: str,
    release: str,
    machine: str,
    programs: Mapping[str, Path],
    built_from: str,
    work: Path,
    target: Path,
    sign: Signer,
    run: Runner,
) -> None:
    """Build and sign an rpm with rpmbuild and rpmsign.

    :param machine: the architecture as rpm names it.
    :param programs: path on the host, and the program to install there.
    :param work: an empty folder on the file system of the programs.
    :param target: the file to write.
    :raises BundleError: rpmbuild or rpmsign fails.
    """
    paths = write_tree(name, "rpm", programs, work / "tree")
    write(work / "package.spec", spec_of(name, version, release, str(work / "tree"), paths, built_from).encode())
    settings = {
        "_topdir": str(work / "rpmbuild"),
        "_dbpath": str(work / "rpmdb"),
        "_rpmdir": str(work),
        "_build_name_fmt": "package.rpm",
        "_build_id_links": "none",
        "_binary_payload": "w3.zstdio",
        "_buildhost": "slipway.invalid",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
    }
    options = [f"--define={key} {value}" for key, value in settings.items()]
    what = f"packing {name} {version}"
    run(["rpmbuild", "-bb", f"--target={machine}", *options, str(work / "package.spec")], what=what)
    identity = [
        "--define=_gpg_name slipway.kube",
        f"--define=_gpg_path {sign.home}",
        f"--define=__gpg {shutil.which('gpg')}",
    ]
    run(
        ["rpmsign", *identity, "--addsign", str(work / "package.rpm")],
        what=f"signing {name} {version}",
        env={"GNUPGHOME": str(sign.home)},
    )
    with replacing(target) as draft:
        shutil.copyfile(work / "package.rpm", draft)
