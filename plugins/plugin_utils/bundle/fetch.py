# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from upstream. Every package is verified against a signed index before it is stored."""

from __future__ import annotations

import gzip
import hashlib
import re
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url

from .files import write
from .names import BundleError, deb_name
from .process import Runner
from .upstream import choose_package, read_packages, read_release

TIMEOUT = 30.0  # seconds without a response


def download(url: str) -> bytes:
    """Return the content of a URL.

    :raises BundleError: the URL is not http or https, or cannot be fetched.
    """
    if not url.startswith(("http://", "https://")):
        raise BundleError(f"{url!r} is not an http or https URL. Correct bundle_upstream.")
    try:
        with open_url(url, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise BundleError(
            f"{url} returned {error.code} {error.reason}. Check that upstream has published this version."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BundleError(
            f"{url} cannot be fetched ({reason}). Without a connection, use bundle_origin: go_modules, or unpack a bundle that was built elsewhere."
        ) from error


def trusted_release(source: Mapping[str, str], work: Path, run: Runner) -> str:
    """Return the text of a repository's InRelease file, after verifying its signature with upstream's key.

    :raises BundleError: it cannot be fetched, or the signature does not verify.
    """
    write(work / "InRelease", download(f"{source['release']}InRelease"))
    write(work / "key.asc", download(source["key"]))
    key, keyring = str(work / "key.asc"), str(work / "key.gpg")
    run(
        ["gpg", "--homedir", str(work), "--batch", "--yes", "--dearmor", "--output", keyring, key],
        what=f"reading {source['key']}",
    )
    run(
        ["gpgv", "--keyring", keyring, "--output", str(work / "Release"), str(work / "InRelease")],
        what=f"verifying the signature of {source['release']}InRelease",
        remedy=f"The file is not signed by {source['key']}. Do not use it.",
    )
    return (work / "Release").read_text(encoding="utf-8")


def package(inputs: Mapping[str, Any], work: Path, root: Path, run: Runner) -> tuple[str, str, str]:
    """Fetch one package into the bundle in *root*.

    :returns: its path in the bundle, its version and its URL.
    :raises BundleError: the repository does not have it, or a digest or signature does not match.
    """
    source = inputs["source"]
    release = read_release(trusted_release(source, work, run))
    listing = source["packages"].format(architecture=inputs["architecture"])
    content = b""
    for name in (f"{listing}.gz", listing):
        if name in release:
            content = download(source["release"] + name)
            _check(content, release[name][0], source["release"] + name)
            content = gzip.decompress(content) if name.endswith(".gz") else content
            break
    chosen = choose_package(
        read_packages(content.decode()), inputs["name"], inputs["version"], inputs["architecture"], source["base"]
    )
    address = source["base"] + re.sub(r"^\./", "", chosen["Filename"])
    deb = download(address)
    _check(deb, f"sha256:{chosen['SHA256']}", address)
    path = f"{inputs['repository']}/{deb_name(inputs['name'], chosen['Version'], inputs['architecture'])}"
    write(root / path, deb)
    return path, chosen["Version"], address


def _check(content: bytes, digest: str, address: str) -> None:
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != digest:
        raise BundleError(
            f"{address} is corrupt: {found[:19]}… instead of {digest[:19]}… as listed in its index. Try again later, or over another network."
        )
