# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's configuration, built from the settings of the inventory. These functions are pure: they use neither the host nor Ansible.

Formats: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/,
https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ and
https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Mapping

from .._kube.x509 import canonical_address
from . import hardening, sizes

API = "kubeadm.k8s.io/v1beta4"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
# Where the API server has the authority of an external etcd and its client certificate: the files that a stacked one has, too.
ETCD_CLIENT = {
    "caFile": "/etc/kubernetes/pki/etcd/ca.crt",
    "certFile": "/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "keyFile": "/etc/kubernetes/pki/apiserver-etcd-client.key",
}
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
PATCH_TARGETS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubeletconfiguration",
    "corednsdeployment",
)
PATCH_NAME = re.compile(r"^(?P<target>[a-z-]+?)(?P<suffix>[0-9]*)(\+(?P<kind>strategic|merge|json))?\.(json|yaml)$")
# kubeadm's own timeouts in seconds (type Timeouts), and the timeout of the whole run for which they are appropriate.
TIMEOUTS = {
    "controlPlaneComponentHealthCheck": 240,
    "discovery": 60,
    "etcdAPICall": 120,
    "kubeletHealthCheck": 240,
    "kubernetesAPICall": 60,
    "tlsBootstrap": 300,
    "upgradeManifests": 300,
}
RUN_TIMEOUT = 600


class ConfigError(ValueError):
    """The settings cannot be expressed as a kubeadm configuration. The message includes the remedy."""


def split_endpoint(endpoint: str) -> tuple[str, str]:
    """Return host and port of ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address; the port is "" if there is none."""
    bracketed = re.match(r"^\[([^\]]+)\](?::(\d+))?$", endpoint)
    if bracketed:
        return bracketed.group(1), bracketed.group(2) or ""
    if endpoint.count(":") > 1:
        return endpoint, ""
    host, _colon, port = endpoint.partition(":")
    return host, port


def join_endpoint(host: str, port: int | str) -> str:
    """Return ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def complete_endpoint(endpoint: str, default_port: int) -> str:
    """Return the endpoint with a port."""
    host, port = split_endpoint(endpoint)
    return join_endpoint(host, port or default_port)


def unique_sans(names: Iterable[str]) -> list[str]:
    """Return the names for a certificate without duplicates, addresses in their canonical form, in the given order."""
    return [name for name in dict.fromkeys(canonical_address(str(name).strip("[]")) for name in names) if name]


def to_arguments(arguments: Mapping[str, Any], what: str = "extra arguments") -> list[dict[str, str]]:
    """Convert ``{name: value}`` to a list of v1beta4 ``Arg``, sorted by name.

    A list of values repeats the flag. Booleans are written as Go's flags expect them.

    :param what: what the arguments are for, for messages.
    :raises ConfigError: a name has leading dashes, or a value cannot be passed to a flag.
    """
    result = []
    for name in sorted(arguments):
        if name.startswith("-") or not name:
            raise ConfigError(
                f"{what}: '{name}' is not a valid flag name. Write it without leading dashes. [slipway:variables]"
            )
        values = arguments[name]
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if value is None or isinstance(value, (dict, list)):
                raise ConfigError(
                    f"{what}: '{name}' has the value {value!r}. Use a string, a number, a boolean or a list of these."
                    " [slipway:variables]"
                )
            result.append({"name": name, "value": str(value).lower() if isinstance(value, bool) else str(value)})
    return result


def check_patches(patches: Mapping[str, Any]) -> None:
    """Reject patches with file names that kubeadm would silently ignore.

    Names have the form ``target[suffix][+patchtype].extension``
    (https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/control-plane-flags/#patches).

    :raises ConfigError: a name is not valid.
    """
    for name in sorted(patches):
        match = PATCH_NAME.match(name)
        if not match or match.group("target") not in PATCH_TARGETS:
            raise ConfigError(
                f"kubeadm would not apply the patch '{name}'. Name it TARGET[NUMBER][+strategic|+merge|+json].json, where"
                f" TARGET is one of {', '.join(PATCH_TARGETS)}; for example 'kube-apiserver0+strategic.json'."
                " [slipway:variables]"
            )


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of *base* merged with *override*: mappings are merged, other values are replaced."""
    result = dict(base)
    for key, value in override.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def clean_taints(taints: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return taints with only the fields that identify and describe them."""
    return [{key: str(taint[key]) for key in ("key", "value", "effect") if taint.get(key)} for taint in taints]


def node_taints(settings: Mapping[str, Any], control_plane: bool) -> list[dict[str, str]]:
    """Return the taints with which a node registers: those of the inventory and, unless it is schedulable, the control plane taint."""
    taints = clean_taints(settings.get("taints") or [])
    present = {(taint["key"], taint["effect"]) for taint in taints}
    if control_plane and not settings.get("schedulable") and tuple(CONTROL_PLANE_TAINT.values()) not in present:
        taints.insert(0, dict(CONTROL_PLANE_TAINT))
    return taints


def _registration(settings: Mapping[str, Any], control_plane: bool) -> dict[str, Any]:
    registration: dict[str, Any] = {
        "name": settings["node_name"],
        "criSocket": settings.get("cri_socket") or CRI_SOCKET,
        # An empty list means no taints; kubeadm adds the control plane taint if the field is missing.
        "taints": node_taints(settings, control_plane),
        "imagePullSerial": False,
    }
    if settings.get("ignore_preflight_errors"):
        registration["ignorePreflightErrors"] = sorted(set(settings["ignore_preflight_errors"]))
    return registration


def _local_endpoint(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"localAPIEndpoint": {"advertiseAddress": settings["node_ip"], "bindPort": int(settings["api_port"])}}


def _flags(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the flags of a component; those of the inventory replace others."""
    given = (settings.get("extra_args") or {}).get(name) or {}
    size = sizes.component_flags(name, int(settings.get("nodes") or 0))
    return {**size, **hardening.component_flags(settings, name, given), **given}


def _arguments(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    arguments = to_arguments(_flags(settings, name), f"extra arguments of {name}")
    return {"extraArgs": arguments} if arguments else {}


def _component(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    component = _arguments(settings, name)
    volumes = list((settings.get("extra_volumes") or {}).get(name) or [])
    if name == "api_server" and settings.get("hardening"):
        volumes += hardening.volumes(_flags(settings, name))
    if volumes:
        component["extraVolumes"] = [dict(volume) for volume in volumes]
    return component


def build_kubelet(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Build the KubeletConfiguration of the cluster. Settings of a single host belong in the host's drop-in file."""
    kubelet: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
        "serverTLSBootstrap": True,
    }
    return merge({**kubelet, **hardening.kubelet(settings)}, settings.get("kubelet_configuration") or {})


def build_kube_proxy(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Build the KubeProxyConfiguration of the cluster."""
    proxy: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": settings.get("proxy_mode") or "nftables",
    }
    if settings.get("conntrack_read_only"):
        # With 0, kube-proxy does not set nf_conntrack_max; it exits if it cannot write it.
        proxy["conntrack"] = {"maxPerCore": 0}
    return merge(proxy, settings.get("kube_proxy_configuration") or {})


def _etcd(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the API servers reach an external etcd, or the settings of the stacked one."""
    if settings.get("etcd_endpoints"):
        return {"external": {"endpoints": list(settings["etcd_endpoints"]), **ETCD_CLIENT}}
    return {"local": {"dataDir": settings.get("etcd_data_dir") or "/var/lib/etcd", **_arguments(settings, "etcd")}}


def build_etcd(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Build the documents with which kubeadm makes the certificates and the static pod of a member of an external etcd.

    https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/setup-ha-etcd-with-kubeadm/

    :param settings: ``kubernetes_version``, ``node_name``, ``node_ip`` and ``image_registry`` are required. Optional are ``extra_args`` (with
        ``etcd``), ``hardening``, ``etcd_data_dir`` and ``patches``.
    :raises ConfigError: a setting is not valid.
    """
    check_patches(settings.get("patches") or {})
    init = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "nodeRegistration": {"name": settings["node_name"], "criSocket": settings.get("cri_socket") or CRI_SOCKET},
        "localAPIEndpoint": {"advertiseAddress": settings["node_ip"]},
    }
    cluster = {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v" + str(settings["kubernetes_version"]).lstrip("v"),
        "imageRepository": settings["image_registry"],
        "etcd": _etcd({**settings, "etcd_endpoints": []}),
    }
    return [init, cluster]


def build_cluster(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Build the ClusterConfiguration."""
    sans = unique_sans([split_endpoint(settings["endpoint"])[0], *(settings.get("cert_sans") or [])])
    cluster = {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": settings["cluster_name"],
        "kubernetesVersion": "v" + str(settings["kubernetes_version"]).lstrip("v"),
        "controlPlaneEndpoint": complete_endpoint(settings["endpoint"], int(settings["api_port"])),
        "networking": {
            # Networks of two address families are separated by a comma without blanks.
            "podSubnet": settings["pod_subnet"].replace(" ", ""),
            "serviceSubnet": settings["service_subnet"].replace(" ", ""),
            "dnsDomain": settings["dns_domain"],
        },
        "imageRepository": settings["image_registry"],
        "apiServer": {**_component(settings, "api_server"), **({"certSANs": sans} if sans else {})},
        "controllerManager": _component(settings, "controller_manager"),
        "scheduler": _component(settings, "scheduler"),
        "etcd": _etcd(settings),
    }
    if settings.get("feature_gates"):
        cluster["featureGates"] = dict(settings["feature_gates"])
    return cluster


def build_init(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Build all documents of ``kubeadm init --config`` without the bootstrap token, which is generated on the host.

    :param settings: ``cluster_name``, ``kubernetes_version``, ``endpoint``, ``api_port``, ``node_name``, ``node_ip``, ``pod_subnet``,
        ``service_subnet``, ``dns_domain`` and ``image_registry`` are required. Optional are ``cert_sans``, ``extra_args`` and
        ``extra_volumes`` (by component: ``api_server``, ``controller_manager``, ``scheduler``, ``etcd``), ``feature_gates``, ``taints``,
        ``schedulable``, ``kubelet_configuration``, ``proxy_mode``, ``conntrack_read_only``, ``kube_proxy_configuration``,
        ``etcd_data_dir``, ``etcd_endpoints`` (URLs of an external etcd), ``nodes`` (expected number), ``cri_socket``,
        ``ignore_preflight_errors``, ``patches``, ``timeout`` and ``hardening`` (see roles/control_plane/vars).
    :raises ConfigError: a setting is not valid.
    """
    check_patches(settings.get("patches") or {})
    init = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "nodeRegistration": _registration(settings, True),
        **_local_endpoint(settings),
        **timeouts(settings),
    }
    return [init, build_cluster(settings), build_kubelet(settings), build_kube_proxy(settings)]


def timeouts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return kubeadm's own timeouts, increased in proportion to the ``timeout`` of the whole run (seconds), for slow hosts.

    :returns: {} if kubeadm's defaults are sufficient.
    """
    factor = int(settings.get("timeout") or RUN_TIMEOUT) / RUN_TIMEOUT
    if factor <= 1:
        return {}
    return {"timeouts": {name: f"{round(seconds * factor)}s" for name, seconds in TIMEOUTS.items()}}


def build_join(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Build the JoinConfiguration without its credentials, see :func:`add_credentials`.

    :param settings: ``endpoint``, ``api_port``, ``node_name``, ``node_ip`` and ``control_plane`` (bool) are required. Optional are ``taints``,
        ``schedulable``, ``cri_socket``, ``ignore_preflight_errors``, ``patches`` and ``timeout``.
    :raises ConfigError: a setting is not valid.
    """
    check_patches(settings.get("patches") or {})
    control_plane = bool(settings.get("control_plane"))
    endpoint = complete_endpoint(settings["endpoint"], int(settings["api_port"]))
    join: dict[str, Any] = {
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "nodeRegistration": _registration(settings, control_plane),
        "discovery": {"bootstrapToken": {"apiServerEndpoint": endpoint}},
        # The endpoint responded when the token was issued: waiting for kubeadm's five minutes would not help.
        "timeouts": {"discovery": "1m0s", **timeouts(settings).get("timeouts", {})},
    }
    if control_plane:
        join["controlPlane"] = _local_endpoint(settings)
    return join


def build_upgrade(version: str, ignore_preflight_errors: Iterable[str], timeout: int) -> dict[str, Any]:
    """Build the UpgradeConfiguration, of ``kubeadm upgrade apply`` as well as of ``kubeadm upgrade node``.

    :param version: the version to upgrade to.
    :param timeout: of the whole run, in seconds.
    """
    common: dict[str, Any] = {"imagePullSerial": False}
    ignored = sorted(set(ignore_preflight_errors))
    if ignored:
        common["ignorePreflightErrors"] = ignored
    return {
        "apiVersion": API,
        "kind": "UpgradeConfiguration",
        "apply": {"kubernetesVersion": f"v{version}", **common},
        "node": dict(common),
        **timeouts({"timeout": timeout}),
    }


def place_patches(document: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """Return a copy of a document of kubeadm's configuration that says where the patches are; others are returned as they are."""
    place = {"patches": {"directory": directory}}
    if document["kind"] in ("InitConfiguration", "JoinConfiguration"):
        return {**document, **place}
    if document["kind"] == "UpgradeConfiguration":
        return merge(document, {"apply": place, "node": place})
    return dict(document)


def add_credentials(
    join: Mapping[str, Any], token: str, ca_cert_hashes: list[str], certificate_key: str = ""
) -> dict[str, Any]:
    """Return a copy of a JoinConfiguration with its credentials."""
    discovery = {"token": token, "caCertHashes": list(ca_cert_hashes)}
    result = merge(join, {"discovery": {"bootstrapToken": discovery}})
    if "controlPlane" in result and certificate_key:
        result["controlPlane"] = merge(result["controlPlane"], {"certificateKey": certificate_key})
    return result


def ignored_checks(document: Mapping[str, Any]) -> list[str]:
    """Return a warning for each preflight check that a configuration ignores."""
    reasons = {
        "SystemVerification": " It would fail on a host with cgroup v1, where the kubelet still runs (failCgroupV1: false).",
        "Swap": " Swap stays enabled on purpose.",
    }
    checks = document.get("nodeRegistration", {}).get("ignorePreflightErrors", [])
    return [f"kubeadm's preflight check {check} is ignored on this host.{reasons.get(check, '')}" for check in checks]


def render(documents: Iterable[Mapping[str, Any]]) -> str:
    """Return the documents as one file. JSON is valid YAML, so hosts need no YAML library."""
    return "".join("---\n" + json.dumps(document, indent=2, sort_keys=True) + "\n" for document in documents)
