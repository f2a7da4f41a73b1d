# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with a certificate of its own CA, on the network of a lab: that of the Debian package docker-registry, which is not installed."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from harness.authority import Authority
from harness.origin import cache

PORT = 5443
PACKAGE = "docker-registry"


def program() -> Path:
    """Return the registry's program; its package is fetched once."""
    folder = cache() / "docker-registry"
    found = folder / "usr" / "bin" / "docker-registry"
    if not found.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True, capture_output=True)
        (package,) = folder.glob(f"{PACKAGE}_*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
    return found


class Registry:
    """A running registry.

    :ivar name: its address and port, as in names of images.
    :ivar authority: the CA that has issued its certificate.
    """

    def __init__(self, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, f"{address}:{PORT}"
        self.authority = Authority("CA of the registry")
        certificate, key = self.authority.issue(address)
        self.ca = self._write("ca.crt", self.authority.certificate)
        tls = {
            "certificate": str(self._write("tls.crt", certificate)),
            "key": str(self._write("tls.key", key)),
        }
        storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
        settings = {"version": "0.1", "storage": storage, "http": {"addr": self.name, "tls": tls}}
        path = self._write("config.yml", json.dumps(settings))
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([str(program()), "serve", str(path)], stdout=log, stderr=log)
        self._wait()

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _wait(self) -> None:
        trust = ssl.create_default_context(cafile=str(self.ca))
        for _attempt in range(100):
            try:
                with urllib.request.urlopen(f"https://{self.name}/v2/", timeout=2, context=trust):
                    return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError(f"no registry at {self.name}")

    def push(self, name: str) -> None:
        """Push an image without content, which is another one for each name."""
        trust = ssl.create_default_context(cafile=str(self.ca))
        repository, _colon, tag = name.removeprefix(f"{self.name}/").rpartition(":")
        content = {"architecture": "amd64", "os": "linux", "config": {"Labels": {"name": name}}}
        config = json.dumps({**content, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        kind = "application/vnd.oci.image"
        media = f"{kind}.manifest.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": media,
            "config": {"mediaType": f"{kind}.config.v1+json", "digest": digest, "size": len(config)},
            "layers": [],
        }

        def send(method: str, url: str, data: bytes, kind: str) -> Any:
            request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
            return urllib.request.urlopen(request, timeout=10, context=trust)

        with send(
            "POST", f"https://{self.name}/v2/{repository}/blobs/uploads/", b"", "application/octet-stream"
        ) as answer:
            place = answer.headers["Location"]
        send("PUT", f"{place}&digest={digest}", config, "application/octet-stream").close()
        send(
            "PUT",
            f"https://{self.name}/v2/{repository}/manifests/{tag}",
            json.dumps(manifest).encode(),
            media,
        ).close()

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
