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

    def make(self, name: str, own: Mapping[str, Any], path: str, family: str = "") -> Object:
        """Return a container.

        :param own: its fields.
        :param path: its path in the description, empty for the main container.
        :param family: the prefix of the names of its ConfigMaps and Secrets.
        """
        family = family or (f"{self.spec['name']}-{name}" if path else self.spec["name"])
        container: Object = {"name": name, "image": own["image"] or self.spec["image"]}
        container |= api_fields(own, "image_pull_policy", "command", "args", "working_dir")
        env_from, env = self._environment(own, path, family)
        ports = [_port(port_name, port) for port_name, port in (own.get("ports") or {}).items()]
        container |= api_fields(env_from=env_from or None, env=env or None, ports=ports or None)
        container |= _probes(own)
        if own["resources"]:
            container["resources"] = {key: value for key, value in own["resources"].items() if value}
        container |= api_fields(volume_mounts=self._mounts(own, path, family) or None)
        container["securityContext"] = security_context(own["security"], self.spec["security"], main=not path)
        return container

    def _environment(self, own: Mapping[str, Any], path: str, family: str) -> tuple[list[Object], list[Object]]:
        """Return C(envFrom) and C(env); literal values go into a ConfigMap, secret ones into a Secret."""
        env_from: list[Object] = []
        for source in own["env_from"]:
            kind, reference = self._reference(source)
            env_from.append({**api_fields(prefix=source["prefix"]), f"{kind}Ref": reference})
        env: list[Object] = []
        for field, kind in (("env", "ConfigMap"), ("secret_env", "Secret")):
            values: dict[str, bytes] = {}
            for name, value in own[field].items():
                text = value["value"]
                if text is not None and not (field == "env" and REFERENCE.search(text)):
                    values[name] = text.encode()
                else:
                    env.append({"name": name, **self._variable(value)})
            if values:
                made = self.configuration.add(kind, f"{family}-env", values, f"{path}.{field}".lstrip("."))
                env_from.append({"configMapRef" if kind == "ConfigMap" else "secretRef": {"name": made}})
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

    def _mounts(self, own: Mapping[str, Any], path: str, family: str) -> list[Object]:
        """Return the mounts of a container: the application's volumes, then each file by itself."""
        found: list[Object] = []
        for name, volume in self.spec["volumes"].items():
            mount_path = (own.get("mounts") or {}).get(name) or (volume["path"] if not path else None)
            if mount_path:
                options = api_fields(read_only=volume["read_only"] or None, sub_path=volume["sub_path"])
                found.append({"name": name, "mountPath": mount_path, **options})
        for field, kind in (("config_files", "ConfigMap"), ("secret_files", "Secret")):
            files = own[field]
            if not files:
                continue
            keys = keys_of(files)
            data = {keys[place]: content_of(entry) for place, entry in files.items()}
            made = self.configuration.add(kind, f"{family}-files", data, f"{path}.{field}".lstrip("."))
            volume_name = f"{family.removeprefix(self.spec['name'])}-{field.replace('_', '-')}".lstrip("-")[:63]
            source = {"configMap": {"name": made}} if kind == "ConfigMap" else {"secret": {"secretName": made}}
            if not any(volume["name"] == volume_name for volume in self.volumes):
                self.volumes.append({"name": volume_name, **source})
            # A mount for each file does not hide the other files of the image's folder.
            found += [
                {"name": volume_name, "mountPath": place, "subPath": keys[place], "readOnly": True} for place in files
            ]
        return found


def _port(name: str, port: Mapping[str, Any]) -> Object:
    made: Object = {"name": name, "containerPort": port["target_port"] or port["port"], "protocol": port["protocol"]}
    return made | api_fields(port, "host_port")


def _probes(own: Mapping[str, Any]) -> Object:
    """Return the probes and handlers. C(probe) stands for readiness and startup; liveness is never implied."""
    made: Object = {}
    common = own.get("probe") or None
    for name, defaults in (("startup", STARTUP), ("readiness", READINESS), ("liveness", TIMEOUT)):
        probe = own.get(name)
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
            made[f"{name}Probe"] = _action(probe, own) | api_fields(numbers)
    handlers = {event: _handler(own[event], own) for event in ("pre_stop", "post_start") if own.get(event)}
    return made | api_fields(lifecycle=api_fields(handlers) or None)


def _handler(handler: Mapping[str, Any], own: Mapping[str, Any]) -> Object:
    return {"sleep": {"seconds": handler["sleep"]}} if handler["sleep"] else _action(handler, own)


def _action(probe: Mapping[str, Any], own: Mapping[str, Any]) -> Object:
    if probe["command"]:
        return {"exec": {"command": probe["command"]}}
    ports = own.get("ports") or {}
    port = probe["port"] if probe["port"] is not None else next(iter(ports))
    if probe["path"]:
        headers = [{"name": name, "value": value} for name, value in (probe.get("headers") or {}).items()]
        return {"httpGet": api_fields(probe, "path", "scheme", port=port, http_headers=headers or None)}
    if probe.get("tcp"):
        return {"tcpSocket": {"port": port}}
    # The API accepts a number only.
    number = ports[port]["target_port"] or ports[port]["port"] if isinstance(port, str) else port
    return {"grpc": api_fields(port=number, service=probe["grpc"] or None)}


def security_context(own: Any, common: Mapping[str, Any], main: bool) -> Object:
    """Return the C(securityContext) of a container: the restricted Pod Security Standard, except for what is opted out of.

    :param own: the container's own fields, or None.
    :param common: those of the application, which apply to the main container.
    """
    fields = common if main else own or SECURITY.empty()
    if fields["privileged"]:
        return {"privileged": True}
    made: Object = {"allowPrivilegeEscalation": fields["allow_privilege_escalation"]}
    capabilities = {key: value for key, value in fields["capabilities"].items() if value}
    if any(name in capabilities.get("add", []) for name in ("SYS_ADMIN", "CAP_SYS_ADMIN")):
        made["allowPrivilegeEscalation"] = True  # the API rejects CAP_SYS_ADMIN without it
    made |= api_fields(capabilities=capabilities or None)
    made |= api_fields(fields, "read_only_root_filesystem")
    if own and not main:
        made |= api_fields(own, "run_as_user", "run_as_group")
        root = own["run_as_user"] == 0
        if own["run_as_non_root"] is not None or root:
            made["runAsNonRoot"] = bool(own["run_as_non_root"]) and not root
        if own["seccomp"]:
            made["seccompProfile"] = seccomp(own["seccomp"])
    return made


def seccomp(profile: str) -> Object:
    """Return a seccomp profile: RuntimeDefault, Unconfined, or a file on the node."""
    if profile in ("RuntimeDefault", "Unconfined"):
        return {"type": profile}
    return {"type": "Localhost", "localhostProfile": profile}
