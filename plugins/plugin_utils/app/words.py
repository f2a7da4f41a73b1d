# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advice in the words of the module app: its options instead of the fields of Kubernetes' objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Fields as the diagnosis names them, with the option that sets each.
OPTIONS = {
    "securityContext.capabilities.add": "security.capabilities.add",
    "securityContext.capabilities": "security.capabilities",
    "securityContext.runAsUser": "security.run_as_user",
    "securityContext": "security",
    "runAsNonRoot": "security.run_as_non_root",
    "runAsUser": "security.run_as_user",
    "fsGroup": "security.fs_group",
    "seccompProfile.localhostProfile": "security.seccomp",
    "seccompProfile": "security.seccomp",
    "startupProbe": "startup",
    "readinessProbe": "readiness",
    "livenessProbe": "liveness",
    "lifecycle.postStart": "post_start",
    "imagePullSecrets": "pull_secrets",
    "imagePullPolicy": "image_pull_policy",
    "nodeSelector": "node_selector",
    "podAffinity": "affinity",
    "priorityClassName": "priority_class",
    "runtimeClassName": "runtime_class",
    "schedulerName": "scheduler",
    "serviceAccountName": "service_account",
    "terminationGracePeriodSeconds": "termination_grace_period_seconds",
    "activeDeadlineSeconds": "job.active_deadline_seconds",
    "backoffLimit": "job.backoff_limit",
    "workingDir": "working_dir",
    "hostNetwork": "host_network",
    "dnsConfig.nameservers": "dns_config",
    "dnsConfig": "dns_config",
    "dnsPolicy": "dns_policy",
    "volumeMounts": "volumes",
}
FIELD = re.compile("|".join(rf"(?<![\w.]){re.escape(name)}(?!\w)" for name in OPTIONS))
# Images that start as root, such as the official ones of databases.
ROOT = re.compile(r"security\.capabilities\.add|security\.run_as_user to a UID other than 0")
BASELINE = "With security.profile: baseline, it runs as the user of its image and keeps the capabilities that such images need."
ADVICE = re.compile(r"^( *advice: )(.*)$", re.MULTILINE)


def in_words_of_app(text: str) -> str:
    """Return an advice that names options of the module."""
    told = FIELD.sub(lambda found: OPTIONS[found.group()], text)
    return f"{told} {BASELINE}" if ROOT.search(told) else told


def translate(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a release with advice in these words; what the cluster reports stays verbatim."""
    made = dict(result)
    if isinstance(made.get("msg"), str):
        made["msg"] = ADVICE.sub(lambda found: found.group(1) + in_words_of_app(found.group(2)), made["msg"])
    if made.get("findings"):
        made["findings"] = [dict(one, advice=in_words_of_app(one.get("advice") or "")) for one in made["findings"]]
    return made
