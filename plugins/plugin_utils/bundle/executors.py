# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each kind of step is executed. Which steps are pending is decided elsewhere (``steps``, ``staleness``)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import fetch, images, repository
from .files import place, prune, sha256_of, write
from .index import BUNDLE, FileEntry, Index, Item, Kind
from .names import BundleError, ImageName
from .process import Runner
from .staleness import BuildStep, fingerprints
from .upstream import skopeo_copy


@dataclass
class StepOutput:
    """What a step added to the folder."""

    items: list[Item] = field(default_factory=list)
    files: dict[str, FileEntry] = field(default_factory=dict)


@dataclass
class StepExecutor:
    """Executes steps; the kinds of steps are the methods of a subclass.

    :param root: the folder that the steps fill.
    :param work: folder for results that serve later steps; on the file system of *root*.
    :param secret: file with the signing key.
    :param kind: what the folder is.
    """

    root: Path
    work: Path
    secret: Path
    run: Runner
    kind: Kind = BUNDLE
    prints: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, BuildStep] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def prepare(self, steps: list[BuildStep], index: Index) -> None:
        """Set the steps of the run and the index of the existing folder."""
        self.prints, self.steps, self.index = fingerprints(steps), {step.key: step for step in steps}, index

    def folder_of(self, key: str) -> Path:
        """Return the folder of an intermediate result."""
        return self.work / f"{key.replace(':', '-')}-{self.prints[key][:12]}"

    def is_intact(self, key: str) -> bool:
        """Return whether an intermediate result is undamaged."""
        return True

    def ready(self) -> frozenset[str]:
        """Return the fingerprints of existing intermediate results. A folder gets its name once it is complete."""
        return frozenset(
            self.prints[key]
            for key, step in self.steps.items()
            if not step.kept and self.folder_of(key).is_dir() and self.is_intact(key)
        )

    def execute(self, step: BuildStep) -> StepOutput:
        """Execute one step.

        :raises BundleError: the step fails; existing files are then unchanged.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=self.work))
        try:
            output: StepOutput = getattr(self, f"_{step.kind}")(step.inputs, step, scratch)
            return output
        except OSError as error:
            raise BundleError(
                f"{step.title} failed: {error.strerror} ({error.filename or self.root}). Free disk space or correct permissions; the next run resumes here."
                " [slipway:file_not_written]"
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def clean(self, everything: bool) -> None:
        """Remove leftovers of interrupted runs.

        :param everything: also remove all intermediate results.
        """
        if everything:
            shutil.rmtree(self.work, ignore_errors=True)
        for part in self.work.glob(".part-*"):
            shutil.rmtree(part, ignore_errors=True)
        prune(self.root, [str(path.relative_to(self.root)) for path in self.root.rglob(".*.part")])

    def image_folder(self, name: ImageName) -> str:
        """Return the folder of an image's repository, relative to the root."""
        return name.folder

    # --- for the kinds of steps -----------------------------------------------------------------------------------
    def _entry(self, path: str) -> FileEntry:
        return FileEntry(sha256_of(self.root / path), (self.root / path).stat().st_size)

    def _item(
        self, name: str, kind: str, version: str, inputs: Mapping[str, Any], origin: str, path: str
    ) -> StepOutput:
        entry, architecture = self._entry(path), inputs.get("architecture", "all")
        item = Item(name, kind, version, architecture, entry.digest, entry.size, origin, path)
        return StepOutput([item], {path: entry})

    def _copy_image(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        layout, certificates = scratch / "layout", ""
        if step.hints.get("ca"):
            certificates = str(scratch / "ca")
            (scratch / "ca").mkdir()
            shutil.copyfile(step.hints["ca"], scratch / "ca" / "ca.crt")
        self.run(
            skopeo_copy(step.hints["source"], str(layout), inputs["architecture"], certificates),
            what=step.title,
            remedy="Check that the registry can be reached."
            if step.hints["source"].startswith("docker://")
            else "Check that the archive is complete and contains an image for this architecture.",
        )
        manifest, blobs = images.read_layout(layout)
        name = ImageName.parse(inputs["name"])
        return self._publish(inputs, manifest, blobs, inputs["origin"], inputs.get("version") or name.tag)

    def _publish(
        self, inputs: Mapping[str, Any], manifest: bytes, blobs: Mapping[str, Path | bytes], origin: str, version: str
    ) -> StepOutput:
        name = ImageName.parse(inputs["name"])
        folder = self.image_folder(name)
        known = {entry.digest: path for path, entry in self.index.files.items() if "/blobs/" in path}
        published = images.publish(self.root, folder, name.tag, manifest, blobs, known)
        item = Item(
            f"{name.registry}/{name.repository}",
            "image",
            version,
            inputs["architecture"],
            published.digest,
            published.size,
            origin,
            f"{folder}/manifests/{name.tag}",
        )
        return StepOutput([item], published.files)

    def _copy_file(self, step: BuildStep, path: str, scratch: Path) -> StepOutput:
        """Add a file that the user supplies."""
        shutil.copyfile(step.hints["source"], scratch / "file")
        place(scratch / "file", self.root / path)
        return self._item(step.inputs["target"], "manifest", "", step.inputs, "supplied by the user", path)


@dataclass
class BundleExecutor(StepExecutor):
    """Executes the steps of a bundle.

    :param source: fetches from upstream.
    :param dump: converts a value to YAML.
    """

    source: fetch.Source = field(default_factory=fetch.Source)
    dump: Callable[[Any], str] = repr

    def _fetch_package(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        package = self.source.package(inputs)
        path = f"{inputs['repository']}/{package.file_name}"
        write(self.root / path, self.source.download(package.url, package.digest))
        return self._item(inputs["name"], "package", package.version, inputs, package.url, path)

    def _fetch_program(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path = f"bin/linux-{inputs['architecture']}/{inputs['name']}"
        write(self.root / path, self.source.program(inputs), 0o755)
        return self._item(inputs["name"], "program", inputs["version"], inputs, inputs["url"], path)

    def _manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        return self._copy_file(step, f"manifests/{inputs['target']}", scratch)

    def _fetch_manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path = f"manifests/{inputs['target']}"
        write(self.root / path, self.source.download(inputs["url"], inputs.get("digest", "")))
        return self._item(inputs["target"], "manifest", "", inputs, inputs["url"], path)

    def _repositories(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        debs, rpms = (
            {
                folder: [os.path.basename(item.path) for key in keys for item in self.index.items[key]]
                for folder, keys in inputs["repositories"].items()
                if folder.startswith(f"{kind}/")
            }
            for kind in ("deb", "rpm")
        )
        with repository.signer(self.secret, self.run) as sign:
            paths = repository.index_and_sign(self.root, debs, inputs["architecture"], sign, scratch, self.run)
        for folder, names in rpms.items():
            key = self.source.key(step.hints["sources"][folder])
            paths += repository.index_rpms(self.root, folder, names, key, scratch, self.run)
        output = StepOutput()
        for path in paths:
            one = self._item(path, "repository", "", inputs, "generated", path)
            output.files.update(one.files)
            if path.endswith(("/InRelease", "/repomd.xml", ".asc")):
                output.items += one.items
        return output

    def _vars(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        write(self.root / "vars.yml", self.dump(inputs["values"]).encode())
        return self._item("vars.yml", "variables", "", inputs, "generated", "vars.yml")
