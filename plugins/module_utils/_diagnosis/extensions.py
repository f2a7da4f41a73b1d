# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What extends the API server and does not answer: webhooks and API services. Pure functions.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of
from .finding import SUSPICIOUS, Finding, one_line, shortened
from .services import ready_endpoints
from .view import Object, View, conditions, event_time

CALLED = re.compile(r'fail(?:ed|ing) (?:calling|to call) webhook "([^"]+)"')
# A refusal so many seconds ago says that a webhook does not answer now.
RECENT = 300
UNTRUSTED = (
    "Put the authority that signed the webhook's certificate into clientConfig.caBundle (its own installer, or cert-manager, does so), "
    "and see that the certificate names the Service and has not ended."
)


def webhooks(view: View) -> list[Finding]:
    """Find webhooks whose Service does not answer; those that must agree keep objects from being made."""
    said: dict[str, str] = {}
    for event in sorted(view.all("Event"), key=event_time):
        called = CALLED.search(event.get("message") or "")
        if called and view.now - event_time(event) < RECENT:
            said[called.group(1)] = one_line(event.get("message") or "")
    found: list[Finding] = []
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for content in view.all(kind):
            finding = _configuration(view, content, said)
            if finding is not None:
                found.append(finding)
    return found


def _configuration(view: View, content: Object, said: Mapping[str, str]) -> Finding | None:
    if content["metadata"].get("deletionTimestamp"):
        return None
    evidence: list[str] = []
    down: list[Mapping[str, Any]] = []
    blames: list[Reference] = []
    for hook in content.get("webhooks") or []:
        service = (hook.get("clientConfig") or {}).get("service") or {}
        place, name = service.get("namespace") or "", service.get("name") or ""
        why = ""
        if name and view.missing("Service", place, name):
            why = f"its Service {place}/{name} is not there"
        elif name and ready_endpoints(view, place, name) == 0:
            why = f"its Service {place}/{name} has no ready endpoints"
            blames.append(Reference("v1", "Service", place, name))
        elif hook.get("name") in said:
            why = said[hook["name"]]
        if why:
            down.append(hook)
            evidence.append(f"webhook {hook.get('name')}: {why}")
    if not down:
        return None
    strict = [hook for hook in down if (hook.get("failurePolicy") or "Fail") == "Fail"]
    concerned = sorted(
        {
            f"{' '.join(rule.get('operations') or ['*'])} {', '.join(rule.get('resources') or ['*'])}"
            for hook in strict or down
            for rule in hook.get("rules") or []
        }
    )
    evidence.append(f"it must be asked for: {shortened(concerned, 5)}")
    untrusted = all(re.search(r"x509|tls:", said.get(hook.get("name") or "", "")) for hook in strict or down)
    return Finding(
        "webhook_untrusted" if untrusted else "webhook_down",
        "error" if strict else "warning",
        reference(content),
        "{}{}".format(
            "its webhook has a certificate that the API server does not trust"
            if untrusted
            else "its webhook does not answer",
            ", so the API server refuses what it must agree to"
            if strict
            else " (failurePolicy Ignore: objects pass unseen)",
        ),
        evidence=evidence,
        advice=UNTRUSTED
        if untrusted
        else "Make the webhook's Service answer, or delete the configuration; failurePolicy: Ignore lets objects pass without it.",
        blames=tuple(blames),
        patience=SUSPICIOUS,
    )


def api_services(view: View) -> list[Finding]:
    """Find API services that are not available: what they serve, metrics for example, is not there."""
    found = []
    for content in view.all("APIService"):
        available = conditions(content).get("Available") or {}
        if available.get("status") != "False" or content["metadata"].get("deletionTimestamp"):
            continue
        service = (content.get("spec") or {}).get("service") or {}
        young = view.now - seconds_of(available.get("lastTransitionTime")) < 60
        found.append(
            Finding(
                "api_service_down",
                "warning" if young else "error",
                reference(content),
                f"it is not available ({available.get('reason')})",
                evidence=[one_line(available.get("message") or "")],
                advice="See its Service {}/{} and the pods of it; without it what it serves is not there, and namespaces cannot be deleted.".format(
                    service.get("namespace"), service.get("name")
                ),
                blames=(Reference("v1", "Service", service.get("namespace") or "", service.get("name") or ""),),
            )
        )
    return found
