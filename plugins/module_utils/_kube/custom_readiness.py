# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of kinds whose controllers say it in their own way, or say nothing before they have seen an object. Pure functions."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Tuple

Object = Mapping[str, Any]
Readiness = Tuple[bool, str]
Rule = Callable[[Object], Readiness]

HIBERNATION = "cnpg.io/hibernation"  # an annotation and a condition
SILENT = "its controller has not reported a status yet"


def outdated(condition: Mapping[str, Any], content: Object) -> bool:
    """Return whether a condition is about an earlier generation of its object."""
    seen = condition.get("observedGeneration")
    return isinstance(seen, int) and 0 < seen < ((content.get("metadata") or {}).get("generation") or 0)


def judged(conditions: Sequence[Mapping[str, Any]], content: Object, *kinds: str) -> Readiness:
    """Return whether all conditions of these types are there, are about the latest generation, and are true."""
    for kind in kinds:
        found = next((one for one in conditions if one.get("type") == kind), None)
        if found is None:
            return False, SILENT
        if outdated(found, content):
            return False, "its controller has not observed the latest generation yet"
        if found.get("status") != "True":
            return False, f"{found.get('reason') or 'not ' + kind}: {found.get('message') or ''}".rstrip(": ")
    return True, ""


def _conditions(*kinds: str) -> Rule:
    """Return the rule of a kind that is ready when these conditions are true."""
    return lambda content: judged((content.get("status") or {}).get("conditions") or [], content, *kinds)


def _state(path: str, *good: str) -> Rule:
    """Return the rule of a kind that is ready when a field of its status has one of these values."""

    def rule(content: Object) -> Readiness:
        status = content.get("status") or {}
        value: Any = status
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None or value == "":
            return False, SILENT
        if str(value) in good:
            return True, ""
        message = status.get("message") or status.get("reason") or status.get("error") or ""
        return False, f"status.{path} is {value}{f': {message}' if message else ''}"

    return rule


def _all(*rules: Rule) -> Rule:
    return lambda content: next((made for rule in rules for made in [rule(content)] if not made[0]), (True, ""))


def _route(content: Object) -> Readiness:
    """Judge a route of the Gateway API, whose status has conditions for each gateway (https://gateway-api.sigs.k8s.io/)."""
    parents = (content.get("status") or {}).get("parents") or []
    wanted = (content.get("spec") or {}).get("parentRefs") or []
    if wanted and not parents:
        return False, "no gateway has accepted it yet"
    for parent in parents:
        ready, why = judged(parent.get("conditions") or [], content, "Accepted", "ResolvedRefs")
        if not ready:
            return False, f"gateway {(parent.get('parentRef') or {}).get('name') or '?'}: {why}"
    return True, ""


def _helm_repository(content: Object) -> Readiness:
    # A repository in a registry has no status (https://fluxcd.io/flux/components/source/helmrepositories/#helm-oci-repository).
    if (content.get("spec") or {}).get("type") == "oci":
        return True, ""
    return _conditions("Ready")(content)


def _crossplane(content: Object) -> Readiness:
    """Judge a managed resource; configurations of providers have no such conditions."""
    conditions = (content.get("status") or {}).get("conditions") or []
    if "forProvider" in (content.get("spec") or {}) or any(
        one.get("type") in ("Synced", "Ready") for one in conditions
    ):
        return judged(conditions, content, "Synced", "Ready")
    return True, ""


def _application(content: Object) -> Readiness:
    """Judge an Application of Argo CD. Without automated synchronization, a person synchronizes it later.

    https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/
    """
    synced, why = _state("sync.status", "Synced")(content)
    automated = ((content.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    if automated is not None and automated.get("enabled") is not False:
        return _state("health.status", "Healthy")(content) if synced else (False, why)
    return synced or why != SILENT, why


def _accepts(rule: Rule, accepted: str, when: Callable[[Object], bool] = lambda content: True) -> Rule:
    """Return a rule that also accepts a state in which the object waits for a person; the reason says so."""

    def accepting(content: Object) -> Readiness:
        ready, why = rule(content)
        return ready or (why.partition(":")[0].endswith(" is " + accepted) and when(content)), why

    return accepting


def _approved_by_hand(content: Object) -> bool:
    return (content.get("spec") or {}).get("installPlanApproval") == "Manual"


def _postgres(content: Object) -> Readiness:
    """Judge a cluster of CloudNativePG; one that hibernates has no pods (https://cloudnative-pg.io/documentation/current/declarative_hibernation/)."""
    annotations = (content.get("metadata") or {}).get("annotations") or {}
    if annotations.get(HIBERNATION) == "on":
        return _conditions(HIBERNATION)(content)
    return _all(_conditions("Ready"), _state("phase", "Cluster in healthy state"))(content)


def _kyverno(content: Object) -> Readiness:
    """Judge a policy of Kyverno that is written in CEL (https://kyverno.io/docs/policy-types/): it is in the webhook, and Kyverno may do what it says."""
    status = (content.get("status") or {}).get("conditionStatus") or {}
    bad = [one for one in status.get("conditions") or [] if one.get("status") != "True"]
    if status.get("ready") is True and not bad:
        return True, ""
    return False, "; ".join(f"{one.get('type')}: {one.get('message') or ''}".rstrip(": ") for one in bad) or SILENT


# By API group and kind: what the documentation of each project says.
RULES: dict[tuple[str, str], Rule] = {
    ("gateway.networking.k8s.io", "GatewayClass"): _conditions("Accepted"),
    ("gateway.networking.k8s.io", "Gateway"): _conditions("Accepted", "Programmed"),
    **dict.fromkeys(
        (("gateway.networking.k8s.io", f"{kind}Route") for kind in ("HTTP", "GRPC", "TLS", "TCP", "UDP")), _route
    ),
    ("operators.coreos.com", "ClusterServiceVersion"): _state("phase", "Succeeded"),
    ("operators.coreos.com", "InstallPlan"): _state("phase", "Complete"),
    ("operators.coreos.com", "Subscription"): _accepts(
        _state("state", "AtLatestKnown"), "UpgradePending", _approved_by_hand
    ),
    ("operators.coreos.com", "CatalogSource"): _state("connectionState.lastObservedState", "READY"),
    ("argoproj.io", "Application"): _application,
    ("argoproj.io", "Rollout"): _accepts(_state("phase", "Healthy"), "Paused"),
    ("argoproj.io", "Workflow"): _state("phase", "Succeeded"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _conditions("Ready"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"): _conditions("Ready"),
    ("source.toolkit.fluxcd.io", "HelmRepository"): _helm_repository,
    **dict.fromkeys(
        (("source.toolkit.fluxcd.io", kind) for kind in ("GitRepository", "OCIRepository", "HelmChart", "Bucket")),
        _conditions("Ready"),
    ),
    **dict.fromkeys(
        (("pkg.crossplane.io", kind) for kind in ("Provider", "Configuration", "Function")),
        _conditions("Installed", "Healthy"),
    ),
    ("apiextensions.crossplane.io", "CompositeResourceDefinition"): _conditions("Established"),
    ("postgresql.cnpg.io", "Cluster"): _postgres,
    ("postgresql.cnpg.io", "Backup"): _state("phase", "completed"),
    **dict.fromkeys(
        (("postgresql.cnpg.io", kind) for kind in ("Database", "Publication", "Subscription")),
        _state("applied", "True"),
    ),
    **dict.fromkeys(
        (("cert-manager.io", kind) for kind in ("Certificate", "Issuer", "ClusterIssuer")), _conditions("Ready")
    ),
    **dict.fromkeys((("kyverno.io", kind) for kind in ("ClusterPolicy", "Policy")), _conditions("Ready")),
    **dict.fromkeys(
        (
            ("policies.kyverno.io", f"{scope}{kind}Policy")
            for scope in ("", "Namespaced")
            for kind in ("Validating", "ImageValidating", "Mutating", "Generating")
        ),
        _kyverno,
    ),
    **dict.fromkeys(
        (("external-secrets.io", kind) for kind in ("ExternalSecret", "SecretStore", "ClusterSecretStore")),
        _conditions("Ready"),
    ),
}
# Groups of Crossplane's providers, which have a kind for each resource of a cloud.
PROVIDERS = (".crossplane.io", ".upbound.io")


def rule_of(content: Object) -> Rule | None:
    """Return the rule of the kind of an object, None if it has none."""
    group, kind = str(content.get("apiVersion") or "").rpartition("/")[0], str(content.get("kind") or "")
    provided = _crossplane if group.endswith(PROVIDERS) else None
    return RULES.get((group, kind), provided)
