# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of containers, hooks and volumes."""

from __future__ import annotations

import re
from typing import Any

from .fields import (
    ANY_STRING,
    BOOLEAN,
    FILE_PATH,
    INTEGER,
    KEY,
    LABELS,
    MAPPING,
    NAME,
    NONEMPTY_OR_NUMBER,
    OBJECT_NAME,
    PATH,
    PORT_NAME,
    PORT_NUMBER,
    PORT_REFERENCE,
    POSITIVE,
    PROTOCOL,
    STRING,
    VARIABLE,
    AnyOf,
    Disabled,
    Field,
    ListOf,
    MapOf,
    Quantity,
    String,
    Structure,
    Type,
    each,
    port_only,
    short_for,
)

ACCESS_MODES = {"RWO": "ReadWriteOnce", "ROX": "ReadOnlyMany", "RWX": "ReadWriteMany", "RWOP": "ReadWriteOncePod"}


class AccessMode(String):
    """An access mode of a volume, in its full or its usual short form."""

    def read(self, value: Any, path: str, problems: list[str]) -> Any:
        return super().read(ACCESS_MODES.get(value, value) if isinstance(value, str) else value, path, problems)


VALUE = Structure(
    {
        "value": ANY_STRING,
        **each(OBJECT_NAME, "config_map", "secret"),
        "key": String(pattern=KEY),
        **each(STRING, "field", "resource"),
        "optional": BOOLEAN,
    },
    short_for("value", str, int, float),
    "a value, or a mapping with config_map or secret and key, with field, or with resource",
    {"config_map": "config", "config_map or secret": "name", "config_map, secret, field or resource": "value_from"},
)
ENV_FROM = Structure(
    {**each(OBJECT_NAME, "config_map", "secret"), "prefix": STRING, "optional": BOOLEAN},
    shape="a mapping with config_map or secret",
)
FILE = Structure(
    {"content": ANY_STRING, **each(STRING, "src", "template"), "base64": String(empty=True)},
    short_for("content", str, int, float),
    "the content, or a mapping with content, src, template or base64",
    {"src": "path file"},
)
COMMAND, SCHEME = ListOf(NONEMPTY_OR_NUMBER, least=1), String(("HTTP", "HTTPS"))
PROBE = Structure(
    {
        "path": PATH,
        "command": COMMAND,
        "tcp": BOOLEAN,
        "grpc": String(empty=True),
        "port": PORT_REFERENCE,
        "scheme": SCHEME,
        "headers": LABELS,
        "initial_delay_seconds": INTEGER,
        **each(POSITIVE, "period_seconds", "timeout_seconds", "success_threshold", "failure_threshold"),
    },
    short_for("path", str),
    "a path such as /healthz, or a mapping",
    {"path and port": "http_get", "tcp: true and port": "tcp_socket", "command": "exec"},
)
HANDLER = Structure(
    {"command": COMMAND, "path": PATH, "port": PORT_REFERENCE, "scheme": SCHEME, "sleep": POSITIVE},
    instead_of={"command": "exec", "path and port": "http_get"},
)
RESOURCES = Structure(
    each(MapOf(Quantity()), "requests", "limits"),
    instead_of={f"requests.{name} and limits.{name}": name for name in ("cpu", "memory")},
)
PORT = Structure(
    {
        "port": Field(PORT_NUMBER, required=True),
        "target_port": PORT_NUMBER,
        "protocol": Field(PROTOCOL, "TCP"),
        **each(PORT_NUMBER, "node_port", "host_port"),
        "app_protocol": STRING,
        "service": Field(BOOLEAN, True),
    },
    port_only,
    "a number, or a mapping with port and target_port",
    {"target_port": "container_port"},
)
SECURITY_FIELDS: dict[str, Field | Type] = {
    "run_as_non_root": BOOLEAN,
    **each(INTEGER, "run_as_user", "run_as_group"),
    "read_only_root_filesystem": BOOLEAN,
    "allow_privilege_escalation": Field(BOOLEAN, False),
    "privileged": Field(BOOLEAN, False),
    "capabilities": Field(
        Structure({"add": Field(ListOf(STRING), []), "drop": ListOf(STRING)}),
        {"add": [], "drop": None},
    ),
    "seccomp": STRING,
}
SECURITY = Structure(SECURITY_FIELDS)
POD_SECURITY = Structure(
    {
        "profile": Field(String(("restricted", "baseline")), "restricted"),
        **SECURITY_FIELDS,
        "seccomp": Field(STRING, "RuntimeDefault"),
        "fs_group": INTEGER,
        "fs_group_change_policy": String(("OnRootMismatch", "Always")),
        "supplemental_groups": Field(ListOf(INTEGER), []),
        "sysctls": LABELS,
    }
)
ENVIRONMENT = Field(MapOf(VALUE, VARIABLE), {})
FILES = Field(MapOf(FILE, FILE_PATH, 4096), {})
CONTAINER_FIELDS: dict[str, Field | Type] = {
    "image": String(pattern=(re.compile(r"^\S+$"), "image name")),
    "image_pull_policy": String(("IfNotPresent", "Always", "Never")),
    **each(ListOf(ANY_STRING), "command", "args"),
    "working_dir": PATH,
    "env": ENVIRONMENT,
    "secret_env": ENVIRONMENT,
    "env_from": Field(ListOf(ENV_FROM, single=True), []),
    "config_files": FILES,
    "secret_files": FILES,
    "resources": RESOURCES,
}
SERVING_FIELDS: dict[str, Field | Type] = {
    "ports": Field(MapOf(PORT, PORT_NAME, 15), {}),
    **each(AnyOf(Disabled(), PROBE), "probe", "readiness", "startup", "liveness"),
    **each(HANDLER, "pre_stop", "post_start"),
}
OWN_FIELDS: dict[str, Field | Type] = {"security": SECURITY, "mounts": Field(MapOf(PATH), {})}
MISSPELT = {
    "env": "environment envs",
    "secret_env": "secret_environment",
    "mounts": "volume_mounts",
    "security": "security_context",
    "resources.limits": "limits",
    "resources.requests": "requests",
    "ports, with a name: {http: 8080}": "port",
    "readiness": "readiness_probe",
    "liveness": "liveness_probe",
    "startup": "startup_probe",
    "probe": "healthcheck health_check",
}
INIT = Structure({**CONTAINER_FIELDS, **OWN_FIELDS}, instead_of=MISSPELT)
CONTAINER = Structure({**CONTAINER_FIELDS, **SERVING_FIELDS, **OWN_FIELDS}, instead_of=MISSPELT)
HOOK = Structure(
    {
        **CONTAINER_FIELDS,
        **OWN_FIELDS,
        "after": Field(ListOf(String(pattern=NAME), single=True), []),
        "inherit": Field(BOOLEAN, True),
        "backoff_limit": Field(INTEGER, 2),
        "active_deadline_seconds": POSITIVE,
    },
    instead_of=MISSPELT,
)
VOLUME = Structure(
    {
        "path": PATH,
        "read_only": Field(BOOLEAN, False),
        "sub_path": STRING,
        "size": Quantity(),
        "class": String(empty=True),
        "mode": Field(AccessMode(tuple(ACCESS_MODES.values())), "ReadWriteOnce"),
        "volume_name": OBJECT_NAME,
        "selector": LABELS,
        "claim": OBJECT_NAME,
        "empty_dir": Structure(
            {"medium": String(("Memory",)), "size_limit": Quantity()},
            lambda value: {} if value is True or value in ("true", "yes") else None,
            "true, or a mapping with medium and size_limit",
        ),
        "host_path": Structure(
            {"path": Field(PATH, required=True), "type": STRING},
            short_for("path", str),
            "a path, or a mapping with path and type",
        ),
        "nfs": Structure({"server": Field(STRING, required=True), "path": Field(PATH, required=True)}),
        **each(OBJECT_NAME, "config_map", "secret"),
        "source": MAPPING,
    },
    instead_of={
        "class": "storage_class storage_class_name",
        "mode": "access_mode access_modes",
        "size": "storage",
        "path": "mount_path mount",
    },
)
