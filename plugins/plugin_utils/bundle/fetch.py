# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from upstream. Packages are verified against a signed index, programs against their published digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import re
import ssl
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import write
from .names import BundleError
from .process import Runner
from .staleness import BuildStep
from .upstream import choose_package, read_packages, read_primary, read_release, read_repomd

TIMEOUT = 30.0  # seconds without a response
AT_ONCE = 6  # requests


@dataclass(frozen=True)
class UpstreamPackage:
    """One package in an upstream repository."""

    version: str
    url: str
    digest: str

    @property
    def file_name(self) -> str:
        """Return the name of its file."""
        return self.url.rpartition("/")[2]


@dataclass
class Source:
    """Fetches from upstream; the package list of a repository is fetched and verified once.

    :param ca: a file with CA certificates to trust in addition to the system's.
    """

    run: Runner = field(default_factory=Runner)
    ca: str = ""
    _listings: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def open(self, url: str, method: str = "GET", timeout: float = TIMEOUT) -> Any:
        """Send a request; environment variables such as https_proxy apply.

        :raises OSError: the server cannot be reached, or returns an error (urllib.error.HTTPError).
        :raises ValueError: the URL is not valid.
        """
        context = ssl.create_default_context()
        if self.ca:
            context.load_verify_locations(self.ca)
        request = urllib.request.Request(url, method=method, headers={"User-Agent": "slipway.kube"})
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        return opener.open(request, timeout=timeout)

    def download(self, url: str, digest: str = "", method: str = "GET") -> bytes:
        """Return the content of a URL.

        :param digest: ``sha256:…``, with which the content is compared.
        :raises BundleError: the URL is not http or https, cannot be fetched, or has another digest.
        """
        if not url.startswith(("http://", "https://")):
            raise BundleError(
                f"{url!r} is not an http or https URL. Correct bundle_upstream. [slipway:bundle_variables]"
            )
        try:
            with self.open(url, method) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise BundleError(
                f"{url} returned {error.code} {error.reason}. Check that upstream has published this version. [slipway:bundle_unpublished]"
            ) from error
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{url} cannot be fetched ({getattr(error, 'reason', error)}). Check the connection and https_proxy, or unpack a "
                "bundle that was built elsewhere. [slipway:bundle_unreachable]"
            ) from error
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest and found != digest:
            raise BundleError(
                f"{url} is corrupt: {found[:19]}… instead of {digest[:19]}… as published. Try again later, or over another network. [slipway:bundle_unverified]"
            )
        return content

    def key(self, source: Mapping[str, str]) -> bytes:
        """Return the signing key of a repository."""
        return self.download(source["key"])

    def package(self, inputs: Mapping[str, Any]) -> UpstreamPackage:
        """Return the package that a step fetches.

        :raises BundleError: the repository does not have it, or its index cannot be verified.
        """
        source = inputs["source"]
        chosen = choose_package(
            self._listing(source), inputs["name"], inputs["version"], source["architecture"], source["base"]
        )
        path = re.sub(r"^\./", "", chosen["Filename"])
        return UpstreamPackage(chosen["Version"], source["base"] + path, f"sha256:{chosen['SHA256']}")

    def program(self, inputs: Mapping[str, Any]) -> bytes:
        """Return a program, verified with its published digest if there is one.

        :raises BundleError: it cannot be fetched or verified, or the archive does not contain it.
        """
        url, member = inputs["url"], inputs["member"]
        content = self.download(url, self._published_digest(inputs["digest_url"]))
        if not member:
            return content
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                file = tar.extractfile(member)
                return file.read() if file else b""
        except (tarfile.TarError, KeyError) as error:
            raise BundleError(
                f"{url} is not an archive with {member} ({error}). Correct bundle_upstream. [slipway:bundle_variables]"
            ) from error

    def _published_digest(self, url: str) -> str:
        if not url:
            return ""
        found = re.match(r"\s*([0-9a-f]{64})\b", self.download(url).decode(errors="replace"))
        if not found:
            raise BundleError(
                f"{url} contains no sha256 digest, so the program cannot be verified. [slipway:bundle_unverified]"
            )
        return f"sha256:{found.group(1)}"

    def _listing(self, source: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the packages of a repository, after verifying the signature of its index with upstream's key."""
        if source["base"] not in self._listings:
            with tempfile.TemporaryDirectory(prefix="slipway-bundle-") as folder:
                read = self._rpm_listing if source["form"] == "rpm" else self._deb_listing
                self._listings[source["base"]] = read(source, Path(folder))
        return self._listings[source["base"]]

    def _deb_listing(self, source: Mapping[str, str], work: Path) -> list[dict[str, str]]:
        url = f"{source['release']}InRelease"
        write(work / "InRelease", self.download(url))
        self._verify(source, work, url, ["--output", str(work / "Release"), str(work / "InRelease")])
        release = read_release((work / "Release").read_text(encoding="utf-8"))
        for name in (f"{source['packages']}.gz", source["packages"]):
            if name in release:
                content = self.download(source["release"] + name, release[name][0])
                return read_packages((gzip.decompress(content) if name.endswith(".gz") else content).decode())
        raise BundleError(
            f"{url} does not list {source['packages']}: the repository has no packages for this architecture. [slipway:bundle_unpublished]"
        )

    def _rpm_listing(self, source: Mapping[str, str], work: Path) -> list[dict[str, str]]:
        url = f"{source['base']}repodata/repomd.xml"
        write(work / "repomd.xml", self.download(url))
        write(work / "repomd.xml.asc", self.download(f"{url}.asc"))
        self._verify(source, work, url, [str(work / "repomd.xml.asc"), str(work / "repomd.xml")])
        path, digest = read_repomd((work / "repomd.xml").read_bytes())
        content = self.download(source["base"] + path, digest)
        if path.endswith(".zst"):
            content = subprocess.run(["zstd", "-dcq"], input=content, stdout=subprocess.PIPE, check=True).stdout
        elif path.endswith(".xz"):
            content = lzma.decompress(content)
        elif path.endswith(".gz"):
            content = gzip.decompress(content)
        return read_primary(content)

    def _verify(self, source: Mapping[str, str], work: Path, url: str, arguments: list[str]) -> None:
        """Verify a signature with gpgv and the key of the repository."""
        write(work / "key.asc", self.key(source))
        key, keyring = str(work / "key.asc"), str(work / "key.gpg")
        self.run(
            ["gpg", "--homedir", str(work), "--batch", "--yes", "--dearmor", "--output", keyring, key],
            what=f"reading {source['key']}",
        )
        self.run(
            ["gpgv", "--keyring", keyring, *arguments],
            what=f"verifying the signature of {url}",
            remedy=f"The file is not signed by {source['key']}. Do not use it.",
        )

    # --- before anything is fetched -------------------------------------------------------------------------------
    def unavailable(self, steps: list[BuildStep]) -> list[str]:
        """Return one sentence for everything that *steps* would fetch and upstream does not have."""
        problems = []
        for step in steps:
            if step.kind == "fetch_package":  # one after the other, so that each list is fetched once
                problems += self._try(lambda step=step: self.package(step.inputs))
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            for found in pool.map(self._check, steps):
                problems += found
        return list(dict.fromkeys(problems))

    def _check(self, step: BuildStep) -> list[str]:
        if step.kind == "copy_image" and step.hints["source"].startswith("docker://"):
            return self._check_image(step)
        if step.kind in ("fetch_program", "fetch_manifest"):
            return self._try(lambda: self.download(step.inputs["url"], method="HEAD"))
        return []

    @staticmethod
    def _try(action: Any) -> list[str]:
        try:
            action()
        except BundleError as error:
            return [str(error)]
        return []

    def _check_image(self, step: BuildStep) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="slipway-bundle-") as folder:
            options = []
            if self.ca:
                write(Path(folder) / "ca.crt", Path(self.ca).read_bytes())
                options = ["--cert-dir", folder]
            command = ["skopeo", "--insecure-policy", "inspect", "--raw", *options, step.hints["source"]]
            result = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if result.returncode == 0:
            return []
        name, source = step.inputs["name"], step.hints["source"].removeprefix("docker://")
        if re.search(r"StatusCode: 404|manifest unknown|name unknown|not found", result.stderr):
            return [f"The registry has no image {name}" + (f" ({source})." if source != name else ".")]
        said = re.search(r'level=fatal msg="(?:Error parsing image name [^ ]*: )?(.*)"', result.stderr)
        return [f"The image {name} cannot be read from {source}: {said.group(1) if said else result.stderr.strip()}"]
