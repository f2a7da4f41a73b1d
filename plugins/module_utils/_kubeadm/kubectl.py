# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl on a control plane: JSON in, JSON out."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

from .._host.system import HostError

ADMIN = "/etc/kubernetes/admin.conf"
# What kubectl says of a server that is slow, restarts or has just lost etcd's leader (kubectl's own limit for a TLS
# handshake is 10 s, whatever --request-timeout says), and what run() says of a call that took too long.
PASSING = re.compile(
    r"^timeout$|i/o timeout|TLS handshake timeout|Client\.Timeout|deadline exceeded"
    r"|connection refused|The connection to the server \S+ was refused|connection reset|\bEOF\b"
    r"|etcdserver:|leader changed|currently unable to handle the request|storage is \(re\)initializing"
)


class ApiError(HostError):
    """The API server refused or did not answer; ``reason`` is what kubectl wrote."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Kubectl:
    """kubectl with one kubeconfig.

    :param server: URL of the API server; "" for the one in the kubeconfig. A control plane asks its own API server, so
        that it serves as a source also while the endpoint in front of it does not work.
    :param timeout: seconds for one call.
    :param patience: seconds for which a call that fails in passing is repeated.
    """

    def __init__(self, kubeconfig: str = ADMIN, server: str = "", timeout: int = 30, patience: int = 60) -> None:
        self.kubeconfig = kubeconfig
        self.server = server
        self.timeout = timeout
        self.patience = patience

    def run(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl wrote. Only for calls that may be made twice.

        Raises ApiError where it fails.
        """
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._once(*arguments, stdin=stdin)
            except ApiError as error:
                if not PASSING.search(error.reason) or time.monotonic() >= deadline:
                    raise
            time.sleep(1)

    def _once(self, *arguments: str, stdin: str = "") -> str:
        command = ["kubectl", "--kubeconfig", self.kubeconfig, f"--request-timeout={self.timeout}s"]
        if self.server:
            command += ["--server", self.server]
        try:
            done = subprocess.run(
                [*command, *arguments],
                input=stdin.encode(),
                capture_output=True,
                timeout=self.timeout + 15,
                check=False,
            )
        except FileNotFoundError:
            raise ApiError(
                "kubectl is not installed on this host. Run the role slipway.kube.kubernetes on it first."
            ) from None
        except subprocess.TimeoutExpired:
            raise ApiError(
                f"The API server {self.where} gave no answer within {self.timeout} seconds.", "timeout"
            ) from None
        if done.returncode != 0:
            reason = done.stderr.decode("utf-8", "replace").strip()
            raise ApiError(
                f"'kubectl {' '.join(arguments[:3])}' failed at {self.where}. Evidence: {reason or 'it wrote nothing'}.",
                reason,
            )
        return done.stdout.decode("utf-8", "replace")

    @property
    def where(self) -> str:
        """The server that is asked, for messages."""
        return self.server or f"the server in {self.kubeconfig}"

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object or a list, or {} where the object is not there.

        Raises ApiError.
        """
        text = self.run("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The items of a list.

        Raises ApiError.
        """
        return self.get(*arguments).get("items", [])

    def silent_because(self) -> str:
        """Why the API server is not ready; "" where it is (its /readyz)."""
        try:
            self._once("get", "--raw", "/readyz")
        except ApiError as error:
            return error.reason or str(error)
        return ""

    def config(self) -> dict[str, Any]:
        """The kubeconfig itself, with all files embedded; it is secret.

        Raises ApiError where it cannot be understood.
        """
        return json.loads(self.run("config", "view", "--raw", "--flatten", "-o", "json"))
