# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the package repositories: that a host reaches them, that they have the packages, and how the host is configured with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...module_utils._host.facts.reachability import key_of
from ...module_utils._kube.versions import parse_version
from .problem import Checks, Finding, Host

CHECKS = Checks()


@dataclass(frozen=True)
class Repository:
    """A package repository that the roles add to a host.

    :param variable: its name, kube_NAME_repository; its files on a host are called slipway-NAME.
    :param values: value of that variable.
    :param packages: packages that come from it.
    :param version: version of these packages.
    """

    variable: str
    values: dict[str, Any]
    packages: list[str]
    version: str

    def key(self, facts: dict[str, Any]) -> str:
        """Return the key of the repository's URL for a host's package manager."""
        return "rpm_url" if facts["os"]["family"] == "rhel" else "deb_url"

    def url(self, facts: dict[str, Any]) -> str:
        """Return the repository's URL for a host; empty if it has none."""
        return str(self.values.get(self.key(facts)) or "")

    def key_url(self, facts: dict[str, Any]) -> str:
        """Return the URL of the key with which the role verifies the repository on a host; empty if it verifies nothing."""
        own = str(self.values.get(self.key(facts).replace("_url", "_key_url")) or self.values.get("key_url") or "")
        return "" if self.entries(facts) else own

    def place(self, facts: dict[str, Any]) -> str:
        """Return the key of the repository in ``reach``."""
        kind = "rpm" if facts["os"]["family"] == "rhel" else "deb"
        return key_of({"url": self.url(facts), "kind": kind, "suite": self.suite})

    @property
    def suite(self) -> str:
        """The suite of the apt repository."""
        return str(self.values.get("suite") or "/")

    @property
    def components(self) -> list[str]:
        """The components of the apt repository; none if it is flat."""
        return [] if self.suite.endswith("/") else str(self.values.get("components") or "main").split()

    def entries(self, facts: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the host's own entries for this repository, which the role then uses (package-repository.yml.j2)."""
        return [
            entry
            for entry in facts["repositories"]
            if (entry["url"], entry["suite"]) == (self.url(facts).rstrip("/"), self.suite)
            and not entry["path"].startswith("/etc/apt/sources.list.d/slipway-")
        ]

    def requests(self, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the requests for the repository's index and its key."""
        url, key_url, family = self.url(facts), self.key_url(facts), facts["os"]["family"]
        if url and family == "rhel":
            yield {"url": url, "kind": "rpm", "packages": self.packages}
        elif url and family == "debian":
            yield {
                "url": url,
                "kind": "deb",
                "suite": self.suite,
                "components": self.components,
                "packages": self.packages,
                "key_url": key_url,
            }
        if url and key_url:
            yield {"url": key_url, "kind": "http"}


def repositories_of(variables: dict[str, Any]) -> list[Repository]:
    """Return both repositories, from the values of the collection's variables on a host, and those of the versions that an upgrade goes through.

    :param variables: also has ``between``, the values that differ with each of these versions.
    """
    kubernetes = variables.get("kube_kubernetes_repository") or {}
    containerd = variables.get("kube_containerd_repository") or {}
    package = str(variables.get("containerd_package") or "containerd.io")
    return [
        Repository(
            "kube_kubernetes_repository",
            kubernetes,
            ["kubeadm", "kubelet", "kubectl"],
            str(variables.get("kube_version") or ""),
        ),
        Repository("kube_containerd_repository", containerd, [package], str(variables.get("containerd_version") or "")),
        *(
            Repository(
                "kube_kubernetes_repository",
                release["kube_kubernetes_repository"] or {},
                ["kubeadm"],
                str(release["kube_version"]),
            )
            for release in variables.get("between") or []
        ),
    ]


@CHECKS.host("repository_url", sources=True)
def check_repository_url(host: Host) -> Iterator[Finding]:
    """Each repository has a URL for the host's package manager; an empty one stands for the repositories that the host has."""
    for repository in repositories_of(host.variables)[:2]:
        key, family = repository.key(host.facts), host.facts["os"]["family"]
        if family != "other" and repository.values and not repository.url(host.facts):
            given = ", ".join(sorted(name for name, value in repository.values.items() if value)) or "nothing"
            what = f"{repository.variable} has no {key}, which hosts of family '{family}' need."
            yield what, f"it has {given}", f"Set {key}, or use other hosts."


@CHECKS.host("repository", sources=True)
def check_repository(host: Host) -> Iterator[Finding]:
    """The package repositories can be reached and are signed with the right key."""
    told = set()
    for repository in repositories_of(host.variables):
        url, key_url = repository.place(host.facts), repository.key_url(host.facts)
        for key, asked in ((repository.key(host.facts), url), ("key_url", key_url)):
            answer = host.facts["reach"].get(asked)
            if (
                not answer or answer["status"] == 407 or (repository.variable, asked) in told
            ):  # 407: the check "proxy" reports it
                continue
            told.add((repository.variable, asked))
            evidence = f"{repository.variable}.{key} {asked}: {answer['error'] or answer.get('signature')}"
            if not answer["ok"]:
                remedy = (
                    f"Check the network, proxy, DNS and the server, or set another repository in {repository.variable}."
                )
                yield "A package repository cannot be reached.", evidence, remedy
            elif answer.get("signature"):
                remedy = f"Correct key_url in {repository.variable}, or find out who changed the repository."
                yield "The signature of a package repository is not valid.", evidence, remedy


@CHECKS.host("repository_entry", sources=True)
def check_repository_entry(host: Host) -> Iterator[Finding]:
    """An entry of the host for the same apt repository can be used; apt does not accept a second one with another key."""
    for repository in repositories_of(host.variables):
        if host.facts["os"]["family"] != "debian":
            continue
        entries = repository.entries(host.facts)
        architecture = host.facts["architecture"]
        faults = [fault_of(entry, repository.components, architecture) for entry in entries]
        if entries and not usable_entries(entries, repository.components, architecture):
            what = f"The host's entry for the repository of {', '.join(repository.packages)} cannot be used."
            yield what, "; ".join(faults), "Correct the entry, or remove it: the role then adds its own."
        if len({entry["signed_by"] for entry in entries}) > 1:
            keys = "; ".join(
                f"{place(entry)} has {'Signed-By ' + entry['signed_by'] if entry['signed_by'] else 'none'}"
                for entry in entries
            )
            what = "Entries for one package repository name different keys, so apt fails with every command."
            yield what, keys, "Remove all of them but one."


def fault_of(entry: dict[str, Any], components: list[str], architecture: str) -> str:
    """Return why an entry cannot provide these components for an architecture; empty if it can."""
    lacking = [name for name in components if name not in entry["components"]]
    if lacking:
        return f"{place(entry)} lacks the component {', '.join(lacking)}"
    if entry["key_missing"]:
        return f"{place(entry)} names the key {entry['signed_by']}, which does not exist"
    if entry["architectures"] and architecture not in entry["architectures"]:
        return f"{place(entry)} is for {', '.join(entry['architectures'])} only"
    return ""


def usable_entries(entries: list[dict[str, Any]], components: list[str], architecture: str) -> list[dict[str, Any]]:
    """Return the entries of a host that can provide these components for an architecture."""
    return [entry for entry in entries if not fault_of(entry, components, architecture)]


@CHECKS.host("repository_entry", sources=True)
def check_shared_repository(host: Host) -> Iterator[Finding]:
    """An apt repository that has the packages of both roles has one key, which both name."""
    first, second, *_between = repositories_of(host.variables)
    place_of = [(one.url(host.facts).rstrip("/"), one.suite) for one in (first, second)]
    keys = [one.key_url(host.facts) for one in (first, second)]
    if host.facts["os"]["family"] == "debian" and place_of[0][0] and place_of[0] == place_of[1] and keys[0] != keys[1]:
        yield (
            "One apt repository has two keys, with which apt would fail.",
            "; ".join(
                f"{one.variable} has {key or 'no key'} for {place_of[0][0]} {one.suite}"
                for one, key in zip((first, second), keys)
            ),
            "Set the same key_url for both, or use different repositories.",
        )


def place(entry: dict[str, Any]) -> str:
    """Return where an entry is."""
    return f"{entry['path']} line {entry['line']}"


@CHECKS.host("source_version", sources=True)
def check_source_version(host: Host) -> Iterator[Finding]:
    """The repositories have the desired version of each package. containerd's version may be a prefix, such as ``2.2``."""
    for repository in repositories_of(host.variables):
        url = repository.place(host.facts)
        answer = host.facts["reach"].get(url) or {}
        if not answer.get("ok") or "packages" not in answer:
            continue
        variable, packages = repository.variable, repository.packages
        desired = repository.version
        missing: dict[tuple[str, ...], list[str]] = {}
        for package in packages if desired else ():
            offered = [re.sub(r"^\d+:", "", version) for version in answer["packages"].get(package) or []]
            if not any(re.match(re.escape(desired) + r"(?!\d)", version) for version in offered):
                upstream = sorted({version.split("-")[0] for version in offered}, key=parse_version)
                missing.setdefault(tuple(upstream), []).append(package)
        for available, names in missing.items():
            yield (
                f"The package repository does not have version {desired} of {', '.join(names)}.",
                f"{url} has {', '.join(available[-6:]) or 'no version of it'}",
                f"Choose an available version, or add {desired} to the repository in {variable}.",
            )
