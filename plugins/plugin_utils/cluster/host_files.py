# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a host gets packages and images from, as files of that host. Runs on the controller; pure.

Each function gives items for the option ``files`` of the module host_layer.
"""

from __future__ import annotations

import json
from typing import Any

MANAGED = "# Written by slipway.kube; changes made here are lost with the next run.\n"
CERTS = "/etc/containerd/certs.d"


def package_repository(repository: dict[str, Any], name: str, family: str) -> list[dict[str, Any]]:
    """The files of a package repository, the list of packages last.

    ``repository`` has deb_url, suite, components and key_url (rpm_url and rpm_key_url for ``family`` "rhel"), ``name`` is the base
    name of the files. deb822: https://manpages.debian.org/sources.list.5. Raises ValueError where the URL for the family is missing.
    """
    kind = "rpm" if family == "rhel" else "deb"
    url = repository.get(kind + "_url", "")
    if not url:
        raise ValueError(
            f"Repository '{name}' has no {kind}_url, which hosts of family '{family}' need. Evidence: {sorted(repository)}. Set {kind}_url."
        )
    key_url = repository.get(kind + "_key_url") or repository.get("key_url", "")
    if kind == "rpm":
        return [{"path": repository_path(name, family), "content": _yum(name, url, key_url)}]
    key = f"/etc/apt/keyrings/{name}.asc"
    suite = repository.get("suite") or "/"
    lines = ["Types: deb", f"URIs: {url}", f"Suites: {suite}"]
    if not suite.endswith("/"):
        lines.append(f"Components: {repository.get('components') or 'main'}")
    if key_url:
        lines.append(f"Signed-By: {key}")
    files: list[dict[str, Any]] = [
        {"path": repository_path(name, family), "content": MANAGED + "\n".join(lines) + "\n"}
    ]
    if key_url:
        files.insert(0, {"path": key, "url": key_url, "contains": "BEGIN PGP PUBLIC KEY BLOCK"})
    return files


def repository_path(name: str, family: str) -> str:
    """The file that lists a repository."""
    return f"/etc/yum.repos.d/{name}.repo" if family == "rhel" else f"/etc/apt/sources.list.d/{name}.sources"


def _yum(name: str, url: str, key_url: str) -> str:
    check = f"gpgcheck=1\ngpgkey={key_url}\n" if key_url else "gpgcheck=0\n"
    return f"{MANAGED}[{name}]\nname={name}\nbaseurl={url}\nenabled=1\n{check}"


def registry_mirrors(mirrors: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The files that make containerd ask mirrors: a hosts.toml per registry, and the certificates that it names.

    ``mirrors``: {registry: [{url, capabilities, override_path, ca (PEM text, or a path on the host), skip_verify, header}]}, asked
    in their order. ``server`` names the first mirror as well, so that a miss is that mirror's 404 and not upstream's DNS error.
    Source: https://github.com/containerd/containerd/blob/main/docs/hosts.md. Raises ValueError for a registry without a mirror
    and for a mirror without a url.
    """
    files: list[dict[str, Any]] = [{"path": CERTS, "state": "directory", "purge": True}]
    for registry, entries in mirrors.items():
        if not entries:
            raise ValueError(
                f"kube_registry_mirrors names registry '{registry}' with no mirror. Evidence: its list is empty. Add an entry with a url, or remove it."
            )
        for number, entry in enumerate(entries):
            if not entry.get("url"):
                raise ValueError(
                    f"kube_registry_mirrors['{registry}'][{number}] has no url. Evidence: it has {sorted(entry)}. Add the mirror's url."
                )
        folder = f"{CERTS}/{registry}"
        text = [MANAGED, f"server = {_toml(entries[0]['url'])}\n"]
        secret = False
        for number, entry in enumerate(entries):
            ca = entry.get("ca") or ""
            if ca and not ca.startswith("/"):
                path = f"{folder}/ca-{number}.crt"
                files.append({"path": path, "content": ca if ca.endswith("\n") else ca + "\n"})
                ca = path
            text.append(_host(entry, ca))
            secret = secret or bool(entry.get("header"))
        files.append({"path": f"{folder}/hosts.toml", "secret_content" if secret else "content": "".join(text)})
    return files


def _host(entry: dict[str, Any], ca: str) -> str:
    table = f"host.{_toml(entry['url'])}"
    lines = [f"\n[{table}]", f"capabilities = {_toml(list(entry.get('capabilities') or ['pull', 'resolve']))}"]
    if entry.get("override_path"):
        lines.append("override_path = true")
    if entry.get("skip_verify"):
        lines.append("skip_verify = true")
    if ca:
        lines.append(f"ca = {_toml(ca)}")
    if entry.get("header"):
        lines.append(f"\n[{table}.header]")
        lines += [f"{_toml(name)} = {_toml(value)}" for name, value in entry["header"].items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A text or a list of texts in TOML; its basic strings are JSON's."""
    return json.dumps(value)
