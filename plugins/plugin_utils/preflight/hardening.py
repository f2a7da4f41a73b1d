# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the variables with which role control_plane hardens a new cluster: with these values it would not come up, or not stay up."""

from __future__ import annotations

from collections.abc import Iterator

from .problem import Checks, Finding, Host

CHECKS = Checks()
MODES = ("enforce", "audit", "warn")
LEVELS = ("privileged", "baseline", "restricted")
TLS_VERSIONS = ("VersionTLS12", "VersionTLS13")


@CHECKS.host("hardening", facts=False)
def check_hardening(host: Host) -> Iterator[Finding]:
    """Pod Security lets the cluster's own pods run, paths are paths, and numbers are not too small."""
    if not host.control_plane:
        return
    levels = dict(host.variables.get("control_plane_pod_security") or {})
    wrong = [f"{mode}: {level}" for mode, level in levels.items() if mode not in MODES or level not in LEVELS]
    if wrong:
        remedy = f"Use the modes {', '.join(MODES)} with the levels {', '.join(LEVELS)}."
        yield "control_plane_pod_security is invalid.", ", ".join(wrong), remedy
    exempt = host.variables.get("control_plane_pod_security_exempt") or []
    if levels.get("enforce", "privileged") != "privileged" and "kube-system" not in exempt:
        evidence = f"control_plane_pod_security enforces '{levels['enforce']}', and kube-proxy is privileged"
        remedy = "Add kube-system to control_plane_pod_security_exempt."
        yield "The pods of the cluster itself would be refused.", evidence, remedy
    paths = [path for path in host.variables.get("control_plane_anonymous_paths") or [] if not path.startswith("/")]
    if paths:
        evidence, remedy = ", ".join(paths), "Write whole paths, such as /livez; patterns are not possible."
        yield "control_plane_anonymous_paths has what is not a path.", evidence, remedy
    version = host.variables.get("control_plane_tls_min_version", TLS_VERSIONS[0])
    if version not in TLS_VERSIONS:
        yield "control_plane_tls_min_version is invalid.", f"it is '{version}'", f"Use {' or '.join(TLS_VERSIONS)}."
    yield from small_numbers(host)


def small_numbers(host: Host) -> Iterator[Finding]:
    """Yield the numbers that are too small."""
    smallest = {
        "control_plane_etcd_quota_mib": 256,
        "control_plane_pod_pids_limit": 100,
        "control_plane_audit_log_megabytes": 1,
        "control_plane_audit_log_files": 1,
        "control_plane_audit_log_days": 1,
        "control_plane_terminated_pods": 1,
    }
    for name, least in smallest.items():
        value = int(host.variables.get(name, least))  # one that is not valid is reported by another check
        if value < least and not (name == "control_plane_pod_pids_limit" and value == -1):
            yield f"{name} is too small.", f"it is {value}", f"Use {least} or more."
