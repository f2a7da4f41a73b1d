# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm's words mean: why a run failed, what shows it, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Sequence

PREFLIGHT = re.compile(r"\[ERROR ([\w.-]+)\]:\s*(.+)")
SECRETS = re.compile(r"\b([a-z0-9]{6})\.[a-z0-9]{16}\b|\b[0-9a-f]{64}\b(?<!sha256:)")
HASH = re.compile(r"sha256:[0-9a-f]{64}")

# What each of kubeadm's preflight checks wants (kubernetes/cmd/kubeadm, preflight/checks.go); first match counts.
CHECKS: Sequence[tuple[str, str]] = (
    (r"Port-.*", "End what listens on this port (ss -ltnp), or reset the host if a cluster that was is still on it."),
    (
        r"(FileAvailable|DirAvailable)-.*",
        "Something of another cluster is still on this host. Reset it with the playbook of that cluster.",
    ),
    (r"FileExisting-.*", "Install the program that is missing."),
    (r"FileContent-.*|.*ip_forward.*", "Run the role slipway.kube.kernel on this host."),
    (r"NumCPU", "Give the host two CPUs, or waive the check by name in control_plane_ignore_preflight_errors."),
    (r"Mem", "Give the host 1700 MB of memory, or waive the check by name in control_plane_ignore_preflight_errors."),
    (
        r"ImagePull",
        "See whether the registry or mirror has the image and the host reaches it (kube_registry_mirrors, kube_image_registry).",
    ),
    (
        r"CRI|ContainerRuntimeVersion",
        "See 'systemctl status containerd' on the host, and run the role slipway.kube.containerd on it.",
    ),
    (r"SystemVerification", "The kernel lacks what Kubernetes needs; the line above names it."),
    (r"Hostname", "Set kube_node_name to a name that DNS allows."),
    (
        r"KubeletVersion|KubernetesVersion",
        "Make kubelet, kubeadm and kube_version agree: run the role slipway.kube.kubernetes.",
    ),
    (r"Swap", "Run the role slipway.kube.swap on this host."),
    (r"IsPrivilegedUser", "Run with become: true."),
    (r"ExternalEtcd.*", "See whether etcd answers at its endpoints."),
)

# Pattern in kubeadm's output, what is wrong, remedy. First match counts, so the particular comes before the general.
CAUSES: Sequence[tuple[str, str, str]] = (
    (
        r"cluster CA found in cluster-info ConfigMap is invalid|none of the public keys .* are pinned",
        "the CA of the cluster that answers is not the one that was pinned",
        "Another cluster answers at the endpoint, or the CA hash is old. Compare kube_control_plane_endpoint with the cluster's; nothing was joined.",
    ),
    (
        r"token id .* is invalid for this cluster or it has expired|could not find a JWS signature",
        "the cluster does not know the token, or it has expired",
        "Run again: a new token is made. If it happens again, clocks differ between the hosts, or control_plane_token_minutes is too short.",
    ),
    (
        r"failed to verify JWS signature",
        "the token's secret is not the one the cluster has",
        "Run again: a new token is made. If it happens again, another cluster answers at the endpoint.",
    ),
    (
        r"error downloading certs|error decoding (?:secret|certificate)|cipher: message authentication failed",
        "the control plane's certificates could not be fetched or decrypted",
        "Run again: they are uploaded anew under a new key.",
    ),
    (
        r'a Node with name "([^"]+)" and status "Ready" already exists',
        "a node of this name is in the cluster and alive",
        "Give this host another kube_node_name, or remove that node first.",
    ),
    (
        r"x509: certificate is valid for (?P<names>.+?), not (?P<name>\S+)",
        "the API server's certificate does not name the endpoint",
        "Add the endpoint to control_plane_cert_sans and renew the API server's certificate, or use a name it has.",
    ),
    (
        r"x509: certificate has expired or is not yet valid",
        "a certificate is out of its time",
        "Compare the clocks of this host and the control plane; if they agree, renew the certificates.",
    ),
    (
        r"(can only promote a learner member which is in sync|etcdserver: (?:unhealthy cluster|too many learner members)|etcd cluster is not healthy)",
        "etcd does not take a new member now",
        "See that every control plane is up and etcd healthy there, then run again.",
    ),
    (
        r"(?:The )?kubelet is not (?:healthy|running)|failed while waiting for the kubelet to start",
        "the kubelet does not stay up",
        "The kubelet's lines say why; correct that and run again: what is half made is cleared away first.",
    ),
    (
        r"(?P<component>kube-apiserver|kube-controller-manager|kube-scheduler) (?:check failed|is not healthy) at|"
        r"wait(?:ing)? for (?:the )?control plane components|static Pods?.* did not",
        "the control plane did not come up in time",
        "The static pods' lines say why; correct that and run again: what is half made is cleared away first.",
    ),
    (
        r"could not bootstrap the admin user.*context deadline exceeded|(?:etcdserver|apply) request (?:timed out|took too long)",
        "the API server runs and answers too slowly for kubeadm",
        "Give the host more processor or a faster disk, or set control_plane_timeout higher: kubeadm's own waits grow with it.",
    ),
    (
        r"dial tcp \S+: connect: connection refused|connect: no route to host|i/o timeout|context deadline exceeded|no such host",
        "the control plane's endpoint could not be reached from this host",
        "See that the endpoint's name resolves here and its port is open between the hosts (firewall, load balancer).",
    ),
    (r"no space left on device", "a file system is full", "Free some space and run again."),
)


@dataclass
class Evidence:
    """What is at hand when kubeadm has failed."""

    output: str = ""
    kubelet: str = ""
    pods: str = ""


def redact(text: str) -> str:
    """The text without tokens' secrets and certificate keys; CA hashes are public and stay."""
    kept: list[str] = []

    def hide(match) -> str:
        return f"{match.group(1)}.***" if match.group(1) else "***"

    def keep(match) -> str:
        kept.append(match.group(0))
        return f"\0{len(kept) - 1}\0"

    text = SECRETS.sub(hide, HASH.sub(keep, text))
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match.group(1))], text)


def telling_lines(output: str, count: int = 12) -> list[str]:
    """The lines of kubeadm's output that bear on a failure: errors first, else the last ones."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    noise = (
        "To see the stack trace",
        "[preflight] If you know what",
        "Flag --",
        "[WARNING",
        "[preflight] The system verification",
    )
    lines = [line for line in lines if not line.startswith(noise)]
    errors = [line for line in lines if re.search(r"(?i)\berror|fail|unable|timed? ?out|not healthy|refused", line)]
    return list(dict.fromkeys(errors))[-count:] or lines[-count:]


def preflight_errors(output: str) -> list[tuple[str, str]]:
    """(check, kubeadm's words) of each failed preflight check."""
    return [(match.group(1), match.group(2).strip()) for match in PREFLIGHT.finditer(output)]


def check_remedy(check: str) -> str:
    """What to do about a failed preflight check."""
    for pattern, remedy in CHECKS:
        if re.match(pattern + "$", check):
            return remedy
    return "Correct it, or waive the check by name in control_plane_ignore_preflight_errors or worker_ignore_preflight_errors."


def find_cause(output: str) -> tuple[str, str]:
    """(what is wrong, remedy) as kubeadm's output tells; the first is "" where it does not."""
    for pattern, what, remedy in CAUSES:
        if re.search(pattern, output):
            return what, remedy
    return "", "Correct what the lines above tell of and run again; what is half made is cleared away first."


def explain(operation: str, evidence: Evidence, log: str, timed_out: int = 0) -> str:
    """A whole error message: what failed, the evidence, the remedy.

    :param operation: ``kubeadm init`` or ``kubeadm join``.
    :param log: path of the log on the host.
    :param timed_out: seconds after which it was ended; 0 where it ended by itself.
    """
    output = evidence.output
    failed = preflight_errors(output)
    ended = f"{operation} was ended after {timed_out} seconds" if timed_out else f"{operation} failed"
    parts: list[str] = []
    if failed:
        parts.append(f"{operation} refused this host before it changed anything:")
        parts += [f"- {check}: {words.rstrip('.')}. {check_remedy(check)}" for check, words in failed]
    else:
        what, remedy = find_cause(output)
        parts.append(f"{ended}{': ' + what if what else ''}.")
        parts += _quote("kubeadm says", telling_lines(output))
        parts += _quote("The kubelet says", evidence.kubelet.splitlines())
        parts += _quote("Static pods say", evidence.pods.splitlines())
        parts.append(f"Remedy: {remedy}")
    parts.append(f"All of it is in {log} on the host.")
    return redact("\n".join(parts))


def _quote(title: str, lines: Iterable[str]) -> list[str]:
    lines = [line.rstrip() for line in lines if line.strip()]
    return [f"{title}:", *(f"  {line[:400]}" for line in lines)] if lines else []
