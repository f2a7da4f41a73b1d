# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod's part of the checks: containers, their environment, files and probes, volumes, resources."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Iterator, Mapping, Sequence

from ...module_utils._kube.quantities import amount
from .fields import join, nearest, one_of
from .spec import Spec

# Sources of a volume; the word that a user writes for each.
SOURCES = ("size", "claim", "empty_dir", "host_path", "nfs", "config_map", "secret", "source")
WRITTEN_BY_ONE = ("ReadWriteOnce", "ReadWriteOncePod")
EXTRA = ("init", "sidecars", "containers")
PROBES = ("probe", "readiness", "startup", "liveness")


def ports_of(spec: Spec) -> list[tuple[str, dict[str, Any]]]:
    """List the ports of all containers of an application by name, those of the main one first."""
    found = list(spec["ports"].items())
    for place in ("sidecars", "containers"):
        for container in spec[place].values():
            found += container["ports"].items()
    return found


def containers_of(spec: Spec) -> list[tuple[str, dict[str, Any]]]:
    """List every container with its path in the description, the main one first with an empty path."""
    found: list[tuple[str, dict[str, Any]]] = [("", spec)]
    for place in EXTRA:
        found += [(f"{place}.{name}", container) for name, container in spec[place].items()]
    for phase in ("pre", "post"):
        found += [(f"hooks.{phase}.{name}", hook) for name, hook in spec["hooks"][phase].items()]
    return found


def problems(spec: Spec) -> list[str]:
    """Tell what is wrong with the pod."""
    found: list[str] = []
    found += _names(spec)
    for path, container in containers_of(spec):
        found += _environment(spec, path, container)
        found += _files(path, container)
        found += _resources(path, container)
        found += _probes(path, container)
        found += _security(path, container["security"])
        for name in container.get("mounts") or {}:
            if name not in spec["volumes"]:
                found.append(_lost(join(join(path, "mounts"), name), "volume", name, list(spec["volumes"])))
            elif path.startswith("hooks.") and spec["kind"] == "StatefulSet" and spec["volumes"][name]["size"]:
                where = join(join(path, "mounts"), name)
                found.append(f"{where}: each pod of a StatefulSet has a volume of its own, a hook has none of them.")
    for place in ("config_maps", "secrets"):
        for name, data in spec[place].items():
            for key, entry in data.items():
                found += _file(f"{place}.{name}[{key}]", entry)
    found += _volumes(spec)
    return found


def _names(spec: Spec) -> Iterator[str]:
    seen = {spec["name"]: "name"}
    for place in EXTRA:
        for name in spec[place]:
            if name in seen:
                yield "{}.{}: the name is taken by {}; a pod's containers have different names.".format(
                    place,
                    name,
                    seen[name] if "." in seen[name] else "the application itself",
                )
            seen[name] = f"{place}.{name}"
    used: dict[str, int] = {}
    bound: dict[tuple[str, int], str] = {}
    for name, port in ports_of(spec):
        if name in used:
            yield f"ports.{name}: two containers have a port of this name."
        used[name] = 1
        key = (port["protocol"], port["target_port"] or port["port"])
        if key in bound:
            # Containers of a pod share its address.
            yield "ports.%s: %s port %d of the pod is taken by %s." % (name, key[0], key[1], bound[key])
        bound[key] = name


def _environment(spec: Spec, path: str, container: Mapping[str, Any]) -> Iterator[str]:
    for field in ("env", "secret_env"):
        for name, value in container[field].items():
            where = join(join(path, field), name)
            if field == "secret_env" and name in container["env"]:
                yield f"{where}: env has this variable too."
            sources = [key for key in ("value", "config_map", "secret", "field", "resource") if value[key] is not None]
            if len(sources) != 1:
                yield "{}: takes {}, exactly one of these.".format(
                    where,
                    one_of(("a value", "config_map", "secret", "field", "resource")),
                )
                continue
            if sources[0] not in ("config_map", "secret"):
                continue
            place = "config_maps" if sources[0] == "config_map" else "secrets"
            own = spec[place].get(value[sources[0]])
            if value["key"] is None:
                yield f"{where}.key: is required."
            elif own is not None and value["key"] not in own:
                yield _lost(f"{where}.key", "key", value["key"], list(own))
    for number, source in enumerate(container["env_from"]):
        if bool(source["config_map"]) == bool(source["secret"]):
            yield f"{join(path, 'env_from')}[{number}]: takes config_map or secret."


def _files(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    for field in ("config_files", "secret_files"):
        for name, entry in container[field].items():
            where = join(join(path, field), name)
            if field == "secret_files" and name in container["config_files"]:
                yield f"{where}: config_files has this file too."
            yield from _file(where, entry)


def _file(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    given = [name for name in ("content", "src", "template", "base64") if entry[name] is not None]
    if len(given) != 1:
        yield f"{where}: takes {one_of(('content', 'src', 'template', 'base64'))}, exactly one of these."
    elif given == ["base64"]:
        try:
            base64.b64decode("".join(entry["base64"].split()), validate=True)
        except (binascii.Error, ValueError):
            yield f"{where}.base64: is not base64; write plain text as content."


def _resources(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    resources = container["resources"] or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, limit in limits.items():
        if name in requests and amount(requests[name]) > amount(limit):
            where = join(join(join(path, "resources"), "requests"), name)
            yield f"{where}: is {requests[name]}, more than the limit ({limit})."


def _probes(path: str, container: Mapping[str, Any]) -> Iterator[str]:
    for name in PROBES:
        probe = container.get(name)
        if not probe:
            continue
        where = join(path, name)
        given = [way for way in ("path", "command", "tcp", "grpc") if probe[way] not in (None, False)]
        if len(given) != 1:
            yield f"{where}: takes {one_of(('path', 'command', 'tcp: true', 'grpc'))}, exactly one of these."
        if given == ["command"]:
            continue
        yield from _port(where, probe["port"], container, "grpc" in given)
        if probe["success_threshold"] not in (None, 1) and name in ("liveness", "startup"):
            yield f"{where}.success_threshold: takes 1 for a {name} probe."
    for name in ("pre_stop", "post_start"):
        handler = container.get(name)
        if not handler:
            continue
        where = join(path, name)
        given = [way for way in ("path", "command", "sleep") if handler[way] is not None]
        if len(given) != 1:
            yield f"{where}: takes {one_of(('command', 'path', 'sleep'))}, exactly one of these."
        elif given == ["path"]:
            yield from _port(where, handler["port"], container, False)


def _port(where: str, port: Any, container: Mapping[str, Any], number_only: bool) -> Iterator[str]:
    ports = container.get("ports") or {}
    if port is None and not ports:
        yield f"{where}.port: is required, because the container has no ports of its own."
    elif isinstance(port, str) and port not in ports:
        yield _lost(f"{where}.port", "port", port, list(ports))


def _security(path: str, security: Any) -> Iterator[str]:
    if not security:
        return
    where = join(path, "security")
    if security["run_as_non_root"] and security["run_as_user"] == 0:
        yield f"{where}.run_as_user: is 0, which is root; set run_as_non_root: false where that is meant."


def _volumes(spec: Spec) -> Iterator[str]:
    mounted: dict[str, list[str]] = {}
    for path, container in containers_of(spec):
        for name in container.get("mounts") or {}:
            mounted.setdefault(name, []).append(path)
    paths: dict[str, str] = {}
    for name, volume in spec["volumes"].items():
        where = f"volumes.{name}"
        given = [source for source in SOURCES if volume[source] is not None]
        if len(given) != 1:
            yield f"{where}: takes {one_of(SOURCES)}, exactly one of these."
        if volume["path"] is None and name not in mounted:
            yield f"{where}.path: is required, or no container uses the volume."
        if volume["path"] in paths:
            yield f"{where}.path: {volume['path']} is the path of volumes.{paths[volume['path']]}."
        if volume["path"]:
            paths[volume["path"]] = name
        if "size" in given:
            yield from _claim(spec, where, volume)
            continue
        for field in ("class", "volume_name", "selector"):
            if volume[field] is not None:
                yield f"{where}.{field}: belongs to a claim of one's own; add size."


def _claim(spec: Spec, where: str, volume: Mapping[str, Any]) -> Iterator[str]:
    if spec["kind"] == "DaemonSet" and volume["mode"] in WRITTEN_BY_ONE:
        yield "{}.mode: a DaemonSet's pods run on many nodes and cannot share a {} volume; use {}.".format(
            where,
            volume["mode"],
            one_of(("ReadWriteMany", "host_path", "empty_dir")),
        )


def _lost(where: str, what: str, name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    hint = f" Did you mean {near}?" if near else ""
    return f"{where}: there is no {what} {name}; there are {', '.join(known) or 'none'}.{hint}"
