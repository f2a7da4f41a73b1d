# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that fail: which, on which port, with which answer. Pure functions.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from .container_view import Container
from .finding import SLOW, SUSPICIOUS, Finding
from .view import Object, event_count

KINDS = {"liveness": "livenessProbe", "readiness": "readinessProbe", "startup": "startupProbe"}


def probe_answer(events: Iterable[Object], kind: str) -> Object | None:
    """Give the latest event of a probe that failed.

    :param kind: C(liveness), C(readiness) or C(startup).
    """
    begin = f"{kind.capitalize()} probe "
    found = [
        event
        for event in events
        if event.get("reason") in ("Unhealthy", "ProbeWarning", "ProbeError")
        and (event.get("message") or "").startswith(begin)
    ]
    return found[-1] if found else None


def liveness_killed(events: Iterable[Object]) -> Object | None:
    """Give the event of the probe for which the kubelet kills a container, liveness or startup."""
    events = list(events)
    return probe_answer(events, "liveness") or probe_answer(events, "startup")


def probe_finding(container: Container, kind: str, event: Object | None, since: float = 0.0) -> Finding:
    """Explain a probe that fails.

    :param event: what the kubelet said last, None where it said nothing.
    :param since: seconds for which the container has run.
    """
    if event is not None and (event.get("message") or "").startswith("Startup"):
        kind = "startup"
    probe = container.spec.get(KINDS[kind]) or {}
    answer = (event or {}).get("message") or "nothing was said of its probe"
    evidence = f"{answer}{' (%d times)' % event_count(event) if event and event_count(event) > 1 else ''}"
    shown = f"{kind} probe: {probe_text(probe)}"
    if kind in ("liveness", "startup") and not since:
        found = container.find(
            "liveness_kills" if kind == "liveness" else "startup_kills",
            "its %s probe fails, so it is killed and started again (%d restarts)" % (kind, container.restarts),
            _advice(container, kind, probe, answer),
            SUSPICIOUS,
            evidence,
        )
    else:
        late = since > patience_of(probe)
        fault = "readiness_fails" if kind == "readiness" else "startup_fails"
        title = f"it runs, and its {kind} probe {'fails' if event else 'has not succeeded yet'}"
        severity = "error" if event and late else "warning" if late else "info"
        nameless = _unknown_name(container, probe)
        if nameless:
            title = f"its {kind} probe asks port {nameless}, and none of its ports has that name"
            severity = "error"
        found = container.find(fault, title, _advice(container, kind, probe, answer), SLOW, evidence, severity=severity)
    found.evidence.append(shown)
    return found


def patience_of(probe: Mapping[str, Any]) -> float:
    """Seconds after the start for which a probe may fail without meaning anything."""
    tries = int(probe.get("failureThreshold") or 3) * int(probe.get("periodSeconds") or 10)
    return int(probe.get("initialDelaySeconds") or 0) + min(max(tries, 15), 60)


def probe_text(probe: Mapping[str, Any]) -> str:
    """Write a probe for people: C(GET :8080/ready every 5 s, timeout 1 s, fails after 3)."""
    if not probe:
        return "none"
    http, grpc, tcp = probe.get("httpGet"), probe.get("grpc"), probe.get("tcpSocket")
    if http:
        scheme = "https " if http.get("scheme") == "HTTPS" else ""
        what = f"GET {scheme}{http.get('host') or ''}:{http.get('port')}{http.get('path') or '/'}"
    elif tcp:
        what = f"TCP connection to :{tcp.get('port')}"
    elif grpc:
        what = f"gRPC health on :{grpc.get('port')}"
    else:
        # Not the command's arguments: people write passwords there.
        what = f"command {((probe.get('exec') or {}).get('command') or ['?'])[0]}"
    delay = probe.get("initialDelaySeconds") or 0
    return "{}{} every {} s, timeout {} s, fails after {}".format(
        what,
        f", first after {delay} s" if delay else "",
        probe.get("periodSeconds") or 10,
        probe.get("timeoutSeconds") or 1,
        probe.get("failureThreshold") or 3,
    )


def _ports(container: Container) -> list[Mapping[str, Any]]:
    return list(container.spec.get("ports") or [])


def _unknown_name(container: Container, probe: Mapping[str, Any]) -> str:
    """Give the name by which a probe asks a port, where no port of the container has it."""
    port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
    known = [one.get("name") for one in _ports(container)]
    return port if isinstance(port, str) and not port.isdigit() and port not in known else ""


def _advice(container: Container, kind: str, probe: Mapping[str, Any], answer: str) -> str:
    ports = [str(port.get("containerPort")) for port in _ports(container)]
    port = str(((probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc")) or {}).get("port") or "")
    if _unknown_name(container, probe):
        named = [f"{one.get('name') or 'without a name'} ({one.get('containerPort')})" for one in _ports(container)]
        advice = f"Correct the probe's port, or name the port; the container declares {', '.join(named) or 'none'}."
    elif re.search(r"connection refused", answer):
        declared = f"; the container declares {', '.join(ports)}" if ports else ""
        advice = "Nothing listens on port {} yet{}. Correct the probe's port, or give the program time with a startupProbe.".format(
            port or "of the probe",
            declared,
        )
    elif re.search(r"statuscode: (404|405)", answer):
        advice = "Correct the probe's path: the program answers, but not there."
    elif re.search(r"statuscode: 40[13]", answer):
        advice = "The program wants a login on this path: probe one that needs none."
    elif re.search(r"statuscode: 5\d\d", answer):
        advice = "The program itself says that it is not well: read its log."
    elif re.search(r"timeout|deadline exceeded|timed out", answer, re.IGNORECASE):
        advice = (
            "It answers too late or not at all: read its log, give it more CPU, or raise the probe's timeoutSeconds."
        )
    elif probe.get("exec"):
        advice = "Run the probe's command in the container (kubectl exec), and read the log."
    else:
        advice = "See the probe, and the container's log."
    if kind == "liveness":
        advice += " A program that needs long to start wants a startupProbe."
    return advice
