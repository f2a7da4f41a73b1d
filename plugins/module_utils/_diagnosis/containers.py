# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container does not run, does not stay, or is not ready: pure functions over its status and the pod's events.

States and reasons: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from .._kube.timestamps import seconds_of
from .container_view import Container
from .exits import explain_exit
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding
from .images import PULL_REASONS, image_fault, registry_of
from .probes import liveness_killed, probe_answer, probe_finding
from .view import Object, event_count, event_time

# For so many seconds after it ended, an end still says something about a container that runs again.
RECENT = 600


def container_finding(container: Container) -> Finding | None:
    """Explain a container that is not as it should be; None for one that is, or that only waits for its turn."""
    state = container.status.get("state") or {}
    waiting, ended, running = state.get("waiting"), state.get("terminated"), state.get("running")
    if waiting is not None:
        return _waiting(container, waiting.get("reason") or "", waiting.get("message") or "")
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
    before = (container.status.get("lastState") or {}).get("terminated")
    if reason == "CrashLoopBackOff":
        return _crashes(container, before or {}, True)
    if reason == "RunContainerError":
        return _crashes(container, before or {"reason": "StartError", "exitCode": 128, "message": message}, True)
    if reason == "PostStartHookError":
        return _hook(container, message or reason)
    return None


def _hook(container: Container, message: str) -> Finding:
    return container.find(
        "post_start_fails",
        "its postStart hook fails, so it is killed",
        "See the hook's command or address in lifecycle.postStart; it runs beside the start of the program, not after it.",
        SUSPICIOUS,
        message,
    )


def _image(container: Container, reason: str, message: str) -> Finding:
    image = container.status.get("image") or container.spec.get("image") or ""
    image = container.spec.get("image") or image
    if reason == "ImagePullBackOff" and "rpc error" not in message and "ErrImagePull" not in message:
        # Older kubelets say why only in the event of the attempt.
        said = [
            event["message"] for event in container.events if "Failed to pull image" in (event.get("message") or "")
        ]
        message = said[-1] if said else message
    found = image_fault(reason, message, image)
    missing = _missing_pull_secrets(container) if found.fault == "image_pull_denied" else []
    if missing:
        secrets = " and ".join(f"Secret {secret}" for secret in missing)
        found = found._replace(
            problem=found.problem + f", and {secrets}, with which it is to be pulled, is not there",
            advice=f"Create {secrets} (kubectl create secret docker-registry), or correct imagePullSecrets.",
        )
    about = registry_of(image) if found.fault in ("image_unreachable", "image_rate_limited") else image
    return container.find(
        found.fault, found.title(image), found.advice, found.patience, f"{reason}: {message}", about=about
    )


def _missing_pull_secrets(container: Container) -> list[str]:
    """Name the pull secrets that the kubelet did not find, as NAMESPACE/NAME."""
    namespace = container.pod["metadata"].get("namespace") or ""
    for event in container.events:
        said = re.search(r"image pull secrets \(([^)]+)\)", event.get("message") or "")
        if event.get("reason") == "FailedToRetrieveImagePullSecret" and said:
            names = [name.strip() for name in said.group(1).split(",")]
            return [f"{namespace}/{name}" for name in names if container.view.get("Secret", namespace, name) is None]
    return []


# What the kubelet says where a container's configuration does not work, and the fault that it is.
NOT_CREATED = (
    (r"failed to sync|not yet been read|timed out waiting for", "config_not_synced"),
    (r"couldn't find key|non-existent config key", "config_missing"),
    (r"(secret|configmap) .*not found", "config_missing"),
    (r"runAsNonRoot|run as root|non-numeric user|runAsUser", "run_as_non_root"),
    (r"no command specified|executable file not found|no such file or directory|permission denied", "bad_command"),
    (r"missing value for|subPath|mount|not a directory|is not shared", "mount_fails"),
)


def _not_created(container: Container, reason: str, message: str) -> Finding:
    fault = next((fault for pattern, fault in NOT_CREATED if re.search(pattern, message)), "container_not_created")
    namespace = container.pod["metadata"].get("namespace") or ""
    evidence, patience, about = f"{reason}: {message}", HOPELESS, ""
    if fault == "config_not_synced":
        title, advice, patience = (
            "its configuration has not reached the node",
            "Wait; see the API server's load.",
            SUSPICIOUS,
        )
    elif fault == "config_missing":
        title, advice, about = _missing_config(message, namespace)
        # A controller may be about to make it.
        patience = HOPELESS if container.view.age(container.pod) >= 5 else SUSPICIOUS
    elif fault == "run_as_non_root":
        title = "it must not run as root (runAsNonRoot), and nothing says that it does not"
        advice = "Set securityContext.runAsUser to a number other than 0, or build the image with a numeric USER."
    elif fault == "bad_command":
        title = "its command cannot be run"
        advice = "Correct command and args, or the image's entry point."
    elif fault == "mount_fails":
        title, advice = (
            "a volume cannot be mounted into it",
            "Correct volumeMounts (mountPath, subPath) and the volume.",
        )
        unset = re.search(r'missing value for \\?"?(\w+)', message)
        if unset:
            title = f"subPathExpr of a volume asks for the variable {unset.group(1)}, which the container does not have"
            advice = f"Add {unset.group(1)} to the container's env, or correct subPathExpr."
    else:
        title, advice, patience = "the runtime cannot make it", "See the message.", SUSPICIOUS
    return container.find(fault, title, advice, patience, evidence, about=about)


def _missing_config(message: str, namespace: str) -> tuple[str, str, str]:
    """Read which ConfigMap, Secret or key the kubelet misses: title, advice, and what makes two of them the same."""
    key = re.search(r"couldn't find key (\S+) in (ConfigMap|Secret) (?:\S+/)?([^\s\"]+)", message, re.IGNORECASE)
    if key:
        what = f"{_kind(key.group(2))} {namespace}/{key.group(3)}"
        return (
            f"key {key.group(1)} is not in {what}",
            f"Add the key {key.group(1)} to {what}, or correct its name in the container's env.",
            f"{what} {key.group(1)}",
        )
    whole = re.search(r"(configmap|secret)s? \"?(?:[^\s\"/]+/)?([^\s\"/]+)\"? not found", message, re.IGNORECASE)
    what = f"{_kind(whole.group(1))} {namespace}/{whole.group(2)}" if whole else "its configuration"
    return f"{what} is not there", f"Create {what}, or correct its name in the container's env.", what


def _kind(word: str) -> str:
    return "ConfigMap" if word.lower().startswith("config") else "Secret"


def _crashes(container: Container, before: Mapping[str, Any], waiting: bool) -> Finding:
    """Explain a container that ends again and again."""
    told = explain_exit(before, container.spec, container.restarts)
    hooks = [event for event in container.events if event.get("reason") == "FailedPostStartHook"]
    if hooks and abs(seconds_of(before.get("finishedAt")) - event_time(hooks[-1])) < 60:
        return _hook(container, hooks[-1].get("message") or "")
    killed = _killed_by_probe(container, before, told.by_signal)
    if killed is not None and told.fault in ("crash_loop", "exits_at_once"):
        found = probe_finding(container, "liveness", killed)
        if waiting and container.restarts >= 2 and not container.job:
            found.patience = HOPELESS
        return found
    # One restart is tolerated. Where others are still on their way, waiting.Watch tolerates more.
    patience = HOPELESS if waiting and container.restarts >= 1 and not container.job else SUSPICIOUS
    fault = "init_fails" if container.init and told.fault == "crash_loop" else told.fault
    advice = told.advice or f"Read the log of the terminated container: {container.previous_log}."
    return container.find(fault, told.title, advice, patience, told.evidence)


def _killed_by_probe(container: Container, before: Mapping[str, Any], by_signal: bool) -> Object | None:
    """Give the probe's event where the kubelet ended a container: a signal, or failures enough just before its end."""
    event = liveness_killed(container.events)
    if event is None:
        return None
    if not -60 <= seconds_of(before.get("finishedAt")) - event_time(event) <= 120:
        return None
    kind = "startupProbe" if (event.get("message") or "").startswith("Startup") else "livenessProbe"
    enough = int((container.spec.get(kind) or {}).get("failureThreshold") or 3)
    return event if by_signal or event_count(event) >= enough else None


def _ended(container: Container, ended: Mapping[str, Any]) -> Finding | None:
    policy = (container.pod.get("spec") or {}).get("restartPolicy") or "Always"
    code = ended.get("exitCode") or 0
    if container.init:
        if code == 0:
            return None
    elif code == 0 and (policy != "Always" or container.restarts == 0):
        # It ends for the first time: one that is to stay is started again at once.
        return None
    failed = (container.pod.get("status") or {}).get("phase") == "Failed"
    # Since Kubernetes 1.36 a container that waits to be started again shows its end; before, it was CrashLoopBackOff.
    found = _crashes(container, ended, not failed and policy != "Never")
    if failed:
        if found.fault in ("crash_loop", "init_fails"):
            found.fault = "init_fails" if container.init else "pod_failed"
        found.patience = SLOW if container.job else HOPELESS
        if container.view.now - seconds_of(ended.get("finishedAt")) > 86400:
            found.severity = "warning"
    elif container.restarts == 0:
        # The first end of a container that is started again: a start that waits for another is like this.
        found.severity = "warning"
    return found if failed else _while_it_retries(container, found)


def _while_it_retries(container: Container, found: Finding) -> Finding:
    """A Job is there to try again: its first failure alarms nobody."""
    if container.job and container.restarts <= 1:
        found.severity = "info"
    return found


def _running(container: Container, running: Mapping[str, Any]) -> Finding | None:
    since = container.view.now - seconds_of(running.get("startedAt"))
    before = (container.status.get("lastState") or {}).get("terminated") or {}
    recent = bool(before) and container.view.now - seconds_of(before.get("finishedAt")) < RECENT
    if container.init:
        return _init_runs(container, since)
    killed = liveness_killed(container.events)
    if recent and killed is not None and event_time(killed) > container.view.now - RECENT:
        found = probe_finding(container, "liveness", killed)
        if container.status.get("ready") and container.restarts < 2:
            found.severity = "warning"
        return found
    if recent and container.restarts:
        found = _crashes(container, before, False)
        steady = container.status.get("ready") and since > 60
        if steady and container.restarts < 3:
            return None
        if container.status.get("ready") or container.restarts < 2:
            found.severity = "warning"
        return _while_it_retries(container, found)
    if container.status.get("ready"):
        return None
    kind = "startup" if container.spec.get("startupProbe") and not container.status.get("started") else "readiness"
    return probe_finding(container, kind, probe_answer(container.events, kind), since)


def _init_runs(container: Container, since: float) -> Finding | None:
    if since < 30:
        return None
    return container.find(
        "init_stuck",
        "it has run for %d s, and the pod's containers wait for it" % since,
        "Read its log: it often waits for a Service or a database that is not there.",
        SLOW,
        f"running since {((container.status.get('state') or {}).get('running') or {}).get('startedAt')}",
        severity="error" if since >= 300 else "warning",
    )
