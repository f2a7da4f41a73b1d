# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the pod: containers, their environment, files and probes, volumes and resources."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._kube.quantities import amount
from .fields import join, one_of, unknown_name
from .pod import ONE_NODE
from .spec import Spec, containers_of, ports_of

SOURCES = ("size", "claim", "empty_dir", "host_path", "nfs", "config_map", "secret", "source")  # of a volume


def problems(spec: Spec) -> Iterator[str]:
    """Return what is wrong with the pod."""
    yield from _names(spec)
    for path, container in containers_of(spec):
        yield from _environment(spec, path, container)
        yield from _files(path, container)
        yield from _resources(path, container)
        yield from _probes(path, container)
        yield from _handlers(path, container)
        yield from _mounts(spec, path, container)
        security = container["security"] or {}
        if security.get("run_as_non_root") and security.get("run_as_user") == 0:
            where = join(join(path, "security"), "run_as_user")
            yield f"{where}: is 0, which is root. Set run_as_non_root: false if that is intended."
    for place in ("config_maps", "secrets"):
        for name, data in spec[place].items():
            for key, entry in data.items():
                yield from _file(f"{place}.{name}[{key}]", entry)
    yield from _volumes(spec)


def exactly_one(
    where: str, given: Mapping[str, Any], choices: Sequence[str], names: Sequence[str] = ()
) -> Iterator[str]:
    """Check that one of several fields is set (neither None nor false).

    :param names: the fields as a user writes them, where that differs.
    """
    if len(_set(given, choices)) != 1:
        yield f"{where}: requires exactly one of {one_of(names or choices)}."


def _set(given: Mapping[str, Any], choices: Sequence[str]) -> list[str]:
    return [name for name in choices if given[name] is not None and given[name] is not False]


def _names(spec: Spec) -> Iterator[str]:
    seen = {spec["name"]: "the application itself"}
    for place in ("init", "sidecars", "containers"):
        for name in spec[place]:
            if name in seen:
                yield f"{place}.{name}: the name is already used by {seen[name]}. Containers of a pod must have different names."
            seen[name] = f"{place}.{name}"
    names: set[str] = set()
    bound: dict[tuple[str, int], str] = {}
    for name, port in ports_of(spec):
        if name in names:
            yield f"ports.{name}: two containers have a port with this name."
        names.add(name)
        key = (port["protocol"], port["target_port"] or port["port"])
        if key in bound:
            # The containers of a pod share its IP address.
            yield f"ports.{name}: {key[0]} port {key[1]} of the pod is already used by {bound[key]}."
        bound[key] = name


def _environment(spec: Spec, path: str, container: Mapping[str, Any]) -> Iterator[str]:
    choices = ("value", "config_map", "secret", "field", "resource")
    for field in ("env", "secret_env"):
        for name, value in container[field].items():
            where = join(join(path, field), name)
            if field == "secret_env" and name in container["env"]:
                yield f"{where}: the variable is also set in env."
            sources = _set(value, choices)
            yield from exactly_one(where, value, choices)
            if sources not in (["config_map"], ["secret"]):
                continue
            data = spec[f"{sources[0]}s"].get(value[sources[0]])
            if value["key"] is None:
                yield f"{where}.key: is required."
            elif data is not None and value["key"] not in data:
                yield unknown_name(f"{where}.key", "key", value["key"], list(data))
    for index, source in enumerate(container["env_from"]):
        yield from exactly_one(f"{join(path, 'env_from')}[{index}]", source, ("config_map", "secret"))


def _files(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    for field in ("config_files", "secret_files"):
        for name, entry in container[field].items():
            where = join(join(path, field), name)
            if field == "secret_files" and name in container["config_files"]:
                yield f"{where}: the file is also in config_files."
            yield from _file(where, entry)


def _file(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    choices = ("content", "src", "template", "base64")
    yield from exactly_one(where, entry, choices)
    if _set(entry, choices) == ["base64"]:
        try:
            base64.b64decode("".join(entry["base64"].split()), validate=True)
        except (binascii.Error, ValueError):
            yield f"{where}.base64: is not valid base64. Use content for plain text."


def _resources(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    resources = container["resources"] or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, limit in limits.items():
        if name in requests and amount(requests[name]) > amount(limit):
            where = join(join(join(path, "resources"), "requests"), name)
            yield f"{where}: {requests[name]} is more than the limit ({limit})."


def _probes(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    choices = ("path", "command", "tcp", "grpc")
    for name in ("probe", "readiness", "startup", "liveness"):
        probe = container.get(name)
        if not probe:
            continue
        where = join(path, name)
        yield from exactly_one(where, probe, choices, ("path", "command", "tcp: true", "grpc"))
        if _set(probe, choices) == ["command"]:
            continue
        yield from _port(where, probe["port"], container)
        if probe["success_threshold"] not in (None, 1) and name in ("liveness", "startup"):
            yield f"{where}.success_threshold: must be 1 for a {name} probe."


def _handlers(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    choices = ("command", "path", "sleep")
    for name in ("pre_stop", "post_start"):
        handler = container.get(name)
        if handler:
            yield from exactly_one(join(path, name), handler, choices)
            if _set(handler, choices) == ["path"]:
                yield from _port(join(path, name), handler["port"], container)


def _port(where: str, port: Any, container: Mapping[str, Any]) -> Iterator[str]:
    ports = container.get("ports") or {}
    if port is None and not ports:
        yield f"{where}.port: is required, because the container has no ports."
    elif isinstance(port, str) and port not in ports:
        yield unknown_name(f"{where}.port", "port", port, list(ports))


def _mounts(spec: Spec, path: str, container: Mapping[str, Any]) -> Iterator[str]:
    for name in container.get("mounts") or {}:
        where = join(join(path, "mounts"), name)
        if name not in spec["volumes"]:
            yield unknown_name(where, "volume", name, list(spec["volumes"]))
        elif path.startswith("hooks.") and spec["kind"] == "StatefulSet" and spec["volumes"][name]["size"]:
            yield f"{where}: each pod of a StatefulSet has its own volume, and a hook cannot mount any of them."


def _volumes(spec: Spec) -> Iterator[str]:
    mounted = {name for _path, container in containers_of(spec) for name in container.get("mounts") or {}}
    paths: dict[str, str] = {}
    for name, volume in spec["volumes"].items():
        where, mount_path = f"volumes.{name}", volume["path"]
        yield from exactly_one(where, volume, SOURCES)
        if mount_path is None and name not in mounted:
            yield f"{where}.path: is required, because no other container mounts the volume."
        if mount_path in paths:
            yield f"{where}.path: {mount_path} is already used by volumes.{paths[mount_path]}."
        if mount_path:
            paths[mount_path] = name
        if volume["size"] is None:
            for field in ("class", "volume_name", "selector"):
                if volume[field] is not None:
                    yield f"{where}.{field}: applies only to a new claim; set size too."
        elif spec["kind"] == "DaemonSet" and volume["mode"] in ONE_NODE:
            yield (
                f"{where}.mode: the pods of a DaemonSet run on many nodes and cannot share a {volume['mode']} volume. "
                "Use ReadWriteMany, host_path or empty_dir."
            )
