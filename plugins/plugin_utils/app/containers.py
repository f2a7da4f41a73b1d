# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers: their environment, files, ports, probes, resources and rights."""

from __future__ import annotations

import re
from typing import Any, Mapping

from ...module_utils._kube.objects import Object
from .configuration import Configuration, content_of, keys_of
from .spec import Spec
from .spec_pod import SECURITY

# Kubernetes' own timeout of one second makes busy applications look dead.
READINESS = {"period_seconds": 5, "timeout_seconds": 5}
# Five minutes to start; then readiness takes over (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
STARTUP = {"period_seconds": 2, "timeout_seconds": 5, "failure_threshold": 150}
# Kubernetes replaces these in C(env) only, not in what comes from a ConfigMap or Secret.
REFERENCE = re.compile(r"\$\([-._a-zA-Z][-._a-zA-Z0-9]*\)")


def camel(name: str) -> str:
    """Spell a field as the Kubernetes API does: C(min_ready_seconds) is C(minReadySeconds)."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def present(**fields: Any) -> dict[str, Any]:
    """Give the fields that have a value, spelt as the Kubernetes API spells them."""
    return {camel(name): value for name, value in fields.items() if value is not None}


class Containers:
    """Makes the containers of one application, and the volumes that hold their files."""

    def __init__(self, spec: Spec, configuration: Configuration) -> None:
        self.spec = spec
        self.configuration = configuration
        self.volumes: list[Object] = []

    def make(self, name: str, own: Mapping[str, Any], path: str, family: str = "") -> Object:
        """Make a container.

        :param own: its fields.
        :param path: of these in the description, empty for the main container.
        :param family: what the names of its ConfigMaps and Secrets begin with.
        """
        family = family or "-".join(filter(None, (self.spec["name"], "" if not path else name)))
        container: Object = {"name": name, "image": own["image"] or self.spec["image"]}
        container.update(
            present(
                image_pull_policy=own["image_pull_policy"],
                command=own["command"],
                args=own["args"],
                working_dir=own["working_dir"],
            )
        )
        env_from, env = self.environment(own, path, family)
        if env_from:
            container["envFrom"] = env_from
        if env:
            container["env"] = env
        if own.get("ports"):
            container["ports"] = [_port(port_name, port) for port_name, port in own["ports"].items()]
        container.update(probes(own))
        if own["resources"]:
            container["resources"] = {key: value for key, value in own["resources"].items() if value}
        mounts = self.mounts(own, path, family)
        if mounts:
            container["volumeMounts"] = mounts
        container["securityContext"] = rights(own["security"], self.spec["security"], main=not path)
        return container

    def environment(self, own: Mapping[str, Any], path: str, family: str) -> tuple[list[Object], list[Object]]:
        """Give C(envFrom) and C(env) of a container; its plain values go into a ConfigMap, its secret ones into a Secret."""
        env_from: list[Object] = []
        for source in own["env_from"]:
            kind = "ConfigMap" if source["config_map"] else "Secret"
            called = self.configuration.name_of(kind, source["config_map"] or source["secret"])
            reference = dict({"name": called}, **present(optional=source["optional"]))
            env_from.append(present(prefix=source["prefix"]))
            env_from[-1]["configMapRef" if kind == "ConfigMap" else "secretRef"] = reference
        direct: list[Object] = []
        for field, kind in (("env", "ConfigMap"), ("secret_env", "Secret")):
            values: dict[str, bytes] = {}
            for name, value in own[field].items():
                text = value["value"]
                if text is not None and not (field == "env" and REFERENCE.search(text)):
                    values[name] = text.encode()
                else:
                    direct.append(dict({"name": name}, **self.source(value)))
            if values:
                made = self.configuration.add(kind, family + "-env", values, (path + "." if path else "") + field)
                env_from.append({"configMapRef" if kind == "ConfigMap" else "secretRef": {"name": made}})
        return env_from, direct

    def source(self, value: Mapping[str, Any]) -> Object:
        """Give where a variable gets its value from."""
        if value["value"] is not None:
            return {"value": value["value"]}
        if value["field"]:
            return {"valueFrom": {"fieldRef": {"fieldPath": value["field"]}}}
        if value["resource"]:
            return {"valueFrom": {"resourceFieldRef": {"resource": value["resource"]}}}
        kind = "ConfigMap" if value["config_map"] else "Secret"
        called = self.configuration.name_of(kind, value["config_map"] or value["secret"])
        reference = dict({"name": called, "key": value["key"]}, **present(optional=value["optional"]))
        return {"valueFrom": {"configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef": reference}}

    def mounts(self, own: Mapping[str, Any], path: str, family: str) -> list[Object]:
        """Give the mounts of a container: the application's volumes, then its files, each by itself."""
        found: list[Object] = []
        for name, volume in self.spec["volumes"].items():
            at = (own.get("mounts") or {}).get(name) or (volume["path"] if not path else None)
            if at:
                mount: Object = {"name": name, "mountPath": at}
                mount.update(present(read_only=volume["read_only"] or None, sub_path=volume["sub_path"]))
                found.append(mount)
        for field, kind in (("config_files", "ConfigMap"), ("secret_files", "Secret")):
            files = own[field]
            if not files:
                continue
            keys = keys_of(files)
            data = {keys[place]: content_of(entry) for place, entry in files.items()}
            made = self.configuration.add(kind, family + "-files", data, (path + "." if path else "") + field)
            volume_name = _volume_name(family, self.spec["name"], field)
            source = {"configMap": {"name": made}} if kind == "ConfigMap" else {"secret": {"secretName": made}}
            if not any(volume["name"] == volume_name for volume in self.volumes):
                self.volumes.append(dict({"name": volume_name}, **source))
            # One mount for each file hides nothing of what the image has beside it.
            found += [
                {"name": volume_name, "mountPath": place, "subPath": keys[place], "readOnly": True} for place in files
            ]
        return found


def _volume_name(family: str, name: str, field: str) -> str:
    who = family[len(name) + 1 :] if family != name else ""
    return "-".join(filter(None, (who, field.replace("_", "-"))))[:63]


def _port(name: str, port: Mapping[str, Any]) -> Object:
    made: Object = {"name": name, "containerPort": port["target_port"] or port["port"], "protocol": port["protocol"]}
    made.update(present(host_port=port["host_port"]))
    return made


def probes(own: Mapping[str, Any]) -> Object:
    """Give the probes and handlers of a container. One C(probe) stands for readiness and startup; liveness is asked for."""
    made: Object = {}
    common = own.get("probe") or None
    for name, defaults in (("startup", STARTUP), ("readiness", READINESS), ("liveness", {"timeout_seconds": 5})):
        wanted = own.get(name)
        if wanted:
            defaults = {"timeout_seconds": 5}
        elif wanted is None and common and name != "liveness":
            wanted = dict(common)
            if name == "startup":
                # How often and how long is the startup probe's own affair.
                for field in ("success_threshold", "failure_threshold", "period_seconds"):
                    wanted[field] = None
        if wanted:
            made[name + "Probe"] = _probe(wanted, defaults, own)
    handlers = {
        event: _handler(own[field], own)
        for field, event in (("pre_stop", "preStop"), ("post_start", "postStart"))
        if own.get(field)
    }
    if handlers:
        made["lifecycle"] = handlers
    return made


def _probe(probe: Mapping[str, Any], defaults: Mapping[str, Any], own: Mapping[str, Any]) -> Object:
    made = _action(probe, own)
    for field in (
        "initial_delay_seconds",
        "period_seconds",
        "timeout_seconds",
        "success_threshold",
        "failure_threshold",
    ):
        value = probe[field] if probe[field] is not None else defaults.get(field)
        if value is not None:
            made[camel(field)] = value
    return made


def _handler(handler: Mapping[str, Any], own: Mapping[str, Any]) -> Object:
    if handler["sleep"]:
        return {"sleep": {"seconds": handler["sleep"]}}
    return _action(handler, own)


def _action(wanted: Mapping[str, Any], own: Mapping[str, Any]) -> Object:
    if wanted["command"]:
        return {"exec": {"command": wanted["command"]}}
    ports = own.get("ports") or {}
    port = wanted["port"] if wanted["port"] is not None else next(iter(ports))
    if wanted["path"]:
        action: Object = {"path": wanted["path"], "port": port}
        action.update(present(scheme=wanted["scheme"]))
        headers = wanted.get("headers") or {}
        if headers:
            action["httpHeaders"] = [{"name": name, "value": value} for name, value in headers.items()]
        return {"httpGet": action}
    if wanted.get("tcp"):
        return {"tcpSocket": {"port": port}}
    # The API takes a number here, no name.
    number = ports[port]["target_port"] or ports[port]["port"] if isinstance(port, str) else port
    return {"grpc": dict({"port": number}, **({"service": wanted["grpc"]} if wanted["grpc"] else {}))}


def rights(own: Any, common: Mapping[str, Any], main: bool) -> Object:
    """Give the C(securityContext) of a container: the restricted one of the Pod Security Standards, less what was opted out of."""
    wanted = common if main else own or SECURITY.empty()
    made: Object = {}
    if wanted["privileged"]:
        return {"privileged": True}
    made["allowPrivilegeEscalation"] = wanted["allow_privilege_escalation"]
    capabilities = {key: value for key, value in wanted["capabilities"].items() if value}
    if any(name in capabilities.get("add", []) for name in ("SYS_ADMIN", "CAP_SYS_ADMIN")):
        made["allowPrivilegeEscalation"] = True  # the API refuses the two together
    if capabilities:
        made["capabilities"] = capabilities
    made.update(present(read_only_root_filesystem=wanted["read_only_root_filesystem"]))
    if own and not main:
        made.update(present(run_as_user=own["run_as_user"], run_as_group=own["run_as_group"]))
        root = own["run_as_user"] == 0
        if own["run_as_non_root"] is not None or root:
            made["runAsNonRoot"] = bool(own["run_as_non_root"]) and not root
        if own["seccomp"]:
            made["seccompProfile"] = seccomp(own["seccomp"])
    return made


def seccomp(profile: str) -> Object:
    """Give a seccomp profile: RuntimeDefault, Unconfined, or a file of the node."""
    if profile in ("RuntimeDefault", "Unconfined"):
        return {"type": profile}
    return {"type": "Localhost", "localhostProfile": profile}
