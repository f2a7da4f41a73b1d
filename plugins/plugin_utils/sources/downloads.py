# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download a chart from a repository or a registry.

Passwords reach helm through its standard input and through files in a folder that only this user can enter, which is deleted
afterwards; they never are arguments, which every user of the control node can read. The name of a repository's user is one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._kube.objects import mapping
from ..errors import InputError
from . import programs

# How helm knows Docker's registry in a configuration file.
DOCKER_HUB = ("docker.io", "registry-1.docker.io", "https://index.docker.io/v1/")
LOGIN, ONLY_REMOTE = ("username", "password"), ("username", "password", "ca_file", "registry_config")
NAME = "chart"  # of the repository in helm's own configuration


def is_remote(options: Mapping[str, Any]) -> bool:
    """Return whether a chart is downloaded.

    :param options: the option C(helm).
    """
    return bool(options.get("repository")) or _in_registry(options)


def problems(options: Mapping[str, Any]) -> Iterator[str]:
    """Explain which options of a download do not fit together."""
    given = [name for name in ONLY_REMOTE if options.get(name)]
    for name, address in (("chart", options["chart"]), ("repository", options.get("repository") or "")):
        if "://" in str(address) and "@" in urlsplit(str(address)).netloc:
            yield (
                f"helm.{name}: contains credentials, which other users of the control node could read among the arguments of helm. "
                "Use helm.username and helm.password."
            )
    if given and not is_remote(options):
        yield f"helm.{given[0]}: is for a chart that is downloaded. Set helm.repository, or a chart that begins with oci://."
    if len([name for name in given if name in LOGIN]) == 1:
        yield "helm.username and helm.password belong together. Set both."
    if options.get("registry_config"):
        if options.get("username"):
            yield "helm.registry_config: contains the credentials. Omit helm.username and helm.password, or omit it."
        if not _in_registry(options) and is_remote(options):
            yield "helm.registry_config: is for a chart that begins with oci://. For helm.repository, use helm.username and helm.password."


def pull(options: Mapping[str, Any], folder: str, private: str, read: Callable[[str], str]) -> str:
    """Download a chart.

    :param options: the option C(helm), without problems.
    :param folder: where its archive is put.
    :param private: an empty folder that only this user can enter, for what helm needs.
    :param read: reads a file of the control node, decrypted.
    :returns: the path of the archive.
    :raises InputError: helm is not installed or fails; the message contains its output without the credentials.
    """
    chart, trust = str(options["chart"]), []
    if options.get("ca_file"):
        trust = ["--ca-file", str(options["ca_file"])]
    flags: list[str] = []
    secrets: set[str] = set()
    what = f"helm.chart {chart}"
    program = programs.helm_program(options, chart)
    if _in_registry(options):
        flags = list(trust)
        config = _registry_config(options, read)
        if config:
            path = os.path.join(private, "registry.json")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(config)
            flags += ["--registry-config", path]
            secrets = set(_secrets_of(config))
    elif options.get("username"):
        password = str(options["password"])
        secrets = {password, _basic(options)}
        flags = ["--repository-config", os.path.join(private, "repositories.yaml")]
        flags += ["--repository-cache", os.path.join(private, "cache")]
        add = [program, "repo", "add", NAME, str(options["repository"]), *trust, *flags]
        add += ["--username", str(options["username"]), "--password-stdin"]
        programs.run(add, password.encode(), what, "helm", secrets)
        chart = f"{NAME}/{chart}"
    elif options.get("repository"):
        flags = ["--repo", str(options["repository"]), *trust]
    if options.get("version"):
        flags += ["--version", str(options["version"])]
    programs.run([program, "pull", chart, "--destination", folder, *flags], b"", what, "helm", secrets)
    return next(os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".tgz"))


def _in_registry(options: Mapping[str, Any]) -> bool:
    return str(options["chart"]).startswith("oci://")


def _basic(options: Mapping[str, Any]) -> str:
    return base64.b64encode(f"{options['username']}:{options['password']}".encode()).decode()


def _registry_config(options: Mapping[str, Any], read: Callable[[str], str]) -> str:
    """Return the configuration of registries for one download; empty for that of this user."""
    if options.get("username"):
        host = urlsplit(str(options["chart"])).netloc
        hosts = DOCKER_HUB if host in DOCKER_HUB else (host,)
        return json.dumps({"auths": {one: {"auth": _basic(options)} for one in hosts}})
    path = options.get("registry_config")
    if not path:
        return ""
    text = read(str(path))
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        # The content is not repeated: it has credentials.
        raise InputError(
            f"helm.registry_config {path}: is not the configuration of a registry client, which is JSON with the key auths "
            "(as helm registry login and docker login write it)."
        )
    return text


def _secrets_of(config: str) -> Iterator[str]:
    """Return the credentials in a configuration of registries, as a whole and their passwords."""
    for entry in mapping(json.loads(config).get("auths")).values():
        for name in ("auth", "password", "identitytoken", "registrytoken"):
            value = str(mapping(entry).get(name) or "")
            if value:
                yield value
            try:
                _user, _colon, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                continue
            if name == "auth" and password:
                yield password
