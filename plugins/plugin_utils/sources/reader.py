# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the sources of a release on the control node: objects and hooks, or all problems in one list."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._kube.objects import Reference, defined_kinds, reference
from ...module_utils._release.desired import names_of
from ..errors import InputError
from ..hooks import JOB, annotations_of
from . import charts, downloads, files, programs, template_reader, yaml_reader
from .checks import HELM_HOOK, Source, check, separate_hooks, unwrap_lists
from .yaml_reader import plain

# Returns the version of the cluster, the API versions that it serves, and whether a revision of the release is deployed.
QueryCluster = Callable[[], tuple[str, list[str], bool]]

# Files of a folder of templates may end in .j2 or not.
TEMPLATES = (*(ending + ".j2" for ending in files.MANIFESTS), *files.MANIFESTS)


@dataclass
class Sources:
    """The objects and hooks of a release.

    :ivar kept: fields that a chart makes anew with each rendering, as entries of the option C(ignore_differences).
    :ivar notes: the notes of a chart.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    hooks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    notes: str = ""


@dataclass(frozen=True)
class Rendering:
    """A chart in a folder, and what it is rendered with.

    :ivar name: the chart, for messages.
    """

    name: str
    chart: str
    values: Mapping[str, Any]
    release: str
    namespace: str

    def render(self, options: Mapping[str, Any]) -> list[tuple[Any, str]]:
        """Return each document with the template that it comes from."""
        text = programs.helm(options, self.chart, self.values, self.release, self.namespace)
        origins = programs.chart_sources(text)
        documents = yaml_reader.read(text, self.name, "helm")
        return [(document.content, origins.get(document.line) or self.name) for document in documents]


@dataclass
class Reader:
    """Reads the sources of one task.

    :param action: the action plugin: its templar, its search path and its vault secrets are used.
    :param release: name of the release, which charts see.
    :param namespace: namespace of the objects that do not name one.
    :param write_kubeconfig: writes a kubeconfig into a folder and returns its path, for charts that look up objects.
    :param query_cluster: gets a chart's capabilities from the cluster; without it, charts see helm's defaults.
    """

    action: Any
    task_vars: Mapping[str, Any]
    release: str
    namespace: str
    query_cluster: QueryCluster | None = None
    write_kubeconfig: Callable[[str], str] | None = None
    warnings: list[str] = field(default_factory=list)
    found: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    notes: str = ""

    def read(self, options: Mapping[str, Any]) -> Sources:
        """Read all of them.

        :param options: the options of the doc fragment C(slipway.kube.sources).
        :raises InputError: a source cannot be read, or objects are invalid; all problems are reported.
        """
        for position, manifest in enumerate(options.get("manifests") or [], 1):
            self._try(self._inline, manifest, f"manifests[{position}]")
        for path in options.get("files") or []:
            self._try(self._files, str(path))
        for position, template in enumerate(options.get("templates") or [], 1):
            self._try(self._templates, template, f"templates[{position}]")
        if options.get("kustomize"):
            self._try(self._kustomize, str(options["kustomize"]))
        if options.get("helm"):
            self._try(self._helm, options["helm"])
        if self.problems:
            raise InputError(*self.problems)
        sources = list(unwrap_lists(self.found))
        problems = list(check(sources, self.namespace))
        if problems:
            raise InputError(*problems)
        objects, hooks, warnings = separate_hooks(sources)
        return Sources(objects, hooks, self.warnings + warnings, self.kept, self.notes)

    def _try(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            function(*arguments)
        except InputError as error:
            self.problems += error.problems

    def _inline(self, manifest: Any, where: str) -> None:
        if isinstance(manifest, str) or not isinstance(manifest, (Mapping, list)):
            self._text(str(manifest), where)
        else:
            self._values(plain(manifest), where)

    def _values(self, value: Any, where: str) -> None:
        for one in value if isinstance(value, list) else [value]:
            self.found.append(Source(one, where))

    def _text(self, text: str, origin: str, output_of: str = "") -> None:
        suffix = f" of the output of {output_of}" if output_of else ""
        for document in yaml_reader.read(text, origin, output_of):
            self._values(document.content, f"{origin}, line {document.line}{suffix}")

    def _files(self, path: str) -> None:
        for file in files.find(self.action, self.task_vars, path, "files", files.MANIFESTS):
            self._try(lambda one: self._text(files.read_text(self.action, one), shown(one)), file)

    def _templates(self, entry: Any, where: str) -> None:
        variables: dict[str, Any] = {}
        if isinstance(entry, Mapping):
            unknown = sorted(set(map(str, entry)) - {"path", "variables"})
            if unknown or not entry.get("path") or not isinstance(entry.get("variables") or {}, Mapping):
                extra = f"; unknown: {', '.join(unknown)}" if unknown else ""
                raise InputError(
                    f"{where}: must be a path, or a mapping with 'path' and 'variables' (a mapping){extra}."
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
            self._text(str(made), shown(path), "the template")

    def _kustomize(self, path: str) -> None:
        folder = files.find_one(self.action, path, "files")
        if not os.path.isdir(folder):
            raise InputError(f"{folder}: kustomize requires a folder with a kustomization.yaml.")
        text = programs.kustomize(folder)
        for document in yaml_reader.read(text, shown(folder), "kustomize"):
            self._values(document.content, f"kustomize {shown(folder)}")

    def _helm(self, options: Mapping[str, Any]) -> None:
        chart = str(options["chart"])
        remote = downloads.is_remote(options)
        problems = list(downloads.problems(options))
        if problems:
            raise InputError(*problems)
        if options.get("lookup") and options.get("kube_version"):
            raise InputError(
                "helm.kube_version: with helm.lookup, the chart sees the version of the cluster. Omit one."
            )
        if not remote:
            try:
                chart = files.find_one(self.action, chart, "files")
            except InputError as error:
                raise InputError(f"helm.chart: {error} A chart in a repository requires helm.repository.") from None
        values: dict[str, Any] = {}
        for path in options.get("values_files") or []:
            values = programs.merge_values(values, self._values_file(str(path)))
        values = programs.merge_values(values, plain(options.get("values") or {}))
        release = str(options.get("release_name") or self.release)
        with tempfile.TemporaryDirectory() as folder:
            archives, place = os.path.join(folder, "archives"), os.path.join(folder, "chart")
            os.mkdir(archives)
            os.mkdir(place)
            local = charts.unpacked(self._downloaded(options, archives) if remote else chart, place)
            if options.get("lookup") and self.write_kubeconfig is not None:
                options = dict(options, kubeconfig=self.write_kubeconfig(folder))
            rendering = Rendering("chart " + shown(chart), local, values, release, self.namespace)
            for content, origin in self._rendered(options, rendering):
                self._values(content, origin)

    def _downloaded(self, options: Mapping[str, Any], folder: str) -> str:
        """Download a chart and return the path of its archive."""
        if options.get("ca_file"):
            options = dict(options, ca_file=files.find_one(self.action, str(options["ca_file"]), "files"))

        def read(path: str) -> str:
            return files.read_text(self.action, files.find_one(self.action, path, "files"))

        with tempfile.TemporaryDirectory() as private:
            return downloads.pull(options, folder, private, read)

    def _rendered(self, options: Mapping[str, Any], rendering: Rendering) -> list[tuple[Any, str]]:
        """Render a chart with the capabilities of the cluster, twice; return each document with the template that it comes from."""
        options, made = self._with_capabilities(options, rendering)
        if charts.reads_the_clock(rendering.chart):
            time.sleep(1 - time.time() % 1)  # a time in seconds differs as well
        made, notes = charts.separate_notes(made)
        again, _notes = charts.separate_notes(rendering.render(options))
        values = programs.merge_values(charts.default_values(rendering.chart), rendering.values)
        self.notes = charts.without_secrets(notes, values, (rendering.release, rendering.namespace)) if notes else ""
        self.kept = charts.made_anew(made, again, rendering.name)
        anew, hooks = set(map(charts.entry_identity, self.kept)), set()
        for content, origin in made:
            name = reference(content) if isinstance(content, Mapping) else Reference("", "", "", "")
            who = (name.kind, name.namespace, name.name)
            if name.kind == JOB and HELM_HOOK in annotations_of(content) and who in anew:
                hooks.add(who)
                self.warnings.append(
                    f"{origin}: hook {name.name} differs with each rendering, so it runs with each run. Set what it makes at random "
                    "with values of the chart."
                )
        visible = charts.kept_visibly(
            [entry for entry in self.kept if charts.entry_identity(entry) not in hooks], made, again
        )
        if visible:
            self.warnings.append(
                f"{rendering.name}: what it generates with each rendering is part of {'; '.join(visible)}. These fields keep the value that the "
                "cluster has, so changes of the chart and its values have no effect there. Set what it generates with values of the chart."
            )
        return made

    def _with_capabilities(
        self, options: Mapping[str, Any], rendering: Rendering
    ) -> tuple[Mapping[str, Any], list[tuple[Any, str]]]:
        """Return the options with what the chart sees of the cluster, and what is rendered with them."""
        if self.query_cluster is None:
            return options, rendering.render(options)
        version, served, upgrade = self.query_cluster()
        options = dict(options, is_upgrade=upgrade)
        if options.get("kubeconfig"):
            options["api_versions"] = []  # helm queries the cluster itself
        if options.get("kube_version") or options.get("kubeconfig"):
            return options, rendering.render(options)
        if not version:
            self.warnings.append(
                "The user is not allowed to read the version of the cluster (/version), so the chart sees helm's default version. "
                "Set helm.kube_version."
            )
        seen = [*(options.get("api_versions") or []), *served]
        options.update(kube_version=version, api_versions=seen)
        made = rendering.render(options)
        # The cluster will serve the kinds that this release defines: the first run renders what later runs do.
        contents = [source.content for source in self.found] + [content for content, _origin in made]
        defined = names_of(defined_kinds(content for content in contents if isinstance(content, Mapping)))
        more = [name for name in defined if name not in seen]
        if more:
            options["api_versions"] = seen + more
            made = rendering.render(options)
        return options, made

    def _values_file(self, path: str) -> dict[str, Any]:
        place = files.find_one(self.action, path, "files")
        documents = yaml_reader.read(files.read_text(self.action, place), shown(place))
        if not documents:
            return {}
        if len(documents) > 1 or not isinstance(documents[0].content, dict):
            raise InputError(f"{shown(place)}: a values file must contain one mapping.")
        return documents[0].content


def shown(path: str) -> str:
    """Return a path relative to the current folder where it is below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
