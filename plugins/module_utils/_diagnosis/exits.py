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
# How runc reports that the kernel ended it before it could start the program.
TOO_LITTLE = r"OOM-killed \(memory limit too low\?\)|memory limit too low"
EXEC_FORMAT = "the program was built for a CPU architecture other than the node's, or is a script without an interpreter line (#!)"
EXEC_FORMAT_ADVICE = (
    "Build the image for the architecture of the node, or select nodes by the label kubernetes.io/arch. "
    "Start a script with its interpreter (#!/bin/sh)."
)
CGROUP_REFUSES = (
    r"cgroup.*(?:invalid argument|permission denied|device or resource busy)"
    r"|(?:cpu|memory|pids|cpuset)\.[a-z_.]+: (?:invalid argument|permission denied)"
)
CGROUP_ADVICE = (
    "Compare the limits of the pod with what the node grants all pods together (kubepods.slice in /sys/fs/cgroup, enforceNodeAllocatable of the "
    "kubelet): a limit of a pod must not exceed it."
)
INTERPRETER_ADVICE = (
    "Correct command and args, or the image. The interpreter is named in the first line of a script, after #!; a script whose lines end as on "
    "Windows (CR LF) names one that does not exist: convert its line ends."
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
    if re.search(TOO_LITTLE, message):
        limit = _memory_limit(spec)
        title = f"cannot be started, because its memory limit{f' of {limit}' if limit else ''} is too low"
        advice = "Raise resources.limits.memory: the container runtime itself needs some megabytes to start a program."
        return ExitCause("oom_killed", title, advice, evidence)
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
    limit = _memory_limit(spec)
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


def _memory_limit(spec: Mapping[str, Any]) -> str:
    return str(((spec.get("resources") or {}).get("limits") or {}).get("memory") or "")


def _cannot_mount(spec: Mapping[str, Any], message: str, evidence: str) -> ExitCause:
    title = "a volume cannot be mounted in the container"
    advice = "Correct volumeMounts: a file cannot be mounted over a directory, nor a directory over a file (subPath)."
    place = re.search(r'to rootfs at \\?"([^"\\]+)', message)
    if re.search(r"read-only file system", message):
        where = f" at {place.group(1)}" if place else ""
        title = f"a volume cannot be mounted{where}, because its directory would be created in a volume or a file system that is read-only"
        advice = "Mount it elsewhere: the volumes of ConfigMaps, Secrets and projected volumes are read-only, so nothing can be mounted below them."
        return ExitCause("mount_fails", title, advice, evidence)
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
    if re.search(CGROUP_REFUSES, message):
        title = "the cgroup of the node refuses the resources of the container"
        return ExitCause("start_fails", title, CGROUP_ADVICE, evidence)
    words = [*(spec.get("command") or []), *(spec.get("args") or []), ""]
    program = re.search(r'exec: "([^"]+)"', message)
    command = f"command {program.group(1) if program else words[0]}".rstrip()
    if re.search(r"permission denied", message) or code == 126:
        title = f"{command} is not executable"
        advice = "Make the program executable in the image (chmod +x), or correct command."
    elif re.search(r"executable file not found|no such file or directory", message) or code == 127:
        title, advice = f"{command} was not found in the image", "Correct command and args, or the image."
        name = program.group(1) if program else str(words[0])
        if re.search(r"\s", name):
            title = f"{command} was not found in the image: the program and its arguments are one word"
            advice = "Write command and args as a list with one word per entry, or let a shell read the line: [sh, -c, LINE]."
        elif name.startswith("/") and "executable file not found" not in message:
            title += ", or it is a script whose interpreter (in its first line, after #!) does not exist"
            advice = INTERPRETER_ADVICE
        if re.search(r"chdir|working dir", message):
            title, advice = "the working directory does not exist in the image", "Correct workingDir."
    else:
        # An error of the runtime itself (exit code 128) may be temporary.
        title = "the container runtime could not start the container"
        advice = "Read the message and the log of containerd on the node: journalctl -u containerd."
        return ExitCause("start_fails", title, advice, evidence)
    return ExitCause("bad_command", title, advice, evidence)
