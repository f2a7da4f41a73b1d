# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces that the objects of a run need: which exist, which are being deleted, and what creates those that are missing."""

from __future__ import annotations

from typing import Any, Collection, Mapping

from .._kube.api import ApiError, Client
from .._kube.objects import reference
from .desired import Desired
from .settings import Settings


class Namespaces:
    """Namespaces of the desired objects.

    :ivar missing: those that do not exist. :ivar terminating: those that are being deleted.
    """

    def __init__(
        self, client: Client, settings: Settings, desired: Desired, occupied: Collection[str], deployed: bool
    ) -> None:
        """Read those of which nothing is known.

        :param occupied: namespaces in which objects exist.
        :param deployed: whether the release has a revision, so that its own namespace exists.
        """
        self.client = client
        self.settings = settings
        self.desired = desired
        home = {settings.namespace} if settings.name else set()
        existing = set(occupied) | (home if deployed else set())
        names = sorted(({reference(content).namespace for content in desired.all} | home) - existing - {""})
        found = dict(zip(names, client.each(self._read, names)))
        self.terminating = {
            name for name, live in found.items() if live and (live.get("status") or {}).get("phase") == "Terminating"
        }
        self.missing = {name for name, live in found.items() if live is None}

    def _read(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self.client.find("/api/v1/namespaces/" + name)
        except ApiError as error:
            if error.status == 403:
                return {}  # a user with permissions in a namespace need not be allowed to read the namespace itself
            raise

    def creates(self, namespace: str) -> str:
        """Return what creates a namespace: C(object), C(option), or nothing."""
        names = [content["metadata"]["name"] for content in self.desired.objects if content["kind"] == "Namespace"]
        if namespace in names:
            return "object"
        return "option" if self.settings.create_namespace and namespace == self.settings.namespace else ""

    def problems(self) -> list[str]:
        """Return why the run is refused."""
        problems = [
            f"Namespace {name} is being deleted. Wait until it is gone, then run this again. [slipway:object_terminating]"
            for name in sorted(self.terminating)
        ]
        for namespace in sorted(self.missing):
            if self.creates(namespace):
                continue
            names = [reference(content) for content in self.desired.all]
            within = [str(name) for name in names if name.namespace == namespace] or ["the revisions of the release"]
            more = f" and {len(within) - 1} more" if within[1:] else ""
            option = self.settings.name and namespace == self.settings.namespace
            remedy = f"Create it, add it to the objects{', or set create_namespace: true' if option else ''}."
            problems.append(
                f"Namespace {namespace} does not exist; it is needed for {within[0]}{more}. {remedy} [slipway:namespace_missing]"
            )
        return problems
