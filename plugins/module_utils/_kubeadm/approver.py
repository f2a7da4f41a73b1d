# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approves pending requests for kubelet serving certificates, as a program on a control plane that a systemd timer runs.

A kubelet renews its certificate long after the playbook has ended. The role kubernetes installs this file with those that it imports
and runs it with the administrator's kubeconfig, which only root can read. Several control planes may do so at the same time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable, Mapping

from .serving_requests import INVENTORY, INVENTORY_KEY, REQUESTS, SIGNER, is_pending, refusal, requesting_node

Kubectl = Callable[..., str]
SECONDS = 60


def kubectl(*arguments: str) -> str:
    """Run kubectl and return its output.

    :raises RuntimeError: it failed.
    """
    command = ["kubectl", f"--kubeconfig={os.environ.get('KUBECONFIG', '/etc/kubernetes/admin.conf')}", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)  # pylint: disable=ansible-bad-function
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"kubectl cannot be run: {error}") from error
    if done.returncode != 0:
        raise RuntimeError(f"'kubectl {' '.join(arguments)}' failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8")


def read_inventory(run: Kubectl) -> Mapping[str, Any]:
    """Return the nodes that the playbook recorded by name, each with ``name``, ``addresses`` and ``host_names``."""
    try:
        return json.loads(json.loads(run("get", "--raw", INVENTORY))["data"][INVENTORY_KEY])
    except (ValueError, KeyError) as error:
        raise RuntimeError(f"{INVENTORY} cannot be read; run the playbook slipway.kube.cluster: {error!r}") from error


def approve_requests(run: Kubectl, tell: Callable[[str], Any]) -> int:
    """Approve the pending requests whose names and addresses are those of the requesting node; return how many were approved.

    :param run: runs kubectl.
    :param tell: writes a line to the journal.
    """
    found = json.loads(run("get", "--raw", f"{REQUESTS}?fieldSelector=spec.signerName%3D{SIGNER.replace('/', '%2F')}"))
    pending = [request for request in found.get("items") or [] if is_pending(request)]
    nodes = read_inventory(run) if pending else {}
    approved = 0
    for request in pending:
        name, node = request["metadata"]["name"], requesting_node(request)
        reason = refusal(request, nodes.get(node))
        if reason:
            tell(f"{name} of {node or 'no node'} is not approved: {reason}")
            continue
        run("certificate", "approve", name)
        approved += 1
        tell(f"{name} of {node} is approved")
    return approved


def main() -> None:
    """Run once."""
    try:
        approve_requests(kubectl, lambda line: sys.stdout.write(f"{line}\n"))
    except RuntimeError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
