# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes of package repositories: the versions that they have, and the key that signs them."""

from __future__ import annotations

import base64
import gzip
import lzma
import re
import tempfile
import urllib.parse
import zlib
from typing import Any, Iterable

from .fetching import Fetcher, FetchError
from .files import Files, run
from .system import describe_os, parse_os_release

INDEXES = ("Packages.gz", "Packages.xz", "Packages")
"""Forms of an index that the standard library can read."""

LARGE = 4 * 1024 * 1024
"""Size in bytes from which on an index (of a whole distribution) is not downloaded."""


def parse_deb_packages(text: str, names: list[str]) -> dict[str, list[str]]:
    """Return versions by name from the Packages index of an apt repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for stanza in re.split(r"\n\s*\n", text):
        name = re.search(r"^Package: (\S+)", stanza, re.M)
        version = re.search(r"^Version: (\S+)", stanza, re.M)
        if name and version and name.group(1) in found:
            found[name.group(1)].append(version.group(1))
    return found


def parse_rpm_primary(text: str, names: list[str]) -> dict[str, list[str]]:
    """Return VERSION-RELEASE by name from the primary.xml of an rpm repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, rest in re.findall(r"<name>([^<]+)</name>(.*?)</package>", text, re.S):
        version = re.search(r"<version\b[^>]*>", rest)
        if name in found and version:
            fields = dict(re.findall(r'(\w+)="([^"]*)"', version.group(0)))
            found[name].append(f"{fields.get('ver', '')}-{fields.get('rel', '')}")
    return found


def parse_rpm_primary_path(repomd: str) -> str:
    """Return the path of the primary index in a repomd.xml, or ""."""
    block = re.search(r'<data type="primary">(.*?)</data>', repomd, re.S)
    match = re.search(r'<location href="([^"]+)"', block.group(1)) if block else None
    return match.group(1) if match else ""


def unpack(path: str, data: bytes) -> str:
    """Return the text of an index that is compressed as its name says (gz, xz or not).

    :raises FetchError: the data are damaged.
    """
    try:
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        elif path.endswith(".xz"):
            data = lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise FetchError(f"{path} is damaged: {error}") from error
    return data.decode("utf-8", "replace")


def probe_deb(
    fetcher: Fetcher, url: str, suite: str, components: list[str], architecture: str, names: list[str], key_url: str
) -> dict[str, Any]:
    """Download the index of an apt repository, and check with which key it is signed.

    :param suite: ends with a slash where the repository is flat.
    :param architecture: name that dpkg gives it, which for those that are supported is Go's.
    :param key_url: key that must have signed the repository, "" to accept any.
    :raises FetchError: there is no index.
    """
    flat = suite.endswith("/")
    root = url.rstrip("/") + "/"
    if flat:
        folder = suite.strip("/").replace(".", "", 1) if suite == "./" else suite.lstrip("/")
    else:
        folder = f"dists/{suite}"
    base = urllib.parse.urljoin(root, folder).rstrip("/") + "/"
    signed, listing = fetch_release(fetcher, base, "" if flat else folder + "/")
    result: dict[str, Any] = {"status": 200}
    problem = check_signature(fetcher, signed, key_url) if signed and key_url else ""
    if problem:
        result["signature"] = problem
    found: dict[str, list[str]] = {name: [] for name in names}
    for place in [""] if flat else [f"{component}/binary-{architecture}/" for component in components]:
        path, size = choose_index(listing, place)
        if not flat and not path:
            raise FetchError(f"{folder}/{place}Packages: not listed in its Release file", 404)
        if size >= LARGE:
            return result
        for name, versions in fetch_packages(fetcher, base, [path] if path else INDEXES, names).items():
            found[name] += versions
    return dict(result, packages=found)


def fetch_release(fetcher: Fetcher, base: str, shown: str) -> tuple[bytes, str]:
    """Return the signed InRelease (b"" where there is none) and the text that lists the indexes ("" where there is none).

    :param shown: path of the folder for an error message; "" where the repository may be without such a file.
    :raises FetchError: there is no answer, or no such file.
    """
    problem: FetchError | None = None
    for name in ("InRelease", "Release"):
        try:
            body = fetcher.fetch(base + name)[2]
            return body if name == "InRelease" else b"", body.decode("utf-8", "replace")
        except FetchError as error:
            if error.status in (0, 407):
                raise
            problem = problem or error
    if shown and problem:
        raise FetchError(f"{shown}InRelease: {problem}", problem.status)
    return b"", ""


def choose_index(listing: str, place: str) -> tuple[str, int]:
    """Return path and size of the smallest index that the text of a Release file lists in a folder; ("", 0) where it lists none."""
    for name in INDEXES:
        match = re.search(rf"^ [0-9a-f]+ +(\d+) +({re.escape(place + name)})$", listing, re.M)
        if match and int(match.group(1)):
            return match.group(2), int(match.group(1))
    return "", 0


def fetch_packages(fetcher: Fetcher, base: str, paths: Iterable[str], names: list[str]) -> dict[str, list[str]]:
    """Return versions by name from the first of these indexes that exists.

    :raises FetchError: none exists, or it is damaged.
    """
    problem: FetchError | None = None
    for path in paths:
        try:
            return parse_deb_packages(unpack(path, fetcher.fetch(base + path)[2]), names)
        except FetchError as error:
            problem = problem or error
            if error.status in (0, 407):
                break
    raise problem or FetchError("no index")


def check_signature(fetcher: Fetcher, signed: bytes, key_url: str) -> str:
    """Return why a key does not verify an InRelease; "" where it does, or where the host has no gpgv or the key cannot be read."""
    try:
        key = dearmor(fetcher.fetch(key_url)[2])
    except FetchError:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key.gpg", key), ("InRelease", signed)):
            with open(f"{folder}/{name}", "wb") as handle:
                handle.write(data)
        status = run(
            ["gpgv", "--homedir", folder, "--status-fd", "1", "--keyring", f"{folder}/key.gpg", f"{folder}/InRelease"]
        )
    if "[GNUPG:] BADSIG" in status:
        return "InRelease was changed after it was signed"
    if not status or "[GNUPG:] GOODSIG" in status:
        return ""
    missing = re.findall(r"^\[GNUPG:\] NO_PUBKEY (\S+)", status, re.M)
    if missing:
        return f"InRelease is signed with the key {', '.join(missing)}, which {key_url} does not have"
    if "[GNUPG:] EXPKEYSIG" in status:
        return f"the key of {key_url} has expired"
    return ""


def dearmor(data: bytes) -> bytes:
    """Return a key as gpgv reads it: without the ASCII armor in which it is published (RFC 9580, section 6)."""
    blocks = re.findall(r"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END", data.decode("ascii", "replace"), re.S)
    binary = b""
    for block in blocks:
        lines = [line.strip() for line in block.splitlines() if ":" not in line and not line.startswith("=")]
        try:
            binary += base64.b64decode("".join(lines))
        except ValueError:
            return data
    return binary or data


def expand_dnf_variables(url: str, architecture: str, files: Files) -> str:
    """Return a URL with the values of dnf's variables (dnf.conf(5), "Variables"); unknown ones are kept.

    :param architecture: Go's name.
    """
    system = describe_os(parse_os_release(files.read("/etc/os-release") or files.read("/usr/lib/os-release")))
    values = {
        "basearch": {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture, architecture),
        "releasever": system["version_id"].split(".")[0],
    }
    for folder in ("/etc/yum/vars", "/etc/dnf/vars"):
        values.update({name: files.read(f"{folder}/{name}").strip() for name in files.names(folder)})
    return re.sub(
        r"\$(?:(\w+)|\{(\w+)\})", lambda match: values.get(match.group(1) or match.group(2)) or match.group(0), url
    )


def probe_rpm(fetcher: Fetcher, url: str, names: list[str]) -> dict[str, Any]:
    """Download the index of an rpm repository; one that the standard library cannot decompress is not read.

    :raises FetchError: there is no index.
    """
    base = url.rstrip("/") + "/"
    status, _headers, body = fetcher.fetch(base + "repodata/repomd.xml")
    path = parse_rpm_primary_path(body.decode("utf-8", "replace"))
    if not path:
        raise FetchError("repodata/repomd.xml names no primary index", status)
    if path.endswith((".zst", ".zck")):
        return {"status": status}
    status, _headers, body = fetcher.fetch(base + path)
    return {"status": status, "packages": parse_rpm_primary(unpack(path, body), names)}
