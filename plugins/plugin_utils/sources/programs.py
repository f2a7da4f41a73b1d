# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kustomize and helm, run on the control node; values reach helm through its standard input only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._kube.objects import MASK
from .errors import SourceError

PATIENCE = 300  # seconds that a program may take: it may fetch a chart or a base
SECRET_KEY = re.compile(r"pass|secret|token|key|cred|auth|dsn|private", re.I)


def kustomize(folder: str) -> str:
    """Render a folder with a kustomization.

    :raises SourceError: there is no program that can, or it refuses; what it says is told.
    """
    program = shutil.which("kustomize")
    kubectl = None if program else shutil.which("kubectl")
    if not program and not kubectl:
        raise SourceError([f"{folder}: the control node has neither kustomize nor kubectl. Install one of them."])
    command = [program, "build", folder] if program else [str(kubectl), "kustomize", folder]
    return _run([str(part) for part in command], b"", folder, "kustomize")


def helm(options: Mapping[str, Any], chart: str, values: Mapping[str, Any], release: str, namespace: str) -> str:
    """Render a chart with C(helm template).

    :param options: the option C(helm); paths in it are absolute already.
    :param chart: folder, archive, name or address of the chart.
    :param values: all values, merged.
    :raises SourceError: there is no helm, or it refuses; what it says is told, without values that look secret.
    """
    program = options.get("binary_path") or shutil.which("helm")
    if not program:
        raise SourceError(
            [f"helm.chart {chart}: the control node has no helm. Install it, or name it with helm.binary_path."]
        )
    command = [str(program), "template", release, chart, "--namespace", namespace, "--values", "-"]
    if options.get("include_crds", True):
        command.append("--include-crds")
    for option, flag in (("repository", "--repo"), ("version", "--version"), ("kube_version", "--kube-version")):
        if options.get(option):
            command += [flag, str(options[option])]
    for version in options.get("api_versions") or []:
        command += ["--api-versions", str(version)]
    # JSON is YAML: helm reads it, and no value is written to a file or seen among the arguments.
    return _run(command, json.dumps(values).encode(), "helm.chart " + chart, "helm", set(_secrets(values)))


def _run(command: Sequence[str], given: bytes, what: str, name: str, secrets: Collection[str] = ()) -> str:
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    # What is rendered must not depend on a cluster that happens to be configured here.
    environment.pop("KUBECONFIG", None)
    try:
        done = subprocess.run(
            list(command), input=given, capture_output=True, check=False, timeout=PATIENCE, env=environment
        )
    except subprocess.TimeoutExpired:
        raise SourceError(["%s: %s did not end within %d seconds." % (what, name, PATIENCE)]) from None
    except OSError as error:
        raise SourceError([f"{what}: {command[0]} cannot be run: {error.strerror}."]) from None
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace")
        for secret in sorted(secrets, key=len, reverse=True):
            told = told.replace(secret, MASK)
        said = [line.strip() for line in told.splitlines() if line.strip()]
        useful = [line for line in said if not line.startswith(("Use --debug", "level=", "WARNING"))]
        told = " ".join(useful[-4:]) or "it says nothing (exit status %d)" % done.returncode
        raise SourceError([f"{what}: {name} refuses: {re.sub('^(Error: |error: )', '', told)[:2000]}"])
    return done.stdout.decode(errors="replace")


def _secrets(values: Any, secret: bool = False) -> Iterator[str]:
    """Values whose key says that they are secret."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _secrets(value, secret or bool(SECRET_KEY.search(str(key))))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _secrets(value, secret)
    elif secret and isinstance(values, str) and len(values) > 3:
        yield values


def merge_values(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two sets of values as helm does: mappings key by key, anything else is replaced."""
    merged = dict(first)
    for key, value in then.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = merge_values(before, value) if both else value  # type: ignore[arg-type]
    return merged


def chart_sources(text: str) -> dict[int, str]:
    """Tell from which file of a chart the lines of helm's answer come: it says so in a comment before each document."""
    found: dict[int, str] = {}
    source = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# Source: "):
            source = line[len("# Source: ") :].strip()
        found[number] = source
    return found
