# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an action plugin to the callback: what a module that works for long says about itself, while it works.

The callback opens the channel, a pipe, before Ansible forks its workers. Without the callback, or where it shows no block, nothing is
read from the hosts.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ansible.plugins.action import ActionBase

from ...module_utils._kube.progress import END, LIMIT, PREFIX, VARIABLE, text_of

FIRST, EVERY = 2.0, 2.0  # seconds; a module that is faster costs nothing
ATOMIC = 4096  # bytes that a pipe takes in one piece (PIPE_BUF of Linux)
CUT = 1500  # characters of a message, which may take several bytes each

_channel: list[int] = []  # the two ends of the pipe, while it is open


def open_channel() -> None:
    """Open the channel, which the workers inherit."""
    close_channel()
    _channel.extend(os.pipe())
    for end in _channel:
        os.set_blocking(end, False)


def close_channel() -> None:
    """Close the channel, if it is open."""
    while _channel:
        with suppress(OSError):
            os.close(_channel.pop())


def receive() -> list[tuple[str, str, list[str]]]:
    """Return what was said since: host, key of the task, and lines."""
    if not _channel:
        return []
    data = b""
    with suppress(BlockingIOError):
        while part := os.read(_channel[0], 1 << 16):
            data += part
    found = []
    for line in data.splitlines():
        with suppress(ValueError):
            host, task, lines = json.loads(line)
            found.append((host, task, lines))
    return found


def send(host: str, task: str, text: str) -> None:
    """Pass on what the module of a task says; nothing where the pipe is full."""
    lines = text[:CUT].splitlines()
    while lines:
        data = json.dumps([host, task, lines]).encode() + b"\n"
        if len(data) <= ATOMIC:
            break
        lines.pop()
    if _channel and lines:
        with suppress(OSError):
            os.write(_channel[1], data)


@contextmanager
def watched(action: ActionBase, task_vars: Mapping[str, Any] | None) -> Iterator[None]:
    """While the module of an action runs, pass on what it says."""
    if not _channel or action._task.check_mode:
        yield
        return
    path = f"/tmp/{PREFIX}{uuid.uuid4().hex}"
    host, key = str((task_vars or {}).get("inventory_hostname", "")), str(action._task._uuid)
    environment = action._task.environment
    action._task.environment = [*(environment or []), {VARIABLE: path}]
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(action._connection, path, host, key, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=1)
        action._task.environment = environment


def _watch(connection: Any, path: str, host: str, key: str, over: threading.Event) -> None:
    said = ""
    pause = FIRST
    with suppress(Exception):  # whatever a connection cannot do: the module goes on without being watched
        connection = copy.copy(connection)  # the module uses the other one, which has the state of its command
        while not over.wait(pause):
            text = text_of(_read(connection, path))
            if text and text != said:
                send(host, key, text)
                said = text
            pause = EVERY


def _read(connection: Any, path: str) -> bytes:
    if connection.transport != "local":
        _code, data, _errors = connection.exec_command(f"cat {path} 2>/dev/null", sudoable=False)
        return bytes(data)
    with suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read(LIMIT + len(END))
    return b""
