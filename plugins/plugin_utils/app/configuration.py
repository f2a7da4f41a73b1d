# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMaps and Secrets whose names end in a hash of their content.

A pod that refers to such a name rolls when the content changes, and a revision that comes back finds the content it had
(https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-immutable).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os.path
from dataclasses import dataclass, field
from typing import Any, Mapping

from ...module_utils._kube.objects import Object
from .spec import Spec

VERSION_OF = "slipway.kube/version-of"
# https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size
LARGEST = 1024 * 1024


def digest(content: Any, length: int = 10) -> str:
    """Give a short hash of plain data, the same for the same data whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def content_of(entry: Mapping[str, Any]) -> bytes:
    """Give the bytes of a file of the description; one from the control node has been read by then."""
    if entry.get("data") is not None:
        return bytes(entry["data"])
    if entry.get("base64") is not None:
        return base64.b64decode(entry["base64"])
    return str(entry.get("content") or "").encode()


def keys_of(paths: Mapping[str, Any]) -> dict[str, str]:
    """Choose the key under which each file is kept: its name, or its whole path where two files have one name."""
    names = [os.path.basename(path) for path in paths]
    plain = {path: path.strip("/").replace("/", ".") for path in paths}
    alone = len(set(names)) == len(names)
    keys = {path: _key(os.path.basename(path) if alone else plain[path]) for path in paths}
    if len(set(keys.values())) < len(keys):
        keys = {path: f"{key}-{digest(path, 6)}" for path, key in keys.items()}
    return keys


def _key(text: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() or letter in "-._" else "_" for letter in text)[:240]


@dataclass
class Configuration:
    """The ConfigMaps and Secrets of an application, made as its containers ask for them."""

    spec: Spec
    labels: Mapping[str, str]
    objects: list[Object] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    named: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, place in (("ConfigMap", "config_maps"), ("Secret", "secrets")):
            for name, entries in self.spec[place].items():
                data = {key: content_of(entry) for key, entry in entries.items()}
                self.named[(kind, name)] = self.add(kind, name, data, f"{place}.{name}")

    def name_of(self, kind: str, name: str) -> str:
        """Give the name that an object has in the cluster: with its hash where it is one of the application's own."""
        return self.named.get((kind, name), name)

    def add(self, kind: str, family: str, data: Mapping[str, bytes], path: str, of_type: str = "Opaque") -> str:
        """Make a ConfigMap or Secret.

        :param family: its name without the hash.
        :param data: its content by key.
        :param path: of the field that it comes from, for problems.
        :returns: its name.
        """
        content = _section(kind, data)
        identity: dict[str, Any] = dict(content)
        if kind == "Secret":
            identity["type"] = of_type
        name = f"{family}-{digest(identity)}"
        size = sum(len(value) for value in data.values())
        if size > LARGEST:
            self.problems.append(
                "%s: is %d KiB; a %s holds at most %d KiB. Put large files into the image or a volume."
                % (path, size // 1024, kind, LARGEST // 1024)
            )
        made: Object = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.spec["namespace"],
                "labels": dict(self.labels),
                "annotations": dict(self.spec["annotations"], **{VERSION_OF: family}),
            },
        }
        if kind == "Secret":
            made["type"] = of_type
        made.update(content, immutable=True)
        if not any(other["kind"] == kind and other["metadata"]["name"] == name for other in self.objects):
            self.objects.append(made)
        return name


def _section(kind: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    if kind == "Secret":
        return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in data.items():
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    section: dict[str, Any] = {}
    if texts or not binary:
        section["data"] = texts
    if binary:
        section["binaryData"] = binary
    return section
