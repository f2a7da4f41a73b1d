# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the last log lines of containers that terminated or are not ready, of one pod per finding."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.api import ApiError, Client, Unreachable
from .exits import EXEC_FORMAT, EXEC_FORMAT_ADVICE, INTERPRETER_ADVICE
from .finding import Finding

LINES = 15
BYTES = 16384
# The number of logs that are read at most, for the first findings.
MOST = 20
# Faults for which the log of the terminated container is read ...
ENDED = (
    "crash_loop",
    "oom_killed",
    "exits_at_once",
    "bad_command",
    "init_fails",
    "liveness_kills",
    "startup_kills",
    "pod_failed",
    "job_failed",
    "job_deadline",
    "dns_down",
    "control_plane_down",
)
# ... and for which that of the running container is read.
RUNNING = ("readiness_fails", "startup_fails", "init_stuck")


def add_logs(client: Client, findings: Sequence[Finding]) -> None:
    """Add log lines to the findings that a log can prove; the logs are read in parallel."""
    chosen = [one for one in findings if one.fault in ENDED + RUNNING and one.pods and one.container][:MOST]
    for finding, lines in zip(chosen, client.each(lambda finding: last_lines(client, finding), chosen)):
        finding.logs = lines
        refine(finding)


def last_lines(client: Client, finding: Finding) -> list[str]:
    """Return the last log lines of the first pod of a finding that has a log."""
    for pod in finding.pods[:2]:
        namespace, _slash, name = pod.partition("/")
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        query = {"container": finding.container, "tailLines": str(LINES), "limitBytes": str(BYTES)}
        for previous in ("true", "false") if finding.fault in ENDED else ("false",):
            try:
                text = client.text(path, dict(query, previous=previous), timeout=5)
            except (ApiError, Unreachable):
                continue
            lines = [line.rstrip() for line in text.splitlines() if line.strip()]
            if lines and not re.match(r"unable to retrieve container logs", lines[0]):
                return lines[-LINES:]
    return []


NO_NAME = re.compile(
    r"no such host|Temporary failure in name resolution|server misbehaving|Name or service not known|bad address|EAI_AGAIN|ENOTFOUND"
    r"|Could not resolve (?:host|proxy)|Resolving timed out"
    r"|Name does not resolve|could not translate host name|UnknownHostException|lookup \S+.*: (?:i/o timeout|read: connection refused)"
)
# What runc writes to the log when the kernel does not find a program, or its interpreter.
NO_INTERPRETER = re.compile(r"^exec (/\S+): no such file or directory$", re.MULTILINE)
# What a program connects to in vain, with the address.
NO_ANSWER = re.compile(
    r"connection refused|ECONNREFUSED|(?:failed|could not|couldn't|cannot|unable to|can't) connect\b|connection (?:attempt )?timed out|ETIMEDOUT"
    r"|no route to host|dial tcp \S+: (?:i/o timeout|connect:)",
    re.IGNORECASE,
)
NO_BIND = re.compile(
    r"(?:bind|listen)\b.*(?:permission denied|EACCES|\(13: )|permission denied.*\bbind\b", re.IGNORECASE
)
NO_WRITE = re.compile(r"permission denied|EACCES|read-only file system", re.IGNORECASE)
PORT_TAKEN = re.compile(r"address (?:already )?in use|EADDRINUSE|port \d+ (?:was|is) already in use", re.IGNORECASE)
NO_PORT = re.compile(r"\bunix\b|\.sock\b|bind[ -]mount", re.IGNORECASE)
# Where a line begins to name an address: before it, there may be a time.
SOCKET = re.compile(r"bind|listen|port ", re.IGNORECASE)
PORT = re.compile(r"::(\d+)\b|(?:[\d.]|\]|\s|\*):(\d+)\b|port (\d+)", re.IGNORECASE)
STARTS = (
    "crash_loop",
    "init_fails",
    "readiness_fails",
    "startup_fails",
    "init_stuck",
    "liveness_kills",
    "startup_kills",
)


def refine(finding: Finding) -> None:
    """Make a finding more precise with what its log contains."""
    text = "\n".join(finding.logs)
    refused, taken = _line(NO_BIND, finding.logs), _line(PORT_TAKEN, finding.logs)
    if finding.fault == "crash_loop" and "exec format error" in text:
        finding.fault = "image_wrong_platform"
        finding.title = f"container {finding.container}: {EXEC_FORMAT}"
        finding.advice = EXEC_FORMAT_ADVICE
    elif finding.fault in ("crash_loop", "init_fails") and (script := NO_INTERPRETER.search(text)):
        finding.fault = "bad_command"
        finding.title = f"container {finding.container}: {script.group(1)} is a script whose interpreter does not exist, or the program was not found"
        finding.advice = INTERPRETER_ADVICE
    elif finding.fault in ("crash_loop", "init_fails") and refused and int(_port(refused) or 0) < 1024:
        _privileged_port(finding, _port(refused))
    elif finding.fault in ("crash_loop", "init_fails") and taken:
        _port_taken(finding, _port(taken))
    elif finding.fault in STARTS and NO_NAME.search(text):
        _no_name(finding)
    elif finding.fault in ("crash_loop", "init_fails", "init_stuck") and NO_ANSWER.search(text):
        line = next(line for line in finding.logs if NO_ANSWER.search(line))
        finding.evidence.append(f"the log contains a failed connection: {line}")
        finding.advice += (
            " Check that what it connects to runs, and is ready, at this address and port: the name and the port of its Service, its endpoints, and "
            "NetworkPolicies between them."
        )
    elif finding.fault in ("crash_loop", "init_fails") and re.search(
        r"operation not permitted|EPERM", text, re.IGNORECASE
    ):
        finding.evidence.append("the log contains a refused privilege")
        finding.advice += (
            " An image that starts as root, changes the owner of files and then its user needs the capabilities CHOWN, SETUID, SETGID, "
            "FOWNER and DAC_OVERRIDE (securityContext.capabilities.add), or has to be started with the user that it changes to (runAsUser)."
        )
    elif finding.fault in ("crash_loop", "init_fails") and NO_WRITE.search(text):
        finding.evidence.append("the log contains a permission error")
        finding.advice += (
            " A program without root privileges or with a read-only root file system can only write to volumes that are "
            "writable for its user (emptyDir, or fsGroup for a PersistentVolumeClaim)."
        )


def _line(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    """Return the first line about a port that matches a pattern, empty if there is none."""
    return next((line for line in lines if pattern.search(line) and not NO_PORT.search(line)), "")


def _port(line: str) -> str:
    """Return the port that a line names, empty if there is none."""
    socket = SOCKET.search(line)
    found = PORT.search(line, socket.start()) if socket else None
    return next((group for group in found.groups() if group), "") if found else ""


def _privileged_port(finding: Finding, port: str) -> None:
    finding.fault = "privileged_port"
    finding.title = (
        f"container {finding.container}: it is not permitted to listen on {f'port {port}' if port else 'its port'}"
    )
    finding.advice = (
        "Let it listen on a port from 1024 on, or add the capability NET_BIND_SERVICE (securityContext.capabilities.add). "
        "A program that does not run as root also needs the sysctl net.ipv4.ip_unprivileged_port_start, which containerd sets for pods "
        "that do not use the network of their node."
    )


def _port_taken(finding: Finding, port: str) -> None:
    host, rivals, _servers = finding.network
    finding.fault = "port_in_use"
    finding.title = f"container {finding.container}: {f'port {port}' if port else 'its port'} is already in use"
    finding.advice = "Two containers of the pod, or two processes of the container, listen on the same port: give one of them another port."
    if host:
        finding.title += f" on node {host}" + (f", by {rivals}" if rivals else "")
        finding.advice = (
            "The pod uses the network of its node (hostNetwork), where another process listens on the port. Give it another port, "
            "do without hostNetwork, or keep such pods on different nodes."
        )


def _no_name(finding: Finding) -> None:
    finding.evidence.append("the log contains a name resolution error")
    servers = finding.network.nameservers
    if not servers:
        finding.advice += " Check the name of the Service that the program connects to, and the cluster DNS."
        return
    finding.fault = "pod_dns"
    finding.title += f"; it resolves names with the nameservers of its dnsConfig ({servers})"
    finding.advice = f"Check that {servers} answers queries from pods, or correct dnsConfig of the pod. With dnsPolicy: None, the cluster DNS is not used."
