# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a pod with its spec, its status and its events."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from .finding import Finding, one_line
from .view import Object, View, located, name_of, named, namespace_of, spec_of, status_of


class Container(NamedTuple):
    """One container of a pod. C(init): an init container that is not a sidecar; C(events): warnings; C(kills): why the kubelet ended it."""

    view: View
    pod: Object
    name: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    init: bool
    events: list[Object]
    kills: list[Object]

    @property
    def label(self) -> str:
        """Return the name of the container for titles and evidence."""
        return f"{'init ' if self.init else ''}container {self.name}"

    @property
    def log(self) -> str:
        """Return the command that prints the log of the container."""
        return f"kubectl -n {namespace_of(self.pod)} logs {name_of(self.pod)} -c {self.name}"

    @property
    def restarts(self) -> int:
        """Return the restart count."""
        return int(self.status.get("restartCount") or 0)

    @property
    def job(self) -> bool:
        """Return whether a Job owns the pod; the Job controller then counts the failures (backoffLimit)."""
        return self.view.made_by(self.pod).kind == "Job"

    @property
    def terminated(self) -> Mapping[str, Any]:
        """Return the previous termination (C(lastState.terminated)), empty if there is none."""
        return (self.status.get("lastState") or {}).get("terminated") or {}

    def find(self, fault: str, title: str, advice: str, patience: str, evidence: str, **more: Any) -> Finding:
        """Return a finding about the container.

        :param more: further fields of :class:`Finding`; the severity is C(error) by default.
        """
        return Finding(
            fault,
            more.pop("severity", "error"),
            self.view.made_by(self.pod),
            f"{self.label}: {title}",
            evidence=[f"{located(self.pod)}, {self.label}: {one_line(evidence)}"],
            advice=advice,
            container=self.name,
            pods=[named(self.pod)],
            patience=patience,
            restarts=self.restarts,
            **more,
        )


def containers_of(view: View, pod: Object) -> list[Container]:
    """Return the containers of a pod that have a status, init containers first."""
    events, kills = view.events_of(pod), view.events_of(pod, "Killing")
    found = []
    for kind in ("initContainer", "container"):
        specs = {container["name"]: container for container in spec_of(pod).get(f"{kind}s") or []}
        for status in status_of(pod).get(f"{kind}Statuses") or []:
            name = status["name"]
            spec = specs.get(name, {})
            init = kind == "initContainer" and spec.get("restartPolicy") != "Always"
            about, killed = ([event for event in some if _is_about(event, name)] for some in (events, kills))
            found.append(Container(view, pod, name, spec, status, init, about, killed))
    return found


def _is_about(event: Object, name: str) -> bool:
    path = (event.get("involvedObject") or {}).get("fieldPath") or ""
    return not path or path.endswith(f"{{{name}}}")
