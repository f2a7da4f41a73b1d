# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, packages and files in the registry tree, and the error that every part of the bundle raises.

The registry tree is the pull half of the OCI distribution specification as static files:
``v2/REGISTRY/NAME/manifests/{TAG,DIGEST}`` and ``v2/REGISTRY/NAME/blobs/DIGEST``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"

_NAME = re.compile(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$")
_TAG = re.compile(r"^\w[\w.-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


class BundleError(Exception):
    """A failure as the user sees it: what is wrong, on which object, the evidence and the remedy."""


@dataclass(frozen=True)
class ImageName:
    """A fully qualified image name, such as ``docker.io/library/nginx:1.27``."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Parse an image name the way container engines do.

        :param text: ``nginx``, ``calico/node:v3.32.1``, ``quay.io/calico/node:v3.32.1`` …; the registry defaults to
            Docker Hub and the tag to ``latest``; a digest after the tag is ignored.
        :raises BundleError: the text is not a valid image name, or names an image by digest only.
        """
        name, _at, digest = text.strip().partition("@")
        if digest and not _DIGEST.match(digest):
            raise BundleError(
                f"{text!r} is not a valid image name: the digest must be sha256: followed by 64 hexadecimal digits. [slipway:invalid_image_name]"
            )
        first, slash, rest = name.partition("/")
        if slash and (first == "localhost" or "." in first or ":" in first):
            registry, path = first, rest
        else:
            registry, path = "docker.io", name
        repository, colon, tag = path.partition(":")
        if digest and not colon:
            raise BundleError(
                f"{text!r} names an image by digest only. Add the tag: NAME:TAG@{digest[:15]}… [slipway:invalid_image_name]"
            )
        if registry == "docker.io" and "/" not in repository:
            repository = f"library/{repository}"
        if not _NAME.match(repository) or not _TAG.match(tag or "latest"):
            raise BundleError(
                f"{text!r} is not a valid image name: expected [REGISTRY/]NAME[:TAG] in lower case. [slipway:invalid_image_name]"
            )
        return cls(registry, repository, tag or "latest")

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def folder(self) -> str:
        """Path of the image's repository, relative to the root of the bundle."""
        return f"v2/{self.registry}/{self.repository}"


def check_kubernetes_version(version: str) -> None:
    """Check that a version consists of three numbers.

    :raises BundleError: it does not.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise BundleError(
            f"{version!r} is not a valid Kubernetes version: expected three numbers without a leading v, such as 1.36.3. [slipway:bundle_variables]"
        )
