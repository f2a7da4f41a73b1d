# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read every source of a release on the control node: objects and hooks, with all that is wrong in one list."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._kube.objects import defined_kinds
from ...module_utils._release.chart_view import names_of
from . import files, programs, template_reader, yaml_reader
from .checks import Source, check, opened, sort_out
from .errors import SourceError
from .plain import plain

# Asks the cluster for its version and the API versions that it serves.
Ask = Callable[[], tuple[str, list[str]]]

# A folder of templates may name them either way.
TEMPLATES = (*(ending + ".j2" for ending in files.MANIFESTS), *files.MANIFESTS)


@dataclass
class Sources:
    """What a release is made of."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    hooks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Reader:
    """Reads the sources that one task names."""

    def __init__(
        self, action: Any, task_vars: Mapping[str, Any], release: str, namespace: str, ask: Ask | None = None
    ) -> None:
        """Keep what reading needs.

        :param action: the action plugin: its templar, its search path and its vault are used.
        :param release: name of the release, which charts see.
        :param namespace: where objects live that name no namespace.
        :param ask: asks the cluster what a chart wants to know; without it, charts see what helm itself knows.
        """
        self.action = action
        self.task_vars = task_vars
        self.release = release
        self.namespace = namespace
        self.ask = ask
        self.warnings: list[str] = []
        self.found: list[Source] = []
        self.problems: list[str] = []

    def read(self, options: Mapping[str, Any]) -> Sources:
        """Read all of them.

        :param options: those of :data:`source_options.SOURCE_OPTIONS`.
        :raises SourceError: something cannot be read or does not fit together; every problem is told.
        """
        for position, manifest in enumerate(options.get("manifests") or [], 1):
            self._try(self._inline, manifest, "manifests[%d]" % position)
        for path in options.get("files") or []:
            self._try(self._files, str(path))
        for position, template in enumerate(options.get("templates") or [], 1):
            self._try(self._templates, template, "templates[%d]" % position)
        if options.get("kustomize"):
            self._try(self._kustomize, str(options["kustomize"]))
        if options.get("helm"):
            self._try(self._helm, options["helm"])
        if self.problems:
            raise SourceError(self.problems)
        sources = list(opened(self.found))
        problems = list(check(sources, self.namespace))
        if problems:
            raise SourceError(problems)
        objects, hooks, warnings = sort_out(sources)
        return Sources(objects, hooks, self.warnings + warnings)

    def _try(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            function(*arguments)
        except SourceError as error:
            self.problems += error.problems

    def _inline(self, manifest: Any, where: str) -> None:
        if isinstance(manifest, str) or not isinstance(manifest, (Mapping, list)):
            self._text(str(manifest), where)
        else:
            self._values(plain(manifest), where)

    def _values(self, value: Any, where: str) -> None:
        for one in value if isinstance(value, list) else [value]:
            self.found.append(Source(one, where))

    def _text(self, text: str, origin: str, whose: str = "") -> None:
        for document in yaml_reader.read(text, origin, whose):
            for one in document.content if isinstance(document.content, list) else [document.content]:
                self.found.append(Source(one, "%s, line %d%s" % (origin, document.line, " " + whose if whose else "")))

    def _files(self, path: str) -> None:
        for file in files.find(self.action, self.task_vars, path, "files", files.MANIFESTS):
            self._try(lambda one: self._text(files.read_text(self.action, one), shown(one)), file)

    def _templates(self, entry: Any, where: str) -> None:
        variables: dict[str, Any] = {}
        if isinstance(entry, Mapping):
            unknown = sorted(set(map(str, entry)) - {"path", "variables"})
            if unknown or not entry.get("path") or not isinstance(entry.get("variables") or {}, Mapping):
                raise SourceError(
                    [
                        "{}: a template is a path, or a mapping with 'path' and 'variables' (a mapping){}.".format(
                            where, "; it has {}".format(", ".join(unknown)) if unknown else ""
                        )
                    ]
                )
            entry, variables = entry["path"], dict(entry.get("variables") or {})
        for file in files.find(self.action, self.task_vars, str(entry), "templates", TEMPLATES):
            self._try(self._template, file, variables)

    def _template(self, path: str, variables: Mapping[str, Any]) -> None:
        text = files.read_text(self.action, path)
        made = template_reader.render(self.action, self.task_vars, path, text, variables)
        if isinstance(made, (Mapping, list)):
            self._values(plain(made), shown(path))
        elif made is not None:
            self._text(str(made), shown(path), "of what the template gives")

    def _kustomize(self, path: str) -> None:
        folder = files.needle(self.action, path, "files")
        if not os.path.isdir(folder):
            raise SourceError([f"{folder}: kustomize takes a folder with a kustomization.yaml."])
        text = programs.kustomize(folder)
        for document in yaml_reader.read(text, shown(folder), "of what kustomize gives"):
            self._values(document.content, f"kustomize {shown(folder)}")

    def _helm(self, options: Mapping[str, Any]) -> None:
        chart = str(options["chart"])
        if not options.get("repository") and not chart.startswith("oci://"):
            try:
                chart = files.needle(self.action, chart, "files")
            except SourceError as error:
                raise SourceError(
                    [
                        f"helm.chart: {problem} A chart of a repository needs helm.repository."
                        for problem in error.problems
                    ]
                ) from None
        values: dict[str, Any] = {}
        for path in options.get("values_files") or []:
            values = programs.merge_values(values, self._values_file(str(path)))
        values = programs.merge_values(values, plain(options.get("values") or {}))
        release = str(options.get("release_name") or self.release)
        for content, origin in self._rendered(options, chart, values, release):
            self._values(content, origin)

    def _rendered(
        self, options: Mapping[str, Any], chart: str, values: Mapping[str, Any], release: str
    ) -> list[tuple[Any, str]]:
        """Render a chart for the cluster of the release. Give each document, and the template that it comes from."""
        if options.get("kube_version") or self.ask is None:
            return self._render(options, chart, values, release)
        version, served = self.ask()
        if not version:
            self.warnings.append(
                "This user may not ask the cluster for its version (/version), so that the chart sees the one that helm knows best. "
                "Give helm.kube_version."
            )
        seen = [*(options.get("api_versions") or []), *served]
        made = self._render(dict(options, kube_version=version, api_versions=seen), chart, values, release)
        # What this release itself defines is served from then on: with it, the first run renders what the next ones do.
        contents = [source.content for source in self.found] + [content for content, _origin in made]
        brought = names_of(defined_kinds(content for content in contents if isinstance(content, Mapping)))
        more = [name for name in brought if name not in seen]
        if more:
            made = self._render(dict(options, kube_version=version, api_versions=seen + more), chart, values, release)
        return made

    def _render(
        self, options: Mapping[str, Any], chart: str, values: Mapping[str, Any], release: str
    ) -> list[tuple[Any, str]]:
        text = programs.helm(options, chart, values, release, self.namespace)
        origins = programs.chart_sources(text)
        name = "chart " + shown(chart)
        documents = yaml_reader.read(text, name, "of what helm gives")
        return [(document.content, origins.get(document.line) or name) for document in documents]

    def _values_file(self, path: str) -> dict[str, Any]:
        place = files.needle(self.action, path, "files")
        documents = yaml_reader.read(files.read_text(self.action, place), shown(place))
        if not documents:
            return {}
        if len(documents) > 1 or not isinstance(documents[0].content, dict):
            raise SourceError([f"{shown(place)}: a file with values holds one mapping."])
        return documents[0].content


def shown(path: str) -> str:
    """Give a path as a person would write it: relative where it is below the current folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
