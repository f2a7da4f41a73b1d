# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain how a container terminated, from its exit code and the reason and message of the container runtime.

C(ContainerStateTerminated) in https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/; the exit codes 126, 127 and
128 + signal are those of the shell.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

SIGNALS = {129: "SIGHUP", 130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
START_REASONS = ("StartError", "ContainerCannotRun", "RunContainerError")
# The kernel reports "exec format error" in both cases.
EXEC_FORMAT = "the program was built for a CPU architecture other than the node's, or is a script without an interpreter line (#!)"
EXEC_FORMAT_ADVICE = (
    "Build the image for the architecture of the node, or select nodes by the label kubernetes.io/arch. "
    "Start a script with its interpreter (#!/bin/sh)."
)


class ExitCause(NamedTuple):
    """Why a container terminated. C(advice) is empty if only the log can tell."""

    fault: str
    title: str
    advice: str
    evidence: str


def explain_exit(ended: Mapping[str, Any], spec: Mapping[str, Any], restarts: int) -> ExitCause:
    """Return why a container terminated.

    :param ended: C(state.terminated) or C(lastState.terminated) of the container status.
    :param spec: the container in the pod's spec.
    :param restarts: the restart count of the container.
    """
    code, reason, message = ended.get("exitCode"), ended.get("reason") or "", ended.get("message") or ""
    evidence = f"terminated with exit code {code}"
    if reason:
        evidence += f" ({reason})"
    if restarts:
        evidence += f", {restarts} restart{'' if restarts == 1 else 's'}"
    if message:
        evidence += f": {message}"
    if reason == "OOMKilled":
        return _out_of_memory(spec, evidence)
    if re.search(r"exec format error", message):
        return ExitCause("image_wrong_platform", EXEC_FORMAT, EXEC_FORMAT_ADVICE, evidence)
    if reason in START_REASONS or code in (126, 127, 128):
        return _cannot_start(spec, code, message, evidence)
    if code == 0:
        title = "exits without an error (exit code 0) and is restarted repeatedly"
        advice = "Run a task that completes as a Job; keep a server process in the foreground."
        return ExitCause("exits_at_once", title, advice, evidence)
    signal = SIGNALS.get(code or 0, "")
    title = f"terminates with exit code {code}{f' ({signal})' if signal else ''}{' repeatedly' if restarts else ''}"
    return ExitCause("crash_loop", title, "", evidence)


def _out_of_memory(spec: Mapping[str, Any], evidence: str) -> ExitCause:
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    if limit:
        title = f"is OOMKilled because it exceeds its memory limit of {limit}"
        advice = f"Raise resources.limits.memory above {limit}, or reduce the memory usage of the program."
    else:
        title = "is OOMKilled because the node ran out of memory"
        advice = (
            "Set resources.requests.memory so that the pod is scheduled to a node with enough memory, "
            "and set memory limits on the pods that use too much."
        )
    return ExitCause("oom_killed", title, advice, evidence)


def _cannot_mount(spec: Mapping[str, Any], message: str, evidence: str) -> ExitCause:
    title = "a volume cannot be mounted in the container"
    advice = "Correct volumeMounts: a file cannot be mounted over a directory, nor a directory over a file (subPath)."
    place = re.search(r'to rootfs at \\?"([^"\\]+)', message)
    for mount in spec.get("volumeMounts") or []:
        if place and mount.get("mountPath") == place.group(1):
            title = f"volume {mount.get('name')} cannot be mounted at {place.group(1)}"
            if mount.get("subPath"):
                title += f": the path and subPath {mount['subPath']} are not both files or both directories"
                advice = (
                    "Correct subPath: if it does not exist in the volume, for example because a ConfigMap has no such key, "
                    "a directory is created. Otherwise correct mountPath."
                )
    return ExitCause("mount_fails", title, advice, evidence)


def _cannot_start(spec: Mapping[str, Any], code: Any, message: str, evidence: str) -> ExitCause:
    if re.search(r"error mounting|mount .* to rootfs|not a directory.*mount", message):
        return _cannot_mount(spec, message, evidence)
    words = [*(spec.get("command") or []), *(spec.get("args") or []), ""]
    program = re.search(r'exec: "([^"]+)"', message)
    command = f"command {program.group(1) if program else words[0]}".rstrip()
    if re.search(r"permission denied", message) or code == 126:
        title = f"{command} is not executable"
        advice = "Make the program executable in the image (chmod +x), or correct command."
    elif re.search(r"executable file not found|no such file or directory", message) or code == 127:
        title, advice = f"{command} was not found in the image", "Correct command and args, or the image."
        if re.search(r"chdir|working dir", message):
            title, advice = "the working directory does not exist in the image", "Correct workingDir."
    else:
        # An error of the runtime itself (exit code 128) may be temporary.
        title = "the container runtime could not start the container"
        advice = "Read the message and the log of containerd on the node: journalctl -u containerd."
        return ExitCause("start_fails", title, advice, evidence)
    return ExitCause("bad_command", title, advice, evidence)
