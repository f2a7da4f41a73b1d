# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bundle.json: what is in a bundle, file by file, and whether it still is."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import BundleError
from .files import sha256_of, write
from .staleness import Finished

FORMAT = 1
NAME = "bundle.json"
UNFINISHED = ".bundle.json.unfinished"  # the same, while a run is under way; a run that was ended goes on from it

FOLDERS = ("bin", "deb", "manifests", "v2")


@dataclass(frozen=True)
class Item:
    """Something that a person would name: a package, an image, a manifest, a repository's index."""

    name: str
    kind: str
    version: str
    architecture: str
    digest: str  # sha256:… of the file at *path*
    size: int  # bytes; of an image with its layers
    origin: str
    path: str


@dataclass(frozen=True)
class Record:
    """One file of the bundle."""

    digest: str
    size: int


@dataclass
class Index:
    """The content of bundle.json."""

    origin: str = ""
    architecture: str = ""
    kubernetes_versions: list[str] = field(default_factory=list)
    brought: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # what the site brought: archives, manifests
    items: dict[str, list[Item]] = field(default_factory=dict)  # by the key of the step that made them
    steps: dict[str, Finished] = field(default_factory=dict)
    files: dict[str, Record] = field(default_factory=dict)

    def all_items(self) -> list[Item]:
        return sorted(
            (item for items in self.items.values() for item in items),
            key=lambda item: (item.kind, item.name, item.version),
        )

    def note(self, key: str, finished: Finished, items: list[Item], files: Mapping[str, Record]) -> None:
        """Record that the step *key* was done."""
        self.steps[key] = finished
        self.items[key] = items
        self.files.update(files)

    def describe(self, about: Index) -> None:
        """Take over what *about* says of the bundle as a whole."""
        self.origin, self.architecture, self.kubernetes_versions = (
            about.origin,
            about.architecture,
            about.kubernetes_versions,
        )
        self.brought = about.brought

    def keep_only(self, keys: Container[str], broken: Container[str] = ()) -> None:
        """Forget steps other than *keys*, files that belong to none of them, and *broken* files."""
        self.steps = {key: finished for key, finished in self.steps.items() if key in keys}
        self.items = {key: items for key, items in self.items.items() if key in keys}
        wanted = {path for finished in self.steps.values() for path in finished.files}
        self.files = {path: record for path, record in self.files.items() if path in wanted and path not in broken}

    def to_text(self) -> str:
        """JSON, the same for the same content."""
        value = {
            "format": FORMAT,
            "origin": self.origin,
            "architecture": self.architecture,
            "kubernetes_versions": self.kubernetes_versions,
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
        """Read bundle.json.

        :param where: how the file is called in an error.
        :raises BundleError: it is no JSON, of another format, or lacks a field.
        """
        try:
            value: Any = json.loads(text)
            if value["format"] != FORMAT:
                raise BundleError(
                    f"{where} has format {value['format']}, this collection reads format {FORMAT}: make the bundle again with this version."
                )
            items: dict[str, list[Item]] = {}
            for entry in value["items"]:
                items.setdefault(entry.pop("made_by"), []).append(Item(**entry))
            return cls(
                origin=value["origin"],
                architecture=value["architecture"],
                kubernetes_versions=list(value["kubernetes_versions"]),
                brought=dict(value.get("brought", {})),
                items=items,
                files={path: Record(**record) for path, record in value["files"].items()},
                steps={key: Finished(step["inputs"], tuple(step["files"])) for key, step in value["steps"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{where} is damaged ({type(error).__name__}: {error}): remove it, and the next run makes the bundle anew."
            ) from error


def load(root: Path) -> Index:
    """The index of the bundle in *root*: the unfinished one of a run that was ended, else bundle.json, else an empty one.

    :raises BundleError: an index is there and cannot be read.
    """
    for name in (UNFINISHED, NAME):
        path = root / name
        if path.is_file():
            return Index.from_text(path.read_text(encoding="utf-8"), str(path))
    return Index()


def save(root: Path, index: Index, finished: bool) -> bool:
    """Write the index; a finished one replaces the unfinished one. Returns whether bundle.json differs from before."""
    content = index.to_text().encode()
    path = root / (NAME if finished else UNFINISHED)
    changed = not path.is_file() or path.read_bytes() != content
    if changed:
        write(path, content)
    if finished:
        (root / UNFINISHED).unlink(missing_ok=True)
    return changed


def listing(root: Path) -> frozenset[str]:
    """Every file of the bundle's folders, relative to *root*; what else lies in *root* is not the bundle's."""
    return frozenset(
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() or path.is_symlink()
    )


def check(root: Path, files: Mapping[str, Record]) -> dict[str, str]:
    """Files that are not as recorded: path and what is wrong. Every content is read; hard links are read once."""
    broken: dict[str, str] = {}
    readings: dict[tuple[int, int], list[str]] = {}
    for name, record in files.items():
        try:
            status = os.stat(root / name)
        except OSError as error:
            broken[name] = (
                "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            )
            continue
        if status.st_size != record.size:
            broken[name] = f"is corrupt: {status.st_size} bytes instead of {record.size}"
        else:
            readings.setdefault((status.st_dev, status.st_ino), []).append(name)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        digests = dict(zip(readings, pool.map(lambda names: _digest(root / names[0]), readings.values())))
    for inode, names in readings.items():
        for name in names:
            if digests[inode] != files[name].digest:
                broken[name] = f"is corrupt: {digests[inode][:19]}… instead of {files[name].digest[:19]}…"
    return dict(sorted(broken.items()))


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        return f"unreadable ({error.strerror})"


def name_broken(broken: Mapping[str, str], index: Index) -> list[str]:
    """One sentence for each broken file, with the items that need it."""
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
