# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as the cores see it: its files under one root and a way to run its commands."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Iterable

LOCK_FILE = "/run/slipway-kube.lock"
# What systemctl's verbs enable, disable, mask and unmask link and unlink, and leave to the file system to write some seconds later.
UNIT_LINKS = "/etc/systemd/system"
LINKING = ("enable", "disable", "mask", "unmask")


class HostError(Exception):
    """What is wrong, the evidence and the remedy, as one text for the person who reads it."""


@dataclass
class Result:
    """What a command gave back: its exit code and what it wrote, as text."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def tail(self) -> str:
        """The last lines it wrote, for an error message."""
        text = "\n".join(part.strip() for part in (self.out, self.err) if part.strip())
        return "\n".join(text.splitlines()[-15:])


class System:
    """Files and commands of one host.

    Tests hand in another ``root`` (a folder that stands for ``/``) and another ``run``.
    """

    def __init__(self, root: str = "/", run=None) -> None:
        self.root = root
        self._run = run or run_command

    def path(self, path: str) -> str:
        """Where ``path`` of the host really is."""
        return path if self.root == "/" else os.path.join(self.root, path.lstrip("/"))

    def run(self, *command: str, env: dict[str, str] | None = None) -> Result:
        """Run a command to its end; a command that is not there gives code 127. What systemctl links survives a power cut."""
        result = self._run(list(command), env or {})
        if command[0] == "systemctl" and command[1] in LINKING:
            folder = self.path(UNIT_LINKS)
            sync([folder, *glob.glob(folder + "/*.wants"), *glob.glob(folder + "/*.requires")])
        return result

    def must(self, *command: str, env: dict[str, str] | None = None, remedy: str = "") -> Result:
        """Run a command that has to succeed.

        Raises HostError with the command's last lines when it does not.
        """
        result = self.run(*command, env=env)
        if result.code != 0:
            raise HostError(
                f"'{' '.join(command)}' failed with exit code {result.code}. Evidence: {result.tail or 'it wrote nothing'}."
                + (f" {remedy}" if remedy else "")
            )
        return result

    def has(self, program: str) -> bool:
        """Whether a program is on the host's path."""
        places = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
        return any(os.access(self.path(os.path.join(place, program)), os.X_OK) for place in places)

    def read(self, path: str) -> str | None:
        """A file's text, or None where there is no such file."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes | None:
        """A file's bytes, or None where there is no such file."""
        try:
            with open(self.path(path), "rb") as handle:
                return handle.read()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise HostError(f"{path} cannot be read: {error.strerror}.") from error

    def write(self, path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Write a whole file at once; see write_atomic()."""
        write_atomic(self.path(path), data, mode, uid, gid)

    @property
    def in_container(self) -> bool:
        """Whether this host shares its kernel, and so its swap and modules, with another system."""
        return any(
            os.path.exists(self.path(path)) for path in ("/run/systemd/container", "/.dockerenv", "/run/.containerenv")
        )


def run_command(command: list[str], env: dict[str, str]) -> Result:
    """Run a command with the C locale and no input."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", LANG="C.UTF-8")
    environment["PATH"] = environment.get("PATH", "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment.update(env)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    except FileNotFoundError as error:
        return Result(127, "", str(error))
    return Result(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def write_atomic(path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
    """Put ``data`` at ``path`` so that a reader, or a power cut, finds the old file or the new one, whole.

    Raises HostError where it cannot be written, for instance because the disk is full.
    """
    folder, name = os.path.split(path)
    temporary = ""
    try:
        for left_over in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.*.slipway")):
            os.unlink(left_over)  # by a run that was killed while it wrote
        descriptor, temporary = tempfile.mkstemp(prefix="." + name + ".", suffix=".slipway", dir=folder)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                os.fchown(descriptor, uid, gid)
            handle.flush()
            os.fsync(descriptor)
        _keep_selinux_label(path, temporary)
        os.rename(temporary, path)
        sync([folder])
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        remedy = (
            " Free some space on that file system and run again." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        )
        raise HostError(f"{path} cannot be written: {error.strerror}.{remedy}") from error


def _keep_selinux_label(old: str, new: str) -> None:
    """Give the new file the label of the one it replaces, or the one that the policy has for its place."""
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
    """Make files, or what was made, renamed and removed in folders, survive a power cut; those that are not there are passed over."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def is_regular(path: str) -> bool:
    """Whether there is a plain file at ``path`` itself, not behind a link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def host_lock(seconds: float = 900.0, path: str = LOCK_FILE):
    """Hold the host for one converging module at a time.

    A module whose connection was cut keeps running on the host for a while; the next run's has to wait for it.
    The lock goes with the process, however that ends. Raises HostError after ``seconds``.
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
                        f"Another run of slipway.kube still works on this host after {seconds:.0f} seconds."
                        f" Evidence: {path} is locked by process {handle.read().strip() or 'unknown'}. Wait for it or end it, then run again."
                    ) from None
                time.sleep(0.5)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield handle
