# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a Flannel pod network.

Settings: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md. Flannel does not enforce NetworkPolicy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from .settings import NetworkSettings, Object, settings_annotation

NAMESPACE = "kube-flannel"
BACKENDS = ("vxlan", "host-gw")
IMAGE = "ghcr.io/flannel-io/flannel"
PLUGIN_IMAGE = "ghcr.io/flannel-io/flannel-cni-plugin"
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"

# Flannel writes the subnet of the node to a file. This script waits for it, writes a CNI configuration without flannel's plugin, and updates it
# when the subnet changes. The rename makes each update atomic.
WRITE_CONFLIST = r"""
set -eu
trap 'exit 0' TERM INT
while :; do
  if [ -s /run/flannel/subnet.env ]; then
    . /run/flannel/subnet.env
    subnets= networks=
    # The subnets contain their first address, that of the node: host-local expects the network.
    if [ -n "${FLANNEL_SUBNET:-}" ]; then
      address=${FLANNEL_SUBNET%/*}
      subnets="${address%.*}.$((${address##*.} - 1))/${FLANNEL_SUBNET#*/}"
      networks=$FLANNEL_NETWORK
    fi
    if [ -n "${FLANNEL_IPV6_SUBNET:-}" ]; then
      address=${FLANNEL_IPV6_SUBNET%/*}
      subnets="$subnets ${address%1}/${FLANNEL_IPV6_SUBNET#*/}"
      networks="$networks $FLANNEL_IPV6_NETWORK"
    fi
    wanted=$(printf "$CONFLIST_FORMAT" "${POD_MTU:-$FLANNEL_MTU}" $subnets $networks)
    if [ "$(cat "$CONFLIST" 2>/dev/null)" != "$wanted" ]; then
      printf '%s\n' "$wanted" > "$CONFLIST.new"
      mv "$CONFLIST.new" "$CONFLIST"
      echo "wrote $CONFLIST for $subnets"
    fi
    pause=15
  else
    pause=0.2
  fi
  sleep "$pause" &
  wait $! || true
done
""".lstrip()


# Flannel takes the first address of the interface for a second family unless it is told another one.
START_WITH_BOTH_FAMILIES = r"""
for address in $(echo "$HOST_IPS" | tr , ' '); do
  case $address in
    *:*) ipv6=$address ;;
    *) ipv4=$address ;;
  esac
done
exec /opt/bin/flanneld "$@" --iface="$ipv4" --public-ipv6="${ipv6:-}"
""".lstrip()


@dataclass(frozen=True)
class Flannel(NetworkSettings):
    """Settings of Flannel. ``mtu`` applies to the interface of the nodes for vxlan, and to pods for host-gw.

    :ivar version: Flannel's version, without the v.
    :ivar backend: one of :data:`BACKENDS`; host-gw requires all nodes in one layer 2 network.
    :ivar nftables: whether packet rules are set with nftables instead of iptables.
    :ivar cni_plugin: whether Flannel's CNI plugin is used; otherwise bridge and host-local are used.
    :ivar plugin_version: tag of the plugin's image, without the v.
    """

    NODE_PREFIX: ClassVar[dict[int, int]] = {4: 24, 6: 64}

    version: str
    backend: str = "vxlan"
    nftables: bool = True
    cni_plugin: bool = True
    plugin_version: str = ""

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, with remedies."""
        found = super().problems()
        if self.backend not in BACKENDS:
            found.append(f"Flannel's backend {self.backend!r} is not supported; choose one of {', '.join(BACKENDS)}.")
        if not self.version:
            found.append("Flannel's version is not set.")
        if self.cni_plugin and not self.plugin_version:
            found.append("The version of Flannel's CNI plugin is not set.")
        return found


def objects(settings: Flannel) -> list[Object]:
    """Return the objects in the order in which they are applied.

    :raises NetworkError: the settings are not valid.
    """
    settings.check()
    cluster = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "flannel", "labels": {"k8s-app": "flannel"}},
    }
    return [
        _object(
            "v1",
            "Namespace",
            NAMESPACE,
            False,
            labels={"k8s-app": "flannel", "pod-security.kubernetes.io/enforce": "privileged"},
        ),
        _object("v1", "ServiceAccount", "flannel"),
        dict(
            cluster,
            kind="ClusterRole",
            rules=[_rule("pods", "get"), _rule("nodes", "get", "list", "watch"), _rule("nodes/status", "patch")],
        ),
        dict(
            cluster,
            kind="ClusterRoleBinding",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flannel"},
            subjects=[{"kind": "ServiceAccount", "name": "flannel", "namespace": NAMESPACE}],
        ),
        dict(_object("v1", "ConfigMap", "kube-flannel-cfg"), data=config_data(settings)),
        dict(_object("apps/v1", "DaemonSet", "kube-flannel-ds"), spec=_daemon_set(settings)),
    ]


def config_data(settings: Flannel) -> dict[str, str]:
    """Return the data of Flannel's ConfigMap: its configuration, and the CNI configuration for its plugin."""
    backend: Object = {"Type": settings.backend}
    if settings.mtu and settings.backend == "vxlan":
        backend["MTU"] = settings.mtu
    networks: Object = {"Network": settings.ipv4} if settings.ipv4 else {"EnableIPv4": False}
    if settings.ipv6:
        networks.update(EnableIPv6=True, IPv6Network=settings.ipv6)
    data = {"net-conf.json": _json({**networks, "EnableNFTables": settings.nftables, "Backend": backend})}
    if settings.cni_plugin:
        delegate: Object = {"hairpinMode": True, "isDefaultGateway": True}
        if settings.mtu and settings.backend == "host-gw":
            delegate["mtu"] = settings.mtu
        data["cni-conf.json"] = _json(_plugins({"type": "flannel", "delegate": delegate}))
    return data


def conflist_format(settings: Flannel) -> str:
    """Return the CNI configuration without flannel's plugin.

    It is a format string for the MTU, the subnets of the node and the pod networks (one of each for each address family).
    """
    families = range(len(settings.pod_subnets))
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": "MTU",
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "SUBNET"}] for _family in families],
            "routes": [{"dst": "NETWORK"} for _family in families],
        },
    }
    text = json.dumps(_plugins(bridge), separators=(",", ":"))
    return text.replace('"MTU"', "%s").replace("SUBNET", "%s").replace("NETWORK", "%s")


def _plugins(first: Object) -> Object:
    return {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "plugins": [first, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _daemon_set(settings: Flannel) -> Object:
    image = f"{_image(IMAGE, settings)}:v{settings.version}"
    labels = {"app": "flannel", "k8s-app": "flannel", "tier": "node"}
    spec: Object = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "flannel",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}, {"operator": "Exists", "effect": "NoExecute"}],
        "containers": [_flanneld(image, settings)],
        "volumes": [
            _host_path("run", "/run/flannel", "DirectoryOrCreate"),
            _host_path("cni", "/etc/cni/net.d", "DirectoryOrCreate"),
            _host_path("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
            {"name": "flannel-cfg", "configMap": {"name": "kube-flannel-cfg"}},
        ],
    }
    if settings.cni_plugin:
        spec["initContainers"] = _plugin_installers(image, settings)
        spec["volumes"].append(_host_path("cni-plugin", "/opt/cni/bin", "DirectoryOrCreate"))
    else:
        spec["containers"].append(_conflist_writer(image, settings))
    return {
        "selector": {"matchLabels": {"app": "flannel"}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": {
            "metadata": {"labels": labels, "annotations": settings_annotation(config_data(settings))},
            "spec": spec,
        },
    }


def _flanneld(image: str, settings: Flannel) -> Object:
    api_server = [{"name": name, "value": value} for name, value in settings.api_server_env().items()]
    # The interface with the kubelet's --node-ip, instead of that of the default route.
    address, field, command, args = "HOST_IP", "status.hostIP", ["/opt/bin/flanneld"], ["--iface=$(HOST_IP)"]
    if settings.ipv4 and settings.ipv6:
        command, args = ["/bin/sh", "-euc", START_WITH_BOTH_FAMILIES, "flanneld"], []
        address, field = "HOST_IPS", "status.hostIPs"
    return {
        "name": "kube-flannel",
        "image": image,
        "command": command,
        "args": ["--ip-masq", "--kube-subnet-mgr", *args],
        "env": [
            {"name": address, "valueFrom": {"fieldRef": {"fieldPath": field}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "EVENT_QUEUE_DEPTH", "value": "5000"},
            *api_server,
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}},
        "securityContext": {"privileged": False, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        "volumeMounts": [
            _mount("run", "/run/flannel"),
            _mount("flannel-cfg", "/etc/kube-flannel"),
            _mount("xtables-lock", "/run/xtables.lock"),
        ],
    }


def _plugin_installers(image: str, settings: Flannel) -> list[Object]:
    plugin = f"{_image(PLUGIN_IMAGE, settings)}:v{settings.plugin_version}"
    return [
        {
            "name": "install-cni-plugin",
            "image": plugin,
            "command": ["cp"],
            "args": ["-f", "/flannel", "/opt/cni/bin/flannel"],
            "volumeMounts": [_mount("cni-plugin", "/opt/cni/bin")],
        },
        {
            "name": "install-cni",
            "image": image,
            "command": ["cp"],
            "args": ["-f", "/etc/kube-flannel/cni-conf.json", CONFLIST],
            "volumeMounts": [_mount("cni", "/etc/cni/net.d"), _mount("flannel-cfg", "/etc/kube-flannel")],
        },
    ]


def _conflist_writer(image: str, settings: Flannel) -> Object:
    env = [{"name": "CONFLIST", "value": CONFLIST}, {"name": "CONFLIST_FORMAT", "value": conflist_format(settings)}]
    if settings.mtu and settings.backend == "host-gw":
        env.append({"name": "POD_MTU", "value": str(settings.mtu)})
    return {
        "name": "cni-conflist",
        "image": image,
        "command": ["/bin/sh", "-c", WRITE_CONFLIST],
        "env": env,
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [dict(_mount("run", "/run/flannel"), readOnly=True), _mount("cni", "/etc/cni/net.d")],
    }


def _object(api_version: str, kind: str, name: str, namespaced: bool = True, **metadata: Any) -> Object:
    named: Object = dict({"name": name, "labels": {"k8s-app": "flannel"}}, **metadata)
    if namespaced:
        named["namespace"] = NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": named}


def _rule(resource: str, *verbs: str) -> Object:
    return {"apiGroups": [""], "resources": [resource], "verbs": list(verbs)}


def _host_path(name: str, path: str, kind: str) -> Object:
    return {"name": name, "hostPath": {"path": path, "type": kind}}


def _mount(name: str, path: str) -> Object:
    return {"name": name, "mountPath": path}


def _image(name: str, settings: Flannel) -> str:
    return name.replace("ghcr.io", settings.image_registry.rstrip("/"), 1) if settings.image_registry else name


def _json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"
