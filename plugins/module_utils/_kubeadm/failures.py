# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explanations of kubeadm failures: the cause, the evidence and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Sequence

PREFLIGHT = re.compile(r"\[ERROR ([\w.-]+)\]:\s*(.+)")
# A bootstrap token, or a certificate key; the hash of a CA is public.
SECRETS = re.compile(r"\b([a-z0-9]{6})\.[a-z0-9]{16}\b|\b(?<!sha256:)[0-9a-f]{64}\b")
NOISE = (
    "To see the stack trace",
    "[preflight] If you know what",
    "Flag --",
    "[WARNING",
    "[preflight] The system verification",
)
IGNORE_CHECK = "add the name of the check to control_plane_ignore_preflight_errors"

CHECKS: Sequence[tuple[str, str]] = (
    (
        r"Port-.*",
        "Stop the process that listens on this port (ss -ltnp), or reset the host if it still runs an old cluster.",
    ),
    (
        r"(FileAvailable|DirAvailable)-.*",
        "Files of another cluster are still on this host. Reset it with the playbook of that cluster.",
    ),
    (r"FileExisting-.*", "Install the missing program."),
    (r"FileContent-.*|.*ip_forward.*", "Apply the role slipway.kube.kernel to this host."),
    (r"NumCPU", f"Give the host two CPUs, or {IGNORE_CHECK}."),
    (r"Mem", f"Give the host 1700 MB of memory, or {IGNORE_CHECK}."),
    (
        r"ImagePull",
        "Check that the registry or mirror has the image and that the host can reach it (kube_registry_mirrors, kube_image_registry).",
    ),
    (
        r"CRI|ContainerRuntimeVersion",
        "See 'systemctl status containerd' on the host, and apply the role slipway.kube.containerd to it.",
    ),
    (r"SystemVerification", "The kernel lacks a feature that Kubernetes needs; the message names it."),
    (r"Hostname", "Set kube_node_name to a valid DNS name."),
    (
        r"KubeletVersion|KubernetesVersion",
        "The versions of kubelet, kubeadm and kube_version must match: apply the role slipway.kube.kubernetes.",
    ),
    (r"Swap", "Apply the role slipway.kube.swap to this host."),
    (r"IsPrivilegedUser", "Run with become: true."),
    (r"ExternalEtcd.*", "Check that etcd responds at its endpoints."),
)

RETRY = "correct the problem and run again; the interrupted operation is cleaned up first."
CAUSES: Sequence[tuple[str, str, str]] = (
    (
        r"cluster CA found in cluster-info ConfigMap is invalid|none of the public keys .* are pinned",
        "the CA of the cluster at the endpoint is not the one that was pinned",
        "Another cluster responds at the endpoint, or the CA hash is outdated. Compare kube_control_plane_endpoint with the endpoint of the"
        " cluster. The host did not join.",
    ),
    (
        r"token id .* is invalid for this cluster or it has expired|could not find a JWS signature",
        "the cluster does not know the token, or it has expired",
        "Run again: a new token is issued. If this happens again, the clocks of the hosts differ, or control_plane_token_minutes is too short.",
    ),
    (
        r"failed to verify JWS signature",
        "the cluster has a different secret for the token",
        "Run again: a new token is issued. If this happens again, another cluster responds at the endpoint.",
    ),
    (
        r"error downloading certs|error decoding (?:secret|certificate)|cipher: message authentication failed",
        "the certificates of the control plane could not be downloaded or decrypted",
        "Run again: they are uploaded with a new key.",
    ),
    (
        r'a Node with name "([^"]+)" and status "Ready" already exists',
        "the cluster already has a Ready node with this name",
        "Set another kube_node_name for this host, or remove that node first.",
    ),
    (
        r"x509: certificate is valid for (?P<names>.+?), not (?P<name>\S+)",
        "the certificate of the API server does not contain the endpoint",
        "Add the endpoint to control_plane_cert_sans and renew the certificate of the API server, or use a name that it contains.",
    ),
    (
        r"x509: certificate has expired or is not yet valid",
        "a certificate has expired or is not yet valid",
        "Compare the clocks of this host and the control plane. If they agree, renew the certificates.",
    ),
    (
        r"(can only promote a learner member which is in sync|etcdserver: (?:unhealthy cluster|too many learner members)|etcd cluster is not healthy)",
        "etcd does not accept a new member at the moment",
        "Check that all control planes are running and that etcd is healthy on them, then run again.",
    ),
    (
        r"(?:The )?kubelet is not (?:healthy|running)|failed while waiting for the kubelet to start",
        "the kubelet does not keep running",
        f"See the lines of the kubelet, {RETRY}",
    ),
    (
        r"(?P<component>kube-apiserver|kube-controller-manager|kube-scheduler) (?:check failed|is not healthy) at|"
        r"wait(?:ing)? for (?:the )?control plane components|static Pods?.* did not",
        "the control plane did not start in time",
        f"See the lines of the static pods, {RETRY}",
    ),
    (
        # The phases after the one that waits for the API server of this host.
        r"could not bootstrap the admin user.*context deadline exceeded|"
        r"phase (?:upload-config|mark-control-plane|bootstrap-token|kubelet-finalize|addon)\b.*context deadline exceeded|"
        r"(?:etcdserver|apply) request (?:timed out|took too long)",
        "the API server is running but responds too slowly for kubeadm",
        "Give the host more CPU or a faster disk, or increase control_plane_timeout, which also increases kubeadm's own timeouts.",
    ),
    (
        r"dial tcp \S+: connect: connection refused|connect: no route to host|i/o timeout|context deadline exceeded|no such host",
        "this host could not reach the control plane endpoint",
        "Check that the name of the endpoint resolves on this host and that its port is open between the hosts (firewall, load balancer).",
    ),
    (r"no space left on device", "a file system is full", "Free some space and run again."),
)


@dataclass
class Evidence:
    """The output of kubeadm, and log lines of the kubelet and of the static pods."""

    output: str = ""
    kubelet: str = ""
    pods: str = ""


def hide_credentials(text: str) -> str:
    """Return a text without the secrets of bootstrap tokens and without certificate keys. The hashes of CAs remain."""
    return SECRETS.sub(lambda match: f"{match.group(1)}.***" if match.group(1) else "***", text)


def relevant_lines(output: str, count: int = 12) -> list[str]:
    """Return the lines of kubeadm's output that explain a failure: the error lines, or the last lines if there are none."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(NOISE)]
    errors = [line for line in lines if re.search(r"(?i)\berror|fail|unable|timed? ?out|not healthy|refused", line)]
    return list(dict.fromkeys(errors))[-count:] or lines[-count:]


def check_remedy(check: str) -> str:
    """Return the remedy for a failed preflight check."""
    for pattern, remedy in CHECKS:
        if re.match(pattern + "$", check):
            return remedy
    return f"Correct the problem, or {IGNORE_CHECK} or worker_ignore_preflight_errors."


def find_cause(output: str) -> tuple[str, str]:
    """Return (cause, remedy) according to kubeadm's output. The cause is "" if it is unknown."""
    for pattern, cause, remedy in CAUSES:
        if re.search(pattern, output):
            return cause, remedy
    return "", f"See the lines above, {RETRY}"


def explain_failure(operation: str, evidence: Evidence, log: str, timed_out: int = 0) -> str:
    """Return the error message of a failed operation: the cause, the evidence and the remedy.

    :param operation: ``kubeadm init`` or ``kubeadm join``.
    :param log: path of the log on the host.
    :param timed_out: seconds after which kubeadm was terminated, 0 if it exited by itself.
    """
    failed = PREFLIGHT.findall(evidence.output)
    parts: list[str] = []
    if failed:
        parts.append(f"{operation} rejected this host before it changed anything:")
        parts += [f"- {check}: {message.strip().rstrip('.')}. {check_remedy(check)}" for check, message in failed]
    else:
        cause, remedy = find_cause(evidence.output)
        ended = f"{operation} was terminated after {timed_out} seconds" if timed_out else f"{operation} failed"
        parts.append(f"{ended}{': ' + cause if cause else ''}.")
        parts += _quote("Output of kubeadm", relevant_lines(evidence.output))
        parts += _quote("Log of the kubelet", evidence.kubelet.splitlines())
        parts += _quote("Logs of the static pods", evidence.pods.splitlines())
        parts.append(f"Remedy: {remedy}")
    if failed:
        code = "[slipway:kubeadm_rejected]"
    else:
        code = "[slipway:kubeadm_timeout]" if timed_out else "[slipway:kubeadm_failed]"
    parts.append(f"The full output is in {log} on the host. {code}")
    return hide_credentials("\n".join(parts))


def _quote(title: str, lines: Iterable[str]) -> list[str]:
    lines = [line.rstrip() for line in lines if line.strip()]
    return [f"{title}:", *(f"  {line[:400]}" for line in lines)] if lines else []
