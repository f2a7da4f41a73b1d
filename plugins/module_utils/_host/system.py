# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to a host: its files below one root folder, and its commands."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Iterable

from .facts.files import Root
from .facts.proxies import LOGIN_NEEDED, PROXY_REMEDY, hide_logins

LOCK_FILE = "/run/slipway-kube.lock"
UNIT_LINKS = "/etc/systemd/system"
"""Where ``systemctl enable``, ``disable``, ``mask`` and ``unmask`` create and remove links."""


class HostError(Exception):
    """An error message for the operator: what is wrong, the evidence and the remedy."""


def coded(text: str, code: str) -> str:
    """Return a message with a code, unless it passes on a message that has its own."""
    return text if "[slipway:" in text else f"{text} [slipway:{code}]"


@dataclass
class Result:
    """The exit code and the output of a command."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def tail(self) -> str:
        """Return the last 15 lines of output, for an error message; URLs are shown without user and password."""
        text = "\n".join(part.strip() for part in (self.out, self.err) if part.strip())
        lines = hide_logins(text).splitlines()[-15:]
        if re.search(r"\b407\b.*proxy|proxy.*\b407\b|response 407", text, re.I):
            lines.append(f"{LOGIN_NEEDED[0].upper()}{LOGIN_NEEDED[1:]}. {PROXY_REMEDY}")
        return "\n".join(lines)


class System(Root):
    """Files and commands of one host.

    :param run: replaces :func:`run_command` in tests.
    """

    def __init__(self, root: str = "/", run=None) -> None:
        super().__init__(root)
        self._run = run or run_command

    def run(self, *command: str, env: dict[str, str] | None = None) -> Result:
        """Run a command and wait for it; a program that does not exist gives exit code 127."""
        return self._run(list(command), env or {})

    def must(self, *command: str, env: dict[str, str] | None = None, remedy: str = "") -> Result:
        """Run a command that has to succeed.

        :raises HostError: it failed; the message quotes the last lines of its output.
        """
        result = self.run(*command, env=env)
        if result.code != 0:
            raise HostError(
                f"'{' '.join(command)}' failed with exit code {result.code}. Evidence: {result.tail or 'no output'}."
                + (f" {remedy}" if remedy else "")
                + " [slipway:command_failed]"
            )
        return result

    def systemctl(self, verb: str, name: str, check: bool = True) -> Result:
        """Run ``systemctl VERB UNIT`` and write the links that it created or removed to disk.

        systemd leaves writing them to the file system, so that a power cut a few seconds later would lose them.

        :raises HostError: it failed, unless ``check`` is False.
        """
        result = (self.must if check else self.run)("systemctl", verb, name)
        if verb in ("enable", "disable", "mask", "unmask"):
            folder = self.path(UNIT_LINKS)
            sync([folder, *glob.glob(folder + "/*.wants"), *glob.glob(folder + "/*.requires")])
        return result

    def has(self, program: str) -> bool:
        """Return whether a program is on the host's path."""
        places = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
        return any(os.access(self.path(os.path.join(place, program)), os.X_OK) for place in places)

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None where it does not exist."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes | None:
        """Return the content of a file, or None where it does not exist."""
        try:
            with open(self.path(path), "rb") as handle:
                return handle.read()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise HostError(f"{path} cannot be read: {error.strerror}. [slipway:file_not_read]") from error

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Replace a whole file, see :func:`write_atomic`."""
        write_atomic(self.path(path), data, mode, uid, gid)

    @property
    def in_container(self) -> bool:
        """Return whether this host shares its kernel, and with it swap and kernel modules, with another system."""
        return any(self.exists(path) for path in ("/run/systemd/container", "/.dockerenv", "/run/.containerenv"))


def run_command(command: list[str], env: dict[str, str]) -> Result:
    """Run a command with the C locale and without input."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", LANG="C.UTF-8")
    environment["PATH"] = environment.get("PATH", "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment.update(env)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)  # pylint: disable=ansible-bad-function
    except FileNotFoundError as error:
        return Result(127, "", str(error))
    return Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def write_atomic(path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
    """Replace a file so that a reader, also after a power cut, finds either the old content or the new one.

    :raises HostError: the file cannot be written, for example because the disk is full.
    """
    folder, name = os.path.split(path)
    temporary = ""
    try:
        for leftover in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.*.slipway")):
            os.unlink(leftover)  # from a run that was killed while it wrote
        descriptor, temporary = tempfile.mkstemp(prefix="." + name + ".", suffix=".slipway", dir=folder)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                os.fchown(descriptor, uid, gid)
            handle.flush()
            os.fsync(descriptor)
        _copy_selinux_label(path, temporary)
        os.rename(temporary, path)
        sync([folder])
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = " Free some space on that file system and run again." if full else ""
        raise HostError(f"{path} cannot be written: {error.strerror}.{remedy} [slipway:file_not_written]") from error


def _copy_selinux_label(old: str, new: str) -> None:
    """Give the new file the SELinux label of the file it replaces, or the policy's default for its path."""
    if not os.path.isdir("/sys/fs/selinux/policy_capabilities"):
        return
    if os.path.exists(old):
        with contextlib.suppress(OSError):
            os.setxattr(new, "security.selinux", os.getxattr(old, "security.selinux"))
    elif shutil.which("matchpathcon") and shutil.which("chcon"):
        label = run_command(["matchpathcon", "-n", old], {}).out.strip()
        if label and label != "<<none>>":
            run_command(["chcon", label, new], {})


def sync(paths: Iterable[str]) -> None:
    """Write files, or the entries of folders, to disk; paths that do not exist are skipped."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def host_lock(seconds: float = 900.0, path: str = LOCK_FILE):
    """Allow one module that changes the host at a time.

    A module whose connection was cut keeps running on the host for a while, and the next run has to wait for it. The lock
    is released when the process ends, for whatever reason.

    :raises HostError: another process still holds the lock after ``seconds``.
    """
    end = time.monotonic() + seconds
    with open(path, "a+") as handle:
        os.chmod(path, 0o600)
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    handle.seek(0)
                    raise HostError(
                        f"Another run of slipway.kube is still active on this host after {seconds:.0f} seconds. Evidence: {path} is"
                        f" locked by process {handle.read().strip() or 'unknown'}. Wait for that process or end it, then run again."
                        " [slipway:host_locked]"
                    ) from None
                time.sleep(0.5)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield handle
