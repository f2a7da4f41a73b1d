# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium's published Helm chart, rendered on the control node, as objects.

Values: https://docs.cilium.io/en/stable/helm-reference/. Addresses and routing: https://docs.cilium.io/en/stable/network/concepts/.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ...module_utils._kube.objects import mapping
from ..errors import InputError
from ..sources import charts, downloads, yaml_reader
from ..sources.programs import merge_values
from ..sources.reader import Rendering
from .settings import NetworkError, NetworkSettings, Object, move_images

NAME, NAMESPACE = "cilium", "kube-system"
ENCAPSULATIONS = ("vxlan", "geneve", "none")
# Bytes that a tunnel takes of each packet, by the IP version between the nodes.
TUNNEL_OVERHEAD = {4: 50, 6: 70}
# What the chart demands of cluster.name.
CLUSTER_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


@dataclass(frozen=True)
class Cilium(NetworkSettings):
    """Settings of Cilium. ``mtu`` applies to the routes of pods.

    :ivar version: Cilium's version, without the v.
    :ivar kubernetes: version of Kubernetes that the chart sees.
    :ivar cluster_name: name of the cluster.
    :ivar nodes: number of nodes.
    :ivar encapsulation: one of :data:`ENCAPSULATIONS`; none requires all nodes in one layer 2 network.
    :ivar values: values of the chart, which take precedence.
    """

    NODE_PREFIX: ClassVar[dict[int, int]] = {4: 24, 6: 64}

    version: str
    kubernetes: str
    cluster_name: str
    nodes: int = 1
    encapsulation: str = "vxlan"
    values: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, with remedies."""
        found = super().problems()
        if self.encapsulation not in ENCAPSULATIONS:
            found.append(
                f"Cilium has no encapsulation {self.encapsulation!r}; choose one of {', '.join(ENCAPSULATIONS)}."
            )
        if not self.version:
            found.append("Cilium's version is not set.")
        name = str(mapping(self.values.get("cluster")).get("name") or self.cluster_name)
        if not CLUSTER_NAME.fullmatch(name):
            found.append(
                f"Cilium cannot use the name of the cluster {name!r}: it takes at most 32 lower case letters, digits and dashes. "
                "Set another one for it with kube_network_cilium_values: {cluster: {name: ...}}."
            )
        return found


def chart_values(settings: Cilium) -> dict[str, Any]:
    """Return the values of the chart."""
    api_server = settings.api_server_env()
    tunnel = settings.encapsulation != "none"
    overhead = TUNNEL_OVERHEAD[4 if settings.ipv4 else 6] if tunnel else 0
    # Certificates that helm makes differ with each rendering; a Job in the cluster makes them once, and a CronJob renews them.
    generated = {"tls": {"auto": {"method": "cronJob"}}}
    values: dict[str, Any] = {
        "cluster": {"name": settings.cluster_name},
        # Each node's share of kube_pod_subnet, which kube-controller-manager assigns.
        "ipam": {"mode": "kubernetes"},
        "ipv4": {"enabled": bool(settings.ipv4)},
        "ipv6": {"enabled": bool(settings.ipv6)},
        "routingMode": "tunnel" if tunnel else "native",
        # kube-proxy stays: it is kubeadm's, and hosts reach Services through it.
        "kubeProxyReplacement": "false",
        # Other files in /etc/cni/net.d are not renamed: those of the host are its own, and reset gives it back as it was.
        "cni": {"exclusive": False},
        # The host's own file system, so that none is mounted that would be left behind.
        "cgroup": {"autoMount": {"enabled": False}, "hostRoot": "/sys/fs/cgroup"},
        # By tag, as a mirror has them, whose copies for one architecture have digests of their own.
        "image": {"useDigest": False},
        "operator": {
            "image": {"useDigest": False},
            "replicas": 1 if settings.nodes < 2 else 2,
            "rollOutPods": True,
        },
        "rollOutCiliumPods": True,
        # Envoy starts within the agent once a policy needs it: no second DaemonSet, and no image with a version of its own.
        "envoy": {"enabled": False},
        "hubble": {"enabled": False, **generated},
        "clustermesh": {"apiserver": generated},
    }
    if tunnel:
        values["tunnelProtocol"] = settings.encapsulation
    else:
        values["autoDirectNodeRoutes"] = True
        families = {"ipv4NativeRoutingCIDR": settings.ipv4, "ipv6NativeRoutingCIDR": settings.ipv6}
        values.update({name: network for name, network in families.items() if network})
    if settings.mtu:
        values["MTU"] = settings.mtu + overhead  # of the nodes' network
    if api_server:
        values["k8sServiceHost"] = api_server["KUBERNETES_SERVICE_HOST"]
        values["k8sServicePort"] = int(api_server["KUBERNETES_SERVICE_PORT"])
    return merge_values(values, settings.values)


def objects(chart: str, settings: Cilium) -> list[Object]:
    """Return the objects of the chart.

    :param chart: a URL or the path of its archive or folder, or an oci:// address, which is read with the version of the settings.
    :raises NetworkError: the settings are not valid, the chart cannot be had or rendered, or it differs with each rendering.
    """
    settings.check()
    if not shutil.which("helm"):
        raise NetworkError(
            "helm is not installed on the control node, where Cilium's chart is rendered. Install it, for example from a bundle with "
            "bundle_programs: [helm]. [slipway:program_missing]"
        )
    with tempfile.TemporaryDirectory() as folder:
        try:
            local = charts.unpacked(_fetched(chart, settings.version, folder), os.path.join(folder, "chart"))
        except InputError as error:
            raise NetworkError(
                f"The chart of Cilium {settings.version} cannot be read from {chart} (kube_cilium_chart): {_reason(error)}. Check that the control node "
                "reaches this address and that this version is there, or set kube_cilium_chart to a copy. [slipway:network_chart]"
            ) from None
        _check_version(local, settings.version)
        rendering = Rendering(f"chart {chart}", local, chart_values(settings), NAME, NAMESPACE)
        options = {"kube_version": settings.kubernetes}
        try:
            made, again = (charts.separate_notes(rendering.render(options))[0] for _time in range(2))
            anew = charts.made_anew(made, again, rendering.name)
        except InputError as error:
            raise NetworkError(
                f"{_reason(error).replace(local, chart)}. Correct kube_network_cilium_values. [slipway:network_chart]"
            ) from None
    if anew:
        names = ", ".join(f"{one['kind']} {one['name']}" for one in anew)
        raise NetworkError(
            f"The chart generates parts of {names} anew with each rendering, so that each run would change the cluster. Choose another way to generate "
            "them in kube_network_cilium_values (tls.auto.method: cronJob or certmanager). [slipway:network_chart]"
        )
    found: list[Object] = [content for content, _origin in made if content]
    if settings.image_registry:
        move_images(found, settings.image_registry)
    return found


def _check_version(chart: str, version: str) -> None:
    """Check that a chart is the one of Cilium in a version: the images that a bundle contains are of that version.

    :raises NetworkError: it is another one.
    """
    path = os.path.join(chart, "Chart.yaml")
    documents = yaml_reader.read(Path(path).read_text("utf-8"), path) if os.path.isfile(path) else []
    about = mapping(documents[0].content) if documents else {}
    if (about.get("name"), str(about.get("version"))) != (NAME, version):
        raise NetworkError(
            f"kube_cilium_chart is the chart of {about.get('name')} {about.get('version')}, but kube_versions has Cilium {version}. Set kube_cilium_chart "
            "to the chart of this version, or the version (cilium) in kube_versions. [slipway:network_chart]"
        )


def _reason(error: InputError) -> str:
    """Return an error in one line, without its code."""
    return re.sub(r" *\[slipway:\w+\]", "", " ".join(str(error).split())).rstrip(".")


def _fetched(chart: str, version: str, folder: str) -> str:
    """Return the path of a chart, downloaded into a folder if it is not on the control node."""
    archives, private = os.path.join(folder, "archives"), os.path.join(folder, "private")
    for place in (archives, private, os.path.join(folder, "chart")):
        os.mkdir(place)
    if "://" not in chart:
        path = os.path.abspath(os.path.expanduser(chart))
        if not os.path.exists(path):
            raise InputError(f"{path} does not exist")
        return path
    options = {"chart": chart, "version": version if chart.startswith("oci://") else ""}
    return downloads.pull(options, archives, private, str)
