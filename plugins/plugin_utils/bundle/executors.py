# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each kind of build step is executed. Which steps are pending is decided elsewhere (``steps``, ``staleness``)."""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import fetch, golang, images, packages, repository
from .files import place, prune, sha256_of, write
from .index import FileEntry, Index, Item
from .names import BundleError, ImageName, deb_name
from .process import Runner
from .staleness import BuildStep, fingerprints
from .upstream import skopeo_copy

# Paths of Debian packages that containers do not need, excluded from layers; licences are kept.
_LEFT_OUT = (
    "dev/",
    "var/cache/",
    "var/log/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/bug/",
    "usr/share/bash-completion/",
    "usr/share/i18n/",
    "usr/lib/systemd/",
)
# Links that the packages' scripts would create (update-alternatives).
_LINKS = {
    "netcat-openbsd": {"bin/nc": "nc.openbsd"},
    "iptables": {
        f"usr/sbin/{family}tables{action}": f"{family}tables-nft{action}"
        for family in ("ip", "ip6")
        for action in ("", "-save", "-restore")
    },
}


@dataclass
class StepOutput:
    """What a step added to the bundle."""

    items: list[Item] = field(default_factory=list)
    files: dict[str, FileEntry] = field(default_factory=dict)


@dataclass
class StepExecutor:
    """Executes build steps.

    :param root: folder of the bundle.
    :param work: folder for results that serve later steps; on the bundle's file system.
    :param layers: folder for layers of Debian packages; kept between runs.
    :param locks: folder with go.mod and go.sum of every component.
    :param sources: folder with the collection's own source files.
    :param secret: file with the signing key.
    :param dump: converts a value to YAML.
    """

    root: Path
    work: Path
    layers: Path
    locks: Path
    sources: Path
    secret: Path
    run: Runner
    dump: Callable[[Any], str] = repr
    prints: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, BuildStep] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def prepare(self, steps: list[BuildStep], index: Index) -> None:
        """Set the steps of the run and the index of the existing bundle."""
        self.prints, self.steps, self.index = fingerprints(steps), {step.key: step for step in steps}, index

    def folder_of(self, key: str) -> Path:
        """Return the folder of an intermediate result."""
        kind = self.steps[key].kind
        return (self.layers if kind == "tools" else self.work) / f"{key.replace(':', '-')}-{self.prints[key][:12]}"

    def ready(self) -> frozenset[str]:
        """Return the fingerprints of existing intermediate results. A folder gets its name once it is complete."""
        return frozenset(
            self.prints[key]
            for key, step in self.steps.items()
            if not step.kept and self.folder_of(key).is_dir() and self._is_intact(key)
        )

    def _is_intact(self, key: str) -> bool:
        """Return whether an intermediate result is undamaged; layers are kept for a long time, so their digest is checked."""
        layer = self.folder_of(key)
        if self.steps[key].kind != "tools":
            return True
        try:
            return sha256_of(layer / "layer.tar.zst") == (layer / "digest").read_text(encoding="utf-8")
        except OSError:
            return False

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
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _keep(self, scratch: Path, key: str) -> StepOutput:
        """Move a complete intermediate result to its folder."""
        target = self.folder_of(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(scratch, target)
        return StepOutput()

    def _built(self, component: str, program: str) -> Path:
        return self.folder_of(f"build:{component}") / program

    def _built_from(self, component: str) -> str:
        lock = self.locks / component / "go.mod"
        return golang.origin_of(lock.read_text(encoding="utf-8")) if lock.is_file() else "slipway.kube"

    def _origin(self, inputs: Mapping[str, Any]) -> str:
        built_from = (self._built_from(component) for component, _program, _target in inputs["programs"])
        return ", ".join(dict.fromkeys(built_from))

    def _entry(self, path: str) -> FileEntry:
        return FileEntry(sha256_of(self.root / path), (self.root / path).stat().st_size)

    def _item(
        self, name: str, kind: str, version: str, inputs: Mapping[str, Any], origin: str, path: str
    ) -> StepOutput:
        entry, architecture = self._entry(path), inputs.get("architecture", "all")
        item = Item(name, kind, version, architecture, entry.digest, entry.size, origin, path)
        return StepOutput([item], {path: entry})

    # --- intermediate results -------------------------------------------------------------------------------------
    def _go_build(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        golang.build(inputs, self.locks / f"{inputs['name']}-{inputs['version']}", scratch, self.run)
        return self._keep(scratch, step.key)

    def _c_build(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        golang.build_c(inputs, self.sources / f"{inputs['name']}.c", scratch, self.run)
        return self._keep(scratch, step.key)

    def _tools(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        tar = scratch / "root.tar"
        options = ["--quiet", "--variant=extract", f"--architectures={inputs['architecture']}"]
        options += ['--aptopt=APT::Install-Recommends "false"', f"--include={','.join(inputs['packages'])}"]
        self.run(
            ["mmdebstrap", *options, inputs["suite"], str(tar), *inputs["sources"]],
            what=step.title,
            remedy="Check that the servers in bundle_debian_sources can be reached and that debian-archive-keyring is installed.",
        )
        patterns = inputs.get("left_out", [])
        layer = images.filter_tar(
            tar,
            scratch / "layer.tar.zst",
            lambda path: (
                not path.startswith(_LEFT_OUT)
                and (not path.startswith("usr/share/doc/") or path.endswith("/copyright"))
                and not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
            ),
            {path: target for package in inputs["packages"] for path, target in _LINKS.get(package, {}).items()},
        )
        tar.unlink()
        write(scratch / "diff_id", layer.diff_id.encode())
        write(scratch / "digest", layer.digest.encode())
        return self._keep(scratch, step.key)

    # --- parts of the bundle --------------------------------------------------------------------------------------
    def _package(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        name, version = inputs["name"], inputs["version"]
        path = f"{inputs['repository']}/{deb_name(name, version, inputs['architecture'])}"
        programs = {target: self._built(component, program) for component, program, target in inputs["programs"]}
        origin = self._origin(inputs)
        packages.build(name, version, inputs["architecture"], programs, origin, scratch, self.root / path, self.run)
        return self._item(name, "package", version, inputs, origin, path)

    def _fetch_package(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path, version, origin = fetch.package(inputs, scratch, self.root, self.run)
        return self._item(inputs["name"], "package", version, inputs, origin, path)

    def _program(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        name, path = inputs["name"], f"bin/linux-{inputs['architecture']}/{inputs['name']}"
        if "component" in inputs:
            source, origin = self._built(inputs["component"], name), self._built_from(inputs["component"])
        else:
            (package,) = (item for item in self.index.items[inputs["package"]] if item.kind == "package")
            packages.unpack(self.root / package.path, scratch, step.title, self.run)
            source, origin = scratch / "usr" / "bin" / name, package.origin
            if not source.is_file():
                raise BundleError(
                    f"{step.title} failed: {package.path} does not contain /usr/bin/{name}. Remove the file; the next run builds or fetches it again."
                )
        source.chmod(0o755)
        place(source, self.root / path)
        (self.root / path).chmod(0o755)  # a copy to another file system does not keep it
        return self._item(name, "program", inputs["version"], inputs, origin, path)

    def _image(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        layers = []
        if inputs["tools"]:
            folder = self.folder_of(inputs["tools"])
            blob = folder / "layer.tar.zst"
            digest, diff_id = ((folder / name).read_text() for name in ("digest", "diff_id"))
            layers.append(images.Layer(blob, digest, blob.stat().st_size, diff_id))
        capability = images.NET_BIND_SERVICE if inputs["bind_low_ports"] else b""
        entries = images.accounts(inputs["users"])
        entries += [
            images.Entry(target, 0o755, source=self._built(component, program), capability=capability)
            for component, program, target in inputs["programs"]
        ]
        entries += [images.Entry(path, link=target) for path, target in inputs["links"]]
        entries += [images.Entry(path, 0o777) for path in inputs["folders"]]
        entries += [images.Entry(path, mode, text=text) for path, mode, text in inputs.get("texts", [])]
        layers.append(images.write_layer(entries, scratch / "layer.tar.zst"))
        origin = inputs.get("origin") or self._origin(inputs)
        labels = {
            "org.opencontainers.image.ref.name": inputs["name"],
            "org.opencontainers.image.version": inputs["version"],
            "org.opencontainers.image.description": f"Built by the Ansible collection slipway.kube from {origin}; not the upstream image",
            "kube.slipway.built-from": origin,
        }
        config = images.image_config(
            inputs["architecture"],
            layers,
            labels,
            inputs["entrypoint"],
            inputs["command"],
            inputs["user"],
            inputs.get("environment", {}),
            inputs.get("stop_signal", ""),
        )
        blobs: dict[str, Path | bytes] = {layer.digest: layer.path for layer in layers}
        blobs[images.digest_of_bytes(config)] = config
        return self._publish(inputs, images.image_manifest(config, layers), blobs, origin, inputs["version"])

    def _copy_image(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        layout = scratch / "layout"
        self.run(
            skopeo_copy(step.hints["source"], str(layout), inputs["architecture"]),
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
        known = {entry.digest: path for path, entry in self.index.files.items() if "/blobs/" in path}
        published = images.publish(self.root, name, manifest, blobs, known)
        item = Item(
            f"{name.registry}/{name.repository}",
            "image",
            version,
            inputs["architecture"],
            published.digest,
            published.size,
            origin,
            name.manifest_path(),
        )
        return StepOutput([item], published.files)

    def _manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path = f"manifests/{inputs['target']}"
        shutil.copyfile(step.hints["source"], scratch / "manifest")
        place(scratch / "manifest", self.root / path)
        return self._item(inputs["target"], "manifest", "", inputs, "supplied by the user", path)

    def _fetch_manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path = f"manifests/{inputs['target']}"
        write(self.root / path, fetch.download(inputs["url"]))
        return self._item(inputs["target"], "manifest", "", inputs, inputs["url"], path)

    def _repositories(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        folders = {
            folder: [os.path.basename(item.path) for key in keys for item in self.index.items[key]]
            for folder, keys in inputs["repositories"].items()
        }
        with repository.signer(self.secret, self.run) as sign:
            paths = repository.index_and_sign(self.root, folders, inputs["architecture"], sign, scratch, self.run)
        output = StepOutput()
        for path in paths:
            one = self._item(path, "repository", "", inputs, "generated", path)
            output.files.update(one.files)
            if path.endswith(("/InRelease", ".asc")):
                output.items += one.items
        return output

    def _vars(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        write(self.root / "vars.yml", self.dump(inputs["values"]).encode())
        return self._item("vars.yml", "variables", "", inputs, "generated", "vars.yml")

    def clean(self, everything: bool) -> None:
        """Remove leftovers of interrupted runs.

        :param everything: also remove all intermediate results, except the layers that this bundle uses.
        """
        if everything:
            shutil.rmtree(self.work, ignore_errors=True)
            used = {self.folder_of(key) for key, step in self.steps.items() if step.kind == "tools"}
            for layer in set(self.layers.glob("*")) - used:
                shutil.rmtree(layer, ignore_errors=True)
        for folder in (self.work, self.layers):
            for part in folder.glob(".part-*"):
                shutil.rmtree(part, ignore_errors=True)
        prune(self.root, [str(path.relative_to(self.root)) for path in self.root.rglob(".*.part")])
