# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host was before slipway.kube first changed it, and which cluster it was made ready for.

The record is one file, ``host.json`` in ``kube_record_dir``. Whoever changes a host writes down first what was
there: the first value wins, so that later runs do not overwrite the original with their own work. Only hosts with
a record are ever cleaned, and only to what it says.
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
KINDS = ("files", "sysctls", "modules", "swap", "packages", "units", "firewall")
ABSENT = {"state": "absent"}


class Record:
    """The record of one host; nothing is on disk before save().

    ``before`` holds, by kind: ``files`` {path: see describe_file()}, ``sysctls`` {key: value, or None where there was none},
    ``modules`` {name: False = was not loaded}, ``swap`` {"active"|unit name: what was there}, ``packages`` {name: {"version": str or None,
    "held": bool}}, ``units`` {name: {"enabled": str, "active": str}; "absent" where there was none}, ``firewall`` {rule: False}.
    ``sources`` says from which URL a file was fetched; ``footprint`` is what look_at_footprint() saw before the host was marked.
    """

    def __init__(self, folder: str, data: dict[str, Any] | None = None) -> None:
        self.folder = folder
        data = data or {}
        self.cluster_name: str = data.get("cluster", {}).get("name", "")
        self.operation: str = data.get("operation", "")
        self.before: dict[str, dict[str, Any]] = {kind: dict(data.get("before", {}).get(kind, {})) for kind in KINDS}
        self.sources: dict[str, str] = dict(data.get("sources", {}))
        self.footprint: dict[str, Any] = dict(data.get("footprint", {}))
        self.exists = bool(data)
        self._dirty = False

    @classmethod
    def load(cls, folder: str) -> Record:
        """Read the record of a host; an empty one where there is none yet.

        Raises HostError where the file is there and cannot be understood: nothing may be changed then.
        """
        path = os.path.join(folder, FILE_NAME)
        try:
            with open(path, encoding="utf-8") as handle:
                data = json.load(handle)
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError) as error:
            raise HostError(
                f"{path}, the record of what this host was, cannot be read: {error}."
                " Restore it from a backup; if there is none, set the host up anew: without it a reset cannot know what to restore."
            ) from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise HostError(
                f"{path} has format {data.get('format') if isinstance(data, dict) else 'unknown'}, and this release of slipway.kube"
                f" understands {FORMAT}. Use the release that wrote it."
            )
        return cls(folder, data)

    @property
    def marked(self) -> bool:
        """Whether this host was made ready for a cluster."""
        return bool(self.cluster_name)

    def remember(self, kind: str, key: str, value: Any) -> bool:
        """Write down what was there; False where an earlier run already did (its value stays)."""
        if key in self.before[kind]:
            return False
        self.before[kind][key] = value
        self._dirty = True
        return True

    def forget(self, kind: str, key: str) -> None:
        """What was remembered has been put back."""
        if self.before[kind].pop(key, None) is not None:
            self._dirty = True

    def fetched(self, path: str, url: str) -> None:
        """A file's bytes came from this URL."""
        if self.sources.get(path) != url:
            self.sources[path] = url
            self._dirty = True

    def mark(self, cluster_name: str) -> bool:
        """This host is made ready for a cluster; False where it was already marked so.

        Raises HostError where it is another cluster's host.
        """
        if self.cluster_name and self.cluster_name != cluster_name:
            raise HostError(
                f"This host was made ready for cluster '{self.cluster_name}', not for '{cluster_name}'."
                f" Evidence: {os.path.join(self.folder, FILE_NAME)}. Reset it with the inventory of '{self.cluster_name}', or correct kube_cluster_name."
            )
        if self.cluster_name == cluster_name:
            return False
        self.cluster_name = cluster_name
        self._dirty = True
        return True

    def begin(self, operation: str) -> None:
        """An operation that cannot be seen to be half done from outside ('init', 'join') starts; on disk at once."""
        self.operation = operation
        self._dirty = True
        self.save()

    def finish(self) -> None:
        """The operation has come to its end; on disk at once."""
        self.begin("")

    def as_dict(self) -> dict[str, Any]:
        """What is written."""
        return {
            "format": FORMAT,
            "cluster": {"name": self.cluster_name},
            "operation": self.operation,
            "before": self.before,
            "sources": self.sources,
            "footprint": self.footprint,
        }

    def save(self) -> bool:
        """Write the record, whole and to the disk, if there is something new in it; it may hold secrets, so mode 0600."""
        if not self._dirty:
            return False
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"{self.folder}, the folder of this host's record, cannot be made: {error.strerror}."
            ) from error
        text = json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n"
        write_atomic(os.path.join(self.folder, FILE_NAME), text.encode("utf-8"), 0o600)
        self._dirty = False
        self.exists = True
        return True


def describe_file(path: str) -> dict[str, Any]:
    """What is at a path, complete enough to put it back: {"state": "absent"}, or state file (content, encoding
    "utf-8"|"base64"), directory or link (target), each with mode ("0644"), uid and gid.
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
    """Put back what describe_file() saw at a path; False where it is there already.

    A directory that was absent is removed only if it is empty: others may have put something there.
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
