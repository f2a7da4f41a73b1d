# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why an image cannot be pulled, from the reason and the message of the kubelet.

The reasons are those of https://kubernetes.io/docs/concepts/containers/images/; the messages are those of the container runtime and the registry.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .finding import HOPELESS, SUSPICIOUS

PULL_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
)


class ImageFault(NamedTuple):
    """A fault of an image: the identifier, the problem (the title without the image), the advice, and the patience."""

    fault: str
    problem: str
    advice: str
    patience: str = HOPELESS

    def title(self, image: str) -> str:
        """Return the title of the finding."""
        return f"image {image} {self.problem}"


NOT_FOUND = ImageFault(
    "image_not_found",
    "was not found in the registry",
    "Correct the name or the tag of the image, or push the image to the registry.",
)
DENIED = ImageFault(
    "image_pull_denied",
    "cannot be pulled: the registry denied access",
    "Reference a Secret with valid credentials for this registry in imagePullSecrets, and check the name of the image: "
    "some registries also deny access to an image that does not exist.",
)
RATE_LIMITED = ImageFault(
    "image_rate_limited",
    "cannot be pulled: the rate limit of the registry is exceeded",
    "Wait, pull with credentials (imagePullSecrets), or configure a registry mirror.",
    SUSPICIOUS,
)
PLATFORM = ImageFault(
    "image_wrong_platform",
    "is not available for the architecture of the node",
    "Build the image for this architecture, or select nodes of a supported one (nodeSelector kubernetes.io/arch).",
)
UNREACHABLE = ImageFault(
    "image_unreachable",
    "cannot be pulled: the registry is unreachable from the node",
    "Check name resolution, proxy, firewall and certificate authorities on the node (containerd: /etc/containerd/certs.d). "
    "The kubelet retries the pull.",
    SUSPICIOUS,
)
UNTRUSTED = ImageFault(
    "image_unreachable",
    "cannot be pulled: the node does not trust the certificate of the registry",
    "Give the node its certificate authority (kube_registry_mirrors with ca, or the trust store of the system), or renew the certificate of the registry.",
    SUSPICIOUS,
)
PLAIN = ImageFault(
    "image_unreachable",
    "cannot be pulled: the registry answers without TLS",
    "Let the registry use TLS, or declare an http:// address for it (kube_registry_mirrors; containerd: /etc/containerd/certs.d).",
    SUSPICIOUS,
)
NO_REGISTRY = ImageFault(
    "image_unreachable",
    "cannot be pulled: the server is not a registry",
    "Check the address of the image, and whether a proxy or a login page answers instead of the registry.",
    SUSPICIOUS,
)
SIGNATURE = ImageFault(
    "image_pull_fails",
    "cannot be pulled: its signature is refused",
    "Sign the image with a key that the policy of the node accepts, or correct that policy.",
)
OLD_FORMAT = ImageFault(
    "image_pull_fails",
    "cannot be pulled: its manifest has a format that containerd no longer supports",
    "Build the image again and push it with a current tool, which writes OCI or Docker schema 2 manifests.",
)
NO_SPACE = ImageFault(
    "image_no_space",
    "cannot be pulled: no space left on the node",
    "Remove unused images on the node (ctr -n k8s.io images ls, images rm), or enlarge its disk.",
    SUSPICIOUS,
)
INVALID = ImageFault(
    "invalid_image_name",
    "is not a valid image reference",
    "Correct the image: REGISTRY/NAME:TAG, with a lowercase name.",
)
NEVER_PULLED = ImageFault(
    "image_never_pulled",
    "is not present on the node, and imagePullPolicy is Never",
    "Load the image onto every node, or set imagePullPolicy to IfNotPresent.",
)
UNKNOWN = ImageFault(
    "image_pull_fails",
    "cannot be pulled",
    "Read the message, and pull the image on the node: ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d IMAGE.",
    SUSPICIOUS,
)

# The order matters: the error of a network may contain the words of a registry, but not the other way round.
MESSAGES = (
    (PLATFORM, r"no match for platform|no matching manifest for|does not match the specified platform"),
    (NO_SPACE, r"no space left on device"),
    (SIGNATURE, r"signature validation failed|signature was required|no signature exists|Source image rejected"),
    (OLD_FORMAT, r"no longer supported since containerd|manifest\.v1\+prettyjws"),
    (NO_REGISTRY, r"media type text/html|invalid character '<'"),
    (PLAIN, r"HTTP response to HTTPS client"),
    (UNTRUSTED, r"x509: certificate"),
    (RATE_LIMITED, r"\b429\b|toomanyrequests|too many requests|rate limit|pull QPS exceeded"),
    (
        UNREACHABLE,
        r"no such host|i/o timeout|connection refused|connection reset|no route to host|network is unreachable|server misbehaving|"
        r"x509|tls:|TLS handshake|deadline exceeded|proxyconnect|\bEOF\b|status(?: code)?:? 5\d\d|"
        r"\b50[0234] |connection closed|broken pipe|temporary failure",
    ),
    (
        DENIED,
        r"\b401\b|\b403\b|unauthorized|authentication required|access denied|\bdenied\b|forbidden|insufficient_scope|no basic auth",
    ),
    (NOT_FOUND, r"not found|manifest unknown|name unknown|\b404\b|does not exist"),
)


def image_fault(reason: str, message: str, image: str = "") -> ImageFault:
    """Return the fault of an image that cannot be pulled.

    :param reason: C(state.waiting.reason) of the container status, one of :data:`PULL_REASONS`.
    :param message: the message of the kubelet, which contains the error of the runtime.
    :param image: the image, which the message quotes; its name is not searched for error messages.
    """
    if reason == "InvalidImageName":
        return INVALID
    if reason == "ErrImageNeverPull":
        return NEVER_PULLED
    for name in filter(None, (image, repository_of(image))):
        message = message.replace(name, "IMAGE")
    for fault, pattern in MESSAGES:
        if re.search(pattern, message, re.IGNORECASE):
            return fault
    return UNREACHABLE if reason == "RegistryUnavailable" else UNKNOWN


def repository_of(image: str) -> str:
    """Return the repository of an image: its name without registry, tag and digest."""
    first, _slash, rest = image.partition("@")[0].partition("/")
    named = rest if registry_of(image) == first else image.partition("@")[0]
    return re.sub(r":[^/:]*$", "", named)


def registry_of(image: str) -> str:
    """Return the registry of an image, as container runtimes parse the reference."""
    first, slash, _rest = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
