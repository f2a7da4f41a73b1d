# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain failing probes: which probe, on which port, with which response.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from .container_view import Container
from .finding import SLOW, SUSPICIOUS, Finding
from .view import Object, event_count, message_of, spec_of

KINDS = {"liveness": "livenessProbe", "readiness": "readinessProbe", "startup": "startupProbe"}


def probe_event(events: Iterable[Object], kind: str) -> Object | None:
    """Return the latest event of a failed probe.

    :param kind: C(liveness), C(readiness) or C(startup).
    """
    reasons, begin = ("Unhealthy", "ProbeWarning", "ProbeError"), f"{kind.capitalize()} probe "
    found = [one for one in events if one.get("reason") in reasons and message_of(one).startswith(begin)]
    return found[-1] if found else None


def killing_probe(container: Container) -> tuple[str, Object] | None:
    """Return the kind of the probe because of which the kubelet ended a container, and an event about it; None if it did not.

    A probe that fails does not prove it: the container may end by itself before the kubelet ends it, and fail its probe again
    after its restart. When the kubelet ends it, it says so.
    """
    for event in reversed(container.kills):
        found = re.search(r"failed (liveness|startup) probe", message_of(event))
        if found:
            return found.group(1), probe_event(container.events, found.group(1)) or event
    return None


def probe_finding(container: Container, kind: str, event: Object | None, since: float = 0.0) -> Finding:
    """Explain a failing probe.

    :param kind: C(liveness), C(readiness) or C(startup).
    :param event: the latest event of the probe, None if there is none.
    :param since: for how many seconds the container has been running; 0 if it was killed.
    """
    answer = message_of(event or {})
    probe = container.spec.get(KINDS[kind]) or {}
    advice = _advice(container, kind, probe, answer)
    times = event_count(event) if event else 0
    evidence = (answer or "no probe event was recorded") + (f" ({times} times)" if times > 1 else "")
    if kind in ("liveness", "startup") and not since:
        title = f"fails its {kind} probe and is restarted ({container.restarts} restarts)"
        found = container.find(f"{kind}_kills", title, advice, SUSPICIOUS, evidence)
    else:
        late = since > patience_of(probe)
        title = f"is running, but its {kind} probe {'fails' if event else 'has not succeeded yet'}"
        severity = "error" if event and late else "warning" if late else "info"
        nameless = _unknown_name(container, probe)
        if nameless:
            title = f"the {kind} probe uses port {nameless}, but the container has no port with that name"
            severity = "error"
        fault = "readiness_fails" if kind == "readiness" else "startup_fails"
        found = container.find(fault, title, advice, SLOW, evidence, severity=severity)
    found.evidence.append(f"{kind} probe: {probe_text(probe)}")
    return found


def patience_of(probe: Mapping[str, Any]) -> float:
    """Return for how many seconds after the start of the container a probe may fail without being a fault."""
    tries = int(probe.get("failureThreshold") or 3) * int(probe.get("periodSeconds") or 10)
    return int(probe.get("initialDelaySeconds") or 0) + min(max(tries, 15), 60)


def probe_text(probe: Mapping[str, Any]) -> str:
    """Return a probe as text: C(GET :8080/ready every 5 s, timeout 1 s, failure threshold 3)."""
    if not probe:
        return "none"
    http, grpc, tcp = probe.get("httpGet"), probe.get("grpc"), probe.get("tcpSocket")
    if http:
        scheme = "https " if http.get("scheme") == "HTTPS" else ""
        what = f"GET {scheme}{http.get('host') or ''}:{http.get('port')}{http.get('path') or '/'}"
    elif tcp:
        what = f"TCP connection to :{tcp.get('port')}"
    elif grpc:
        what = f"gRPC health check on :{grpc.get('port')}"
    else:
        # Without the arguments of the command, which may contain passwords.
        what = f"command {((probe.get('exec') or {}).get('command') or ['?'])[0]}"
    delay = probe.get("initialDelaySeconds")
    return (
        f"{what} every {probe.get('periodSeconds') or 10} s, {f'initial delay {delay} s, ' if delay else ''}"
        f"timeout {probe.get('timeoutSeconds') or 1} s, failure threshold {probe.get('failureThreshold') or 3}"
    )


def _ports(container: Container) -> list[Mapping[str, Any]]:
    return list(container.spec.get("ports") or [])


def _unknown_name(container: Container, probe: Mapping[str, Any]) -> str:
    """Return the port name of a probe if no port of the container has it."""
    port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
    known = [one.get("name") for one in _ports(container)]
    return port if isinstance(port, str) and not port.isdigit() and port not in known else ""


def _advice(container: Container, kind: str, probe: Mapping[str, Any], answer: str) -> str:
    ports = [str(port.get("containerPort")) for port in _ports(container)]
    port = (probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")
    host = str((probe.get("httpGet") or probe.get("tcpSocket") or {}).get("host") or "")
    if spec_of(container.pod).get("hostNetwork"):
        host = ""  # an address of the node is the pod's, as in the static pods of kubeadm
    if _unknown_name(container, probe):
        names = [f"{one.get('name') or 'unnamed'} ({one.get('containerPort')})" for one in _ports(container)]
        advice = (
            f"Correct the port of the probe, or name the port; the container declares {', '.join(names) or 'none'}."
        )
    elif host and not re.search(r"statuscode: ", answer):
        advice = (
            f"Remove host ({host}) from the probe: the kubelet connects to it from the node, where it is not the pod. Without it, the probe uses the "
            "address of the pod; a virtual host belongs into httpHeaders."
        )
    elif re.search(r"HTTP response to HTTPS client", answer):
        advice = "Remove scheme: HTTPS from the probe, or let the program use TLS: it answers with plain HTTP."
    elif re.search(r"malformed HTTP response", answer):
        advice = "Set scheme: HTTPS in the probe: the program answers with TLS."
    elif re.search(r"statuscode: 400", answer) and (probe.get("httpGet") or {}).get("scheme") != "HTTPS":
        advice = "Set scheme: HTTPS in the probe if the program answers with TLS on this port; otherwise correct path and httpHeaders."
    elif probe.get("grpc") and not re.search(r"connection refused|statuscode", answer):
        advice = (
            f"No gRPC server answers on port {port}: no process listens there, or it does not speak gRPC, or only with TLS. Correct the port, serve "
            "grpc.health.v1.Health there, or use httpGet or tcpSocket."
        )
        if re.search(r"UNIMPLEMENTED|does not implement|NOT_FOUND|unknown service", answer, re.IGNORECASE):
            advice = (
                f"The gRPC server on port {port} does not serve grpc.health.v1.Health, or not for the service of the probe: add the health "
                "service, or correct service."
            )
    elif re.search(r"connection refused", answer):
        declared = f"; the container declares {', '.join(ports)}" if ports else ""
        advice = (
            f"No process listens on {f'port {port}' if port else 'the port of the probe'} yet{declared}. "
            "Correct the port of the probe, let the program listen on all addresses (0.0.0.0 or ::) if it does on 127.0.0.1 only, or give it more time to "
            "start with startupProbe."
        )
    elif re.search(r"statuscode: (404|405)", answer):
        advice = "Correct the path of the probe: the program answers, but does not serve this path."
    elif re.search(r"statuscode: 40[13]", answer):
        advice = "Use a path that does not require authentication for the probe."
    elif re.search(r"statuscode: 5\d\d", answer):
        advice = f"The program reports an error. Read its log: {container.log}."
    elif re.search(r"timeout|deadline exceeded|timed out", answer, re.IGNORECASE):
        advice = (
            f"The program responds too late or not at all. Read its log ({container.log}), raise its CPU limit, "
            "or raise timeoutSeconds of the probe."
        )
    elif probe.get("exec"):
        advice = f"Run the command of the probe in the container (kubectl exec), and read the log: {container.log}."
    else:
        advice = f"Check the probe, and read the log of the container: {container.log}."
    if kind == "liveness" and "startupProbe" not in advice:
        advice += " Set startupProbe for a program that starts slowly."
    return advice
