# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of published manifests, verified by their digests and changed as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ..app.strategic import PATCH, BadPatch, merge
from ..errors import InputError
from .selection import check_digest


def configure(
    texts: Iterable[str], published: Iterable[Mapping[str, str]], patches: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the objects of published manifests with changes.

    :param texts: the manifests.
    :param published: where each comes from (C(url), for messages), and its digest (C(sha256)).
    :param patches: strategic merge patches, each for the object of its kind and name; C($patch: delete) leaves that out.
    :raises InputError: a manifest is not the one that is expected, or they have no such object.
    """
    objects: list[dict[str, Any]] = []
    addresses: list[str] = []
    for text, one in zip(texts, published):
        check_digest(text, one["sha256"], one["url"])
        addresses.append(one["url"])
        # As bytes: the parser in C accepts no subclass of str, such as Ansible's, whose own method gives a subclass of bytes.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        objects += [content for content in yaml.load_all(str.encode(text), loader) if content]
    for patch in patches:
        kind, name = patch.get("kind"), (patch.get("metadata") or {}).get("name")
        places = [
            place
            for place, content in enumerate(objects)
            if (content.get("kind"), content["metadata"]["name"]) == (kind, name)
        ]
        if len(places) != 1:
            raise InputError(
                f"The manifest {', '.join(addresses)} has {len(places)} objects {kind} {name}; expected one to change."
            )
        if patch.get(PATCH) == "delete":
            del objects[places[0]]
            continue
        try:
            objects[places[0]] = merge(objects[places[0]], patch)
        except BadPatch as error:
            raise InputError(f"The change of {kind} {name} is not valid: {error}") from None
    return objects
