# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of etcd in a folder of this control plane: the core of the module etcd_snapshot.

It is read through etcd's JSON gateway (``/v3/maintenance/snapshot``), so that hosts need no etcdctl. etcd appends the SHA-256 of the
database to it, by which it is verified (etcd, client/v3/snapshot). ``etcdutl snapshot restore`` accepts the file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Iterator, Mapping

from .._host.system import HostError, sync
from . import etcd

SNAPSHOT = "/v3/maintenance/snapshot"
DIGEST = hashlib.sha256().digest_size
PATTERN = "etcd-*.db"


def blobs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a snapshot from the gateway's response, which has one JSON object in each line.

    :raises EtcdError: etcd ended the response with an error.
    """
    for line in filter(None, map(bytes.strip, lines)):
        message = json.loads(line)
        if "error" in message:
            raise etcd.EtcdError(
                f"etcd could not make a snapshot. Evidence: {message['error'].get('message', line)}"
                " [slipway:etcd_failed]"
            )
        yield base64.b64decode(message["result"].get("blob") or "")


def store(parts: Iterable[bytes], handle: BinaryIO) -> int:
    """Write the parts of a snapshot, verify it by the digest at its end, and return its size in bytes.

    :raises EtcdError: it is not complete.
    """
    digest, tail, size = hashlib.sha256(), b"", 0
    for part in parts:
        handle.write(part)
        size += len(part)
        tail += part
        digest.update(tail[:-DIGEST])
        tail = tail[-DIGEST:]
    if size <= DIGEST or digest.digest() != tail:
        raise etcd.EtcdError(
            f"The snapshot of etcd is damaged and was not kept. Evidence: {size} bytes, and the digest at the end does not match."
            " Run again; if it happens again, check the member with 'etcdctl endpoint status'."
            " [slipway:snapshot_damaged]"
        )
    return size


def take(folder: Path, name: str, endpoint: str = "", pki: str = etcd.PKI) -> tuple[Path, int]:
    """Write a snapshot to a file with mode 0600 in a folder with mode 0700, and return its path and its size in bytes.

    :raises EtcdError: etcd does not respond, or the snapshot is damaged.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path, partial = folder / name, folder / f".{name}.part"
    for leftover in folder.glob(".etcd-*.part"):  # of a run that was killed
        leftover.unlink()
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            size = store(blobs(etcd.stream(endpoint or etcd.find_endpoint(pki), SNAPSHOT, pki)), handle)
            handle.flush()
            os.fsync(handle.fileno())
        partial.rename(path)
    except OSError as error:
        raise HostError(
            f"The snapshot of etcd cannot be written to {folder}. Evidence: {error}. Free some space there, or use another folder."
            " [slipway:file_not_written]"
        ) from error
    finally:
        if partial.exists():
            partial.unlink()
    sync([str(folder)])
    return path, size


def outdated(folder: Path, keep: int) -> list[Path]:
    """Return the snapshots of a folder except the newest ones."""
    found = sorted(folder.glob(PATTERN), key=lambda path: path.stat().st_mtime)
    return found[: max(len(found) - keep, 0)]


def converge(params: Mapping[str, Any], check_mode: bool, _lock: Any) -> dict[str, Any]:
    """Make a snapshot, delete the oldest ones, and return the result of the module.

    :raises HostError: this host has no credentials for etcd, or the snapshot cannot be made.
    """
    etcd.require_credentials()
    folder = Path(params["directory"])
    name = f"etcd-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{params['label']}.db"
    if check_mode:
        return {"changed": True, "changes": [f"snapshot {folder / name} made"], "path": "", "size": 0}
    path, size = take(folder, name)
    changes = [f"snapshot {path} made ({size} bytes)"]
    for old in outdated(folder, params["keep"]):
        old.unlink()
        changes.append(f"snapshot {old} deleted")
    return {"changed": True, "changes": changes, "path": str(path), "size": size}
