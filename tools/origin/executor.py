# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each kind of step of an origin is executed."""

from __future__ import annotations

import fnmatch
import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import StepExecutor, StepOutput
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import place, sha256_of, write
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.images import digest_of_bytes
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import FileEntry, Kind
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import EPOCH
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import MACHINES

from . import golang, layers, packages
from .layout import image_folder

HERE = Path(__file__).resolve().parent
ORIGIN = Kind("origin", "origin.json", "`python tools/origin build`")

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
class OriginExecutor(StepExecutor):
    """Executes the steps of an origin.

    :param layers: folder for layers of Debian packages; kept between runs.
    :param locks: folder with go.mod and go.sum of every component.
    """

    kind: Kind = ORIGIN
    layers: Path = field(default_factory=Path)
    locks: Path = HERE / "go"

    def folder_of(self, key: str) -> Path:
        folder = super().folder_of(key)
        return self.layers / folder.name if self.steps[key].kind == "tools" else folder

    def is_intact(self, key: str) -> bool:
        """Layers are kept for a long time, so their digest is checked."""
        if self.steps[key].kind != "tools":
            return True
        layer = self.folder_of(key)
        try:
            return sha256_of(layer / "layer.tar.zst") == (layer / "digest").read_text(encoding="utf-8")
        except OSError:
            return False

    def clean(self, everything: bool) -> None:
        super().clean(everything)
        parts = list(self.layers.glob(".part-*"))
        if everything:
            used = {self.folder_of(key) for key, step in self.steps.items() if step.kind == "tools"}
            parts += set(self.layers.glob("*")) - used
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)

    def image_folder(self, name: ImageName) -> str:
        return image_folder(name)

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

    # --- intermediate results -------------------------------------------------------------------------------------
    def _go_build(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        golang.build(inputs, self.locks / f"{inputs['name']}-{inputs['version']}", scratch, self.run)
        return self._keep(scratch, step.key)

    def _c_build(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        golang.build_c(inputs, HERE / f"{inputs['name']}.c", scratch, self.run)
        return self._keep(scratch, step.key)

    def _tools(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        tar = scratch / "root.tar"
        options = ["--quiet", "--variant=extract", f"--architectures={inputs['architecture']}"]
        options += ['--aptopt=APT::Install-Recommends "false"', f"--include={','.join(inputs['packages'])}"]
        self.run(
            ["mmdebstrap", *options, inputs["suite"], str(tar), *inputs["sources"]],
            what=step.title,
            remedy="Check that Debian's servers (or those of --debian-source) can be reached and that debian-archive-keyring is installed.",
        )
        patterns = inputs.get("left_out", [])
        layer = layers.filter_tar(
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

    # --- what is published ----------------------------------------------------------------------------------------
    def _package(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        name, version, path = inputs["name"], inputs["version"], inputs["path"]
        programs = {target: self._built(component, program) for component, program, target in inputs["programs"]}
        origin, whole = self._origin(inputs), f"{version}-{inputs['revision']}"
        if inputs["form"] == "deb":
            packages.build_deb(
                name, whole, inputs["architecture"], programs, origin, scratch, self.root / path, self.run
            )
        else:
            machine = MACHINES[inputs["architecture"]]
            with repository.signer(self.secret, self.run) as sign:
                packages.build_rpm(
                    name,
                    version,
                    inputs["revision"],
                    machine,
                    programs,
                    origin,
                    scratch,
                    self.root / path,
                    sign,
                    self.run,
                )
        return self._item(name, "package", whole, inputs, origin, path)

    def _program(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        path, program = self.root / inputs["path"], self._built(inputs["component"], inputs["name"])
        if inputs["member"]:
            write(path, archive_of(inputs["member"], program))
        else:
            program.chmod(0o755)
            place(program, path)
        output = self._item(
            inputs["name"], "program", inputs["version"], inputs, self._built_from(inputs["component"]), inputs["path"]
        )
        if inputs["digest"]:
            digest = output.items[0].digest.removeprefix("sha256:")
            sums = f"{digest}  {path.name}\n" if inputs["digest"].endswith("sum") else digest
            write(self.root / inputs["digest"], sums.encode())
            output.files[inputs["digest"]] = self._entry(inputs["digest"])
        return output

    def _image(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        found = []
        if inputs["tools"]:
            folder = self.folder_of(inputs["tools"])
            blob = folder / "layer.tar.zst"
            digest, diff_id = ((folder / name).read_text() for name in ("digest", "diff_id"))
            found.append(layers.Layer(blob, digest, blob.stat().st_size, diff_id))
        capability = layers.NET_BIND_SERVICE if inputs["bind_low_ports"] else b""
        entries = layers.accounts(inputs["users"])
        entries += [
            layers.Entry(target, 0o755, source=self._built(component, program), capability=capability)
            for component, program, target in inputs["programs"]
        ]
        entries += [layers.Entry(path, link=target) for path, target in inputs["links"]]
        entries += [layers.Entry(path, 0o777) for path in inputs["folders"]]
        entries += [layers.Entry(path, mode, text=text) for path, mode, text in inputs.get("texts", [])]
        found.append(layers.write_layer(entries, scratch / "layer.tar.zst"))
        origin = inputs.get("origin") or self._origin(inputs)
        labels = {
            "org.opencontainers.image.ref.name": inputs["name"],
            "org.opencontainers.image.version": inputs["version"],
            "org.opencontainers.image.description": f"Built by the Ansible collection slipway.kube from {origin}; not the upstream image",
            "kube.slipway.built-from": origin,
        }
        config = layers.image_config(
            inputs["architecture"],
            found,
            labels,
            inputs["entrypoint"],
            inputs["command"],
            inputs["user"],
            inputs.get("environment", {}),
            inputs.get("stop_signal", ""),
        )
        blobs: dict[str, Path | bytes] = {layer.digest: layer.path for layer in found}
        blobs[digest_of_bytes(config)] = config
        return self._publish(inputs, layers.image_manifest(config, found), blobs, origin, inputs["version"])

    def _manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        return self._copy_file(step, inputs["target"], scratch)

    def _module_manifest(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        text = golang.module_file(inputs["module"], inputs["file"], self.locks / inputs["component"], self.run)
        write(self.root / inputs["target"], text)
        built_from = f"{inputs['module']}@v{inputs['version']}"
        return self._item(inputs["target"], "manifest", inputs["version"], inputs, built_from, inputs["target"])

    def _repositories(self, inputs: Mapping[str, Any], step: BuildStep, scratch: Path) -> StepOutput:
        files: dict[str, FileEntry] = {}
        with repository.signer(self.secret, self.run) as sign:
            for one in inputs["repositories"]:
                base, staging = one["base"], scratch / one["base"]
                if one["form"] == "rpm":
                    self._index_rpm(base, one["packages"], staging, sign)
                elif one["suite"]:
                    self._index_suite(one, inputs["architecture"], staging, sign)
                else:
                    self._index_flat(one, inputs["architecture"], staging, sign)
                write(scratch / one["key"], sign.public_key())
        for path in sorted(path for path in scratch.rglob("*") if path.is_file()):
            name = str(path.relative_to(scratch))
            place(path, self.root / name)
            (self.root / name).chmod(0o644)
            files[name] = self._entry(name)
        return StepOutput([], files)

    def _stage(self, paths: list[str], base: str, staging: Path) -> list[Path]:
        """Link packages below *staging* as they lie below their repository."""
        links = [staging / path.removeprefix(f"{base}/") for path in paths]
        for path, link in zip(paths, links, strict=True):
            place(self.root / path, link)
        return links

    def _index_flat(self, one: Mapping[str, Any], architecture: str, staging: Path, sign: repository.Signer) -> None:
        links = self._stage(one["packages"], one["base"], staging)
        repository.write_listing(staging, ".", staging, self.run)
        for link in links:
            link.unlink()
        repository.write_release(staging, {"Architectures": architecture}, sign, self.run)

    def _index_suite(self, one: Mapping[str, Any], architecture: str, staging: Path, sign: repository.Signer) -> None:
        links = self._stage(one["packages"], one["base"], staging)
        suite = staging / "dists" / one["suite"]
        repository.write_listing(
            staging, f"dists/{one['suite']}/pool", suite / "stable" / f"binary-{architecture}", self.run
        )
        for link in links:
            link.unlink()
        fields = {
            "Suite": one["suite"],
            "Codename": one["suite"],
            "Components": "stable",
            "Architectures": architecture,
        }
        repository.write_release(suite, fields, sign, self.run)

    def _index_rpm(self, base: str, paths: list[str], staging: Path, sign: repository.Signer) -> None:
        links = self._stage(paths, base, staging)
        repository.write_repodata(staging, self.run)
        for link in links:
            link.unlink()
        sign.detach(staging / "repodata" / "repomd.xml")


def archive_of(member: str, program: Path) -> bytes:
    """Return a tar.gz archive with one program; the same input yields the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo(member)
        info.size, info.mode, info.mtime = program.stat().st_size, 0o755, EPOCH
        with open(program, "rb") as source:
            tar.addfile(info, source)
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
