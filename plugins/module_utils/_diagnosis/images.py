# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an image cannot be had, from what the kubelet says of it: pure functions.

The reasons are those of https://kubernetes.io/docs/concepts/containers/images/; the messages are the runtime's and the registry's.
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
    """What is wrong with an image: the fault, a sentence with C(%s) for the image, the advice, how long to wait."""

    fault: str
    title: str
    advice: str
    patience: str


NOT_FOUND = ImageFault(
    "image_not_found",
    "image %s is not in its registry",
    "Correct the image's name or tag, or push the image first.",
    HOPELESS,
)
DENIED = ImageFault(
    "image_pull_denied",
    "the registry does not give image %s to this cluster",
    "Name a pull secret of the pod's namespace in imagePullSecrets, see that its credentials are valid for this registry, and that the image's name is right: "
    "some registries say the same of an image that is not there.",
    HOPELESS,
)
RATE_LIMITED = ImageFault(
    "image_rate_limited",
    "the registry refuses image %s for now: too many requests",
    "Wait, or pull with credentials (imagePullSecrets), or through a mirror.",
    SUSPICIOUS,
)
PLATFORM = ImageFault(
    "image_wrong_platform",
    "image %s is not made for the architecture of the node",
    "Build the image for this architecture too, or choose nodes that have its architecture (nodeSelector kubernetes.io/arch).",
    HOPELESS,
)
UNREACHABLE = ImageFault(
    "image_unreachable",
    "the registry of image %s is not reached from the node",
    "See name resolution, proxy, firewall and certificate authority on the node (containerd: /etc/containerd/certs.d); the pull is tried again by itself.",
    SUSPICIOUS,
)
NO_SPACE = ImageFault(
    "image_no_space",
    "the node has no space left for image %s",
    "Make space on the node's disk for images (crictl rmi --prune), or give it a bigger one.",
    SUSPICIOUS,
)
INVALID = ImageFault(
    "invalid_image_name",
    "%s is no valid name of an image",
    "Correct the image's name: lower case letters, REGISTRY/NAME:TAG, nothing else.",
    HOPELESS,
)
NEVER_PULLED = ImageFault(
    "image_never_pulled",
    "image %s is not on the node, and imagePullPolicy Never forbids to pull it",
    "Load the image onto every node, or change imagePullPolicy to IfNotPresent.",
    HOPELESS,
)
UNKNOWN = ImageFault(
    "image_pull_fails",
    "image %s cannot be pulled",
    "See the message; on the node: crictl pull with the same name.",
    SUSPICIOUS,
)

# In this order: a network's error may quote what a registry would say, and not the other way round.
MESSAGES = (
    (PLATFORM, r"no match for platform|no matching manifest for|does not match the specified platform"),
    (NO_SPACE, r"no space left on device"),
    (RATE_LIMITED, r"\b429\b|toomanyrequests|too many requests|rate limit|pull QPS exceeded"),
    (
        UNREACHABLE,
        r"no such host|i/o timeout|connection refused|connection reset|no route to host|network is unreachable|server misbehaving|"
        r"x509|tls:|TLS handshake|deadline exceeded|proxyconnect|HTTP response to HTTPS client|\bEOF\b|status(?: code)?:? 5\d\d|"
        r"\b50[0234] |connection closed|broken pipe|temporary failure",
    ),
    (
        DENIED,
        r"\b401\b|\b403\b|unauthorized|authentication required|access denied|\bdenied\b|forbidden|insufficient_scope|no basic auth",
    ),
    (NOT_FOUND, r"not found|manifest unknown|name unknown|\b404\b|does not exist"),
)


def image_fault(reason: str, message: str, image: str = "") -> ImageFault:
    """Say what is wrong with an image.

    :param reason: the container's C(state.waiting.reason), one of :data:`PULL_REASONS`.
    :param message: what the kubelet says, with the runtime's error.
    :param image: its name, which the message quotes and which may itself read like a reason.
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
    """Give the name of an image in its registry, without tag and digest."""
    first, _slash, rest = image.partition("@")[0].partition("/")
    named = rest if registry_of(image) == first else image.partition("@")[0]
    return re.sub(r":[^/:]*$", "", named)


def registry_of(image: str) -> str:
    """Name the registry of an image, as container runtimes read the name."""
    first, slash, _rest = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
