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
CERT_MANAGER_PROGRAMS = ("acmesolver", "cainjector", "controller", "webhook")
# Add-ons of role addons, and what is built for them. Traefik imports the clients of all clouds, which take longer than everything else.
ADDONS = {
    "cert_manager": ("cert-manager",),
    "gateway_api": ("gateway-api",),
    "local_path_storage": ("local-path-provisioner",),
    "logs": ("victoria-logs",),
    "metallb": ("metallb",),
    "metrics_server": ("metrics-server",),
    "monitoring": ("prometheus", "alertmanager", "node-exporter", "kube-state-metrics"),
    "network_policy": ("kube-network-policies",),
    "traefik": ("traefik",),
}
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


def add_addons(catalog: Catalog, names: list[str], row: dict[str, str]) -> None:
    """Add the parts of the add-ons *names* to the catalog."""
    built = {f"{part}-{row[part.replace('-', '_')]}" for name in names for part in ADDONS[name]}
    for component in addon_components(row):
        if component.key in built:
            catalog.components.setdefault(component.key, component)
    for image in addon_images(row):
        if image.programs[0][0] in built:
            catalog.images.setdefault(image.name, image)
    for manifest in addon_manifests(row):
        if manifest.component in built:
            catalog.manifests.setdefault(manifest.target, manifest)


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


def addon_components(row: dict[str, str]) -> list[Component]:
    """Return what is built from Go modules for the add-ons of role ``addons``."""
    metrics_server, metallb, traefik = row["metrics_server"], row["metallb"], row["traefik"]
    stamp = "github.com/traefik/traefik/v3/pkg/version.Version"
    return [
        Component(
            "metrics-server",
            metrics_server,
            ("metrics-server",),
            ldflags=f"-s -w -X k8s.io/client-go/pkg/version.gitVersion=v{metrics_server}",
        ),
        Component(
            "local-path-provisioner",
            row["local_path_provisioner"],
            ("local-path-provisioner",),
            ldflags=f"-s -w -X main.VERSION=v{row['local_path_provisioner']}",
        ),
        Component("metallb", metallb, ("controller", "speaker")),
        Component("traefik", traefik, ("traefik",), ldflags=f"-s -w -X {stamp}={traefik}"),
        *monitoring_components(row),
        Component(
            "cert-manager",
            row["cert_manager"],
            CERT_MANAGER_PROGRAMS,
            ldflags=f"-s -w -X github.com/cert-manager/cert-manager/pkg/util.AppVersion=v{row['cert_manager']}",
            added=tuple((f"cmd/{name}/main.go", f"commands/cert-manager/{name}.go") for name in CERT_MANAGER_PROGRAMS),
        ),
        Component("kube-network-policies", row["kube_network_policies"], ("netpol",), renamed=(("cmd", "netpol"),)),
        Component(
            "victoria-logs",
            row["victoria_logs"],
            ("victoria-logs", "vlagent"),
            ldflags=f"-s -w -X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=v{row['victoria_logs']}",
        ),
    ]


def monitoring_components(row: dict[str, str]) -> list[Component]:
    """Return what is built for the add-on monitoring. The modules of Prometheus and Alertmanager contain no web interface."""

    def flags(component: str) -> str:
        return f"-s -w -X github.com/prometheus/common/version.Version={row[component]}"

    return [
        Component(
            "prometheus",
            row["prometheus"],
            ("prometheus", "promtool"),
            # Without the service discoveries of clouds, and their clients.
            tags="remove_all_sd,enable_kubernetes_sd",
            ldflags=flags("prometheus"),
        ),
        Component(
            "alertmanager",
            row["alertmanager"],
            ("alertmanager",),
            ldflags=flags("alertmanager"),
            generated=("ui/app/dist/index.html",),
        ),
        Component("node-exporter", row["node_exporter"], ("node_exporter",), ldflags=flags("node_exporter")),
        Component(
            "kube-state-metrics",
            row["kube_state_metrics"],
            ("kube-state-metrics",),
            ldflags=flags("kube_state_metrics"),
        ),
    ]


def addon_images(row: dict[str, str]) -> list[Image]:
    """Return the images of the add-ons of role ``addons``."""

    def image(name: str, component: str, program: str, target: str, user: str = "", also: str = "") -> Image:
        version = row[component]
        key = f"{component.replace('_', '-')}-{version}"
        programs = [(key, program, target)] + ([(key, also, f"{target.rpartition('/')[0]}/{also}")] if also else [])
        return Image(f"{name}:v{version}", version, tuple(programs), entrypoint=(target,), user=user)

    state_metrics = "kube-state-metrics"
    provisioner = "local-path-provisioner"
    policies = "kube-network-policies"
    metrics_server = "registry.k8s.io/metrics-server/metrics-server"
    local_path = f"/usr/bin/{provisioner}"
    return [
        image(metrics_server, "metrics_server", "metrics-server", "/metrics-server", "65534"),
        image(f"docker.io/rancher/{provisioner}", "local_path_provisioner", provisioner, local_path),
        image("quay.io/metallb/controller", "metallb", "controller", "/controller"),
        image("quay.io/metallb/speaker", "metallb", "speaker", "/speaker"),
        image("docker.io/library/traefik", "traefik", "traefik", "/usr/local/bin/traefik"),
        image("quay.io/prometheus/prometheus", "prometheus", "prometheus", "/bin/prometheus", "65534", "promtool"),
        image("quay.io/prometheus/alertmanager", "alertmanager", "alertmanager", "/bin/alertmanager", "65534"),
        image("quay.io/prometheus/node-exporter", "node_exporter", "node_exporter", "/bin/node_exporter", "65534"),
        image(
            f"registry.k8s.io/{state_metrics}/{state_metrics}",
            "kube_state_metrics",
            state_metrics,
            f"/{state_metrics}",
            "65534",
        ),
        Image(
            f"registry.k8s.io/networking/{policies}:v{row['kube_network_policies']}",
            row["kube_network_policies"],
            ((f"{policies}-{row['kube_network_policies']}", "netpol", "/bin/netpol"),),
            command=("/bin/netpol",),
        ),
        *(
            image(f"quay.io/jetstack/cert-manager-{name}", "cert_manager", name, f"/app/cmd/{name}/{name}", "1000")
            for name in CERT_MANAGER_PROGRAMS
        ),
        image("docker.io/victoriametrics/victoria-logs", "victoria_logs", "victoria-logs", "/victoria-logs-prod"),
        image("docker.io/victoriametrics/vlagent", "victoria_logs", "vlagent", "/vlagent-prod"),
    ]


def addon_manifests(row: dict[str, str]) -> list[Manifest]:
    """Return the manifests that the projects of add-ons publish."""
    raw, local_path, metallb = "raw.githubusercontent.com", row["local_path_provisioner"], row["metallb"]
    gateway, group = row["gateway_api"], "config/crd/standard/gateway.networking.k8s.io"
    issuing, module = row["cert_manager"], "github.com/cert-manager/cert-manager"
    acme, own = "acme.cert-manager.io", "cert-manager.io"
    certificates = (
        f"{acme}_challenges",
        f"{acme}_orders",
        f"{own}_certificaterequests",
        f"{own}_certificates",
        f"{own}_clusterissuers",
        f"{own}_issuers",
    )
    kinds = ("backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants")
    return [
        *(
            Manifest(
                f"{raw}/kubernetes-sigs/gateway-api/v{gateway}/{group}_{kind}.yaml",
                f"gateway-api-{gateway}",
                "sigs.k8s.io/gateway-api",
                gateway,
                f"{group}_{kind}.yaml",
            )
            for kind in kinds
        ),
        *(
            Manifest(
                f"{raw}/cert-manager/cert-manager/v{issuing}/deploy/crds/{kind}.yaml",
                f"cert-manager-{issuing}",
                module,
                issuing,
                f"deploy/crds/{kind}.yaml",
            )
            for kind in certificates
        ),
        Manifest(
            f"{raw}/rancher/local-path-provisioner/v{local_path}/deploy/local-path-storage.yaml",
            f"local-path-provisioner-{local_path}",
            "github.com/rancher/local-path-provisioner",
            local_path,
            "deploy/local-path-storage.yaml",
        ),
        Manifest(
            f"{raw}/metallb/metallb/v{metallb}/config/manifests/metallb-native.yaml",
            f"metallb-{metallb}",
            "go.universe.tf/metallb",
            metallb,
            "config/manifests/metallb-native.yaml",
        ),
    ]
