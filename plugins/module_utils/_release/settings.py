# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asked of a release: the module's options and the objects that came with them, as one value."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
import zlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .errors import ReleaseError

# A label's value and, with what is put around it, the name of an object
# (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

OPTIONS: dict[str, Any] = dict(
    name=dict(type="str", required=True),
    namespace=dict(type="str", default="default"),
    create_namespace=dict(type="bool", default=False),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    payload=dict(type="str", no_log=True),
    force_conflicts=dict(type="bool", default=False),
    take_over=dict(type="list", elements="str", default=[]),
    replace=dict(type="str", choices=["never", "immutable"], default="never"),
    prune=dict(type="bool", default=True),
    prune_kinds=dict(type="list", elements="str", choices=["PersistentVolumeClaim", "Namespace"], default=[]),
    wait=dict(type="bool", default=True),
    timeout=dict(type="int", default=600),
    on_failure=dict(type="str", choices=["rollback", "keep"], default="rollback"),
    history=dict(type="int", default=10),
    lock_timeout=dict(type="int", default=120),
    pause_after=dict(type="int", default=0),
    run_id=dict(type="str"),
    chart_view=dict(type="bool", default=False),
)
# These are not what is asked of the release, but how the action plugin speaks with the module.
SPOKEN = ("payload", "chart_view")


@dataclass
class Settings:
    """The options of one run. Times are in seconds."""

    name: str
    namespace: str = "default"
    create_namespace: bool = False
    state: str = "present"
    force_conflicts: bool = False
    take_over: Sequence[str] = ()
    replace: str = "never"
    prune: bool = True
    prune_kinds: Sequence[str] = ()
    wait: bool = True
    timeout: int = 600
    on_failure: str = "rollback"
    history: int = 10
    lock_timeout: int = 120
    pause_after: int = 0
    run_id: str = ""
    objects: list[Any] = field(default_factory=list)
    hooks: dict[str, list[Any]] = field(default_factory=dict)


def release_problem(name: str) -> list[str]:
    """Tell what keeps *name* from being a release's, in no sentence or one; it becomes part of its records' names."""
    if NAME.fullmatch(name):
        return []
    rule = "Use up to 53 lower-case letters, digits and '-', with a letter or digit at both ends."
    return [f"name: {name!r} is no name of a release. {rule}"]


def namespace_problem(name: str) -> list[str]:
    """Tell what keeps *name* from being a namespace's (a DNS label, RFC 1123), in no sentence or one."""
    if NAMESPACE.fullmatch(name):
        return []
    rule = "Use up to 63 lower-case letters, digits and '-', with a letter or digit at both ends."
    return [f"namespace: {name!r} is no name of a namespace. {rule}"]


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Read the module's options.

    :raises ReleaseError: some are not valid; each is named.
    """
    known = {name: params[name] for name in OPTIONS if name not in SPOKEN and params.get(name) is not None}
    settings = Settings(**known)
    settings.run_id = settings.run_id or uuid.uuid4().hex
    # Without a name, the records of all namespaces would be meant.
    problems = release_problem(settings.name) + namespace_problem(settings.namespace)
    if settings.history < 1:
        problems.append(
            "history: %d revisions cannot be kept; the one that runs is always kept. Give at least 1."
            % settings.history
        )
    for option in ("timeout", "lock_timeout", "pause_after"):
        if getattr(settings, option) < 0:
            problems.append("%s: %d seconds is no time. Give 0 or more." % (option, getattr(settings, option)))
    if params.get("payload"):
        content = unpack(params["payload"])
        settings.objects, settings.hooks = content["objects"], content["hooks"]
        if settings.state == "present" and not settings.objects:
            problems.append(
                "The release would hold no object, and all that it has would be deleted. Give objects; to take it away, say state: absent."
            )
    elif settings.state == "present":
        problems.append(
            "No objects came with the call. Give them with manifests, files, templates, kustomize or helm; "
            "to take the release away, say state: absent."
        )
    if problems:
        raise ReleaseError("\n".join(problems))
    return settings


def unpack(payload: str) -> dict[str, Any]:
    """Open what the action plugin packed: base64 of deflated JSON with C(objects) and C(hooks).

    :raises ReleaseError: it is something else. The content is never repeated: it may hold Secrets.
    """
    try:
        content = json.loads(zlib.decompress(base64.b64decode(payload, validate=True)))
        hooks = content.get("hooks") or {}
        if set(hooks) - {"pre", "post"} or not isinstance(content["objects"], list):
            raise ValueError
        return {"objects": content["objects"], "hooks": {when: list(hooks.get(when) or []) for when in ("pre", "post")}}
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        raise ReleaseError(
            "payload: this is not what the action plugin packs. Leave the option out, and give the objects with manifests or files."
        ) from None


def pack(objects: Sequence[Mapping[str, Any]], hooks: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Pack objects and hooks as the action plugin does."""
    content = json.dumps({"objects": list(objects), "hooks": {when: list(part) for when, part in hooks.items()}})
    return base64.b64encode(zlib.compress(content.encode())).decode()
