# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of one run: the module's options and the objects that came with them."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
import zlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from . import ignored, wait_rules
from .errors import ReleaseError
from .ignored import Ignored
from .ownership import MANAGER

# Both become a label's value and, with a prefix and a suffix, the name of an object
# (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

# When the hooks of a release run: with every change, and those for a rollback and for the deletion of the release.
PHASES = ("pre", "post", "pre-rollback", "post-rollback", "pre-delete", "post-delete")
# The Deployments that try a changed one before it is changed (see canary.py) come with the hooks.
CANARY = "canary"
PARTS = (*PHASES, CANARY)

# Options that are about some objects name them by these.
NAMED: dict[str, Any] = dict(kind=dict(type="str", required=True), name=dict(type="str"), namespace=dict(type="str"))
OPTIONS: dict[str, Any] = dict(
    name=dict(type="str", required=True),
    namespace=dict(type="str", default="default"),
    revision=dict(type="int"),
    create_namespace=dict(type="bool", default=False),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    force_conflicts=dict(type="bool", default=False),
    take_over=dict(type="list", elements="str", default=[]),
    replace=dict(type="str", choices=["never", "immutable"], default="never"),
    prune=dict(type="bool", default=True),
    prune_kinds=dict(type="list", elements="str", choices=["PersistentVolumeClaim", "Namespace"], default=[]),
    wait=dict(type="bool", default=True),
    timeout=dict(type="int", default=600),
    grace=dict(type="int"),
    delete_blocking_pods=dict(type="bool", default=True),
    on_failure=dict(type="str", choices=["rollback", "keep"], default="rollback"),
    wait_conditions=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(NAMED, condition=dict(type="str"), jsonpath=dict(type="str"), value=dict(type="raw")),
    ),
    wait_except=dict(type="list", elements="dict", default=[], options=NAMED),
    waves=dict(type="list", elements="dict", default=[], options=dict(NAMED, wave=dict(type="int", required=True))),
    ignore_differences=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(NAMED, fields=dict(type="list", elements="str", required=True)),
    ),
    delete_hooks=dict(type="bool", default=True),
    orphan=dict(type="bool", default=False),
    history=dict(type="int", default=10),
    lock_timeout=dict(type="int", default=120),
    pause_after=dict(type="int", default=0),
)
# Options that only the action plugins set: the packed objects and hooks, an identifier of the run over several calls, and the request
# to return only what a Helm chart may query.
INTERNAL_OPTIONS: dict[str, Any] = dict(
    _payload=dict(type="str", no_log=True),
    _run_id=dict(type="str"),
    _chart_view=dict(type="bool"),
)

# The action plugin reads the sources and passes the objects to the module; none of these values reaches a host.
SOURCE_OPTIONS: dict[str, Any] = dict(
    manifests=dict(type="list", elements="raw"),
    files=dict(type="list", elements="path"),
    templates=dict(type="list", elements="raw"),
    kustomize=dict(type="path"),
    helm=dict(
        type="dict",
        options=dict(
            chart=dict(type="str", required=True),
            release_name=dict(type="str"),
            repository=dict(type="str"),
            version=dict(type="str"),
            username=dict(type="str"),
            password=dict(type="str", no_log=True),
            registry_config=dict(type="path"),
            ca_file=dict(type="path"),
            values=dict(type="dict"),
            values_files=dict(type="list", elements="path"),
            include_crds=dict(type="bool", default=True),
            lookup=dict(type="bool", default=False),
            api_versions=dict(type="list", elements="str"),
            kube_version=dict(type="str"),
            binary_path=dict(type="path"),
        ),
    ),
)


@dataclass
class Settings:
    """The settings of one run. Times are in seconds.

    :ivar name: name of the release; empty for objects that belong to no release.
    :ivar revision: the stored revision whose objects are applied again; None if objects were passed.
    :ivar grace: for how long a problem that may pass may last; None for the default of its sort.
    :ivar ignored: fields that keep the value that the cluster has: those of the option, and those that a chart makes anew.
    :ivar manager: the field manager that owns the applied fields.
    """

    name: str
    namespace: str = "default"
    revision: int | None = None
    create_namespace: bool = False
    state: str = "present"
    force_conflicts: bool = False
    take_over: Sequence[str] = ()
    replace: str = "never"
    prune: bool = True
    prune_kinds: Sequence[str] = ()
    wait: bool = True
    timeout: int = 600
    grace: float | None = None
    delete_blocking_pods: bool = True
    on_failure: str = "rollback"
    wait_conditions: Sequence[Mapping[str, Any]] = ()
    wait_except: Sequence[Mapping[str, Any]] = ()
    waves: Sequence[Mapping[str, Any]] = ()
    ignore_differences: Sequence[Mapping[str, Any]] = ()
    delete_hooks: bool = True
    orphan: bool = False
    history: int = 10
    lock_timeout: int = 120
    pause_after: int = 0
    run_id: str = ""
    objects: list[Any] = field(default_factory=list)
    hooks: dict[str, list[Any]] = field(default_factory=dict)
    ignored: list[Ignored] = field(default_factory=list)
    manager: str = MANAGER


def release_problem(name: str) -> list[str]:
    """Explain why *name* is not valid for a release, in one sentence or none; it becomes part of the names of its Secrets."""
    if NAME.fullmatch(name):
        return []
    rule = "Use up to 53 lowercase letters, digits and '-', starting and ending with a letter or digit."
    return [f"name: {name!r} is not a valid release name. {rule}"]


def namespace_problem(name: str) -> list[str]:
    """Explain why *name* is not valid for a namespace (a DNS label, RFC 1123), in one sentence or none."""
    if NAMESPACE.fullmatch(name):
        return []
    rule = "Use up to 63 lowercase letters, digits and '-', starting and ending with a letter or digit."
    return [f"namespace: {name!r} is not a valid namespace name. {rule}"]


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Read the module's options.

    :raises ReleaseError: some are not valid; the message names each.
    """
    settings = Settings(**{name: params[name] for name in OPTIONS if params.get(name) is not None})
    settings.run_id = params.get("_run_id") or uuid.uuid4().hex
    # An empty name would select the revisions of all namespaces.
    problems = release_problem(settings.name) + namespace_problem(settings.namespace)
    if settings.history < 1:
        problems.append(
            f"history: {settings.history} is not a valid number of revisions; the deployed one is always kept. Set at least 1."
        )
    if settings.revision is not None and settings.revision < 1:
        problems.append(f"revision: {settings.revision} is not a valid revision. The first one is 1.")
    for option in ("timeout", "grace", "lock_timeout", "pause_after"):
        if (getattr(settings, option) or 0) < 0:
            problems.append(f"{option}: {getattr(settings, option)} is not a valid number of seconds. Set 0 or more.")
    problems += ignored.problems(settings.ignore_differences, "ignore_differences")
    problems += wait_rules.problems(settings.wait_conditions)
    settings.ignored = ignored.read(settings.ignore_differences)
    if params.get("_payload"):
        content = unpack(params["_payload"])
        settings.objects, settings.hooks = content["objects"], content["hooks"]
        settings.ignored += ignored.read(content["kept"])
        if settings.state == "present" and not settings.objects and settings.revision is None:
            problems.append(
                "The release would contain no objects, and all its existing objects would be deleted. "
                "Specify objects; to delete the release, set state: absent."
            )
    elif settings.state == "present" and settings.revision is None:
        problems.append(
            "No objects were specified. Specify them with manifests, files, templates, kustomize or helm; "
            "to delete the release, set state: absent."
        )
    if problems:
        raise ReleaseError("\n".join([f"{problem} [slipway:release_options]" for problem in problems]))
    return settings


def unpack(payload: str) -> dict[str, Any]:
    """Unpack what :func:`pack` returned: base64 of deflated JSON with C(objects), C(hooks) and C(kept).

    :raises ReleaseError: it is something else. The message never contains the content, which may include Secrets.
    """
    try:
        content = json.loads(zlib.decompress(base64.b64decode(payload, validate=True)))
        hooks = content.get("hooks") or {}
        if set(hooks) - set(PARTS) or not isinstance(content["objects"], list):
            raise ValueError
        listed = {when: list(hooks.get(when) or []) for when in PARTS}
        return {"objects": content["objects"], "hooks": listed, "kept": list(content.get("kept") or [])}
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        raise ReleaseError(
            "_payload: this is not the format of the action plugin. Omit this internal option, and specify objects with manifests or files."
            " [slipway:release_options]"
        ) from None


def pack(
    objects: Sequence[Mapping[str, Any]],
    hooks: Mapping[str, Sequence[Mapping[str, Any]]],
    kept: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Pack objects and hooks for the module.

    :param kept: fields that keep the value that the cluster has, as entries of the option C(ignore_differences).
    """
    content = {"objects": list(objects), "hooks": {when: list(part) for when, part in hooks.items()}}
    if kept:
        content["kept"] = list(kept)
    return base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()
