# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMaps and Secrets whose names end in a hash of their content.

Changed content is a new object, so that the pods that refer to it are replaced, and a rollback finds the previous content
(https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-immutable).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._kube.objects import Object
from .objects import manifest
from .spec import Spec

VERSION_OF = "slipway.kube/version-of"
# https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size
LARGEST = 1024 * 1024


def digest(content: Any, length: int = 10) -> str:
    """Return a short hash of plain data that does not depend on the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def content_of(entry: Mapping[str, Any]) -> bytes:
    """Return the content of a file of the description; files of the control node have been read before."""
    if entry.get("data") is not None:
        return bytes(entry["data"])
    if entry.get("base64") is not None:
        return base64.b64decode(entry["base64"])
    return str(entry.get("content") or "").encode()


def keys_of(paths: Mapping[str, Any]) -> dict[str, str]:
    """Return the key of each file: its name, or its whole path where two files have the same name."""
    names = [os.path.basename(path) for path in paths]
    unique = len(set(names)) == len(names)
    keys = {path: _key(os.path.basename(path) if unique else path.strip("/").replace("/", ".")) for path in paths}
    if len(set(keys.values())) < len(keys):
        keys = {path: f"{key}-{digest(path, 6)}" for path, key in keys.items()}
    return keys


def _key(text: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() or letter in "-._" else "_" for letter in text)[:240]


@dataclass
class Configuration:
    """The ConfigMaps and Secrets of an application, added as its containers need them."""

    spec: Spec
    objects: list[Object] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hashed_names: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, place in (("ConfigMap", "config_maps"), ("Secret", "secrets")):
            for name, entries in self.spec[place].items():
                data = {key: content_of(entry) for key, entry in entries.items()}
                self.hashed_names[kind, name] = self.add(kind, name, data, f"{place}.{name}")

    def name_of(self, kind: str, name: str) -> str:
        """Return the name of an object in the cluster: with its hash where it belongs to the application."""
        return self.hashed_names.get((kind, name), name)

    def add(self, kind: str, family: str, data: Mapping[str, bytes], path: str, of_type: str = "Opaque") -> str:
        """Add a ConfigMap or Secret unless it exists already.

        :param family: its name without the hash.
        :param data: its content by key.
        :param path: the field that it comes from, for problems.
        :param of_type: the type of a Secret.
        :returns: its name.
        """
        content = _content(kind, data)
        of_kind = {"type": of_type} if kind == "Secret" else {}
        name = f"{family}-{digest({**content, **of_kind})}"
        size = sum(len(value) for value in data.values())
        if size > LARGEST:
            self.problems.append(
                f"{path}: the content has {size // 1024} KiB; a {kind} holds at most {LARGEST // 1024} KiB. "
                "Put large files into the image or a volume."
            )
        result = manifest(self.spec, kind, name, **of_kind, **content, immutable=True)
        result["metadata"]["annotations"] = {**self.spec["annotations"], VERSION_OF: family}
        if not any(other["kind"] == kind and other["metadata"]["name"] == name for other in self.objects):
            self.objects.append(result)
        return name


def _content(kind: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    if kind == "Secret":
        return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in data.items():
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    content: dict[str, Any] = {"data": texts} if texts or not binary else {}
    return {**content, "binaryData": binary} if binary else content
