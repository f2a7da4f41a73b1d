# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a host that cannot be reached, and that leaves a mark when somebody tries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: mark
short_description: Leaves a mark and fails
description: Writes the name of the host to the file MARK.
author: slipway.kube authors (@slipway)
options: {}
"""


class Connection(ConnectionBase):
    """Every use is one attempt to contact the host."""

    transport = "mark"
    has_pipelining = True

    def _connect(self) -> NoReturn:
        with Path(os.environ["MARK"]).open("a") as marks:
            marks.write(f"{self._play_context.remote_addr}\n")
        raise AnsibleConnectionFailure("this host was contacted")

    def exec_command(self, cmd: str, in_data: Any = None, sudoable: bool = True) -> NoReturn:
        self._connect()

    def put_file(self, in_path: str, out_path: str) -> NoReturn:
        self._connect()

    def fetch_file(self, in_path: str, out_path: str) -> NoReturn:
        self._connect()

    def close(self) -> None:
        self._connected = False
