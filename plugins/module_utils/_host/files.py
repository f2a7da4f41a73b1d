# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a host: whole contents, bytes fetched from a URL, folders, and the removal of what an earlier run put there."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from typing import Any, Callable

from .record import Record, describe_file, restore_file
from .step import Step
from .system import HostError, System

Fetch = Callable[[str], bytes]


@dataclass
class WantedFile:
    """What a path should be.

    ``content`` is the whole text of a file (``secret``: its text is never shown). With ``url`` the bytes are fetched, once per URL;
    ``checksum`` ("sha256:HEX") then has to match and ``contains`` has to occur in them. ``purge`` on a directory removes the files
    below it that an earlier run put there (the record knows) and that are no longer wanted.
    """

    path: str
    state: str = "file"
    content: str | None = None
    url: str = ""
    checksum: str = ""
    contains: str = ""
    mode: str = ""
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    purge: bool = False

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> WantedFile:
        """From one item of the module's option ``files``."""
        known = {key: value for key, value in options.items() if key != "secret_content" and value is not None}
        if options.get("secret_content") is not None:
            known.update(content=options["secret_content"], secret=True)
        return cls(**known)

    @property
    def mode_bits(self) -> int:
        """Permissions, by default 0755 for a directory, 0600 for a secret and 0644 for other files."""
        default = "0755" if self.state == "directory" else "0600" if self.secret else "0644"
        return int(self.mode or default, 8)


def plan_files(system: System, record: Record, wanted: list[WantedFile], fetch: Fetch) -> list[Step]:
    """The steps that turn the host's files into the wanted ones, in their order; removals of what is left over last."""
    steps: list[Step] = []
    paths = {item.path for item in wanted if item.state != "absent"}
    for item in wanted:
        if item.state == "absent":
            steps += _plan_absent(system, record, item)
        elif item.state == "directory":
            steps += _plan_directory(system, item)
        else:
            steps += _plan_file(system, record, item, fetch)
    for item in wanted:
        if item.purge:
            steps += _plan_purge(system, record, item.path, paths)
    return steps


def differences(
    item: WantedFile, have: dict[str, Any], want_text: str | None, uid: int, gid: int
) -> tuple[str, str] | None:
    """Before and after of a file as texts for a diff, or None where nothing differs.

    ``have`` is describe_file()'s answer; ``want_text`` None stands for "its bytes are right already".
    """
    before, after = [], []
    mode = f"{item.mode_bits:04o}"
    absent = have["state"] == "absent"
    if not absent and (have["mode"] != mode or (have["uid"], have["gid"]) != (uid, gid)):
        before.append(f"mode {have['mode']}, owner {have['uid']}:{have['gid']}\n")
        after.append(f"mode {mode}, owner {uid}:{gid}\n")
    old = None if absent else have.get("content", "")
    if want_text is not None and old != want_text:
        before.append(shown(have))
        after.append("<secret, new>\n" if item.secret else want_text)
    if absent and not after:
        after.append(f"(an empty file, mode {mode})\n")
    return ("".join(before), "".join(after)) if before or after else None


def shown(have: dict[str, Any]) -> str:
    """The text of a file for a diff; what only its owner may read is taken for a secret, whoever wrote it."""
    if have["state"] == "file" and not int(have["mode"], 8) & 0o044:
        return "<secret>\n"
    return have.get("content", "")


def _plan_file(system: System, record: Record, item: WantedFile, fetch: Fetch) -> list[Step]:
    have = describe_file(system.path(item.path))
    if have["state"] == "directory":
        raise HostError(f"{item.path} should be a file and is a directory. Remove or rename it, then run again.")
    uid, gid = _owner(item)
    if item.url:
        if have["state"] == "file" and _fetched_already(system, record, item):
            text: str | None = None
        else:
            text = f"(fetched from {item.url})\n"
    else:
        text = item.content or ""
    told = dict(have, state="file", content="(a link)") if have["state"] == "link" else have
    changed = differences(item, told, text, uid, gid)
    if changed is None and have["state"] != "link":
        return []

    def apply() -> None:
        data = (
            system.read_bytes(item.path) or b""
            if text is None
            else fetch_checked(item, fetch)
            if item.url
            else (item.content or "").encode("utf-8")
        )
        _make_parents(system, item.path)
        system.write(item.path, data, item.mode_bits, uid, gid)
        if item.url:
            record.fetched(item.path, item.url)

    verb = "written" if have["state"] == "absent" else "changed"
    before, after = changed or ("", "")
    return [
        Step(
            subject=f"file {item.path}",
            sentence=f"file {item.path} {'fetched from ' + item.url if item.url and text else verb}",
            before=before,
            after=after,
            apply=apply,
            remember=[*_missing_parents(system, item.path), ("files", item.path, have)],
            paths=[item.path],
        )
    ]


def _plan_directory(system: System, item: WantedFile) -> list[Step]:
    have = describe_file(system.path(item.path))
    uid, gid = _owner(item)
    mode = f"{item.mode_bits:04o}"
    if have["state"] not in ("directory", "absent"):
        raise HostError(
            f"{item.path} should be a directory and is a {have['state']}. Remove or rename it, then run again."
        )
    if have["state"] == "directory" and have["mode"] == mode and (have["uid"], have["gid"]) == (uid, gid):
        return []

    def apply() -> None:
        target = system.path(item.path)
        _make_parents(system, item.path)
        os.makedirs(target, exist_ok=True)
        os.chmod(target, item.mode_bits)
        if os.geteuid() == 0:
            os.chown(target, uid, gid)

    absent = have["state"] == "absent"
    return [
        Step(
            subject=f"directory {item.path}",
            sentence=f"directory {item.path} {'made' if absent else 'given its mode and owner'}",
            before="absent" if absent else f"mode {have['mode']}, owner {have['uid']}:{have['gid']}",
            after=f"mode {mode}, owner {uid}:{gid}",
            apply=apply,
            remember=[*_missing_parents(system, item.path), ("files", item.path, have)],
        )
    ]


def _plan_absent(system: System, record: Record, item: WantedFile) -> list[Step]:
    target = system.path(item.path)
    have = describe_file(target)
    if have["state"] == "absent":
        return []

    def apply() -> None:
        if have["state"] == "directory":
            shutil.rmtree(target)
        else:
            os.unlink(target)

    return [
        Step(
            subject=f"{have['state']} {item.path}",
            sentence=f"{have['state']} {item.path} removed",
            before=shown(have) or "present",
            apply=apply,
            remember=[("files", item.path, have)],
            paths=[item.path],
        )
    ]


def _plan_purge(system: System, record: Record, folder: str, wanted: set[str]) -> list[Step]:
    """What an earlier run put below a folder and nobody wants any more, deepest first; what was there before it comes back."""
    steps = []
    ours = [path for path in record.before["files"] if path.startswith(folder.rstrip("/") + "/")]
    for path in sorted(ours, reverse=True):
        if path in wanted or any(other.startswith(path + "/") for other in wanted):
            continue
        was = record.before["files"][path]
        target = system.path(path)
        now = describe_file(target)
        if now == was or (
            now["state"] == "directory" and {os.path.join(path, name) for name in os.listdir(target)} - set(ours)
        ):
            continue

        def apply(path: str = path, target: str = target, was: dict[str, Any] = was) -> None:
            restore_file(target, was)
            record.forget("files", path)
            record.sources.pop(path, None)

        gone = was["state"] == "absent"
        steps.append(
            Step(
                subject=f"{now['state']} {path}",
                sentence=f"{now['state']} {path} {'removed, no longer wanted' if gone else 'put back as it was'}",
                before="present",
                after="" if gone else "as it was before slipway.kube",
                apply=apply,
                paths=[path],
            )
        )
    return steps


def _fetched_already(system: System, record: Record, item: WantedFile) -> bool:
    if item.checksum:
        return digest(system.read_bytes(item.path) or b"") == item.checksum.lower()
    return record.sources.get(item.path) == item.url


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, as "sha256:HEX"."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def fetch_checked(item: WantedFile, fetch: Fetch) -> bytes:
    """Fetch a file's bytes and refuse those that are not what was asked for.

    Raises HostError with the URL and what came instead.
    """
    data = fetch(item.url)
    if item.checksum and digest(data) != item.checksum.lower():
        raise HostError(
            f"{item.url} gave {len(data)} bytes with {digest(data)}, not {item.checksum}. Correct the checksum, or find out who changed the file."
        )
    if item.contains and item.contains.encode("utf-8") not in data:
        start = data[:120].decode("utf-8", "replace").strip()
        raise HostError(
            f"{item.url} gave something else than expected: there is no '{item.contains}' in it. Evidence: it starts with '{start}'. Correct the URL."
        )
    return data


def _owner(item: WantedFile) -> tuple[int, int]:
    try:
        uid = int(item.owner) if item.owner.isdigit() else pwd.getpwnam(item.owner).pw_uid
        gid = int(item.group) if item.group.isdigit() else grp.getgrnam(item.group).gr_gid
    except KeyError as error:
        raise HostError(
            f"{item.path} should belong to {item.owner}:{item.group}, and there is no such user or group: {error}."
        ) from error
    return uid, gid


def _missing_parents(system: System, path: str) -> list[tuple[str, str, Any]]:
    missing = []
    parent = os.path.dirname(path)
    while parent not in ("/", "") and not os.path.isdir(system.path(parent)):
        missing.append(("files", parent, {"state": "absent"}))
        parent = os.path.dirname(parent)
    return missing[::-1]


def _make_parents(system: System, path: str) -> None:
    for _kind, parent, _value in _missing_parents(system, path):
        os.mkdir(system.path(parent), 0o755)
