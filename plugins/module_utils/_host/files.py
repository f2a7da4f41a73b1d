# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a host: whole contents, downloads, directories, and the removal of files that an earlier run created."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterator

from .record import ABSENT, Record, describe_file, restore_file
from .step import Step
from .system import HostError, System

Fetch = Callable[[str], bytes]


@dataclass
class WantedFile:
    """The desired state of a path.

    :param content: whole text of a file; never shown where ``secret`` is set.
    :param url: where to download the content from instead, once per URL.
    :param checksum: digest that the download must have, as "sha256:HEX".
    :param contains: text that must occur in the download.
    :param purge: whether files below a directory that an earlier run created (see the record) and that are no longer listed
        are removed.
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
        """Return the desired state that one item of the module's option ``files`` describes."""
        known = {key: value for key, value in options.items() if key != "secret_content" and value is not None}
        if options.get("secret_content") is not None:
            known.update(content=options["secret_content"], secret=True)
        return cls(**known)

    @property
    def mode_bits(self) -> int:
        """Return the permissions; by default 0755 for a directory, 0600 for a secret and 0644 for other files."""
        default = "0755" if self.state == "directory" else "0600" if self.secret else "0644"
        return int(self.mode or default, 8)

    @property
    def owner_ids(self) -> tuple[int, int]:
        """Return the numbers of the owner and of the group.

        :raises HostError: there is no such user or group.
        """
        try:
            uid = int(self.owner) if self.owner.isdigit() else pwd.getpwnam(self.owner).pw_uid
            gid = int(self.group) if self.group.isdigit() else grp.getgrnam(self.group).gr_gid
        except KeyError as error:
            raise HostError(
                f"{self.path} should belong to {self.owner}:{self.group}, but there is no such user or group: {error}."
                " [slipway:user_missing]"
            ) from error
        return uid, gid


def plan_files(system: System, record: Record, wanted: list[WantedFile], fetch: Fetch) -> list[Step]:
    """Return the steps that bring files into their desired state, in the given order; purges come last."""
    steps: list[Step] = []
    for item in wanted:
        if item.state == "absent":
            steps += _plan_absent(system, item)
        elif item.state == "directory":
            steps += _plan_directory(system, item)
        else:
            steps += _plan_file(system, record, item, fetch)
    paths = {item.path for item in wanted if item.state != "absent"}
    for item in wanted:
        if item.purge:
            steps += _plan_purge(system, record, item.path, paths)
    return steps


def plan_renewal(system: System, wanted: list[WantedFile], fetch: Fetch) -> list[Step]:
    """Return the steps that replace downloads whose content at the same URL has changed since. Everything is downloaded for that.

    :raises HostError: a download fails.
    """
    steps = []
    for item in wanted:
        have = system.read_bytes(item.path)
        if not item.url or item.checksum or have is None:
            continue
        data = fetch_checked(item, fetch)
        if data != have:
            write = partial(system.write, item.path, data, item.mode_bits, *item.owner_ids)
            before, after = (text.decode("utf-8", "replace") for text in (have, data))
            sentence = f"file {item.path} fetched again from {item.url}"
            steps.append(Step(f"file {item.path}", sentence, write, before, after, paths=[item.path]))
    return steps


def differences(
    item: WantedFile, have: dict[str, Any], want_text: str | None, uid: int, gid: int
) -> tuple[str, str] | None:
    """Return before and after of a file as texts for a diff, or None where nothing differs.

    :param have: result of :func:`describe_file`.
    :param want_text: desired content; None where the content is right already.
    """
    before, after = [], []
    mode = f"{item.mode_bits:04o}"
    absent = have["state"] == "absent"
    if not absent and (have["mode"] != mode or (have["uid"], have["gid"]) != (uid, gid)):
        before.append(_mode_text(have) + "\n")
        after.append(f"mode {mode}, owner {uid}:{gid}\n")
    old = None if absent else have.get("content", "")
    if want_text is not None and old != want_text:
        before.append(shown(have))
        after.append("<secret, new>\n" if item.secret else want_text)
    if absent and not after:
        after.append(f"(an empty file, mode {mode})\n")
    return ("".join(before), "".join(after)) if before or after else None


def shown(have: dict[str, Any]) -> str:
    """Return the text of a file for a diff; a file that only its owner may read is treated as a secret."""
    if have["state"] == "file" and not int(have["mode"], 8) & 0o044:
        return "<secret>\n"
    return have.get("content", "")


def _mode_text(have: dict[str, Any]) -> str:
    return f"mode {have['mode']}, owner {have['uid']}:{have['gid']}"


def _plan_file(system: System, record: Record, item: WantedFile, fetch: Fetch) -> Iterator[Step]:
    have = describe_file(system.path(item.path))
    if have["state"] == "directory":
        raise HostError(
            f"{item.path} should be a file and is a directory. Remove or rename it, then run again."
            " [slipway:path_occupied]"
        )
    uid, gid = item.owner_ids
    text: str | None = item.content or ""
    if item.url:
        fetched = have["state"] == "file" and _is_fetched(system, record, item)
        text = None if fetched else f"(fetched from {item.url})\n"
    link = have["state"] == "link"
    changed = differences(item, dict(have, state="file", content="(a link)") if link else have, text, uid, gid)
    if changed is None and not link:
        return

    def apply() -> None:
        if text is None:
            data = system.read_bytes(item.path) or b""
        else:
            data = fetch_checked(item, fetch) if item.url else text.encode("utf-8")
        for _kind, parent, _value in _missing_parents(system, item.path):
            os.mkdir(system.path(parent), 0o755)
        system.write(item.path, data, item.mode_bits, uid, gid)
        if item.url:
            record.fetched(item.path, item.url)

    before, after = changed or ("", "")
    verb = f"fetched from {item.url}" if item.url and text else "written" if have["state"] == "absent" else "changed"
    remember = [*_missing_parents(system, item.path), ("files", item.path, have)]
    yield Step(f"file {item.path}", f"file {item.path} {verb}", apply, before, after, remember, [item.path])


def _plan_directory(system: System, item: WantedFile) -> Iterator[Step]:
    have = describe_file(system.path(item.path))
    uid, gid = item.owner_ids
    if have["state"] not in ("directory", "absent"):
        raise HostError(
            f"{item.path} should be a directory and is a {have['state']}. Remove or rename it, then run again."
            " [slipway:path_occupied]"
        )
    absent = have["state"] == "absent"
    before = "absent" if absent else _mode_text(have)
    after = f"mode {item.mode_bits:04o}, owner {uid}:{gid}"
    if before == after:
        return

    def apply() -> None:
        target = system.path(item.path)
        for _kind, parent, _value in _missing_parents(system, item.path):
            os.mkdir(system.path(parent), 0o755)
        os.makedirs(target, exist_ok=True)
        os.chmod(target, item.mode_bits)
        if os.geteuid() == 0:
            os.chown(target, uid, gid)

    verb = "created" if absent else "given its mode and owner"
    remember = [*_missing_parents(system, item.path), ("files", item.path, have)]
    yield Step(f"directory {item.path}", f"directory {item.path} {verb}", apply, before, after, remember)


def _plan_absent(system: System, item: WantedFile) -> Iterator[Step]:
    target = system.path(item.path)
    have = describe_file(target)
    if have["state"] != "absent":
        subject = f"{have['state']} {item.path}"
        yield Step(
            subject,
            f"{subject} removed",
            apply=partial(shutil.rmtree if have["state"] == "directory" else os.unlink, target),
            before=shown(have) or "present",
            remember=[("files", item.path, have)],
            paths=[item.path],
        )


def _plan_purge(system: System, record: Record, folder: str, wanted: set[str]) -> Iterator[Step]:
    """Remove the files below a folder that an earlier run created and that are no longer listed, or restore what they replaced."""
    ours = [path for path in record.before["files"] if path.startswith(folder.rstrip("/") + "/")]
    for path in sorted(ours, reverse=True):
        if path in wanted or any(other.startswith(path + "/") for other in wanted):
            continue
        was = record.before["files"][path]
        target = system.path(path)
        now = describe_file(target)
        foreign = {os.path.join(path, name) for name in system.names(path)} - set(ours)
        if now == was or (now["state"] == "directory" and foreign):
            continue

        def apply(path: str = path, target: str = target, was: dict[str, Any] = was) -> None:
            restore_file(target, was)
            record.forget("files", path)
            record.sources.pop(path, None)

        subject, removed = f"{now['state']} {path}", was["state"] == "absent"
        yield Step(
            subject,
            f"{subject} {'removed, no longer wanted' if removed else 'restored to its original content'}",
            apply,
            before="present",
            after="" if removed else "as it was before slipway.kube",
            paths=[path],
        )


def _is_fetched(system: System, record: Record, item: WantedFile) -> bool:
    if item.checksum:
        return digest(system.read_bytes(item.path) or b"") == item.checksum.lower()
    return record.sources.get(item.path) == item.url


def digest(data: bytes) -> str:
    """Return the SHA-256 digest of some bytes, as "sha256:HEX"."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def fetch_checked(item: WantedFile, fetch: Fetch) -> bytes:
    """Download a file and check it.

    :raises HostError: the download has another digest, or does not contain the expected text.
    """
    data = fetch(item.url)
    if item.checksum and digest(data) != item.checksum.lower():
        raise HostError(
            f"{item.url} returned {len(data)} bytes with {digest(data)}, not {item.checksum}."
            " Correct the checksum, or find out who changed the file."
            " [slipway:download_failed]"
        )
    if item.contains and item.contains.encode("utf-8") not in data:
        start = data[:120].decode("utf-8", "replace").strip()
        raise HostError(
            f"{item.url} did not return the expected file: there is no '{item.contains}' in it. Evidence: it starts with '{start}'."
            " Correct the URL."
            " [slipway:download_failed]"
        )
    return data


def _missing_parents(system: System, path: str) -> list[tuple[str, str, Any]]:
    missing = []
    parent = os.path.dirname(path)
    while parent not in ("/", "") and not os.path.isdir(system.path(parent)):
        missing.append(("files", parent, dict(ABSENT)))
        parent = os.path.dirname(parent)
    return missing[::-1]
