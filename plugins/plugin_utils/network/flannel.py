# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a Flannel pod network, made from what a cluster wants.

The settings and what they mean: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md. Flannel carries
packets between nodes and enforces no NetworkPolicy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict

from .calico import NetworkError, api_server_env, api_server_problems, fingerprint, mtu_problems, pod_subnet_problems

Object = Dict[str, Any]

NAMESPACE = "kube-flannel"
BACKENDS = ("vxlan", "host-gw")
IMAGE = "ghcr.io/flannel-io/flannel"
PLUGIN_IMAGE = "ghcr.io/flannel-io/flannel-cni-plugin"
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"

# Flannel tells its part of the network in a file. This waits for it, writes a list of plugins that do without flannel's own,
# and writes again when the file says something else. A rename makes the list appear as a whole.
WRITE_CONFLIST = r"""
set -eu
trap 'exit 0' TERM INT
while :; do
  if [ -s /run/flannel/subnet.env ]; then
    . /run/flannel/subnet.env
    # FLANNEL_SUBNET is the node's own address in it, the first one: host-local wants the network.
    address=${FLANNEL_SUBNET%/*}
    subnet=${address%.*}.$((${address##*.} - 1))/${FLANNEL_SUBNET#*/}
    wanted=$(printf "$CONFLIST_FORMAT" "${POD_MTU:-$FLANNEL_MTU}" "$subnet" "$FLANNEL_NETWORK")
    if [ "$(cat "$CONFLIST" 2>/dev/null)" != "$wanted" ]; then
      printf '%s\n' "$wanted" > "$CONFLIST.new"
      mv "$CONFLIST.new" "$CONFLIST"
      echo "wrote $CONFLIST for $subnet"
    fi
    pause=15
  else
    pause=0.2
  fi
  sleep "$pause" &
  wait $! || true
done
""".lstrip()


@dataclass(frozen=True)
class Flannel:
    """What is wanted of Flannel.

    :ivar pod_subnet: IPv4 network of the pods, in CIDR notation.
    :ivar version: Flannel's version, without the v.
    :ivar backend: one of :data:`BACKENDS`; host-gw needs all nodes in one layer 2 network.
    :ivar mtu: MTU in bytes, of the nodes' interface for vxlan; 0 lets Flannel find it.
    :ivar nftables: whether packet rules are made with nftables instead of iptables.
    :ivar cni_plugin: whether flannel's own CNI plugin is used; otherwise bridge and host-local serve.
    :ivar plugin_version: tag of the plugin's image without the v.
    :ivar image_registry: registry to take the images from instead of ghcr.io.
    :ivar api_server: HOST or HOST:PORT at which nodes reach the API server; empty for the Service's address.
    :ivar api_port: port of the API server where C(api_server) names none.
    """

    pod_subnet: str
    version: str
    backend: str = "vxlan"
    mtu: int = 0
    nftables: bool = True
    cni_plugin: bool = True
    plugin_version: str = ""
    image_registry: str = ""
    api_server: str = ""
    api_port: int = 6443

    def problems(self) -> list[str]:
        """Say what cannot work about these settings, each with its remedy."""
        found = (
            pod_subnet_problems(self.pod_subnet, 24)
            + mtu_problems(self.mtu)
            + api_server_problems(self.api_server, self.api_port)
        )
        if self.backend not in BACKENDS:
            found.append(f"Flannel's backend {self.backend!r} is not supported; choose one of {', '.join(BACKENDS)}.")
        if not self.version:
            found.append("Flannel's version is not given.")
        if self.cni_plugin and not self.plugin_version:
            found.append("The version of flannel's CNI plugin is not given.")
        return found


def objects(wanted: Flannel) -> list[Object]:
    """Make the objects, in the order in which they are to be applied.

    :raises NetworkError: the settings cannot work.
    """
    problems = wanted.problems()
    if problems:
        raise NetworkError(" ".join(problems))
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
        dict(_object("v1", "ConfigMap", "kube-flannel-cfg"), data=settings(wanted)),
        dict(_object("apps/v1", "DaemonSet", "kube-flannel-ds"), spec=_daemon_set(wanted)),
    ]


def settings(wanted: Flannel) -> dict[str, str]:
    """Make the data of Flannel's ConfigMap: its own settings, and the CNI configuration for its own plugin."""
    backend: Object = {"Type": wanted.backend}
    if wanted.mtu and wanted.backend == "vxlan":
        backend["MTU"] = wanted.mtu
    data = {
        "net-conf.json": _json({"Network": wanted.pod_subnet, "EnableNFTables": wanted.nftables, "Backend": backend})
    }
    if wanted.cni_plugin:
        delegate: Object = {"hairpinMode": True, "isDefaultGateway": True}
        if wanted.mtu and wanted.backend == "host-gw":
            delegate["mtu"] = wanted.mtu
        data["cni-conf.json"] = _json(_plugins({"type": "flannel", "delegate": delegate}))
    return data


def conflist_format(wanted: Flannel) -> str:
    """Make the CNI configuration without flannel's plugin, with places for the MTU, the node's subnet and the pod network."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": "MTU",
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "SUBNET"}]], "routes": [{"dst": "NETWORK"}]},
    }
    text = json.dumps(_plugins(bridge), separators=(",", ":"))
    return text.replace('"MTU"', "%s").replace("SUBNET", "%s").replace("NETWORK", "%s")


def _plugins(first: Object) -> Object:
    return {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "plugins": [first, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _daemon_set(wanted: Flannel) -> Object:
    image = f"{_image(IMAGE, wanted)}:v{wanted.version}"
    labels = {"app": "flannel", "k8s-app": "flannel", "tier": "node"}
    spec: Object = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "flannel",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}, {"operator": "Exists", "effect": "NoExecute"}],
        "containers": [_flanneld(image, wanted)],
        "volumes": [
            _host_path("run", "/run/flannel", "DirectoryOrCreate"),
            _host_path("cni", "/etc/cni/net.d", "DirectoryOrCreate"),
            _host_path("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
            {"name": "flannel-cfg", "configMap": {"name": "kube-flannel-cfg"}},
        ],
    }
    if wanted.cni_plugin:
        spec["initContainers"] = _plugin_installers(image, wanted)
        spec["volumes"].append(_host_path("cni-plugin", "/opt/cni/bin", "DirectoryOrCreate"))
    else:
        spec["containers"].append(_conflist_writer(image, wanted))
    return {
        "selector": {"matchLabels": {"app": "flannel"}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": {"metadata": {"labels": labels, "annotations": fingerprint(settings(wanted))}, "spec": spec},
    }


def _flanneld(image: str, wanted: Flannel) -> Object:
    api_server = [
        {"name": name, "value": value} for name, value in api_server_env(wanted.api_server, wanted.api_port).items()
    ]
    return {
        "name": "kube-flannel",
        "image": image,
        "command": ["/opt/bin/flanneld"],
        "args": ["--ip-masq", "--kube-subnet-mgr"],
        "env": [
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


def _plugin_installers(image: str, wanted: Flannel) -> list[Object]:
    plugin = f"{_image(PLUGIN_IMAGE, wanted)}:v{wanted.plugin_version}"
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


def _conflist_writer(image: str, wanted: Flannel) -> Object:
    env = [{"name": "CONFLIST", "value": CONFLIST}, {"name": "CONFLIST_FORMAT", "value": conflist_format(wanted)}]
    if wanted.mtu and wanted.backend == "host-gw":
        env.append({"name": "POD_MTU", "value": str(wanted.mtu)})
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


def _image(name: str, wanted: Flannel) -> str:
    return name.replace("ghcr.io", wanted.image_registry.rstrip("/"), 1) if wanted.image_registry else name


def _json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"
