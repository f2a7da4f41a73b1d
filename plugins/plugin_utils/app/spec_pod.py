# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of containers, of hooks and of volumes."""

from __future__ import annotations

import re
from typing import Any

from .fields import Either, Field, Flag, Items, Named, Number, Quantity, Raw, Record, Text
from .spec_common import (
    ABSOLUTE,
    FOLDER,
    KEY,
    MODES,
    NAME,
    OBJECT_NAME,
    PORT_NAME,
    PORT_REFERENCE,
    VARIABLE,
    Off,
    number,
    texts,
    when,
)


def _mode(value: Any) -> Any:
    return MODES.get(value, value) if isinstance(value, str) else value


class AccessMode(Text):
    """An access mode of a volume, also by its usual short form."""

    def read(self, value: Any, path: str, problems: Any) -> Any:
        return super().read(_mode(value), path, problems)


VALUE = Record(
    {
        "value": Field(Text(loose=True, empty=True)),
        "config_map": Field(Text(pattern=OBJECT_NAME)),
        "secret": Field(Text(pattern=OBJECT_NAME)),
        "key": Field(Text(pattern=KEY)),
        "field": Field(Text()),
        "resource": Field(Text()),
        "optional": Field(Flag()),
    },
    when((str, int, float), "value"),
    "a value, or a mapping with config_map or secret and key, with field, or with resource",
    {
        "config": "config_map",
        "name": "config_map or secret",
        "value_from": "config_map, secret, field or resource here",
    },
)
ENVIRONMENT = Named(VALUE, VARIABLE)
ENV_FROM = Items(
    Record(
        {
            "config_map": Field(Text(pattern=OBJECT_NAME)),
            "secret": Field(Text(pattern=OBJECT_NAME)),
            "prefix": Field(Text()),
            "optional": Field(Flag()),
        },
        shape="a mapping with config_map or secret",
    ),
    single=True,
)
FILE = Record(
    {
        "content": Field(Text(loose=True, empty=True)),
        "src": Field(Text()),
        "template": Field(Text()),
        "base64": Field(Text(empty=True)),
    },
    when((str, int, float), "content"),
    "the content, or a mapping with content, src, template or base64",
    {"path": "src", "file": "src"},
)
PROBE = Record(
    {
        "path": Field(Text(pattern=FOLDER)),
        "command": Field(Items(Text(loose=True), least=1)),
        "tcp": Field(Flag()),
        "grpc": Field(Text(empty=True)),
        "port": Field(PORT_REFERENCE),
        "scheme": Field(Text(("HTTP", "HTTPS"))),
        "headers": Field(texts()),
        "initial_delay_seconds": Field(Number()),
        "period_seconds": Field(Number(1)),
        "timeout_seconds": Field(Number(1)),
        "success_threshold": Field(Number(1)),
        "failure_threshold": Field(Number(1)),
    },
    when(str, "path"),
    "a path such as /healthz, or a mapping",
    {"http_get": "path and port", "tcp_socket": "tcp: true and port", "exec": "command"},
)
MAYBE_PROBE = Either(Off(), PROBE, ansible="raw")
HANDLER = Record(
    {
        "command": Field(Items(Text(loose=True), least=1)),
        "path": Field(Text(pattern=FOLDER)),
        "port": Field(PORT_REFERENCE),
        "scheme": Field(Text(("HTTP", "HTTPS"))),
        "sleep": Field(Number(1)),
    },
    elsewhere={"exec": "command", "http_get": "path and port"},
)
RESOURCES = Record(
    {"requests": Field(Named(Quantity())), "limits": Field(Named(Quantity()))},
    elsewhere={name: f"requests.{name} and limits.{name}" for name in ("cpu", "memory")},
)
PORT = Record(
    {
        "port": Field(Number(1, 65535), required=True),
        "target_port": Field(Number(1, 65535)),
        "protocol": Field(Text(("TCP", "UDP", "SCTP")), "TCP"),
        "node_port": Field(Number(1, 65535)),
        "host_port": Field(Number(1, 65535)),
        "app_protocol": Field(Text()),
        "service": Field(Flag(), True),
    },
    number("port"),
    "a number, or a mapping with port and target_port",
    {"container_port": "target_port"},
)
PORTS = Named(PORT, PORT_NAME, 15)
SECURITY_FIELDS = {
    "run_as_non_root": Field(Flag()),
    "run_as_user": Field(Number()),
    "run_as_group": Field(Number()),
    "read_only_root_filesystem": Field(Flag()),
    "allow_privilege_escalation": Field(Flag(), False),
    "privileged": Field(Flag(), False),
    "capabilities": Field(
        Record({"add": Field(Items(Text()), []), "drop": Field(Items(Text()), ["ALL"])}), {"add": [], "drop": ["ALL"]}
    ),
    "seccomp": Field(Text()),
}
SECURITY = Record(SECURITY_FIELDS)
POD_SECURITY = Record(
    dict(
        SECURITY_FIELDS,
        run_as_non_root=Field(Flag()),
        seccomp=Field(Text(), "RuntimeDefault"),
        fs_group=Field(Number()),
        fs_group_change_policy=Field(Text(("OnRootMismatch", "Always"))),
        supplemental_groups=Field(Items(Number()), []),
        sysctls=Field(texts()),
    )
)
CONTAINER_FIELDS: dict[str, Field] = {
    "image": Field(Text(pattern=(re.compile(r"^\S+$"), "the name of an image"))),
    "image_pull_policy": Field(Text(("IfNotPresent", "Always", "Never"))),
    "command": Field(Items(Text(loose=True, empty=True))),
    "args": Field(Items(Text(loose=True, empty=True))),
    "working_dir": Field(Text(pattern=FOLDER)),
    "env": Field(ENVIRONMENT, {}),
    "secret_env": Field(ENVIRONMENT, {}),
    "env_from": Field(ENV_FROM, []),
    "config_files": Field(Named(FILE, ABSOLUTE, 4096), {}),
    "secret_files": Field(Named(FILE, ABSOLUTE, 4096), {}),
    "resources": Field(RESOURCES),
}
SERVING_FIELDS: dict[str, Field] = {
    "ports": Field(PORTS, {}),
    "probe": Field(MAYBE_PROBE),
    "readiness": Field(MAYBE_PROBE),
    "startup": Field(MAYBE_PROBE),
    "liveness": Field(MAYBE_PROBE),
    "pre_stop": Field(HANDLER),
    "post_start": Field(HANDLER),
}
OWN_FIELDS: dict[str, Field] = {"security": Field(SECURITY), "mounts": Field(Named(Text(pattern=FOLDER)), {})}
MISSPELT = {
    "environment": "env",
    "envs": "env",
    "secret_environment": "secret_env",
    "volume_mounts": "mounts",
    "security_context": "security",
    "limits": "resources.limits",
    "requests": "resources.requests",
    "port": "ports, with a name: {http: 8080}",
    "readiness_probe": "readiness",
    "liveness_probe": "liveness",
    "startup_probe": "startup",
    "healthcheck": "probe",
    "health_check": "probe",
}
INIT = Record(dict(CONTAINER_FIELDS, **OWN_FIELDS), elsewhere=MISSPELT)
CONTAINER = Record(dict(CONTAINER_FIELDS, **SERVING_FIELDS, **OWN_FIELDS), elsewhere=MISSPELT)
HOOK = Record(
    dict(
        CONTAINER_FIELDS,
        **OWN_FIELDS,
        after=Field(Items(Text(pattern=NAME), single=True), []),
        inherit=Field(Flag(), True),
        backoff_limit=Field(Number(), 2),
        active_deadline_seconds=Field(Number(1)),
    ),
    elsewhere=MISSPELT,
)
HOOKS = Record({"pre": Field(Named(HOOK, NAME, 40), {}), "post": Field(Named(HOOK, NAME, 40), {})})
VOLUME = Record(
    {
        "path": Field(Text(pattern=FOLDER)),
        "read_only": Field(Flag(), False),
        "sub_path": Field(Text()),
        "size": Field(Quantity()),
        "class": Field(Text(empty=True)),
        "mode": Field(AccessMode(tuple(MODES.values())), "ReadWriteOnce"),
        "volume_name": Field(Text(pattern=OBJECT_NAME)),
        "selector": Field(texts()),
        "claim": Field(Text(pattern=OBJECT_NAME)),
        "empty_dir": Field(
            Record(
                {"medium": Field(Text(("Memory",))), "size_limit": Field(Quantity())},
                lambda value: {} if value is True or value in ("true", "yes") else None,
                "true, or a mapping with medium and size_limit",
            )
        ),
        "host_path": Field(
            Record(
                {"path": Field(Text(pattern=FOLDER), required=True), "type": Field(Text())},
                when(str, "path"),
                "a path, or a mapping with path and type",
            )
        ),
        "nfs": Field(
            Record({"server": Field(Text(), required=True), "path": Field(Text(pattern=FOLDER), required=True)})
        ),
        "config_map": Field(Text(pattern=OBJECT_NAME)),
        "secret": Field(Text(pattern=OBJECT_NAME)),
        "source": Field(Raw(dict)),
    },
    elsewhere={
        "storage_class": "class",
        "storage_class_name": "class",
        "access_mode": "mode",
        "access_modes": "mode",
        "storage": "size",
        "mount_path": "path",
        "mount": "path",
    },
)
