# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions of the API server that do not respond, or will not soon: admission webhooks and APIServices. Pure functions.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from .._kube.objects import Reference, reference
from .._kube.readiness import condition
from .._kube.timestamps import seconds_of
from .certificates import certificate_findings
from .finding import SUSPICIOUS, Finding, one_line, shortened
from .services import ready_endpoints
from .view import Object, View, event_time, message_of, spec_of
from .workloads import FAILED_WEBHOOK, RESTORE_WEBHOOK, TRUST_WEBHOOK, WEBHOOK_CONFIGURATIONS

# For this many seconds, a failed call in an event means that the webhook does not respond now.
RECENT = 300


def webhooks(view: View) -> list[Finding]:
    """Find webhooks that do not respond; with failurePolicy Fail, the API server rejects the requests that they would review."""
    failures: dict[str, str] = {}
    for event in sorted(view.all("Event"), key=event_time):
        called = FAILED_WEBHOOK.search(message_of(event))
        if called and view.now - event_time(event) < RECENT:
            failures[called.group(1)] = one_line(event["message"])
    return [
        finding
        for kind in WEBHOOK_CONFIGURATIONS
        for content in view.alive(kind)
        for finding in _configuration(view, content, failures) + _bundles(view, content)
    ]


def _bundles(view: View, content: Object) -> list[Finding]:
    """Report the CA bundle of a webhook configuration that expires first; its webhooks usually have the same."""
    hooks = [hook for hook in content.get("webhooks") or [] if "bundleValidity" in (hook.get("clientConfig") or {})]
    first = min(hooks, key=lambda hook: hook["clientConfig"]["bundleValidity"][1], default=None)
    if first is None:
        return []
    holder = f"the CA bundle of webhook {first.get('name')}"
    begin, end = first["clientConfig"]["bundleValidity"]
    return certificate_findings(reference(content), holder, end, view.now, begin)


def _configuration(view: View, content: Object, failures: Mapping[str, str]) -> list[Finding]:
    """Explain one webhook configuration.

    :param failures: The latest recent message about a failed call by the name of the webhook.
    """
    evidence: list[str] = []
    down: list[Mapping[str, Any]] = []
    blames: list[Reference] = []
    for hook in content.get("webhooks") or []:
        service = (hook.get("clientConfig") or {}).get("service") or {}
        namespace, name = service.get("namespace") or "", service.get("name") or ""
        why = failures.get(hook.get("name") or "", "")
        if name and view.missing("Service", namespace, name):
            why = f"its Service {namespace}/{name} does not exist"
        elif name and ready_endpoints(view, namespace, name) == 0:
            why = f"its Service {namespace}/{name} has no ready endpoints"
            blames.append(Reference("v1", "Service", namespace, name))
        if why:
            down.append(hook)
            evidence.append(f"webhook {hook.get('name')}: {why}")
    if not down:
        return []
    required = [hook for hook in down if (hook.get("failurePolicy") or "Fail") == "Fail"]
    affected = {
        f"{' '.join(rule.get('operations') or ['*'])} {', '.join(rule.get('resources') or ['*'])}"
        for hook in required or down
        for rule in hook.get("rules") or []
    }
    evidence.append(f"it reviews {shortened(sorted(affected), 5)}")
    untrusted = all(re.search(r"x509|tls:", failures.get(hook.get("name") or "", "")) for hook in required or down)
    title = (
        "the API server does not trust the certificate of its webhook" if untrusted else "its webhook does not respond"
    )
    return [
        Finding(
            "webhook_untrusted" if untrusted else "webhook_down",
            "error" if required else "warning",
            reference(content),
            title
            + (", so the API server rejects the requests that it reviews" if required else " (failurePolicy: Ignore)"),
            evidence=evidence,
            advice=TRUST_WEBHOOK if untrusted else RESTORE_WEBHOOK,
            blames=tuple(blames),
            patience=SUSPICIOUS,
        )
    ]


def api_services(view: View) -> list[Finding]:
    """Find APIServices that are not available, so that their API group (metrics.k8s.io, for example) cannot be used, or whose CA bundle expires."""
    found: list[Finding] = []
    for content in view.alive("APIService"):
        begin, end = spec_of(content).get("bundleValidity") or (0, None)
        if end is not None:
            found += certificate_findings(reference(content), "the CA bundle of its server", end, view.now, begin)
        available = condition(content, "Available")
        if available.get("status") != "False":
            continue
        service = spec_of(content).get("service") or {}
        namespace, name = service.get("namespace") or "", service.get("name") or ""
        young = view.now - seconds_of(available.get("lastTransitionTime")) < 60
        found.append(
            Finding(
                "api_service_down",
                "warning" if young else "error",
                reference(content),
                f"it is not available ({available.get('reason')})",
                evidence=[one_line(message_of(available))],
                advice=f"Restore its Service {namespace}/{name} and the pods behind it; until then, its API cannot be used and namespaces cannot be deleted.",
                blames=(Reference("v1", "Service", namespace, name),),
            )
        )
    return found
