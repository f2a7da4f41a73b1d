# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of a folder of software (bundle.json), file by file, and the check of the files against it."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .files import sha256_of, write
from .names import BundleError
from .staleness import StepResult

FORMAT = 1


@dataclass(frozen=True)
class Kind:
    """A kind of folder that has an index."""

    name: str  # as messages call it
    index: str  # name of the index
    command: str  # what builds it
    folders: tuple[str, ...] = ()  # the folders that belong to it; if empty, all

    @property
    def unfinished(self) -> str:
        """Return the name of the index while a run is in progress; an interrupted run resumes from it."""
        return f".{self.index}.unfinished"


BUNDLE = Kind("bundle", "bundle.json", "slipway.kube.bundle", ("bin", "deb", "manifests", "rpm", "v2"))


@dataclass(frozen=True)
class Item:
    """A named part of the bundle: a package, an image, a program, a manifest, a repository index."""

    name: str
    kind: str
    version: str
    architecture: str
    digest: str  # sha256:… of the file at *path*
    size: int  # bytes; of an image including its layers
    origin: str
    path: str


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle."""

    digest: str
    size: int


_KEYS = {"format", "architecture", "kubernetes_versions", "brought", "items", "files", "steps"}


@dataclass
class Index:
    """The content of the index."""

    architecture: str = ""
    kubernetes_versions: list[str] = field(default_factory=list)
    brought: dict[str, list[dict[str, Any]]] = field(
        default_factory=dict
    )  # additions, and files that the user supplied
    more: dict[str, Any] = field(default_factory=dict)  # further descriptions, for whoever reads the index
    items: dict[str, list[Item]] = field(default_factory=dict)  # by the key of the step that created them
    steps: dict[str, StepResult] = field(default_factory=dict)
    files: dict[str, FileEntry] = field(default_factory=dict)

    def all_items(self) -> list[Item]:
        """Return the items of all steps, sorted."""
        items = [item for items in self.items.values() for item in items]
        return sorted(items, key=lambda item: (item.kind, item.name, item.version))

    def note(self, key: str, finished: StepResult, items: list[Item], files: Mapping[str, FileEntry]) -> None:
        """Record that the step *key* is complete."""
        self.steps[key] = finished
        self.items[key] = items
        self.files.update(files)

    def describe(self, about: Index) -> None:
        """Copy from *about* what describes the bundle as a whole."""
        self.architecture, self.kubernetes_versions = about.architecture, about.kubernetes_versions
        self.brought, self.more = about.brought, about.more

    def keep_only(self, keys: Container[str], broken: Container[str] = ()) -> None:
        """Drop all steps except *keys*, the files that none of those owns, and *broken* files."""
        self.steps = {key: finished for key, finished in self.steps.items() if key in keys}
        self.items = {key: items for key, items in self.items.items() if key in keys}
        owned = {path for finished in self.steps.values() for path in finished.files}
        self.files = {path: entry for path, entry in self.files.items() if path in owned and path not in broken}

    def to_text(self) -> str:
        """Return the index as JSON; equal indexes yield equal text."""
        value = {
            "format": FORMAT,
            "architecture": self.architecture,
            "kubernetes_versions": self.kubernetes_versions,
            **self.more,
            "brought": self.brought,
            "items": [dict(asdict(item), made_by=key) for key in sorted(self.items) for item in self.items[key]],
            "files": {path: asdict(self.files[path]) for path in sorted(self.files)},
            "steps": {
                key: {"inputs": self.steps[key].fingerprint, "files": list(self.steps[key].files)}
                for key in sorted(self.steps)
            },
        }
        return json.dumps(value, indent=1, sort_keys=False) + "\n"

    @classmethod
    def from_text(cls, text: str, where: str) -> Index:
        """Parse the text of an index.

        :param where: the file, for error messages.
        :raises BundleError: the text is not valid JSON, has another format, or lacks a field.
        """
        try:
            value: Any = json.loads(text)
            if value["format"] != FORMAT:
                raise BundleError(
                    f"{where} has format {value['format']}, but this version of the collection reads format {FORMAT}. Remove it; the next run "
                    "builds everything again. [slipway:bundle_damaged]"
                )
            items: dict[str, list[Item]] = {}
            for entry in value["items"]:
                items.setdefault(entry.pop("made_by"), []).append(Item(**entry))
            return cls(
                architecture=value["architecture"],
                kubernetes_versions=list(value["kubernetes_versions"]),
                brought=dict(value.get("brought", {})),
                more={key: value[key] for key in value if key not in _KEYS},
                items=items,
                files={path: FileEntry(**entry) for path, entry in value["files"].items()},
                steps={key: StepResult(step["inputs"], tuple(step["files"])) for key, step in value["steps"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{where} is damaged ({type(error).__name__}: {error}). Remove it; the next run builds everything again. [slipway:bundle_damaged]"
            ) from error


def load(root: Path, kind: Kind = BUNDLE) -> Index:
    """Return the index in *root*: that of an interrupted run if there is one, else the finished one, else an empty one.

    :raises BundleError: the index exists but cannot be read.
    """
    for name in (kind.unfinished, kind.index):
        path = root / name
        if path.is_file():
            return Index.from_text(path.read_text(encoding="utf-8"), str(path))
    return Index()


def save(root: Path, index: Index, finished: bool, kind: Kind = BUNDLE) -> bool:
    """Write the index; a finished one replaces the unfinished one.

    :returns: whether the file changed.
    """
    content = index.to_text().encode()
    path = root / (kind.index if finished else kind.unfinished)
    changed = not path.is_file() or path.read_bytes() != content
    if changed:
        write(path, content)
    if finished:
        (root / kind.unfinished).unlink(missing_ok=True)
    return changed


def listing(root: Path, kind: Kind = BUNDLE) -> frozenset[str]:
    """Return every file in the folders that belong to *kind*, relative to *root*; other content of *root* is the user's own."""
    folders = [root / folder for folder in kind.folders] or [path for path in root.glob("*") if path.is_dir()]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return frozenset(str(path.relative_to(root)) for path in found)


def check(root: Path, files: Mapping[str, FileEntry]) -> dict[str, str]:
    """Compare all files with the index; hard links are read once.

    :returns: the path of each file that differs, and what is wrong with it.
    """
    broken: dict[str, str] = {}
    readings: dict[tuple[int, int], list[str]] = {}
    for name, entry in files.items():
        try:
            status = os.stat(root / name)
        except FileNotFoundError:
            broken[name] = "is missing"
        except OSError as error:
            broken[name] = f"cannot be read ({error.strerror})"
        else:
            if status.st_size != entry.size:
                broken[name] = f"is corrupt: {status.st_size} bytes instead of {entry.size}"
            else:
                readings.setdefault((status.st_dev, status.st_ino), []).append(name)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        digests = pool.map(lambda names: _digest(root / names[0]), readings.values())
    for names, digest in zip(readings.values(), digests, strict=True):
        for name in names:
            if digest != files[name].digest:
                broken[name] = f"is corrupt: {digest[:19]}… instead of {files[name].digest[:19]}…"
    return dict(sorted(broken.items()))


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        return f"unreadable ({error.strerror})"


def describe_broken(broken: Mapping[str, str], index: Index) -> list[str]:
    """Return one sentence for each broken file, with the items that it is part of."""
    users: dict[str, list[str]] = {}
    for key, finished in index.steps.items():
        for path in finished.files:
            users.setdefault(path, []).extend(
                f"{item.name} {item.version}".strip() for item in index.items.get(key, [])[:1]
            )
    return [
        f"{path} {what}" + (f" (part of {', '.join(users[path])})" if users.get(path) else "")
        for path, what in broken.items()
    ]
