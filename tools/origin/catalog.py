# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upstream publishes for a Kubernetes version, and how it is built: recipes, as data.

Versions come from the table of role ``cluster``; none are defined here, except that of crictl. Package revisions follow
https://pkgs.k8s.io and https://download.docker.com, image names registry.k8s.io and ghcr.io.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# fmt: off
KUBERNETES_PROGRAMS = (
    "agnhost", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet",
)
CNI_PROGRAMS = (
    "bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback", "macvlan",
    "portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf",
)
NETWORK_TOOLS = ("conntrack", "coreutils", "dash", "ipset", "iproute2", "iptables", "kmod", "nftables")
# The conformance tests run shell and name resolution tools in agnhost.
TEST_TOOLS = (
    "bash", "bind9-dnsutils", "coreutils", "curl", "dash", "findutils", "grep", "hostname", "iperf", "iproute2",
    "netcat-openbsd", "procps", "sed", "util-linux", "wget",
)
# fmt: on
CRI_TOOLS = "1.37.0"  # crictl works with every version of Kubernetes


@dataclass(frozen=True)
class Component:
    """A set of programs that are built from the Go modules in ``go/NAME-VERSION/go.mod``."""

    name: str
    version: str
    programs: tuple[str, ...]
    cgo: bool = False
    tags: str = ""
    ldflags: str = "-s -w"
    renamed: tuple[tuple[str, str], ...] = ()  # name of a program as Go builds it, and its final name
    generated: tuple[
        str, ...
    ] = ()  # files that upstream generates, its module lacks, and its source embeds; they are built empty
    added: tuple[
        tuple[str, str], ...
    ] = ()  # commands that upstream's module lacks: path there, and name of the file beside this one

    @property
    def key(self) -> str:
        """Return the name of the component's folder of lock files."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Package:
    """A package with upstream's name and version, in the repository ``kubernetes`` or ``containerd``."""

    name: str
    version: str
    repository: str
    minor: str  # of Kubernetes
    programs: tuple[tuple[str, str, str], ...]  # component key, program, path on the host


@dataclass(frozen=True)
class Image:
    """An image under its upstream name: programs on top of an optional layer of Debian packages."""

    name: str
    version: str
    programs: tuple[tuple[str, str, str], ...]
    tools: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    bind_low_ports: bool = False  # a file capability, with which CoreDNS runs as an unprivileged user
    links: tuple[tuple[str, str], ...] = ()
    users: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, int, str], ...] = ()  # path, mode, and name of the file beside this one
    stop_signal: str = ""
    left_out: tuple[str, ...] = ()  # patterns of paths to exclude from the Debian packages
    origin: str = ""  # its source, for an image without programs


@dataclass(frozen=True)
class Manifest:
    """A manifest that a project publishes from its repository, which is its Go module as well."""

    target: str  # its address without https://, and its path in the origin
    component: str  # key of the component whose lock files require the module
    module: str
    version: str
    file: str


@dataclass
class Catalog:
    """Everything for the requested Kubernetes versions, without duplicates."""

    components: dict[str, Component] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)


def add_kubernetes(catalog: Catalog, version: str, row: dict[str, str]) -> None:
    """Add the parts of Kubernetes *version* to the catalog.

    :param row: versions of the other components.
    """
    for component in components(version, row):
        catalog.components.setdefault(component.key, component)
    for package in packages(version, row):
        key = package.minor if package.repository == "kubernetes" else package.repository
        catalog.packages.setdefault(f"{key}/{package.name}_{package.version}", package)
    for image in images(version, row):
        catalog.images.setdefault(image.name, image)


def components(version: str, row: dict[str, str]) -> list[Component]:
    """Return what is built from Go modules, slowest first."""
    major, minor = version.split(".")[:2]
    stamp = "k8s.io/component-base/version"
    kubernetes = f"-s -w -X {stamp}.gitVersion=v{version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor} -X {stamp}.gitTreeState=clean"
    return [
        Component("kubernetes", version, KUBERNETES_PROGRAMS, ldflags=kubernetes),
        Component("coredns", row["coredns"], ("coredns",)),
        Component(
            "containerd",
            row["containerd"],
            ("containerd", "containerd-shim-runc-v2", "ctr"),
            ldflags=f"-s -w -X github.com/containerd/containerd/v2/version.Version=v{row['containerd']}",
        ),
        Component(
            "flannel",
            row["flannel"],
            ("flannel",),
            cgo=True,
            ldflags=f'-s -w -X github.com/flannel-io/flannel/pkg/version.Version=v{row["flannel"]} -extldflags "-static"',
        ),
        Component("etcd", row["etcd"], ("etcd", "etcdctl", "etcdutl"), renamed=(("server", "etcd"),)),
        Component(
            "runc",
            row["runc"],
            ("runc",),
            cgo=True,
            tags="seccomp,netgo,osusergo",
            ldflags=f'-s -w -X main.version={row["runc"]} -extldflags "-static"',
        ),
        Component(
            "cni-plugins",
            row["cni_plugins"],
            CNI_PROGRAMS,
            ldflags=f"-s -w -X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v{row['cni_plugins']}",
        ),
        Component(
            "cri-tools",
            CRI_TOOLS,
            ("crictl",),
            ldflags=f"-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=v{CRI_TOOLS}",
        ),
    ]


def packages(version: str, row: dict[str, str]) -> list[Package]:
    """Return the packages of one Kubernetes version, in upstream's two repositories."""
    minor, kubernetes = ".".join(version.split(".")[:2]), f"kubernetes-{version}"
    containerd, runc, cni = (
        f"containerd-{row['containerd']}",
        f"runc-{row['runc']}",
        f"cni-plugins-{row['cni_plugins']}",
    )
    daemon = ("containerd", "containerd-shim-runc-v2", "ctr")
    return [
        *(
            Package(program, version, "kubernetes", minor, ((kubernetes, program, f"/usr/bin/{program}"),))
            for program in ("kubeadm", "kubectl", "kubelet")
        ),
        Package(
            "kubernetes-cni",
            row["cni_plugins"],
            "kubernetes",
            minor,
            tuple((cni, program, f"/opt/cni/bin/{program}") for program in CNI_PROGRAMS),
        ),
        Package(
            "cri-tools", CRI_TOOLS, "kubernetes", minor, ((f"cri-tools-{CRI_TOOLS}", "crictl", "/usr/bin/crictl"),)
        ),
        Package(
            "containerd.io",
            row["containerd"],
            "containerd",
            minor,
            (*((containerd, program, f"/usr/bin/{program}") for program in daemon), (runc, "runc", "/usr/bin/runc")),
        ),
    ]


def images(version: str, row: dict[str, str]) -> list[Image]:
    """Return the images of one Kubernetes version (``kubeadm config images list``), flannel and agnhost."""
    upstream, kubernetes = "registry.k8s.io", f"kubernetes-{version}"

    def control_plane(name: str, tools: tuple[str, ...] = ()) -> Image:
        target = f"/usr/local/bin/{name}"
        programs = ((kubernetes, name, target),)
        return Image(f"{upstream}/{name}:v{version}", version, programs, tools=tools, entrypoint=(target,))

    def single(name: str, component: str, target: str, **more: Any) -> Image:
        program = component.replace("_", "-")
        programs = ((f"{program}-{row[component]}", program, target),)
        return Image(f"{name}{row[component]}", row[component], programs, entrypoint=(target,), **more)

    return [
        control_plane("kube-apiserver"),
        control_plane("kube-controller-manager"),
        control_plane("kube-scheduler"),
        control_plane("kube-proxy", NETWORK_TOOLS),
        Image(
            f"{upstream}/etcd:{row['etcd']}-0",
            row["etcd"],
            tuple((f"etcd-{row['etcd']}", name, f"/usr/local/bin/{name}") for name in ("etcd", "etcdctl", "etcdutl")),
            command=("/usr/local/bin/etcd",),
        ),
        single(f"{upstream}/coredns/coredns:v", "coredns", "/coredns", user="65532:65532", bind_low_ports=True),
        single(f"{upstream}/pause:", "pause", "/pause", user="65535:65535"),
        single("ghcr.io/flannel-io/flannel:v", "flannel", "/opt/bin/flanneld", tools=NETWORK_TOOLS),
        Image(
            f"{upstream}/e2e-test-images/agnhost:{row['agnhost']}",
            row["agnhost"],
            ((kubernetes, "agnhost", "/agnhost"),),
            tools=TEST_TOOLS,
            entrypoint=("/agnhost",),
            command=("pause",),
            links=(("/agnhost-2", "agnhost"),),
            users=("user-defined-in-image:1000:50000:group-defined-in-image",),
            folders=("/uploads",),
        ),
    ]
