# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and annotations that mark an object as part of a release, and the identity of an object across API versions."""

from __future__ import annotations

import base64
from typing import Any, Mapping, Tuple

from .._kube.objects import BOOKKEEPING, LAST_APPLIED, RELEASE, RELEASE_NAMESPACE, Object, Reference

MANAGER = "slipway.kube"
REVISION = "slipway.kube/revision"
STATUS = "slipway.kube/status"
PART = "slipway.kube/part"
FAMILY = "slipway.kube/version-of"
FAMILY_KEPT = 5
# A CustomResourceDefinition whose objects are only written by the application itself, such as its status.
GENERATED = ("slipway.kube/objects", "generated")
KEEP = (("slipway.kube/keep", "true"), ("helm.sh/resource-policy", "keep"))

# An object that is not waited for, such as a long batch Job or a paused Deployment.
NOT_WAITED_FOR = ("slipway.kube/wait", "false")

# An object whose changes are applied when everything else is ready, such as a Service that is switched to a new version.
APPLIED_LAST = ("slipway.kube/apply", "last")

# Deleting one of these deletes data, so it has to be requested explicitly.
PRECIOUS = ("PersistentVolumeClaim", "Namespace")

Identity = Tuple[str, str, str, str]


def identity(name: Reference) -> Identity:
    """Return what identifies an object regardless of the version of its API group."""
    group = name.api_version.rpartition("/")[0]
    return (group, name.kind, name.namespace, name.name)


def key(name: Reference) -> str:
    """Return the identity as one string, for JSON."""
    return "/".join(identity(name))


def owner(live: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and namespace of the release that an object belongs to, empty if it belongs to none."""
    metadata = live.get("metadata") or {}
    return (
        (metadata.get("labels") or {}).get(RELEASE) or "",
        (metadata.get("annotations") or {}).get(RELEASE_NAMESPACE) or "",
    )


def family(content: Mapping[str, Any]) -> str:
    """Return the family of a versioned object (a ConfigMap or Secret with a hash in its name), empty if it has none."""
    return ((content.get("metadata") or {}).get("annotations") or {}).get(FAMILY) or ""


def is_applied_last(content: Mapping[str, Any]) -> bool:
    """Return whether changes of an object are applied when everything else is ready."""
    name, value = APPLIED_LAST
    return ((content.get("metadata") or {}).get("annotations") or {}).get(name) == value


def keep_requested(content: Mapping[str, Any]) -> bool:
    """Return whether an annotation requests to keep the object when its release no longer contains it."""
    annotations = (content.get("metadata") or {}).get("annotations") or {}
    return any(annotations.get(name) == value for name, value in KEEP)


def declines_waiting(content: Mapping[str, Any]) -> bool:
    """Return whether an annotation says that the object is not waited for."""
    name, value = NOT_WAITED_FOR
    return ((content.get("metadata") or {}).get("annotations") or {}).get(name) == value


def normalize(content: Object) -> Object:
    """Remove what only a server writes, which exported objects and generated CustomResourceDefinitions contain.

    The plain text of a Secret moves to C(data), where the server stores it: a key that is removed from C(stringData) would
    otherwise remain (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/).
    """
    metadata = {
        name: value
        for name, value in (content.get("metadata") or {}).items()
        if name not in BOOKKEEPING and value is not None
    }
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        metadata["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    clean = {name: value for name, value in content.items() if name != "status"}
    clean["metadata"] = metadata
    plain = clean.get("stringData")
    texts = isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values())
    if clean.get("kind") == "Secret" and clean.get("apiVersion") == "v1" and plain and texts:
        del clean["stringData"]
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        # Anything but a mapping is left for the server to refuse.
        data = clean.get("data") or {}
        clean["data"] = dict(data, **encoded) if isinstance(data, dict) else data
    return clean


def stamp(content: Object, release: str, namespace: str) -> Object:
    """Mark an object as part of a release. Selectors and pod templates are not changed.

    :raises ValueError: labels or annotations are not mappings.
    """
    metadata = dict(content.get("metadata") or {})
    for section, name, value in (("labels", RELEASE, release), ("annotations", RELEASE_NAMESPACE, namespace)):
        existing = metadata.get(section)
        if existing is not None and not isinstance(existing, dict):
            raise ValueError(f"metadata.{section} is {type(existing).__name__}, not a mapping")
        metadata[section] = dict(existing or {}, **{name: value})
    return dict(content, metadata=metadata)


def other_release(live: Mapping[str, Any], release: str, namespace: str) -> str:
    """Return which other release an object belongs to, empty if it belongs to this one or to none."""
    name, where = owner(live)
    if not name or (name, where or namespace) == (release, namespace):
        return ""
    return f"{name} in namespace {where or '(unknown)'}"


def foreign(name: Reference, live: Mapping[str, Any], release: str, namespace: str) -> str:
    """Explain that an object belongs to another release, empty if it belongs to this one or to none."""
    other = other_release(live, release, namespace)
    how = "Omit it, or move it to this release with force_conflicts: true."
    return f"{name} belongs to release {other}. {how} [slipway:object_of_other_release]" if other else ""
