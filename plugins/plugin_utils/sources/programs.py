# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run kustomize and helm on the control node; values are passed to helm through its standard input only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._kube.objects import MASK
from ..errors import InputError

TIMEOUT = 300  # seconds; the program may download a chart or a base
# Go programs begin the lines of their log with a time.
LOG_TIME = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
SECRET_KEY = re.compile(r"pass|secret|token|key|cred|auth|dsn|private", re.I)


def kustomize(folder: str) -> str:
    """Render a folder with a kustomization.

    :raises InputError: neither kustomize nor kubectl is installed, or it fails; the message contains its output.
    """
    for program, arguments in (("kustomize", ["build"]), ("kubectl", ["kustomize"])):
        path = shutil.which(program)
        if path:
            return run([path, *arguments, folder], b"", folder, "kustomize")
    raise InputError(
        f"{folder}: neither kustomize nor kubectl is installed on the control node. Install one of them. [slipway:program_missing]"
    )


def helm(options: Mapping[str, Any], chart: str, values: Mapping[str, Any], release: str, namespace: str) -> str:
    """Render a chart with C(helm template).

    :param options: the option C(helm). With C(is_upgrade), the chart sees an upgrade; with C(kubeconfig), a file, its calls of
        C(lookup) are answered by that cluster.
    :param chart: folder of the chart.
    :param values: all values, merged.
    :raises InputError: helm is not installed or fails; the message contains its output without values that look secret.
    """
    command = [helm_program(options, chart), "template", release, chart, "--namespace", namespace, "--values", "-"]
    if options.get("kubeconfig"):
        # Helm validates against the server then; the release does that itself, and knows what it owns.
        command += ["--dry-run=server", "--take-ownership", "--disable-openapi-validation"]
        command += ["--kubeconfig", str(options["kubeconfig"])]
    if options.get("include_crds", True):
        command.append("--include-crds")
    if options.get("is_upgrade"):
        command.append("--is-upgrade")
    if options.get("kube_version"):
        command += ["--kube-version", str(options["kube_version"])]
    for version in options.get("api_versions") or []:
        command += ["--api-versions", str(version)]
    # JSON is YAML: helm reads it, and no value appears in a file or among the arguments.
    return run(command, json.dumps(values).encode(), f"helm.chart {chart}", "helm", set(_secrets(values)))


def helm_program(options: Mapping[str, Any], chart: str) -> str:
    """Return the path of helm.

    :raises InputError: it is not installed.
    """
    program = options.get("binary_path") or shutil.which("helm")
    if not program:
        raise InputError(
            f"helm.chart {chart}: helm is not installed on the control node. Install it, or set helm.binary_path. [slipway:program_missing]"
        )
    return str(program)


def run(command: Sequence[str], given: bytes, what: str, name: str, secrets: Collection[str] = ()) -> str:
    """Run a program and return its output.

    :param given: its standard input.
    :param what: the source that it reads, for messages.
    :param secrets: texts that are masked in messages.
    :raises InputError: it fails; the message contains its output.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    # The output must not depend on the cluster that the environment is configured for.
    environment = {
        name: value for name, value in environment.items() if not name.startswith(("KUBECONFIG", "HELM_KUBE"))
    }
    try:
        done = subprocess.run(
            list(command), input=given, capture_output=True, check=False, timeout=TIMEOUT, env=environment
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{what}: {name} did not finish within {TIMEOUT} seconds. [slipway:program_failed]") from None
    except OSError as error:
        raise InputError(f"{what}: {command[0]} cannot be run: {error.strerror}. [slipway:program_missing]") from None
    if done.returncode != 0:
        output = done.stderr.decode(errors="replace")
        for secret in sorted(secrets, key=len, reverse=True):
            output = output.replace(secret, MASK)
        lines = [LOG_TIME.sub("", line.strip()) for line in output.splitlines() if line.strip()]
        useful = [line for line in lines if not line.startswith(("Use --debug", "level=", "WARNING", "# Warning"))]
        message = " ".join(useful[-4:]) or f"no error message (exit status {done.returncode})"
        raise InputError(
            f"{what}: {name} failed: {re.sub('^(Error: |error: )', '', message)[:2000]} [slipway:program_failed]"
        )
    return done.stdout.decode(errors="replace")


def _secrets(values: Any, secret: bool = False) -> Iterator[str]:
    """Return the values whose key suggests that they are secret."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _secrets(value, secret or bool(SECRET_KEY.search(str(key))))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _secrets(value, secret)
    elif secret and isinstance(values, str) and len(values) > 3:
        yield values


def merge_values(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two sets of values as helm does: mappings by key; anything else is replaced."""
    merged = dict(first)
    for key, value in then.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = merge_values(before, value) if both else value  # type: ignore[arg-type]
    return merged


def chart_sources(text: str) -> dict[int, str]:
    """Return the file of the chart for each line of helm's output, from helm's comment before each document."""
    found: dict[int, str] = {}
    source = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# Source: "):
            source = line.removeprefix("# Source: ").strip()
        found[number] = source
    return found
