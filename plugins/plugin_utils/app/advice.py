# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a description without a cluster: it works, and may not do what its author expects."""

from __future__ import annotations

from typing import Any, Iterator

from .checks_pod import containers_of
from .fields import join
from .pod import shared_claims
from .spec import Spec
from .workloads import CPU, most_replicas


def warnings(spec: Spec) -> list[str]:
    """Give warnings about an application, one sentence or two each, with the path of the field."""
    return list(_requests(spec)) + list(_images(spec)) + list(_replicas(spec)) + list(_reach(spec))


def _requests(spec: Spec) -> Iterator[str]:
    for path, container in containers_of(spec):
        if path.startswith(("hooks.", "init.")):
            continue  # they are over soon
        requests = (container["resources"] or {}).get("requests") or {}
        limits = (container["resources"] or {}).get("limits") or {}
        # A limit without a request is one: Kubernetes then requests the limit.
        absent = [name for name in ("cpu", "memory") if name not in requests and name not in limits]
        if absent:
            yield "{}: no {} {} requested; the scheduler then counts on none, and nodes run full.".format(
                join(join(path, "resources"), "requests"),
                " and ".join(absent),
                "is" if len(absent) == 1 else "are",
            )
    scaling = spec["scaling"]
    requests = dict((spec["resources"] or {}).get("limits") or {}, **((spec["resources"] or {}).get("requests") or {}))
    if scaling:
        by_cpu = scaling["cpu"] or (not scaling["memory"] and not scaling["metrics"] and CPU)
        for name, used in (("cpu", by_cpu), ("memory", scaling["memory"])):
            if used and name not in requests:
                yield f"scaling.{name}: is a percentage of what is requested, and resources.requests.{name} is absent."


def _images(spec: Spec) -> Iterator[str]:
    for path, container in containers_of(spec):
        image = container["image"]
        if image and "@" not in image:
            tag = image.rpartition("/")[2].partition(":")[2]
            if tag in ("", "latest"):
                yield f"{join(path, 'image')}: {image} can mean another image tomorrow, on some nodes only; name a version."


def _replicas(spec: Spec) -> Iterator[str]:
    most = most_replicas(spec)
    if spec["scaling"] and spec["replicas"] is not None:
        yield "replicas: is not used, because scaling decides how many there are."
    shared = shared_claims(spec) if spec["kind"] == "Deployment" else []
    if shared and most > 1:
        yield (
            "volumes.%s: %d replicas share one volume that only one node can mount, so they must all run there. "
            "Use kind: StatefulSet for a volume each, or mode: ReadWriteMany." % (shared[0], most)
        )
    budget: Any = spec["disruption_budget"]
    least = spec["scaling"]["min"] if spec["scaling"] else most
    if budget and isinstance(budget["min_available"], int) and budget["min_available"] >= least:
        yield "disruption_budget.min_available: is %d of %d pods, so that no node with one of them can be drained." % (
            budget["min_available"],
            least,
        )
    if budget and budget["max_unavailable"] in (0, "0%"):
        yield "disruption_budget.max_unavailable: is 0, so that no node with one of these pods can be drained."


def _reach(spec: Spec) -> Iterator[str]:
    network = spec["network"]
    if not network or network["allow_from"] is None:
        return
    far = any(
        peer["namespace"] is not None or peer["namespace_labels"] is not None or peer["cidr"]
        for peer in network["allow_from"]
    )
    if spec["ingress"] and not far:
        yield (
            "network.allow_from: names nobody outside of the namespace, so the Ingress's controller does not reach the pods. "
            "Add its namespace: {namespace: NAME}."
        )
    service = spec["service"]
    outside = service and (
        service["type"] in ("NodePort", "LoadBalancer") or any(port["node_port"] for port in spec["ports"].values())
    )
    if outside and not any(peer["cidr"] for peer in network["allow_from"]):
        yield "network.allow_from: names no range of addresses, so nobody outside of the cluster reaches the Service."
