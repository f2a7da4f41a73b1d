# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals of a dry run that this release itself resolves, because what an object needs comes with it: such objects are validated
against the schema instead."""

from __future__ import annotations

import re
from typing import Any, Collection, Mapping, Sequence

from .._kube.api import ApiError
from .._kube.objects import Kinds, Object, mapping, reference

WEBHOOK_FAILED = "failed calling webhook"
# How the API server words a field that it does not know, and one that it cannot merge.
UNKNOWN_FIELD = ("unknown field", "not declared in schema")
# https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#side-effects
NO_DRY_RUN = "does not support dry run"
SERVICE_OF = re.compile(r'failed calling webhook .*Post "https://(?P<name>[^./]+)\.(?P<namespace>[^./]+)\.svc[:/.]')


def webhook_service(message: str) -> tuple[str, str]:
    """Return namespace and name of the Service behind the webhook that did not respond, both empty for other messages."""
    found = SERVICE_OF.search(message)
    return (found["namespace"], found["name"]) if found else ("", "")


def services(contents: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return namespace and name of the Services among some objects."""
    names = [reference(content) for content in contents if content.get("kind") == "Service"]
    return {(name.namespace, name.name) for name in names}


def excuse(error: ApiError, content: Object, release: Sequence[Object], changing: Collection[tuple[str, str]]) -> str:
    """Return why a refusal of a dry run says nothing about the run, empty if the run would be refused as well.

    :param release: all objects of the release.
    :param changing: API version and kind of custom resources whose definition this run changes.
    """
    name = reference(content)
    if (name.api_version, name.kind) in changing and (error.status in (404, 422) or _is_unknown_field(error)):
        return "its CustomResourceDefinition changes with this release"
    if NO_DRY_RUN in error.message:
        return f"an admission webhook {NO_DRY_RUN}"
    if WEBHOOK_FAILED in error.message and webhook_service(error.message) in services(release):
        return "the admission webhook that checks it does not respond, and its Service is part of this release"
    if name.kind in ("RoleBinding", "ClusterRoleBinding") and error.status in (403, 404):
        role = mapping(content.get("roleRef"))
        space = name.namespace if role.get("kind") == "Role" else ""
        wanted = (role.get("kind"), space, role.get("name"))
        if wanted in {(one.kind, one.namespace, one.name) for one in map(reference, release)}:
            return f"its {role.get('kind')} {role.get('name')} is part of this release"
    return ""


def _is_unknown_field(error: ApiError) -> bool:
    return any(words in error.message for words in UNKNOWN_FIELD)


def may_learn(error: ApiError, content: Object, changing: Kinds) -> bool:
    """Return whether the API server may not have read the changed definition of a custom resource yet."""
    name = reference(content)
    return (name.api_version, name.kind) in changing and _is_unknown_field(error)


def overlaid(below: Any, above: Any) -> Any:
    """Predict the content after an apply that the server cannot predict: mappings are merged, anything else is replaced."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: overlaid(below.get(key), value) for key, value in above.items()}}
    return above
