# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a container means: its exit code, the runtime's reason and message. Pure functions.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ (ContainerStateTerminated); exit codes 126, 127 and 128 + signal
are the shell's.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

SIGNALS = {129: "SIGHUP", 130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
START_REASONS = ("StartError", "ContainerCannotRun", "RunContainerError")


class End(NamedTuple):
    """How a container ended. C(by_signal): something else ended it."""

    fault: str
    title: str
    advice: str
    evidence: str
    by_signal: bool = False


def explain_exit(ended: Mapping[str, Any], spec: Mapping[str, Any], restarts: int) -> End:
    """Say what an end means.

    :param ended: C(state.terminated) or C(lastState.terminated) of the container.
    :param spec: the container as the pod describes it.
    :param restarts: how often it was started anew.
    """
    code, reason, message = ended.get("exitCode"), ended.get("reason") or "", ended.get("message") or ""
    evidence = "ended with exit code {}{}{}{}".format(
        code,
        f" ({reason})" if reason else "",
        ", %d restart%s" % (restarts, "" if restarts == 1 else "s") if restarts else "",
        ": " + message if message else "",
    )
    if reason == "OOMKilled":
        return _out_of_memory(spec, evidence)
    if re.search(r"exec format error", message):
        return End("image_wrong_platform", NO_PROGRAM, NO_PROGRAM_ADVICE, evidence)
    if reason in START_REASONS or code in (126, 127, 128):
        return _cannot_start(spec, code, message, evidence)
    if code == 0:
        return End(
            "exits_at_once",
            "it ends without an error (exit code 0), and is started again and again",
            "What is to end belongs into a Job; what is to stay must run in the foreground.",
            evidence,
        )
    signal = SIGNALS.get(code or 0, "")
    return End(
        "crash_loop",
        "it ends with exit code {}{}{}".format(
            code, f" ({signal})" if signal else "", " again and again" if restarts else ""
        ),
        "Read the log of the container that ended: kubectl logs --previous.",
        evidence,
        by_signal=signal in ("SIGKILL", "SIGTERM"),
    )


def _out_of_memory(spec: Mapping[str, Any], evidence: str) -> End:
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    if limit:
        return End(
            "oom_killed",
            f"it is killed because it needs more memory than its limit of {limit}",
            f"Raise resources.limits.memory above {limit}, or let the program use less.",
            evidence,
        )
    return End(
        "oom_killed",
        "it is killed because the node has no memory left",
        "Give the pod a memory request so that it runs where there is room, and limits to what uses too much.",
        evidence,
    )


# The kernel says "exec format error" of both.
NO_PROGRAM = "its program is made for another architecture than the node's, or is a script without a first line #!"
NO_PROGRAM_ADVICE = (
    "Build the image for the node's architecture too, or choose nodes by the label kubernetes.io/arch; "
    "a script begins with its interpreter (#!/bin/sh)."
)


def _cannot_mount(spec: Mapping[str, Any], message: str, evidence: str) -> End:
    title = "a volume cannot be mounted into it"
    advice = "Correct volumeMounts: a file cannot be mounted over a folder, nor the reverse (subPath)."
    place = re.search(r'to rootfs at \\?"([^"\\]+)', message)
    for mount in spec.get("volumeMounts") or []:
        if place and mount.get("mountPath") == place.group(1):
            title = f"volume {mount.get('name')} cannot be mounted at {place.group(1)}"
            if mount.get("subPath"):
                title += f": one of that and its subPath {mount['subPath']} is a file, the other a folder"
                advice = (
                    "Correct subPath: one that is not in the volume, such as a key that a ConfigMap does not have, is made as a folder. "
                    "Or correct mountPath."
                )
    return End("mount_fails", title, advice, evidence)


def _cannot_start(spec: Mapping[str, Any], code: Any, message: str, evidence: str) -> End:
    command = list(spec.get("command") or []) + list(spec.get("args") or [])
    program = re.search(r'exec: "([^"]+)"', message)
    what = program.group(1) if program else command[0] if command else ""
    quoted = f" {what}" if what else ""
    mounted = re.search(r"error mounting|mount .* to rootfs|not a directory.*mount", message)
    if mounted:
        return _cannot_mount(spec, message, evidence)
    if re.search(r"permission denied", message) or code == 126:
        title, advice = (
            f"its command{quoted} is not executable",
            "Make the program executable in the image, or correct command.",
        )
    elif re.search(r"executable file not found|no such file or directory", message) or code == 127:
        title, advice = f"its command{quoted} is not in the image", "Correct command and args, or the image."
        if re.search(r"chdir|working dir", message):
            title, advice = "its working directory is not in the image", "Correct workingDir."
    else:
        # The runtime's own trouble (exit code 128) may pass.
        return End(
            "start_fails", "the runtime cannot start it", "See the message, and containerd's log on the node.", evidence
        )
    return End("bad_command", title, advice, evidence)
