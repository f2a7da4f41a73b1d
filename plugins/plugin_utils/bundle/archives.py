# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the user supplies: image archives with the names by which skopeo reads them, and manifests.

Supported archives are docker-archive (``docker save``), OCI archive and OCI folder (``skopeo copy … oci:…``).
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .files import sha256_of
from .names import BundleError, ImageName
from .request import ArchivedImage
from .upstream import BundledManifest

ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


def read_archive(path: Path, name: str = "") -> list[ArchivedImage]:
    """Return every image of an archive.

    :param name: the image's name, for an archive that does not contain it (OCI archives often do not).
    :raises BundleError: the path cannot be read, is not an image archive, or an image has no name.
    """
    try:
        if path.is_dir():
            documents = (
                {"index.json": _parse(path / "index.json", (path / "index.json").read_bytes())}
                if (path / "index.json").is_file()
                else {}
            )
            digest = sha256_of(path / "index.json") if documents else ""
        else:
            documents = _documents(path)
            digest = sha256_of(path)
    except OSError as error:
        raise BundleError(
            f"The image archive {path} cannot be read ({error.strerror}). Correct bundle_image_archives. [slipway:bundle_image_archive]"
        ) from error
    found = references(documents, path.is_dir(), str(path))
    if name:
        if len(found) != 1:
            raise BundleError(
                f"The image archive {path} contains {len(found)} images, so it cannot be given one name ({name}). "
                "Remove the name. [slipway:bundle_image_archive]"
            )
        found = [(found[0][0], name)]
    return [ArchivedImage(source, _whole_name(text, str(path)), str(path), digest) for source, text in found]


def _documents(path: Path) -> dict[str, Any]:
    """Return manifest.json and index.json of an archive, without unpacking it."""
    documents = {}
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                if member.name.lstrip("./") in ("manifest.json", "index.json"):
                    content = tar.extractfile(member)
                    if content:
                        documents[member.name.lstrip("./")] = _parse(path, content.read())
    except tarfile.TarError as error:
        raise BundleError(
            f"{path} is not an image archive: it is not a tar file (plain or gzip). "
            "Supply a file written by `docker save` or `skopeo copy … oci-archive:…`. [slipway:bundle_image_archive]"
        ) from error
    return documents


def _parse(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise BundleError(
            f"The image archive {path} is damaged ({error}). Supply it again. [slipway:bundle_image_archive]"
        ) from error


def references(documents: Mapping[str, Any], folder: bool, path: str) -> list[tuple[str, str]]:
    """Return skopeo's name for each image of an archive, and the image's own name (empty if it has none). Pure.

    :param documents: its manifest.json (docker) and index.json (OCI), as far as they exist.
    :param folder: whether it is an OCI folder rather than a file.
    :raises BundleError: neither document exists, or no image is listed.
    """
    found: list[tuple[str, str]] = []
    if not folder and "manifest.json" in documents:
        for number, image in enumerate(documents["manifest.json"]):
            tags: Sequence[str] = image.get("RepoTags") or []
            found += [(f"docker-archive:{path}:{tag}", tag) for tag in tags] or [
                (f"docker-archive:{path}:@{number}", "")
            ]
    elif "index.json" in documents:
        transport = "oci" if folder else "oci-archive"
        for entry in documents["index.json"].get("manifests", []):
            annotations = entry.get("annotations", {})
            reference = annotations.get(ANNOTATIONS[1], "")
            name = next((annotations[key] for key in ANNOTATIONS if annotations.get(key)), "")
            found.append((f"{transport}:{path}:{reference}" if reference else f"{transport}:{path}", name))
    if not found:
        raise BundleError(
            f"{path} is not an image archive: it has neither a manifest.json (docker save) nor an index.json (OCI) that lists an image. "
            "[slipway:bundle_image_archive]"
        )
    return found


def _whole_name(text: str, path: str) -> ImageName:
    """Return the name of an image, which must be more than a tag."""
    if not text or ("/" not in text and ":" not in text):
        raise BundleError(
            f"The image archive {path} contains no image name{f', only {text!r}' if text else ''}. "
            "Write {path: …, name: REGISTRY/NAME:TAG} in bundle_image_archives, or save the image by its full name. [slipway:bundle_image_archive]"
        )
    return ImageName.parse(text)


def images_in(objects: Any) -> list[str]:
    """Return the full names of the images that the containers of Kubernetes objects use, without duplicates. Pure."""
    found: list[str] = []

    def walk(value: Any, of_pod: bool) -> None:
        if isinstance(value, Mapping):
            image = value.get("image")
            if of_pod and isinstance(image, str) and image:
                found.append(str(ImageName.parse(image)))
            for key, part in value.items():
                walk(part, key in ("containers", "initContainers", "ephemeralContainers"))
        elif isinstance(value, (list, tuple)):
            for part in value:
                walk(part, of_pod)

    walk(objects, False)
    return list(dict.fromkeys(found))


def read_entry(entry: Any) -> list[ArchivedImage]:
    """Read an image archive.

    :param entry: a path, or ``{path: …, name: …}``.
    :raises BundleError: the entry is neither, or the file is not an image archive.
    """
    if isinstance(entry, str):
        return read_archive(Path(entry).expanduser())
    if isinstance(entry, dict) and entry.get("path") and set(entry) <= {"path", "name"}:
        return read_archive(Path(entry["path"]).expanduser(), entry.get("name", ""))
    raise BundleError(
        f"bundle_image_archives contains {entry!r}: an entry must be a path, or a dictionary with path and name. [slipway:bundle_image_archive]"
    )


def read_manifest(target: str, path: str) -> BundledManifest:
    """Read a manifest that the user supplies, and find the images that it uses.

    :raises BundleError: the file cannot be read or is not valid YAML.
    """
    where = Path(path).expanduser()
    try:
        images = images_in(
            list(yaml.load_all(where.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        )
        return BundledManifest(target, str(where), sha256_of(where), tuple(images))
    except OSError as error:
        raise BundleError(
            f"The manifest {where} cannot be read ({error.strerror}). Correct bundle_manifests. [slipway:bundle_manifest]"
        ) from error
    except yaml.YAMLError as error:
        raise BundleError(
            f"The manifest {where} is not valid YAML ({error}). Supply the file as published upstream. [slipway:bundle_manifest]"
        ) from error
