# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential plugins: the section ``exec`` of a user in a kubeconfig.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Any, Mapping

from .kubeconfig import KubeconfigError, read_file

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
PATIENCE = 60  # seconds that a plugin may take: it may contact a server


def run(program: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Run a credential plugin and return its credentials, under the field names of a user in a kubeconfig.

    :param program: the section ``exec``.
    :param cluster: the section of the cluster, passed on if ``provideClusterInfo`` is set.
    :param folder: the folder of the kubeconfig, to which a relative command refers.
    :raises KubeconfigError: the plugin is not installed, fails, or does not return credentials.
    """
    command = str(program.get("command") or "")
    version = program.get("apiVersion")
    if version not in VERSIONS:
        raise KubeconfigError(
            f"The credential plugin {command!r} of the kubeconfig uses apiVersion {version}; supported are {' and '.join(VERSIONS)}."
        )
    environment = dict(os.environ, KUBERNETES_EXEC_INFO=json.dumps(_exec_info(program, cluster, folder)))
    for entry in program.get("env") or []:
        if entry.get("name"):
            environment[entry["name"]] = entry.get("value") or ""
    place = os.path.join(folder, command) if os.sep in command else command
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [place, *[str(argument) for argument in program.get("args") or []]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env=environment,
        )
    except FileNotFoundError as error:
        hint = " ".join(str(program.get("installHint") or "Install it on the host where the module runs.").split())
        raise KubeconfigError(
            f"The credential plugin {command!r} of the kubeconfig is not installed. {hint}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KubeconfigError(f"The credential plugin {command!r} of the kubeconfig cannot be run: {error}.") from error
    except ValueError:  # a null byte, or a variable name with "="; the message of the error could contain a secret
        raise KubeconfigError(
            f"The credential plugin {command!r} of the kubeconfig cannot be run: its arguments or environment contain invalid characters."
        ) from None
    if done.returncode != 0:
        # Standard error only: standard output may contain a token.
        said = done.stderr.decode(errors="replace").strip()[-500:] or "it printed no error."
        raise KubeconfigError(
            f"The credential plugin {command!r} of the kubeconfig exited with code {done.returncode}: {said}"
        )
    return read_answer(done.stdout, command)


def read_answer(text: bytes, command: str) -> dict[str, str]:
    """Read an ExecCredential.

    :raises KubeconfigError: it is not a valid one, or contains no credentials.
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
            f"The credential plugin {command!r} of the kubeconfig did not return an ExecCredential with a token or a certificate."
        )
    return found


def _encoded(pem: Any) -> str:
    return base64.b64encode(str(pem).encode()).decode() if pem else ""


def _exec_info(program: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> dict[str, Any]:
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
        authority = cluster.get("certificate-authority")
        if authority and not cluster.get("certificate-authority-data"):
            content = read_file(os.path.join(folder, str(authority)), "certificate-authority")
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(content).decode()
    return {"apiVersion": program["apiVersion"], "kind": "ExecCredential", "spec": spec}
