# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod on every node, and a Service of all address families of the cluster, to see who reaches whom."""

from __future__ import annotations

import ipaddress
from typing import Any

from harness.kube import Kube, workload

NAMESPACE = "reach"
PORT = 8080


class Pods:
    """The pods, once all of them run."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        kube.make_namespace(NAMESPACE)
        daemons = workload(kube.agnhost, "DaemonSet")
        del daemons["spec"]["replicas"]
        daemons["spec"]["template"]["spec"]["tolerations"] = [{"operator": "Exists"}]
        spec = {"selector": {"app": "web"}, "ports": [{"port": PORT}], "ipFamilyPolicy": "PreferDualStack"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
        kube.apply([daemons, service], NAMESPACE)
        kube.kubectl(f"--namespace={NAMESPACE}", "rollout", "status", "daemonset/web", "--timeout=120s")
        self.items: list[dict[str, Any]] = kube.get("pods", namespace=NAMESPACE)
        self.service: dict[str, Any] = kube.get("service", "web", NAMESPACE)

    def addresses(self, pod: dict[str, Any]) -> dict[int, str]:
        """Return the addresses of a pod by IP version."""
        return by_version(entry["ip"] for entry in pod["status"]["podIPs"])

    def refused(self, pod: dict[str, Any], host: str) -> str:
        """Return why a pod cannot connect to *host* (a name or an address) on the port of the pods; empty if it can."""
        target = f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}"
        command = ["exec", pod["metadata"]["name"], "--", "/agnhost", "connect", "--timeout=5s", target]
        code, output = self.kube.host.execute(
            "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", f"--namespace={NAMESPACE}", *command
        )
        return "" if code == 0 else f"{pod['spec']['nodeName']} to {target}: {output.strip() or code}"


def by_version(addresses: Any) -> dict[int, str]:
    """Return addresses by their IP version."""
    return {ipaddress.ip_address(address).version: address for address in addresses}
