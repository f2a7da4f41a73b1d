# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workshop: how each kind of step is done. What is wanted and why is decided elsewhere (``steps``, ``plan``)."""

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
from .errors import BundleError
from .files import place, prune, sha256_of, write
from .index import Index, Item, Record
from .names import ImageName, deb_name
from .process import Runner
from .staleness import Step, fingerprints
from .upstream import skopeo_copy

# What a container never reads, left out of the layers of Debian tools; licences stay.
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
# Names that the packages' own scripts would have made (update-alternatives).
_LINKS = {
    "netcat-openbsd": {"bin/nc": "nc.openbsd"},
    "iptables": {
        f"usr/sbin/{family}tables{action}": f"{family}tables-nft{action}"
        for family in ("ip", "ip6")
        for action in ("", "-save", "-restore")
    },
}


@dataclass
class Made:
    """What a step left in the bundle."""

    items: list[Item] = field(default_factory=list)
    files: dict[str, Record] = field(default_factory=dict)


@dataclass
class Workshop:
    """The places of one run, and the way to run programs.

    :param root: the bundle.
    :param work: results that serve later steps; on the bundle's file system.
    :param layers: layers of Debian tools; kept between runs.
    :param locks: folder with go.mod and go.sum of every component.
    :param sources: folder with own sources.
    :param secret: the signing key.
    :param dump: writes a value as YAML.
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
    steps: Mapping[str, Step] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def learn(self, steps: list[Step], index: Index) -> None:
        """Take in what the run is about."""
        self.prints, self.steps, self.index = fingerprints(steps), {step.key: step for step in steps}, index

    def place_of(self, key: str) -> Path:
        """Folder of a result that is not part of the bundle."""
        kind = self.steps[key].kind
        return (self.layers if kind == "tools" else self.work) / f"{key.replace(':', '-')}-{self.prints[key][:12]}"

    def ready(self) -> frozenset[str]:
        """Fingerprints of such results that are there. A folder has its name only once it is whole."""
        return frozenset(
            self.prints[key]
            for key, step in self.steps.items()
            if not step.kept and self.place_of(key).is_dir() and self._sound(key)
        )

    def _sound(self, key: str) -> bool:
        """A kept layer is what its name says: it is used for years."""
        layer = self.place_of(key)
        if self.steps[key].kind != "tools":
            return True
        try:
            return sha256_of(layer / "layer.tar.zst") == (layer / "digest").read_text(encoding="utf-8")
        except OSError:
            return False

    def do(self, step: Step) -> Made:
        """Do one step.

        :raises BundleError: it cannot be done; what was there before is still there.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=self.work))
        try:
            made: Made = getattr(self, f"_{step.kind}")(step.inputs, step, scratch)
            return made
        except OSError as error:
            raise BundleError(
                f"{step.title} failed: {error.strerror} ({error.filename or self.root}). Make room or correct the rights, the next run goes on from here."
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _settle(self, scratch: Path, key: str) -> Made:
        """Give a finished folder its name."""
        target = self.place_of(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(scratch, target)
        return Made()

    def _built(self, component: str, program: str) -> Path:
        return self.place_of(f"build:{component}") / program

    def _built_from(self, component: str) -> str:
        lock = self.locks / component / "go.mod"
        return golang.origin_of(lock.read_text(encoding="utf-8")) if lock.is_file() else "slipway.kube"

    def _record(self, path: str) -> Record:
        return Record(sha256_of(self.root / path), (self.root / path).stat().st_size)

    def _item(self, name: str, kind: str, version: str, inputs: Mapping[str, Any], origin: str, path: str) -> Made:
        record = self._record(path)
        return Made(
            [Item(name, kind, version, inputs.get("architecture", "all"), record.digest, record.size, origin, path)],
            {path: record},
        )

    # --- results that serve later steps ---------------------------------------------------------------------------
    def _go_build(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        golang.build(inputs, self.locks / f"{inputs['name']}-{inputs['version']}", scratch, self.run)
        return self._settle(scratch, step.key)

    def _c_build(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        golang.build_c(inputs, self.sources / f"{inputs['name']}.c", scratch, self.run)
        return self._settle(scratch, step.key)

    def _tools(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        tar = scratch / "root.tar"
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=extract",
            f"--architectures={inputs['architecture']}",
            '--aptopt=APT::Install-Recommends "false"',
        ]
        self.run(
            [*command, f"--include={','.join(inputs['packages'])}", inputs["suite"], str(tar), *inputs["sources"]],
            what=step.title,
            remedy="Are the servers in bundle_debian_sources reachable, and is Debian's archive keyring installed (debian-archive-keyring)?",
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
        return self._settle(scratch, step.key)

    # --- parts of the bundle --------------------------------------------------------------------------------------
    def _package(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        name, version = inputs["name"], inputs["version"]
        path = f"{inputs['repository']}/{deb_name(name, version, inputs['architecture'])}"
        programs = {target: self._built(component, program) for component, program, target in inputs["programs"]}
        origin = ", ".join(
            dict.fromkeys(self._built_from(component) for component, _program, _target in inputs["programs"])
        )
        packages.build(name, version, inputs["architecture"], programs, origin, scratch, self.root / path, self.run)
        return self._item(name, "package", version, inputs, origin, path)

    def _fetch_package(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        path, version, origin = fetch.package(inputs, scratch, self.root, self.run)
        return self._item(inputs["name"], "package", version, inputs, origin, path)

    def _program(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        name, path = inputs["name"], f"bin/linux-{inputs['architecture']}/{inputs['name']}"
        if "component" in inputs:
            source, origin = self._built(inputs["component"], name), self._built_from(inputs["component"])
        else:
            (package,) = (item for item in self.index.items[inputs["package"]] if item.kind == "package")
            packages.unpack(self.root / package.path, scratch, step.title, self.run)
            source, origin = scratch / "usr" / "bin" / name, package.origin
            if not source.is_file():
                raise BundleError(
                    f"{step.title} failed: {package.path} holds no /usr/bin/{name}. Remove the file, and the next run makes or fetches it again."
                )
        source.chmod(0o755)
        place(source, self.root / path)
        (self.root / path).chmod(0o755)  # a copy to another file system has lost it
        return self._item(name, "program", inputs["version"], inputs, origin, path)

    def _image(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        layers = []
        if inputs["tools"]:
            folder = self.place_of(inputs["tools"])
            blob = folder / "layer.tar.zst"
            layers.append(
                images.Layer(
                    blob, (folder / "digest").read_text(), blob.stat().st_size, (folder / "diff_id").read_text()
                )
            )
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
        origin = inputs.get("origin") or ", ".join(
            dict.fromkeys(self._built_from(component) for component, _program, _target in inputs["programs"])
        )
        labels = {
            "org.opencontainers.image.ref.name": inputs["name"],
            "org.opencontainers.image.version": inputs["version"],
            "org.opencontainers.image.description": f"Built by the Ansible collection slipway.kube from {origin}; not upstream's own image",
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

    def _copy_image(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        layout = scratch / "layout"
        self.run(
            skopeo_copy(step.hints["source"], str(layout), inputs["architecture"]),
            what=step.title,
            remedy="Is the registry reachable?"
            if step.hints["source"].startswith("docker://")
            else "Is the archive whole, and has it this architecture?",
        )
        manifest, blobs = images.read_layout(layout)
        name = ImageName.parse(inputs["name"])
        return self._publish(inputs, manifest, blobs, inputs["origin"], inputs.get("version") or name.tag)

    def _publish(
        self, inputs: Mapping[str, Any], manifest: bytes, blobs: Mapping[str, Path | bytes], origin: str, version: str
    ) -> Made:
        name = ImageName.parse(inputs["name"])
        known = {record.digest: path for path, record in self.index.files.items() if "/blobs/" in path}
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
        return Made([item], published.files)

    def _manifest(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        path = f"manifests/{inputs['target']}"
        shutil.copyfile(step.hints["source"], scratch / "manifest")
        place(scratch / "manifest", self.root / path)
        return self._item(inputs["target"], "manifest", "", inputs, "brought along", path)

    def _fetch_manifest(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        path = f"manifests/{inputs['target']}"
        write(self.root / path, fetch.download(inputs["url"]))
        return self._item(inputs["target"], "manifest", "", inputs, inputs["url"], path)

    def _repositories(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        folders = {
            folder: [os.path.basename(item.path) for key in keys for item in self.index.items[key]]
            for folder, keys in inputs["repositories"].items()
        }
        with repository.signer(self.secret, self.run) as sign:
            paths = repository.index_and_sign(self.root, folders, inputs["architecture"], sign, scratch, self.run)
        made = Made()
        for path in paths:
            one = self._item(path, "repository", "", inputs, "made here", path)
            made.files.update(one.files)
            if path.endswith(("/InRelease", ".asc")):
                made.items += one.items
        return made

    def _vars(self, inputs: Mapping[str, Any], step: Step, scratch: Path) -> Made:
        write(self.root / "vars.yml", self.dump(inputs["values"]).encode())
        return self._item("vars.yml", "variables", "", inputs, "made here", "vars.yml")

    def clean(self, everything: bool) -> None:
        """Remove what a run that was ended left; *everything*: all that only served to make this bundle, kept layers excepted."""
        if everything:
            shutil.rmtree(self.work, ignore_errors=True)
            wanted = {self.place_of(key) for key, step in self.steps.items() if step.kind == "tools"}
            for layer in set(self.layers.glob("*")) - wanted:
                shutil.rmtree(layer, ignore_errors=True)
        for folder in (self.work, self.layers):
            for part in folder.glob(".part-*"):
                shutil.rmtree(part, ignore_errors=True)
        prune(self.root, [str(path.relative_to(self.root)) for path in self.root.rglob(".*.part")])
