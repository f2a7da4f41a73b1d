# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: the state of a host before slipway.kube first changed it, and the cluster that the host was prepared for.

The record is the file ``host.json`` in ``kube_record_dir``. The state of a thing is recorded before it is changed for the first time
and never overwritten later. Only hosts with a record are ever reset, and only to the state that is recorded.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import Any

from .system import HostError, write_atomic

FILE_NAME = "host.json"
FORMAT = 1
KINDS = ("files", "sysctls", "modules", "swap", "packages", "units", "firewall", "modes", "users")
ABSENT = {"state": "absent"}


class Record:
    """The record of one host; nothing is written to disk before save().

    ``before`` holds, by kind: ``files`` {path: see :func:`describe_file`}, ``sysctls`` {key: value, or None where there was none},
    ``modules`` {name: False = was not loaded}, ``swap`` {"active" or unit name: state}, ``packages`` {name: {"version": str or None,
    "held": bool}}, ``units`` {name: {"enabled": str, "active": str}; "absent" where there was none}, ``firewall`` {"OPTION ITEM [ZONE]": list of
    "runtime" and "permanent", the configurations that did not have it}, ``modes`` {path: {"mode": str, "package": its name}}, ``users`` {name:
    False = there was none}.
    ``sources`` maps a path to the URL that the file was fetched from; ``footprint`` is the result of
    :func:`.footprint.take_footprint` before the host was marked.

    :ivar ca_hash: hash of the cluster's CA, see :func:`.._kube.x509.ca_cert_hash`; "" before the host is a node.
    :ivar restored: digest of the backup that the cluster was restored from on this host, "" for none.
    :ivar cluster_id: UID of the cluster's namespace kube-system, "" if unknown.
    :ivar operation: an operation that has begun and not ended, see :meth:`begin`.
    :ivar upgrade: arguments of a ``kubeadm upgrade`` that has begun and not ended. Unlike after an interrupted operation, the host is a node.
    """

    def __init__(self, folder: str, data: dict[str, Any] | None = None) -> None:
        self.folder = folder
        data = data or {}
        cluster = data.get("cluster", {})
        self.cluster_name: str = cluster.get("name", "")
        self.ca_hash: str = cluster.get("ca_hash", "")
        self.cluster_id: str = cluster.get("id", "")
        self.restored: str = cluster.get("restored", "")
        self.operation: str = data.get("operation", "")
        self.upgrade: str = data.get("upgrade", "")
        self.before: dict[str, dict[str, Any]] = {kind: dict(data.get("before", {}).get(kind, {})) for kind in KINDS}
        self.sources: dict[str, str] = dict(data.get("sources", {}))
        self.footprint: dict[str, Any] = dict(data.get("footprint", {}))
        self.exists = bool(data)
        self._dirty = False

    @property
    def path(self) -> str:
        """Return the path of the record's file."""
        return os.path.join(self.folder, FILE_NAME)

    @classmethod
    def load(cls, folder: str) -> Record:
        """Read the record of a host; it is empty where there is none yet.

        :raises HostError: the file exists and is not a valid record; the host must not be changed then.
        """
        path = os.path.join(folder, FILE_NAME)
        try:
            with open(path, encoding="utf-8") as handle:
                data = json.load(handle)
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError) as error:
            raise HostError(
                f"{path}, the record of this host's original state, cannot be read: {error}."
                " Restore it from a backup. Without it a reset cannot know what to restore; if there is no backup, reinstall the host."
                " [slipway:record]"
            ) from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise HostError(
                f"{path} has format {data.get('format') if isinstance(data, dict) else 'unknown'}; this release of slipway.kube"
                f" supports format {FORMAT}. Use the release that wrote it."
                " [slipway:record]"
            )
        return cls(folder, data)

    @property
    def marked(self) -> bool:
        """Return whether this host was prepared for a cluster."""
        return bool(self.cluster_name)

    def remember(self, kind: str, key: str, value: Any) -> bool:
        """Record the state of a thing; return False and keep the recorded state where there is one already."""
        if key in self.before[kind]:
            return False
        self.before[kind][key] = value
        self._dirty = True
        return True

    def forget(self, kind: str, key: str) -> None:
        """Drop the recorded state of a thing that has been restored."""
        if self.before[kind].pop(key, None) is not None:
            self._dirty = True

    def fetched(self, path: str, url: str) -> None:
        """Record the URL that a file was fetched from."""
        if self.sources.get(path) != url:
            self.sources[path] = url
            self._dirty = True

    def mark(self, cluster_name: str) -> bool:
        """Record the cluster that this host is prepared for; return False where it was marked already.

        :raises HostError: the host is marked for another cluster.
        """
        if self.cluster_name and self.cluster_name != cluster_name:
            raise HostError(
                f"This host was prepared for cluster '{self.cluster_name}', not for '{cluster_name}'. Evidence: {self.path}."
                f" Reset it with the inventory of '{self.cluster_name}', or correct kube_cluster_name."
                " [slipway:other_cluster]"
            )
        if self.cluster_name == cluster_name:
            return False
        self.cluster_name = cluster_name
        self._dirty = True
        return True

    def identify(self, ca_hash: str, cluster_id: str) -> None:
        """Record which cluster of that name the host is a node of, and save it. Empty values keep what is recorded."""
        known = (self.ca_hash, self.cluster_id)
        self.ca_hash, self.cluster_id = ca_hash or self.ca_hash, cluster_id or self.cluster_id
        self._dirty = self._dirty or (self.ca_hash, self.cluster_id) != known
        self.save()

    def begin(self, operation: str) -> None:
        """Save that an operation starts ('init', 'join', 'reset') whose interruption could not be recognized otherwise."""
        self.operation = operation
        self._dirty = True
        self.save()

    def finish(self) -> None:
        """Save that the operation has ended."""
        self.begin("")

    def begin_upgrade(self, arguments: str) -> None:
        """Save that ``kubeadm upgrade`` starts with these arguments; "" when it has ended."""
        self.upgrade = arguments
        self._dirty = True
        self.save()

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "format": FORMAT,
            "cluster": {
                "name": self.cluster_name,
                "ca_hash": self.ca_hash,
                "id": self.cluster_id,
                **({"restored": self.restored} if self.restored else {}),
            },
            "operation": self.operation,
            "upgrade": self.upgrade,
            "before": self.before,
            "sources": self.sources,
            "footprint": self.footprint,
        }

    def save(self) -> bool:
        """Write the record to disk if it has changed; with mode 0600, since it may hold secrets.

        :raises HostError: the folder or the file cannot be written.
        """
        if not self._dirty:
            return False
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"{self.folder}, the folder of this host's record, cannot be created: {error.strerror}."
                " [slipway:file_not_written]"
            ) from error
        text = json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n"
        write_atomic(self.path, text.encode("utf-8"), 0o600)
        self._dirty = False
        self.exists = True
        return True


def describe_file(path: str) -> dict[str, Any]:
    """Describe what exists at a path, completely enough to restore it.

    :returns: {"state": "absent"}, or ``state`` "file" (with ``content`` and ``encoding`` "utf-8" or "base64"), "directory" or "link"
        (with ``target``), each with ``mode`` ("0644"), ``uid`` and ``gid``.
    """
    try:
        info = os.lstat(path)
    except OSError:
        return dict(ABSENT)
    described: dict[str, Any] = {"mode": f"{stat.S_IMODE(info.st_mode):04o}", "uid": info.st_uid, "gid": info.st_gid}
    if stat.S_ISLNK(info.st_mode):
        described.update(state="link", target=os.readlink(path))
    elif stat.S_ISDIR(info.st_mode):
        described.update(state="directory")
    else:
        with open(path, "rb") as handle:
            data = handle.read()
        try:
            described.update(state="file", encoding="utf-8", content=data.decode("utf-8"))
        except UnicodeDecodeError:
            described.update(state="file", encoding="base64", content=base64.b64encode(data).decode("ascii"))
    return described


def restore_file(path: str, described: dict[str, Any]) -> bool:
    """Restore what :func:`describe_file` returned for a path; return False where nothing had to be done.

    A directory that did not exist before is removed only if it is empty, since it may hold files of other software.
    """
    now = describe_file(path)
    if now == described:
        return False
    if now["state"] == "directory" and described["state"] != "directory":
        try:
            os.rmdir(path)
        except OSError:
            return False
    if described["state"] == "absent":
        if now["state"] not in ("directory", "absent"):
            os.unlink(path)
        return True
    mode, uid, gid = int(described["mode"], 8), described["uid"], described["gid"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if described["state"] == "link":
        if now["state"] in ("file", "link"):
            os.unlink(path)
        os.symlink(described["target"], path)
    elif described["state"] == "directory":
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if os.geteuid() == 0:
            os.chown(path, uid, gid)
    else:
        content = described["content"]
        data = base64.b64decode(content) if described["encoding"] == "base64" else content.encode("utf-8")
        write_atomic(path, data, mode, uid, gid)
    return True
