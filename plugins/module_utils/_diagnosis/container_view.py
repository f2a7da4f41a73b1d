# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a pod as the rules see it: its specification, its status and its events."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from .finding import Finding, one_line
from .view import Object, View, name_of, named, namespace_of


class Container(NamedTuple):
    """One container of one pod: what is wanted, what is, and what was said of it."""

    view: View
    pod: Object
    name: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    init: bool
    events: list[Object]

    @property
    def where(self) -> str:
        """Name the pod, its node and the container."""
        node = (self.pod.get("spec") or {}).get("nodeName") or ""
        return "pod {}{}, {}container {}".format(
            named(self.pod),
            f" on {node}" if node else "",
            "init " if self.init else "",
            self.name,
        )

    @property
    def previous_log(self) -> str:
        """Return the command that prints the log of the terminated container."""
        namespace, name = namespace_of(self.pod), name_of(self.pod)
        return f"kubectl -n {namespace} logs {name} -c {self.name} --previous"

    @property
    def restarts(self) -> int:
        """How often it was started anew."""
        return int(self.status.get("restartCount") or 0)

    @property
    def job(self) -> bool:
        """Whether a Job made its pod: then the Job counts the failures and knows how many are too many."""
        return self.view.made_by(self.pod).kind == "Job"

    def find(self, fault: str, title: str, advice: str, patience: str, evidence: str, **more: Any) -> Finding:
        """Make a finding of it."""
        return Finding(
            fault,
            more.pop("severity", "error"),
            self.view.made_by(self.pod),
            f"{'init ' if self.init else ''}container {self.name}: {title}",
            evidence=[f"{self.where}: {one_line(evidence)}"],
            advice=advice,
            container=self.name,
            pods=[named(self.pod)],
            patience=patience,
            restarts=self.restarts,
            **more,
        )


def containers_of(view: View, pod: Object) -> list[Container]:
    """Give the containers of a pod, those that initialise it first."""
    spec, status, events = pod.get("spec") or {}, pod.get("status") or {}, view.events_of(pod)
    found = []
    for wanted, states in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        specs = {container["name"]: container for container in spec.get(wanted) or []}
        for state in status.get(states) or []:
            own = specs.get(state["name"], {})
            init = wanted == "initContainers" and own.get("restartPolicy") != "Always"
            mine = [event for event in events if _about(event, state["name"])]
            found.append(Container(view, pod, state["name"], own, state, init, mine))
    return found


def _about(event: Object, name: str) -> bool:
    path = (event.get("involvedObject") or {}).get("fieldPath") or ""
    return not path or path.endswith(f"{{{name}}}")
