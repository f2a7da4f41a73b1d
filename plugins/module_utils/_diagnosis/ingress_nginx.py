# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotations of ingress-nginx on Ingresses that Traefik serves, which have no effect there: pure functions.

https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/ and
https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress-nginx/
"""

from __future__ import annotations

from typing import Iterable

from .._kube.objects import reference
from .finding import Finding, shortened
from .view import Object, View, annotations_of, labels_of, spec_of

INGRESS_NGINX = "nginx.ingress.kubernetes.io/"
TRAEFIK, NGINX = "traefik.io/ingress-controller", "k8s.io/ingress-nginx"
# What Traefik 3.6 understands for the class nginx; a later version understands most of the others.
UNDERSTOOD_BY = (3, 6)
UNDERSTOOD = {
    "affinity",
    "auth-realm",
    "auth-response-headers",
    "auth-secret",
    "auth-secret-type",
    "auth-type",
    "auth-url",
    "backend-protocol",
    "cors-allow-credentials",
    "cors-allow-headers",
    "cors-allow-methods",
    "cors-allow-origin",
    "cors-expose-headers",
    "cors-max-age",
    "enable-cors",
    "force-ssl-redirect",
    "proxy-ssl-name",
    "proxy-ssl-secret",
    "proxy-ssl-server-name",
    "proxy-ssl-verify",
    "service-upstream",
    "session-cookie-domain",
    "session-cookie-max-age",
    "session-cookie-name",
    "session-cookie-path",
    "session-cookie-samesite",
    "session-cookie-secure",
    "ssl-passthrough",
    "ssl-redirect",
    "use-regex",
}
# What takes the place of annotations that begin so: kinds of Traefik, unless said otherwise.
COUNTERPARTS = {
    "rewrite-target": "Middleware replacePathRegex or stripPrefix, or the filter URLRewrite of an HTTPRoute",
    "app-root": "Middleware redirectRegex",
    "limit-connections": "Middleware inFlightReq",
    "limit-": "Middleware rateLimit",
    "proxy-body-size": "Middleware buffering",
    "client-body-buffer-size": "Middleware buffering",
    "proxy-next-upstream": "Middleware retry",
    "proxy-ssl-": "ServersTransport",
    "proxy-buff": "nothing: Traefik does not buffer",
    "proxy-request-buffering": "nothing: Traefik does not buffer",
    "proxy-": "ServersTransport forwardingTimeouts, or the timeouts of an HTTPRoute",
    "whitelist-source-range": "Middleware ipAllowList",
    "allowlist-source-range": "Middleware ipAllowList",
    "denylist-source-range": "nothing",
    "ssl-passthrough": "IngressRouteTCP with tls.passthrough",
    "ssl-redirect": "Middleware redirectScheme",
    "force-ssl-redirect": "Middleware redirectScheme",
    "permanent-redirect": "Middleware redirectRegex",
    "temporal-redirect": "Middleware redirectRegex",
    "from-to-www-redirect": "Middleware redirectRegex",
    "affinity": "the annotation traefik.ingress.kubernetes.io/service.sticky.cookie of the Service",
    "session-cookie-": "the annotations traefik.ingress.kubernetes.io/service.sticky.cookie.* of the Service",
    "auth-tls-": "TLSOption clientAuth",
    "auth-url": "Middleware forwardAuth",
    "auth-signin": "Middleware forwardAuth",
    "auth-snippet": "nothing",
    "auth-": "Middleware basicAuth",
    "enable-cors": "Middleware headers",
    "cors-": "Middleware headers",
    "custom-headers": "Middleware headers",
    "x-forwarded-prefix": "Middleware headers",
    "upstream-vhost": "Middleware headers",
    "custom-http-errors": "Middleware errors",
    "default-backend": "Middleware errors",
    "canary": "TraefikService weighted, or the weights of an HTTPRoute",
    "backend-protocol": "the annotation traefik.ingress.kubernetes.io/service.serversscheme of the Service",
    "service-upstream": "the annotation traefik.ingress.kubernetes.io/service.nativelb of the Service",
    "use-regex": "the annotation traefik.ingress.kubernetes.io/router.pathmatcher, or IngressRoute",
    "server-alias": "further hosts of the Ingress",
    "mirror-": "TraefikService mirroring",
}
NOTHING = "nothing"


def counterpart(annotation: str) -> str:
    """Return what replaces an annotation, without its prefix."""
    longest = max((start for start in COUNTERPARTS if annotation.startswith(start)), key=len, default="")
    return COUNTERPARTS.get(longest, NOTHING)


def ignored_annotations(view: View, ingress: Object) -> list[Finding]:
    """Report annotations of ingress-nginx on an Ingress that Traefik serves without them."""
    named = {name[len(INGRESS_NGINX) :] for name in annotations_of(ingress) if name.startswith(INGRESS_NGINX)}
    served_by = view.get("IngressClass", "", spec_of(ingress).get("ingressClassName") or "") if named else None
    controller = spec_of(served_by or {}).get("controller")
    if controller == NGINX and _is_traefiks(served_by or {}):
        named -= UNDERSTOOD
    elif controller != TRAEFIK:
        return []
    if not named:
        return []
    advice = "Replace them, and delete them."
    if controller == TRAEFIK and named & UNDERSTOOD:
        understood = shortened(sorted(named & UNDERSTOOD), 4)
        advice += f" In the class nginx, which the setting ingress_nginx of the add-on traefik creates, it understands {understood}."
    return [
        Finding(
            "ingress_annotations_ignored",
            "warning",
            reference(ingress),
            f"Traefik serves it, and ignores annotations of ingress-nginx: {shortened(sorted(named), 8)}",
            evidence=_replacements(named),
            advice=advice,
        )
    ]


def _replacements(names: Iterable[str]) -> list[str]:
    """Return a line for each counterpart, with the annotations that it replaces."""
    by_counterpart: dict[str, list[str]] = {}
    for name in sorted(names):
        by_counterpart.setdefault(counterpart(name), []).append(name)
    return [f"instead of {', '.join(replaced)}: {other}" for other, replaced in sorted(by_counterpart.items())]


def _is_traefiks(ingress_class: Object) -> bool:
    """Return whether a class has been created by the add-on traefik, with a version that understands no more than is known here."""
    labels = labels_of(ingress_class)
    version = (labels.get("app.kubernetes.io/version") or "").split(".")[:2]
    newer = all(part.isdigit() for part in version) and tuple(map(int, version)) > UNDERSTOOD_BY
    return labels.get("app.kubernetes.io/name") == "traefik" and not newer
