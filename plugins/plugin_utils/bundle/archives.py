# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in archives that a site brings: which there are, and how skopeo calls them.

docker-archive (``docker save``), OCI archive and OCI folder (``skopeo copy … oci:…``) are understood.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import BundleError
from .files import sha256_of
from .names import ImageName
from .request import Archive

ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


def read_archive(path: Path, name: str = "") -> list[Archive]:
    """Every image of an archive.

    :param name: the image's name where the archive does not carry one (OCI archives often do not).
    :raises BundleError: nothing is there, it is no image archive, or an image has no name.
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
            f"The image archive {path} cannot be read ({error.strerror}): correct bundle_image_archives."
        ) from error
    found = references(documents, path.is_dir(), str(path))
    if name:
        if len(found) != 1:
            raise BundleError(
                f"The image archive {path} holds {len(found)} images, so one name ({name}) cannot be given to it: leave the name out."
            )
        found = [(found[0][0], name)]
    return [Archive(source, _whole_name(text, str(path)), str(path), digest) for source, text in found]


def _documents(path: Path) -> dict[str, Any]:
    """manifest.json and index.json of an archive, read without unpacking it."""
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
            f"{path} is no image archive: it is no tar file, plain or gzip. Expected what `docker save` or `skopeo copy … oci-archive:…` writes."
        ) from error
    return documents


def _parse(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise BundleError(f"The image archive {path} is damaged ({error}): bring it again.") from error


def references(documents: Mapping[str, Any], folder: bool, path: str) -> list[tuple[str, str]]:
    """What skopeo calls each image of an archive, and the image's name (empty where there is none). Pure.

    :param documents: its manifest.json (docker) and index.json (OCI), those that there are.
    :param folder: it is an OCI folder, not a file.
    :raises BundleError: neither document is there, or no image is listed.
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
            f"{path} is no image archive: it has neither a manifest.json (docker save) nor an index.json (OCI) that lists an image."
        )
    return found


def _whole_name(text: str, path: str) -> ImageName:
    """An image name that is more than a tag."""
    if not text or ("/" not in text and ":" not in text):
        raise BundleError(
            f"The image archive {path} carries no image name" + (f" but {text!r}" if text else "") + ": "
            "give it as {path: …, name: REGISTRY/NAME:TAG} in bundle_image_archives, or save the image by its name."
        )
    return ImageName.parse(text)


def images_in(objects: Any) -> list[str]:
    """Whole names of the images that the containers of Kubernetes objects name, each once, in order. Pure."""
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
