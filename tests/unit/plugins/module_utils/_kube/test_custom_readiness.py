# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of kinds of well-known operators, with statuses as these write them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.readiness import is_waited_for, readiness


def thing(version: str, kind: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """An object of generation 3."""
    content: dict[str, Any] = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "generation": 3}}
    return {**content, "spec": spec, **({} if status is None else {"status": status})}


def conditions(*some: str, seen: int = 3, **status: Any) -> dict[str, Any]:
    """A status with conditions: C(Ready) or, for one that is not true, C(!Ready)."""
    made = [
        {
            "type": kind.lstrip("!"),
            "status": "False" if kind.startswith("!") else "True",
            "reason": "Why",
            "message": "because",
            "observedGeneration": seen,
        }
        for kind in some
    ]
    return {"conditions": made, **status}


def judged(*some: str) -> dict[str, Any]:
    """A status of Kyverno."""
    return {"conditionStatus": conditions(*some, ready=not any(kind.startswith("!") for kind in some), message="")}


KYVERNO = "policies.kyverno.io/v1"
GATEWAY, FLUX, OLM, CNPG = (
    "gateway.networking.k8s.io/v1",
    "source.toolkit.fluxcd.io/v1",
    "operators.coreos.com/v1alpha1",
    "postgresql.cnpg.io/v1",
)
ARGO = "argoproj.io/v1alpha1"
PARENT = {"parentRef": {"name": "edge"}}


def hibernated(status: dict[str, Any]) -> dict[str, Any]:
    """A cluster of CloudNativePG whose pods are to be removed."""
    content = thing(CNPG, "Cluster", status)
    return {**content, "metadata": {**content["metadata"], "annotations": {"cnpg.io/hibernation": "on"}}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (thing(GATEWAY, "Gateway"), "has not reported a status"),
        (thing(GATEWAY, "Gateway", conditions("Accepted", "!Programmed")), "Why: because"),
        (thing(GATEWAY, "Gateway", conditions("Accepted", "Programmed", seen=2)), "not observed the latest generation"),
        (thing(GATEWAY, "Gateway", conditions("Accepted", "Programmed")), None),
        (thing(GATEWAY, "HTTPRoute", parentRefs=[{"name": "edge"}]), "no gateway has accepted it"),
        (
            thing(GATEWAY, "HTTPRoute", {"parents": [{**PARENT, **conditions("Accepted", "!ResolvedRefs")}]}),
            "gateway edge: Why: because",
        ),
        (thing(GATEWAY, "HTTPRoute", {"parents": [{**PARENT, **conditions("Accepted", "ResolvedRefs")}]}), None),
        (
            thing(OLM, "ClusterServiceVersion", {"phase": "Installing", "message": "waiting"}),
            "phase is Installing: waiting",
        ),
        (thing(OLM, "ClusterServiceVersion", {"phase": "Succeeded"}), None),
        (thing(OLM, "Subscription", {"state": "UpgradePending"}), "state is UpgradePending"),
        (thing(OLM, "CatalogSource", {"connectionState": {"lastObservedState": "READY"}}), None),
        (thing("argoproj.io/v1alpha1", "Application", {}), "has not reported a status"),
        (thing(ARGO, "Application", {"health": {"status": "Healthy"}}), "has not reported a status"),
        (
            thing(
                ARGO,
                "Application",
                {"sync": {"status": "Synced"}, "health": {"status": "Degraded"}},
                syncPolicy={"automated": {}},
            ),
            "health.status is Degraded",
        ),
        (
            thing(
                ARGO,
                "Application",
                {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}},
                syncPolicy={"automated": {"prune": True}},
            ),
            "sync.status is OutOfSync",
        ),
        (
            thing(
                ARGO,
                "Application",
                {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}},
                syncPolicy={"automated": {}},
            ),
            None,
        ),
        (thing(OLM, "Subscription", {"state": "UpgradeFailed"}, installPlanApproval="Manual"), "is UpgradeFailed"),
        (hibernated(conditions("!cnpg.io/hibernation", phase="Cluster in healthy state")), "Why: because"),
        (hibernated(conditions("!Ready", phase="Cluster in healthy state")), "has not reported a status"),
        (hibernated(conditions("!Ready", "cnpg.io/hibernation", phase="Cluster in healthy state")), None),
        (thing("s3.aws.upbound.io/v1beta1", "Bucket", {}, forProvider={}), "has not reported a status"),
        (
            thing("argoproj.io/v1alpha1", "Rollout", {"phase": "Healthy", "observedGeneration": "2"}),
            "not observed the latest",
        ),
        (thing("argoproj.io/v1alpha1", "Rollout", {"phase": "Degraded", "observedGeneration": "3"}), "is Degraded"),
        (thing("argoproj.io/v1alpha1", "Rollout", {"phase": "Healthy", "observedGeneration": "3"}), None),
        (thing(FLUX, "GitRepository", {"observedGeneration": -1}), "has not reported a status"),
        (thing(FLUX, "GitRepository", conditions("Ready", observedGeneration=3)), None),
        (thing(FLUX, "HelmRepository"), "has not reported a status"),
        (thing(FLUX, "HelmRepository", type="oci"), None),
        (thing("helm.toolkit.fluxcd.io/v2", "HelmRelease", conditions("!Ready")), "Why: because"),
        (thing("pkg.crossplane.io/v1", "Provider", conditions("Installed")), "has not reported a status"),
        (thing("pkg.crossplane.io/v1", "Provider", conditions("Installed", "Healthy")), None),
        (thing("s3.aws.upbound.io/v1beta1", "Bucket", conditions("!Synced")), "Why: because"),
        (thing("s3.aws.upbound.io/v1beta1", "Bucket", conditions("Synced")), "has not reported a status"),
        (thing("s3.aws.upbound.io/v1beta1", "Bucket", conditions("Synced", "Ready")), None),
        (thing("aws.upbound.io/v1beta1", "ProviderConfig"), None),
        (thing(CNPG, "Cluster", conditions("Ready", phase="Upgrading cluster")), "phase is Upgrading cluster"),
        (thing(CNPG, "Cluster", conditions("Ready", phase="Cluster in healthy state")), None),
        (thing(CNPG, "Database", {"applied": False, "message": "no such owner"}), "applied is False: no such owner"),
        (thing(CNPG, "Database", {"applied": True}), None),
        (thing("cert-manager.io/v1", "Certificate"), "has not reported a status"),
        (thing("cert-manager.io/v1", "Certificate", conditions("Ready", seen=2)), "not observed the latest generation"),
        (thing("cert-manager.io/v1", "Certificate", conditions("Ready")), None),
        (thing("kyverno.io/v1", "ClusterPolicy"), "has not reported a status"),
        (thing("kyverno.io/v1", "Policy", conditions("Ready")), None),
        (thing(KYVERNO, "ValidatingPolicy"), "has not reported a status"),
        (thing(KYVERNO, "ValidatingPolicy", {"conditionStatus": {"ready": False}}), "has not reported a status"),
        (thing(KYVERNO, "ImageValidatingPolicy", judged("WebhookConfigured", "!Granted")), "Granted: because"),
        (thing(KYVERNO, "NamespacedMutatingPolicy", judged("WebhookConfigured", "Granted")), None),
        # Other kinds: as before, and their conditions may be about an earlier generation.
        (thing("x.io/v1", "Thing"), None),
        (thing("x.io/v1", "Thing", conditions("!Ready")), "Why: because"),
        (thing("x.io/v1", "Thing", conditions("Ready", seen=2)), "not observed the latest generation"),
        (thing("x.io/v1", "Thing", {"observedGeneration": "soon", **conditions("Ready")}), None),
        # A kind of a group of its own is not the built-in one of that name.
        (thing("batch.volcano.sh/v1alpha1", "Job", {"state": {"phase": "Running"}}), None),
    ],
)
def test_an_object_is_ready_when_its_controller_says_so(content: dict[str, Any], why: str | None) -> None:
    ready, told = readiness(content)
    assert ready is (why is None), told
    assert (why or "") in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (thing(ARGO, "Application", {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}}), "OutOfSync"),
        (
            thing(ARGO, "Application", {"sync": {"status": "OutOfSync"}}, syncPolicy={"automated": {"enabled": False}}),
            "OutOfSync",
        ),
        (thing(ARGO, "Rollout", {"phase": "Paused", "observedGeneration": "3"}), "Paused"),
        (thing(OLM, "Subscription", {"state": "UpgradePending"}, installPlanApproval="Manual"), "UpgradePending"),
    ],
)
def test_what_waits_for_somebody_is_ready_and_says_so(content: dict[str, Any], told: str) -> None:
    ready, why = readiness(content)
    assert ready and told in why


def test_gateways_are_waited_for_although_their_group_is_of_kubernetes() -> None:
    assert is_waited_for(thing(GATEWAY, "Gateway")) and not is_waited_for(
        thing("networking.k8s.io/v1", "NetworkPolicy")
    )
