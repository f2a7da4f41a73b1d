# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers: environment, files, ports, probes, resources and security context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...module_utils._kube.objects import Object
from .configuration import Configuration, content_of, keys_of
from .objects import api_fields
from .spec import Spec
from .spec_pod import SECURITY

# Kubernetes' default timeout of one second fails busy applications.
TIMEOUT = {"timeout_seconds": 5}
READINESS = {"period_seconds": 5, **TIMEOUT}
# Five minutes to start; then the readiness probe takes over (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
STARTUP = {"period_seconds": 2, **TIMEOUT, "failure_threshold": 150}
NUMBERS = ("_seconds", "_threshold")  # how the numeric fields of a probe end
# Kubernetes expands these references in C(env) only, not in values from a ConfigMap or Secret.
REFERENCE = re.compile(r"\$\([-._a-zA-Z][-._a-zA-Z0-9]*\)")


class Containers:
    """Makes the containers of an application, and the volumes for their files."""

    def __init__(self, spec: Spec, configuration: Configuration) -> None:
        self.spec = spec
        self.configuration = configuration
        self.volumes: list[Object] = []

    def make(self, name: str, fields: Mapping[str, Any], path: str, family: str = "") -> Object:
        """Return a container.

        :param fields: its description.
        :param path: its path in the description, empty for the main container.
        :param family: the prefix of the names of its ConfigMaps and Secrets.
        """
        family = family or (f"{self.spec['name']}-{name}" if path else self.spec["name"])
        container: Object = {"name": name, "image": fields["image"] or self.spec["image"]}
        container |= api_fields(fields, "image_pull_policy", "command", "args", "working_dir")
        env_from, env = self._environment(fields, path, family)
        ports = [_port(port_name, port) for port_name, port in (fields.get("ports") or {}).items()]
        container |= api_fields(env_from=env_from or None, env=env or None, ports=ports or None)
        container |= _probes(fields)
        if fields["resources"]:
            container["resources"] = {key: value for key, value in fields["resources"].items() if value}
        container |= api_fields(volume_mounts=self._mounts(fields, path, family) or None)
        container["securityContext"] = security_context(fields["security"], self.spec["security"], main=not path)
        return container

    def _environment(self, fields: Mapping[str, Any], path: str, family: str) -> tuple[list[Object], list[Object]]:
        """Return C(envFrom) and C(env); literal values go into a ConfigMap, secret ones into a Secret."""
        env_from: list[Object] = []
        for source in fields["env_from"]:
            kind, reference = self._reference(source)
            env_from.append({**api_fields(prefix=source["prefix"]), f"{kind}Ref": reference})
        env: list[Object] = []
        for field, kind in (("env", "ConfigMap"), ("secret_env", "Secret")):
            values: dict[str, bytes] = {}
            for name, value in fields[field].items():
                text = value["value"]
                if text is not None and not (field == "env" and REFERENCE.search(text)):
                    values[name] = text.encode()
                else:
                    env.append({"name": name, **self._variable(value)})
            if values:
                result = self.configuration.add(kind, f"{family}-env", values, f"{path}.{field}".lstrip("."))
                env_from.append({"configMapRef" if kind == "ConfigMap" else "secretRef": {"name": result}})
        return env_from, env

    def _reference(self, source: Mapping[str, Any]) -> tuple[str, Object]:
        """Return the prefix of the API's field (C(configMap) or C(secret)) and the reference to the object."""
        kind = "ConfigMap" if source["config_map"] else "Secret"
        name = self.configuration.name_of(kind, source["config_map"] or source["secret"])
        return "configMap" if kind == "ConfigMap" else "secret", {"name": name, **api_fields(source, "optional")}

    def _variable(self, value: Mapping[str, Any]) -> Object:
        if value["value"] is not None:
            return {"value": value["value"]}
        if value["field"]:
            return {"valueFrom": {"fieldRef": {"fieldPath": value["field"]}}}
        if value["resource"]:
            return {"valueFrom": {"resourceFieldRef": {"resource": value["resource"]}}}
        kind, reference = self._reference(value)
        return {"valueFrom": {f"{kind}KeyRef": {**reference, "key": value["key"]}}}

    def _mounts(self, fields: Mapping[str, Any], path: str, family: str) -> list[Object]:
        """Return the mounts of a container: the application's volumes, then each file by itself."""
        found: list[Object] = []
        for name, volume in self.spec["volumes"].items():
            mount_path = (fields.get("mounts") or {}).get(name) or (volume["path"] if not path else None)
            if mount_path:
                options = api_fields(read_only=volume["read_only"] or None, sub_path=volume["sub_path"])
                found.append({"name": name, "mountPath": mount_path, **options})
        for field, kind in (("config_files", "ConfigMap"), ("secret_files", "Secret")):
            files = fields[field]
            if not files:
                continue
            keys = keys_of(files)
            data = {keys[place]: content_of(entry) for place, entry in files.items()}
            result = self.configuration.add(kind, f"{family}-files", data, f"{path}.{field}".lstrip("."))
            volume_name = f"{family.removeprefix(self.spec['name'])}-{field.replace('_', '-')}".lstrip("-")[:63]
            source = {"configMap": {"name": result}} if kind == "ConfigMap" else {"secret": {"secretName": result}}
            if not any(volume["name"] == volume_name for volume in self.volumes):
                self.volumes.append({"name": volume_name, **source})
            # A mount for each file does not hide the other files of the image's folder.
            found += [
                {"name": volume_name, "mountPath": place, "subPath": keys[place], "readOnly": True} for place in files
            ]
        return found


def _port(name: str, port: Mapping[str, Any]) -> Object:
    result: Object = {"name": name, "containerPort": port["target_port"] or port["port"], "protocol": port["protocol"]}
    return result | api_fields(port, "host_port")


def _probes(fields: Mapping[str, Any]) -> Object:
    """Return the probes and handlers. C(probe) stands for readiness and startup; liveness is never implied."""
    result: Object = {}
    common = fields.get("probe") or None
    for name, defaults in (("startup", STARTUP), ("readiness", READINESS), ("liveness", TIMEOUT)):
        probe = fields.get(name)
        if probe:
            defaults = TIMEOUT
        elif probe is None and common and name != "liveness":
            probe = dict(common)
            if name == "startup":
                # The startup probe has its own period and thresholds.
                probe |= dict.fromkeys(("success_threshold", "failure_threshold", "period_seconds"))
        if probe:
            given = {field: value for field, value in probe.items() if value is not None}
            numbers = {field: value for field, value in {**defaults, **given}.items() if field.endswith(NUMBERS)}
            result[f"{name}Probe"] = _action(probe, fields) | api_fields(numbers)
    handlers = {event: _handler(fields[event], fields) for event in ("pre_stop", "post_start") if fields.get(event)}
    return result | api_fields(lifecycle=api_fields(handlers) or None)


def _handler(handler: Mapping[str, Any], fields: Mapping[str, Any]) -> Object:
    return {"sleep": {"seconds": handler["sleep"]}} if handler["sleep"] else _action(handler, fields)


def _action(probe: Mapping[str, Any], fields: Mapping[str, Any]) -> Object:
    if probe["command"]:
        return {"exec": {"command": probe["command"]}}
    ports = fields.get("ports") or {}
    port = probe["port"] if probe["port"] is not None else next(iter(ports))
    if probe["path"]:
        headers = [{"name": name, "value": value} for name, value in (probe.get("headers") or {}).items()]
        return {"httpGet": api_fields(probe, "path", "scheme", port=port, http_headers=headers or None)}
    if probe.get("tcp"):
        return {"tcpSocket": {"port": port}}
    # The API accepts a number only.
    number = ports[port]["target_port"] or ports[port]["port"] if isinstance(port, str) else port
    return {"grpc": api_fields(port=number, service=probe["grpc"] or None)}


def security_context(fields: Any, common: Mapping[str, Any], main: bool) -> Object:
    """Return the C(securityContext) of a container: that of the profile, except for what is opted out of.

    :param fields: C(security) of the container, or None.
    :param common: C(security) of the application, which applies to the main container.
    """
    applied = common if main else fields or SECURITY.empty()
    if applied["privileged"]:
        return {"privileged": True}
    result: Object = {"allowPrivilegeEscalation": applied["allow_privilege_escalation"]}
    dropped = applied["capabilities"]["drop"]
    if dropped is None:
        dropped = [] if common["profile"] == "baseline" else ["ALL"]
    capabilities = {key: value for key, value in (("add", applied["capabilities"]["add"]), ("drop", dropped)) if value}
    if any(name in capabilities.get("add", []) for name in ("SYS_ADMIN", "CAP_SYS_ADMIN")):
        result["allowPrivilegeEscalation"] = True  # the API rejects CAP_SYS_ADMIN without it
    result |= api_fields(capabilities=capabilities or None)
    result |= api_fields(applied, "read_only_root_filesystem")
    if fields and not main:
        result |= api_fields(fields, "run_as_user", "run_as_group")
        root = fields["run_as_user"] == 0
        if fields["run_as_non_root"] is not None or root:
            result["runAsNonRoot"] = bool(fields["run_as_non_root"]) and not root
        if fields["seccomp"]:
            result["seccompProfile"] = seccomp(fields["seccomp"])
    return result


def seccomp(profile: str) -> Object:
    """Return a seccomp profile: RuntimeDefault, Unconfined, or a file on the node."""
    if profile in ("RuntimeDefault", "Unconfined"):
        return {"type": profile}
    return {"type": "Localhost", "localhostProfile": profile}
