# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a container is not running, keeps restarting, or is not ready, from its status and the events of its pod.

States and reasons: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from .._kube.timestamps import seconds_of
from .container_view import Container
from .exits import ExitCause, explain_exit
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding
from .host_ports import network_of
from .images import PULL_REASONS, image_fault, registry_of
from .probes import killing_probe, probe_event, probe_finding
from .view import event_time, message_of, namespace_of, spec_of, status_of

# For how many seconds a termination counts for a container that is running again.
RECENT = 600
STEADY = 120
# Seconds after which the kubelet has reported the end of a container that ended at once.
REPORTED = 10


def container_finding(container: Container) -> Finding | None:
    """Explain a container; None if it has no fault, or has not been started yet."""
    found = _explain(container)
    if found is not None:
        found.network = network_of(container.view, container.pod)
    return found


def _explain(container: Container) -> Finding | None:
    state = container.status.get("state") or {}
    waiting, ended, running = state.get("waiting"), state.get("terminated"), state.get("running")
    if waiting is not None:
        return _waiting(container, waiting.get("reason") or "", message_of(waiting))
    if ended is not None:
        return _ended(container, ended)
    if running is not None:
        return _running(container, running)
    return None


def _waiting(container: Container, reason: str, message: str) -> Finding | None:
    if reason in PULL_REASONS:
        return _image(container, reason, message)
    if reason in ("CreateContainerConfigError", "CreateContainerError"):
        return _not_created(container, reason, message)
    before = container.terminated
    if reason == "CrashLoopBackOff":
        return _crashes(container, before, True)
    if reason == "RunContainerError":
        return _crashes(container, before or {"reason": "StartError", "exitCode": 128, "message": message}, True)
    if reason == "PostStartHookError":
        return _hook(container, message or reason)
    return None


def _hook(container: Container, message: str) -> Finding:
    title = "the postStart hook fails, so the container is killed"
    advice = (
        "Check the command or the address in lifecycle.postStart; the hook runs in parallel with the program of the container, "
        "not after its start."
    )
    return container.find("post_start_fails", title, advice, SUSPICIOUS, message)


def _image(container: Container, reason: str, message: str) -> Finding:
    image = container.spec.get("image") or container.status.get("image") or ""
    if reason == "ImagePullBackOff" and "rpc error" not in message and "ErrImagePull" not in message:
        # Older kubelets report the cause only in the event of the failed pull.
        pulls = [message_of(one) for one in container.events if "Failed to pull image" in message_of(one)]
        message = pulls[-1] if pulls else message
    found = image_fault(reason, message, image)
    title, advice = found.title(image), found.advice
    missing = _missing_pull_secrets(container) if found.fault == "image_pull_denied" else []
    if missing:
        secrets = " and ".join(f"Secret {secret}" for secret in missing)
        title += f", and {secrets} of imagePullSecrets does not exist"
        advice = f"Create {secrets} (kubectl create secret docker-registry), or correct imagePullSecrets."
    about = registry_of(image) if found.fault in ("image_unreachable", "image_rate_limited") else image
    return container.find(found.fault, title, advice, found.patience, f"{reason}: {message}", about=about)


def _missing_pull_secrets(container: Container) -> list[str]:
    """Return the pull Secrets that the kubelet did not find, as NAMESPACE/NAME."""
    namespace = namespace_of(container.pod)
    for event in container.events:
        listed = re.search(r"image pull secrets \(([^)]+)\)", message_of(event))
        if event.get("reason") == "FailedToRetrieveImagePullSecret" and listed:
            names = [name.strip() for name in listed.group(1).split(",")]
            return [f"{namespace}/{name}" for name in names if container.view.get("Secret", namespace, name) is None]
    return []


# Messages of the kubelet about a container that is not created: the fault, the title, the advice, and the patience.
NOT_CREATED = (
    (
        r"failed to sync|not yet been read|timed out waiting for",
        "config_not_synced",
        "its ConfigMaps and Secrets have not been synchronized to the node",
        "Wait. If this persists, check the load of the API server.",
        SUSPICIOUS,
    ),
    # A controller may be creating it: cert-manager, External Secrets, Sealed Secrets and others take seconds.
    (r"couldn't find key|non-existent config key|(secret|configmap) .*not found", "config_missing", "", "", SUSPICIOUS),
    # containerd reads the profile from the node when it creates the container.
    (
        r"seccomp profile|apparmor profile not found",
        "security_profile_missing",
        "",
        "Install the profile on every node where the pod can run (seccomp profiles in /var/lib/kubelet/seccomp), or correct the securityContext.",
        SUSPICIOUS,
    ),
    (
        r"runAsNonRoot|run as root|non-numeric user|runAsUser",
        "run_as_non_root",
        "runAsNonRoot is set, but the image runs as root or has no numeric user",
        "Set securityContext.runAsUser to a UID other than 0, or build the image with a numeric USER.",
        HOPELESS,
    ),
    (
        r"no command specified|executable file not found|no such file or directory|permission denied",
        "bad_command",
        "the command cannot be executed",
        "Correct command and args, or the entrypoint of the image.",
        HOPELESS,
    ),
    (
        r"missing value for|subPath|mount|not a directory|is not shared",
        "mount_fails",
        "a volume cannot be mounted in the container",
        "Correct volumeMounts (mountPath, subPath) and the volume.",
        HOPELESS,
    ),
    (
        r"is reserved for|deadline exceeded",
        "container_not_created",
        "the container runtime is too slow to create the container",
        "Wait. If this persists, look for a slow disk or a high load on the node: journalctl -u containerd.",
        SUSPICIOUS,
    ),
    (
        r"",
        "container_not_created",
        "the container could not be created",
        "Read the message of the container runtime.",
        SUSPICIOUS,
    ),
)


def _not_created(container: Container, reason: str, message: str) -> Finding:
    fault, title, advice, patience = next(row[1:] for row in NOT_CREATED if re.search(row[0], message))
    about = ""
    unset = re.search(r'missing value for \\?"?(\w+)', message)
    if fault == "config_missing":
        title, advice, about = _missing_config(message, namespace_of(container.pod))
    elif fault == "security_profile_missing":
        title, about = _security_profile(message)
    elif fault == "mount_fails" and unset:
        title = (
            f"subPathExpr of a volume mount references the variable {unset.group(1)}, which the container does not have"
        )
        advice = f"Add {unset.group(1)} to env of the container, or correct subPathExpr."
    return container.find(fault, title, advice, patience, f"{reason}: {message}", about=about)


def _security_profile(message: str) -> tuple[str, str]:
    """Return the title and the group of a finding about a seccomp or AppArmor profile."""
    found = re.search(r'seccomp profile (?:failed )?\\?"([^"\\]+)|(apparmor) profile not found (\S+)', message)
    sort = "AppArmor" if found and found.group(2) else "seccomp"
    name = (found.group(1) or found.group(3)) if found else "of the container"
    what = "is not valid" if "decoding" in message else "is not on the node"
    return f"the {sort} profile {name} {what}", f"{sort} {name}"


def _missing_config(message: str, namespace: str) -> tuple[str, str, str]:
    """Return the title, the advice and the group of a finding about a missing ConfigMap, Secret or key."""
    correct = "or correct its name in env of the container."
    key = re.search(r"couldn't find key (\S+) in (ConfigMap|Secret) (?:\S+/)?([^\s\"]+)", message, re.IGNORECASE)
    if key:
        what = f"{_kind(key.group(2))} {namespace}/{key.group(3)}"
        title = f"key {key.group(1)} does not exist in {what}"
        return title, f"Add the key {key.group(1)} to {what}, {correct}", f"{what} {key.group(1)}"
    what = missing_object(message, namespace) or "the ConfigMap or Secret"
    return f"{what} does not exist", f"Create {what}, {correct}", what


def missing_object(message: str, namespace: str) -> str:
    """Return the ConfigMap or Secret that the kubelet did not find, as KIND NAMESPACE/NAME; empty for other messages."""
    missing = re.search(r"(configmap|secret)s? \"?(?:[^\s\"/]+/)?([^\s\"/]+?)\"? not found", message, re.IGNORECASE)
    return f"{_kind(missing.group(1))} {namespace}/{missing.group(2)}" if missing else ""


def _kind(word: str) -> str:
    return "ConfigMap" if word.lower().startswith("config") else "Secret"


def _crashes(container: Container, before: Mapping[str, Any], waiting: bool) -> Finding:
    """Explain a container that terminates repeatedly.

    :param before: its termination.
    :param waiting: the container waits to be restarted.
    """
    cause = explain_exit(before, container.spec, container.restarts)
    hooks = [event for event in container.events if event.get("reason") == "FailedPostStartHook"]
    if hooks and abs(seconds_of(before.get("finishedAt")) - event_time(hooks[-1])) < 60:
        return _hook(container, message_of(hooks[-1]))
    killed = killing_probe(container)
    if killed is not None and cause.fault in ("crash_loop", "exits_at_once"):
        found = probe_finding(container, *killed)
        if waiting and container.restarts >= 2 and not container.job:
            found.patience = HOPELESS
        return found
    if cause.fault == "oom_killed":
        cause = _with_memory_volumes(container, cause)
    # One restart is tolerated. While other workloads are starting, waiting.Watch tolerates more.
    patience = HOPELESS if waiting and container.restarts >= 1 and not container.job else SUSPICIOUS
    fault = "init_fails" if container.init and cause.fault == "crash_loop" else cause.fault
    advice = cause.advice or f"Read the log of the terminated container: {container.log} --previous."
    return container.find(fault, cause.title, advice, patience, cause.evidence)


def _with_memory_volumes(container: Container, cause: ExitCause) -> ExitCause:
    """Add that files in volumes in memory count for the limit, if the container has such volumes."""
    volumes = spec_of(container.pod).get("volumes") or []
    memory = {one["name"] for one in volumes if (one.get("emptyDir") or {}).get("medium") == "Memory"}
    mounts = [one for one in container.spec.get("volumeMounts") or [] if one.get("name") in memory]
    if not mounts:
        return cause
    where = ", ".join(f"{one['name']} ({one.get('mountPath')})" for one in mounts)
    return cause._replace(
        advice=f"{cause.advice} Files in volume {where}, which is in memory (emptyDir with medium Memory), count for the limit."
    )


def _ended(container: Container, ended: Mapping[str, Any]) -> Finding | None:
    policy = spec_of(container.pod).get("restartPolicy") or "Always"
    # A container that exits without an error for the first time is restarted immediately.
    if not ended.get("exitCode") and (container.init or policy != "Always" or container.restarts == 0):
        return None
    failed = status_of(container.pod).get("phase") == "Failed"
    # Since Kubernetes 1.36 a container that waits for its restart is Terminated; before, it was Waiting (CrashLoopBackOff).
    found = _crashes(container, ended, not failed and policy != "Never")
    if failed:
        if found.fault in ("crash_loop", "init_fails"):
            found.fault = "init_fails" if container.init else "pod_failed"
        found.patience = SLOW if container.job else HOPELESS
        if container.view.now - seconds_of(ended.get("finishedAt")) > 86400:
            found.severity = "warning"
        return found
    if container.restarts == 0:
        # The program may have started before another one that it depends on.
        found.severity = "warning"
    return _with_retries(container, found)


def _with_retries(container: Container, found: Finding) -> Finding:
    """Return a finding as info if it is about the first failure of a Job, which retries by design."""
    if container.job and container.restarts <= 1:
        found.severity = "info"
    return found


def _running(container: Container, running: Mapping[str, Any]) -> Finding | None:
    now, ready = container.view.now, container.status.get("ready")
    since = now - seconds_of(running.get("startedAt"))
    if container.init:
        return _init_runs(container, running.get("startedAt"), since)
    before = container.terminated
    # containerd tells so of one that ran when its host lost power (CRI, unknownExitCode): it did not end by itself.
    lost = bool(before) and before.get("reason") == "Unknown" and before.get("exitCode") == 255
    recent = bool(before) and not lost and now - seconds_of(before.get("finishedAt")) < RECENT
    killed = killing_probe(container)
    if recent and killed is not None:
        found = probe_finding(container, *killed)
        if ready and container.restarts < 2:
            found.severity = "warning"
        return found
    if recent and container.restarts:
        # All restarts of its life count; one that ran for long before, or has run for some time again, is in no loop.
        started = seconds_of(before.get("startedAt") or before.get("finishedAt"))
        lasted = seconds_of(before.get("finishedAt")) - started
        steady = since > STEADY or lasted > RECENT
        loops = container.restarts >= 3 and not steady and since <= min(lasted + REPORTED, 60)
        if ready and since > 60 and (container.restarts < 3 or steady):
            return None
        found = _crashes(container, before, False)
        if (ready and not loops) or container.restarts < 2:
            found.severity = "warning"
        return _with_retries(container, found)
    if ready:
        return None
    kind = "startup" if container.spec.get("startupProbe") and not container.status.get("started") else "readiness"
    return probe_finding(container, kind, probe_event(container.events, kind), since)


def _init_runs(container: Container, started: Any, since: float) -> Finding | None:
    if since < 30:
        return None
    return container.find(
        "init_stuck",
        f"has been running for {since:.0f} s, and the containers of the pod wait for it",
        f"Read its log: {container.log}. Init containers often wait for a Service or a database that does not exist.",
        SLOW,
        f"running since {started}",
        severity="error" if since >= 300 else "warning",
    )
