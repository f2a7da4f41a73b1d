# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a published manifest, verified by its digest and changed as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ..app.strategic import BadPatch, merge
from ..errors import InputError
from .selection import check_digest


def configure(text: str, address: str, sha256: str, patches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects of a published manifest with changes.

    :param text: the manifest.
    :param address: where it comes from, for messages.
    :param patches: strategic merge patches, each for the object of its kind and name.
    :raises InputError: the manifest is not the one that is expected, or it has no such object.
    """
    check_digest(text, sha256, address)
    objects: list[dict[str, Any]] = [content for content in yaml.safe_load_all(text) if content]
    for patch in patches:
        kind, name = patch.get("kind"), (patch.get("metadata") or {}).get("name")
        places = [
            place
            for place, content in enumerate(objects)
            if (content.get("kind"), content["metadata"]["name"]) == (kind, name)
        ]
        if len(places) != 1:
            raise InputError(f"The manifest {address} has {len(places)} objects {kind} {name}; expected one to change.")
        try:
            objects[places[0]] = merge(objects[places[0]], patch)
        except BadPatch as error:
            raise InputError(f"The change of {kind} {name} is not valid: {error}") from None
    return objects
