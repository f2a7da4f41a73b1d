# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's configuration, made from what the inventory wants: pure functions, no host and no Ansible.

Forms: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/,
https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ and
https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any, Iterable, Mapping

API = "kubeadm.k8s.io/v1beta4"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
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


class ConfigError(ValueError):
    """What is wanted cannot be configured: what is wrong, where, and the remedy."""


def split_endpoint(endpoint: str) -> tuple[str, str]:
    """Host and port of ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address; the port is "" where none is given."""
    bracketed = re.match(r"^\[([^\]]+)\](?::(\d+))?$", endpoint)
    if bracketed:
        return bracketed.group(1), bracketed.group(2) or ""
    if endpoint.count(":") > 1:
        return endpoint, ""
    host, _colon, port = endpoint.partition(":")
    return host, port


def join_endpoint(host: str, port: int | str) -> str:
    """``host:port``, with brackets round an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def complete_endpoint(endpoint: str, port: int) -> str:
    """The endpoint with a port: its own, or else *port* (TCP)."""
    host, own = split_endpoint(endpoint)
    return join_endpoint(host, own or port)


def to_arguments(arguments: Mapping[str, Any], what: str = "extra arguments") -> list[dict[str, str]]:
    """Flags as v1beta4 wants them: ``{name: value}`` becomes ``[{name, value}]``, sorted by name.

    A list of values repeats the flag (v1beta4, type Arg); booleans are written the way Go's flags read them.

    Raises ConfigError for a name with dashes in front and for a value that no flag can carry.
    """
    result = []
    for name in sorted(arguments):
        if name.startswith("-") or not name:
            raise ConfigError(f"{what}: '{name}' is no flag's name. Write it without dashes in front.")
        values = arguments[name]
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if value is None or isinstance(value, (dict, list)):
                raise ConfigError(
                    f"{what}: the value of '{name}' is {value!r}. Give text, a number, a boolean or a list of these."
                )
            result.append({"name": name, "value": str(value).lower() if isinstance(value, bool) else str(value)})
    return result


def check_patches(patches: Mapping[str, Any]) -> None:
    """Refuse patches whose file names kubeadm would pass over in silence.

    The rule is that of kubeadm's "Customizing components with the kubeadm API": ``target[suffix][+patchtype].extension``.
    """
    for name in sorted(patches):
        match = PATCH_NAME.match(name)
        if not match or match.group("target") not in PATCH_TARGETS:
            raise ConfigError(
                f"Patch '{name}' has a name that kubeadm would not apply. Name it TARGET[NUMBER][+strategic|+merge|+json].json,"
                f" TARGET being one of {', '.join(PATCH_TARGETS)}; for instance 'kube-apiserver0+strategic.json'."
            )


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with *over* laid on it: dicts are merged, all else is replaced. Neither is changed."""
    result = dict(base)
    for key, value in over.items():
        own = result.get(key)
        result[key] = merge(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return result


def _taints(taints: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{key: str(taint[key]) for key in ("key", "value", "effect") if taint.get(key)} for taint in taints]


def _registration(want: Mapping[str, Any], taints: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    registration: dict[str, Any] = {
        "name": want["node_name"],
        "criSocket": want.get("cri_socket") or CRI_SOCKET,
        # An empty list is told apart from none by kubeadm: none means its default, the control plane's taint.
        "taints": _taints(taints),
        # The images come one after the other by default; a mirror can serve more at once.
        "imagePullSerial": False,
    }
    if want.get("ignore_preflight_errors"):
        registration["ignorePreflightErrors"] = sorted(set(want["ignore_preflight_errors"]))
    return registration


def _component(want: Mapping[str, Any], name: str) -> dict[str, Any]:
    component: dict[str, Any] = {}
    arguments = to_arguments((want.get("extra_args") or {}).get(name) or {}, f"extra arguments of {name}")
    volumes = (want.get("extra_volumes") or {}).get(name) or []
    if arguments:
        component["extraArgs"] = arguments
    if volumes:
        component["extraVolumes"] = [dict(volume) for volume in volumes]
    return component


def node_taints(want: Mapping[str, Any], control_plane: bool) -> list[dict[str, str]]:
    """Taints with which a node registers: the inventory's, and on a control plane that takes no other pods, its own."""
    taints = _taints(want.get("taints") or [])
    own = {(taint["key"], taint["effect"]) for taint in taints}
    if control_plane and not want.get("schedulable") and tuple(CONTROL_PLANE_TAINT.values()) not in own:
        taints.insert(0, dict(CONTROL_PLANE_TAINT))
    return taints


def build_kubelet(want: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster's KubeletConfiguration; what concerns one host only belongs in that host's drop-in."""
    kubelet: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
        "serverTLSBootstrap": True,
    }
    return merge(kubelet, want.get("kubelet_configuration") or {})


def build_kube_proxy(want: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster's KubeProxyConfiguration."""
    proxy: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": want.get("proxy_mode") or "nftables",
    }
    if want.get("conntrack_read_only"):
        # 0 leaves nf_conntrack_max alone; kube-proxy ends where it may not write it.
        proxy["conntrack"] = {"maxPerCore": 0}
    return merge(proxy, want.get("kube_proxy_configuration") or {})


def build_cluster(want: Mapping[str, Any]) -> dict[str, Any]:
    """The ClusterConfiguration."""
    etcd: dict[str, Any] = {"dataDir": want.get("etcd_data_dir") or "/var/lib/etcd"}
    etcd_arguments = to_arguments((want.get("extra_args") or {}).get("etcd") or {}, "extra arguments of etcd")
    if etcd_arguments:
        etcd["extraArgs"] = etcd_arguments
    api_server = _component(want, "api_server")
    sans = unique_sans([split_endpoint(want["endpoint"])[0], *(want.get("cert_sans") or [])])
    if sans:
        api_server["certSANs"] = sans
    cluster = {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": want["cluster_name"],
        "kubernetesVersion": "v" + str(want["kubernetes_version"]).lstrip("v"),
        "controlPlaneEndpoint": complete_endpoint(want["endpoint"], int(want["api_port"])),
        "networking": {
            "podSubnet": want["pod_subnet"],
            "serviceSubnet": want["service_subnet"],
            "dnsDomain": want["dns_domain"],
        },
        "imageRepository": want["image_registry"],
        "apiServer": api_server,
        "controllerManager": _component(want, "controller_manager"),
        "scheduler": _component(want, "scheduler"),
        "etcd": {"local": etcd},
    }
    if want.get("feature_gates"):
        cluster["featureGates"] = dict(want["feature_gates"])
    return cluster


def unique_sans(names: Iterable[str]) -> list[str]:
    """The names of a certificate, each once, addresses in their canonical form, in the order given."""
    result: list[str] = []
    for name in names:
        try:
            name = str(ipaddress.ip_address(str(name).strip("[]")))
        except ValueError:
            name = str(name)
        if name and name not in result:
            result.append(name)
    return result


def build_init(want: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All documents of ``kubeadm init --config`` but for its bootstrap token, which is made on the host.

    ``want``: cluster_name, kubernetes_version, endpoint, api_port, node_name, node_ip, pod_subnet, service_subnet,
    dns_domain, image_registry are required; cert_sans, extra_args and extra_volumes (by component:
    api_server, controller_manager, scheduler, etcd), feature_gates, taints, schedulable,
    kubelet_configuration, proxy_mode, conntrack_read_only, kube_proxy_configuration,
    etcd_data_dir, cri_socket, ignore_preflight_errors, patches are not.

    Raises ConfigError.
    """
    check_patches(want.get("patches") or {})
    init = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "nodeRegistration": _registration(want, node_taints(want, True)),
        "localAPIEndpoint": {"advertiseAddress": want["node_ip"], "bindPort": int(want["api_port"])},
    }
    init.update(timeouts(want))
    return [init, build_cluster(want), build_kubelet(want), build_kube_proxy(want)]


# Seconds that kubeadm waits by itself (Timeouts, kubeadm-config.v1beta4), and the whole run for which they are right.
WAITS = {
    "controlPlaneComponentHealthCheck": 240,
    "discovery": 60,
    "etcdAPICall": 120,
    "kubeletHealthCheck": 240,
    "kubernetesAPICall": 60,
    "tlsBootstrap": 300,
}
WHOLE_RUN = 600


def timeouts(want: Mapping[str, Any]) -> dict[str, Any]:
    """kubeadm's own waits, longer as its whole run (``timeout`` of *want*, seconds) may take longer; on a slow host each of them counts.

    Nothing where kubeadm's defaults do.
    """
    longer = int(want.get("timeout") or WHOLE_RUN) / WHOLE_RUN
    return {"timeouts": {name: f"{round(wait * longer)}s" for name, wait in WAITS.items()}} if longer > 1 else {}


def build_join(want: Mapping[str, Any]) -> dict[str, Any]:
    """The JoinConfiguration but for what is secret (token, certificate key) and pinned (CA), which add_credentials() adds.

    ``want``: endpoint, api_port, node_name, node_ip, control_plane (bool) are required; taints, schedulable,
    cri_socket, ignore_preflight_errors, patches are not.

    Raises ConfigError.
    """
    check_patches(want.get("patches") or {})
    control_plane = bool(want.get("control_plane"))
    join: dict[str, Any] = {
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "nodeRegistration": _registration(want, node_taints(want, control_plane)),
        "discovery": {
            "bootstrapToken": {"apiServerEndpoint": complete_endpoint(want["endpoint"], int(want["api_port"]))}
        },
    }
    # The token was made a moment ago and the endpoint answered: waiting kubeadm's five minutes tells nothing new.
    join["timeouts"] = {"discovery": "1m0s", **timeouts(want).get("timeouts", {})}
    if control_plane:
        join["controlPlane"] = {
            "localAPIEndpoint": {"advertiseAddress": want["node_ip"], "bindPort": int(want["api_port"])}
        }
    return join


def add_credentials(
    join: Mapping[str, Any], token: str, ca_cert_hashes: list[str], certificate_key: str = ""
) -> dict[str, Any]:
    """A JoinConfiguration with its secrets; *join* itself stays without them."""
    discovery = {"token": token, "caCertHashes": list(ca_cert_hashes)}
    result = merge(join, {"discovery": {"bootstrapToken": discovery}})
    if "controlPlane" in result and certificate_key:
        result["controlPlane"] = merge(result["controlPlane"], {"certificateKey": certificate_key})
    return result


def waived(document: Mapping[str, Any]) -> list[str]:
    """Warnings about the preflight checks that a configuration waives: nobody should waive one unawares."""
    reasons = {
        "SystemVerification": " On a host with cgroup v1 it would refuse, though the kubelet still runs there (failCgroupV1: false).",
        "Swap": " The swap is kept on purpose.",
    }
    checks = document.get("nodeRegistration", {}).get("ignorePreflightErrors", [])
    return [f"kubeadm's preflight check {check} is waived for this host.{reasons.get(check, '')}" for check in checks]


def render(documents: Iterable[Mapping[str, Any]]) -> str:
    """The documents as one file: JSON is YAML, so that a host needs no YAML writer."""
    return "".join("---\n" + json.dumps(document, indent=2, sort_keys=True) + "\n" for document in documents)
