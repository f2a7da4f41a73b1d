# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that prove who one is: the section C(exec) of a kubeconfig's user.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Any, Mapping

from .kubeconfig import KubeconfigError

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
PATIENCE = 60  # seconds that such a program may take: it may ask a server of its own


def run(program: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Run the program and give what it answers, under the names that a kubeconfig's user has for it.

    :param program: the section C(exec).
    :param cluster: the cluster's section, which some programs ask to see.
    :param folder: where the kubeconfig is: a relative path to the program begins there.
    :raises KubeconfigError: there is no such program, it fails, or its answer is of no use.
    """
    command = str(program.get("command") or "")
    version = program.get("apiVersion")
    if version not in VERSIONS:
        raise KubeconfigError(
            f"The kubeconfig's program {command!r} speaks {version}; known are {' and '.join(VERSIONS)}."
        )
    environment = dict(os.environ, KUBERNETES_EXEC_INFO=json.dumps(_question(program, cluster)))
    for entry in program.get("env") or []:
        if entry.get("name"):
            environment[entry["name"]] = entry.get("value") or ""
    place = os.path.join(folder, command) if os.sep in command else command
    try:
        done = subprocess.run(
            [place, *[str(argument) for argument in program.get("args") or []]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env=environment,
        )
    except FileNotFoundError as error:
        hint = " ".join(str(program.get("installHint") or "Install it on the host where this runs.").split())
        raise KubeconfigError(
            f"The kubeconfig proves who one is with the program {command!r}, which is not here. {hint}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KubeconfigError(f"The kubeconfig's program {command!r} cannot be run: {error}.") from error
    except ValueError:  # a null character, or a name of the environment with "="; either could be next to a secret
        raise KubeconfigError(
            f"The kubeconfig's program {command!r} cannot be run: its arguments or its environment are not such as a program can have."
        ) from None
    if done.returncode != 0:
        # Only what it says to people: the answer on standard output may hold a token.
        raise KubeconfigError(
            "The kubeconfig's program %r ended with %d: %s"
            % (command, done.returncode, done.stderr.decode(errors="replace").strip()[-500:] or "it says no more.")
        )
    return read_answer(done.stdout, command)


def read_answer(text: bytes, command: str) -> dict[str, str]:
    """Read an ExecCredential.

    :raises KubeconfigError: it is none, or it proves nothing.
    """
    try:
        status = json.loads(text)["status"]
        found = {
            "token": str(status.get("token") or ""),
            "client-certificate-data": _encoded(status.get("clientCertificateData")),
            "client-key-data": _encoded(status.get("clientKeyData")),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        found = {}
    found = {key: value for key, value in found.items() if value}
    if not found:
        raise KubeconfigError(
            f"The kubeconfig's program {command!r} answers no ExecCredential with a token or a certificate."
        )
    return found


def _encoded(pem: Any) -> str:
    return base64.b64encode(str(pem).encode()).decode() if pem else ""


def _question(program: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": False}
    if program.get("provideClusterInfo"):
        spec["cluster"] = {
            key: cluster[key]
            for key in (
                "server",
                "tls-server-name",
                "insecure-skip-tls-verify",
                "certificate-authority-data",
                "proxy-url",
            )
            if cluster.get(key)
        }
    return {"apiVersion": program["apiVersion"], "kind": "ExecCredential", "spec": spec}
