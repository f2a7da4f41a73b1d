# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the projects of the add-ons publish, and how it is built: recipes, as data. Versions come from the table of role ``cluster``."""

from __future__ import annotations

from .catalog import Catalog, Component, Image, Manifest

KYVERNO_PROGRAMS = ("background-controller", "cleanup-controller", "kyverno", "kyverno-init", "reports-controller")
CERT_MANAGER_PROGRAMS = ("acmesolver", "cainjector", "controller", "webhook")
# Add-ons of role addons, and what is built for them. Traefik imports the clients of all clouds, which take longer than everything else.
ADDONS = {
    "cert_manager": ("cert-manager",),
    "gateway_api": ("gateway-api",),
    "kyverno": ("kyverno",),
    "local_path_storage": ("local-path-provisioner",),
    "logs": ("victoria-logs",),
    "metallb": ("metallb",),
    "metrics_server": ("metrics-server",),
    "monitoring": ("prometheus", "alertmanager", "node-exporter", "kube-state-metrics"),
    "network_policy": ("kube-network-policies",),
    "traefik": ("traefik",),
}


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
        Component(
            "kyverno",
            row["kyverno"],
            KYVERNO_PROGRAMS,
            ldflags=f"-s -w -X github.com/kyverno/kyverno/pkg/version.BuildVersion=v{row['kyverno']}",
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
        *(
            image(
                f"ghcr.io/kyverno/{'kyvernopre' if name == 'kyverno-init' else name}",
                "kyverno",
                name,
                f"/ko-app/{name}",
                "65534",
            )
            for name in KYVERNO_PROGRAMS
        ),
        image("docker.io/victoriametrics/victoria-logs", "victoria_logs", "victoria-logs", "/victoria-logs-prod"),
        image("docker.io/victoriametrics/vlagent", "victoria_logs", "vlagent", "/vlagent-prod"),
    ]


def addon_manifests(row: dict[str, str]) -> list[Manifest]:
    """Return the manifests that the projects of add-ons publish."""
    raw, local_path, metallb = "raw.githubusercontent.com", row["local_path_provisioner"], row["metallb"]
    traefik, own_kinds = row["traefik"], "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"
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
            f"{raw}/kyverno/kyverno/v{row['kyverno']}/config/install-latest-testing.yaml",
            f"kyverno-{row['kyverno']}",
            "github.com/kyverno/kyverno",
            row["kyverno"],
            "config/install-latest-testing.yaml",
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
        Manifest(
            f"{raw}/traefik/traefik/v{traefik}/{own_kinds}",
            f"traefik-{traefik}",
            "github.com/traefik/traefik/v3",
            traefik,
            own_kinds,
        ),
    ]
