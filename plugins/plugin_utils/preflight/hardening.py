# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the variables with which role control_plane hardens a new cluster: with these values it would not come up, or not stay up."""

from __future__ import annotations

from collections.abc import Iterator

from .problem import Checks, Finding, Host

CHECKS = Checks()
LEAST_PIDS = 100


@CHECKS.host("hardening", facts=False)
def check_hardening(host: Host) -> Iterator[Finding]:
    """Pod Security lets the cluster's own pods run, paths are paths, and pods can have enough processes."""
    if not host.control_plane:
        return
    levels = dict(host.variables.get("control_plane_pod_security") or {})
    exempt = host.variables.get("control_plane_pod_security_exempt") or []
    if levels.get("enforce", "privileged") != "privileged" and "kube-system" not in exempt:
        evidence = f"control_plane_pod_security enforces '{levels['enforce']}', and kube-proxy is privileged"
        remedy = "Add kube-system to control_plane_pod_security_exempt."
        yield "The pods of the cluster itself would be refused.", evidence, remedy
    paths = [path for path in host.variables.get("control_plane_anonymous_paths") or [] if not path.startswith("/")]
    if paths:
        evidence, remedy = ", ".join(paths), "Write whole paths, such as /livez; patterns are not possible."
        yield "control_plane_anonymous_paths has what is not a path.", evidence, remedy
    pids = int(host.variables.get("control_plane_pod_pids_limit", LEAST_PIDS))
    if -1 < pids < LEAST_PIDS:
        yield (
            "control_plane_pod_pids_limit is too small.",
            f"it is {pids}",
            f"Use {LEAST_PIDS} or more, or -1 for no limit.",
        )
