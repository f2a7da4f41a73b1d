# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about a description that is valid but may not behave as its author expects."""

from __future__ import annotations

from collections.abc import Iterator

from .fields import join
from .pod import shared_claims
from .spec import CANARY, Spec, containers_of
from .workloads import CPU, most_replicas


def warnings(spec: Spec) -> list[str]:
    """Return the warnings about an application, each starting with the path of a field."""
    return [*_requests(spec), *_images(spec), *_replicas(spec), *_canary(spec), *_reachability(spec)]


def _requests(spec: Spec) -> Iterator[str]:
    for path, container in containers_of(spec):
        if path.startswith(("hooks.", "init.")):
            continue  # they run for a short time only
        resources = container["resources"] or {}
        # Kubernetes uses the limit as the request where there is no request.
        requested = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        missing = [name for name in ("cpu", "memory") if name not in requested]
        if missing:
            yield (
                f"{join(join(path, 'resources'), 'requests')}: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. "
                "The scheduler reserves nothing for the container, and nodes can run out of resources."
            )
        if not path and (scaling := spec["scaling"]):
            by_cpu = scaling["cpu"] or (not scaling["memory"] and not scaling["metrics"] and CPU)
            for name, used in (("cpu", by_cpu), ("memory", scaling["memory"])):
                if used and name not in requested:
                    yield f"scaling.{name}: is a percentage of resources.requests.{name}, which is not set."


def _images(spec: Spec) -> Iterator[str]:
    for path, container in containers_of(spec):
        image = container["image"]
        if image and "@" not in image and image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
            yield f"{join(path, 'image')}: {image} can refer to different images over time and on different nodes. Set a version tag."


def _replicas(spec: Spec) -> Iterator[str]:
    most = most_replicas(spec)
    if spec["scaling"] and spec["replicas"] is not None:
        yield "replicas: is ignored, because the autoscaler (scaling) sets the number of pods."
    shared = shared_claims(spec) if spec["kind"] == "Deployment" else []
    if shared and most > 1:
        yield (
            f"volumes.{shared[0]}: {most} replicas share one volume that only one node can mount, so they must all run on that node. "
            "Use kind: StatefulSet for a volume per pod, or mode: ReadWriteMany."
        )
    budget = spec["disruption_budget"]
    least = spec["scaling"]["min"] if spec["scaling"] else most
    if budget and isinstance(budget["min_available"], int) and budget["min_available"] >= least:
        yield (
            f"disruption_budget.min_available: is {budget['min_available']} of {least} pods, "
            "so a node that runs one of them cannot be drained."
        )
    if budget and budget["max_unavailable"] in (0, "0%"):
        yield "disruption_budget.max_unavailable: is 0, so a node that runs one of these pods cannot be drained."


def _canary(spec: Spec) -> Iterator[str]:
    if spec["strategy"]["type"] == CANARY and spec["probe"] is None and spec["readiness"] is None:
        yield (
            "strategy.type: Canary judges pods by their readiness, and without probe or readiness a container counts as ready as soon as "
            "it runs. Set probe."
        )


def _reachability(spec: Spec) -> Iterator[str]:
    network = spec["network"]
    if not network or network["allow_from"] is None:
        return
    has_cidr = any(peer["cidr"] for peer in network["allow_from"])
    has_namespace = any(
        peer["namespace"] is not None or peer["namespace_labels"] is not None for peer in network["allow_from"]
    )
    if (spec["ingress"] or spec["route"]) and not has_namespace and not has_cidr:
        what = "Ingress controller" if spec["ingress"] else "gateway"
        yield (
            f"network.allow_from: allows nothing outside the namespace, so the {what} cannot reach the pods. "
            "Add its namespace: {namespace: NAME}."
        )
    service = spec["service"]
    external = service and (
        service["type"] in ("NodePort", "LoadBalancer") or any(port["node_port"] for port in spec["ports"].values())
    )
    if external and not has_cidr:
        yield "network.allow_from: contains no CIDR block, so clients outside the cluster cannot reach the Service."
