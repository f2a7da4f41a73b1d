# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images and the published manifests of add-ons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..addons.registry import Addon, load
from ..addons.selection import resolve, unknown
from ..errors import InputError
from .names import BundleError, ImageName
from .upstream import ADDRESSES, BundledManifest

# Settings that have to be given for a deployment do not matter for a bundle.
ANY: dict[str, Any] = {"list": [], "dict": {}, "bool": False, "int": 0, "float": 0.0}


def addon_parts(
    names: Sequence[str], paths: Iterable[str], rows: Iterable[Mapping[str, str]], server: str
) -> tuple[dict[str, str], dict[str, BundledManifest]]:
    """Return the images of add-ons (name and version) and their published manifests (by name), of every row of kube_versions.

    :param names: the add-ons. :param paths: folders with add-ons of the user.
    :param server: where manifests are fetched from instead of the usual server of published files.
    :raises BundleError: an add-on is unknown, or has no version.
    """
    images: dict[str, str] = {}
    manifests: dict[str, BundledManifest] = {}
    try:
        known = load(paths) if names else {}
        problems = [unknown("bundle_addons", name, known) for name in names if name not in known]
        if problems:
            raise InputError(*problems)
        for row in rows:
            for name in names:
                one = resolve(known[name], placeholders(known[name]), row)
                images.update({str(ImageName.parse(image)): ImageName.parse(image).tag for image in one.images})
                for published in one.manifests:
                    target = published["url"]
                    url = f"https://{target}".replace(ADDRESSES["manifests"], server.rstrip("/") + "/")
                    manifests[target] = BundledManifest(target, url, "", one.images, published["sha256"])
    except InputError as error:
        raise BundleError(f"{error} [slipway:addons]") from None
    return images, manifests


def placeholders(addon: Addon) -> dict[str, Any]:
    """Return a value of each required setting."""
    return {name: ANY.get(spec["type"], "") for name, spec in addon.settings.items() if spec.get("required")}
