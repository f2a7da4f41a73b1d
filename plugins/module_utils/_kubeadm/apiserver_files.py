# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the API server of a control plane reads, which must be there before kubeadm starts it.

The first control plane gets them from the inventory, and makes the key of encryption at rest. Those that join get what the reference control
plane has, since the flags of their API servers come from the cluster as well. Later runs do not change them.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any, Iterable, Mapping

from .._host.system import write_atomic
from . import hardening

KEY_BYTES = 32


def encryption_path(documents: Iterable[Mapping[str, Any]]) -> str:
    """Return the path of the EncryptionConfiguration in kubeadm's configuration, "" if it has none."""
    arguments = [
        argument
        for document in documents
        for argument in (document.get("apiServer") or {}).get("extraArgs") or []
        if argument["name"] == hardening.ENCRYPTION_FLAG
    ]
    return arguments[-1]["value"] if arguments else ""


def write_files(files: Iterable[Mapping[str, str]]) -> None:
    """Write files with mode 0600 into folders with mode 0700, and create the folder of the audit log.

    :param files: each with ``path`` and ``content``.
    :raises HostError: a file cannot be written.
    """
    for one in files:
        for folder in (os.path.dirname(one["path"]), hardening.AUDIT_FOLDER):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        write_atomic(one["path"], one["content"].encode("utf-8"), 0o600)


def make_key(path: str) -> None:
    """Write an EncryptionConfiguration with a new key, unless there is one: an interrupted init keeps its own.

    :raises HostError: it cannot be written.
    """
    if not os.path.exists(path):
        key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        write_files([{"path": path, "content": hardening.encryption(key)}])


def prepare(files: Iterable[Mapping[str, str]], documents: Iterable[Mapping[str, Any]]) -> None:
    """Write the files of a new cluster. A file of encryption that the inventory names is the user's own, and not made here.

    :param documents: configuration of kubeadm init.
    :raises HostError: a file cannot be written.
    """
    write_files(files)
    if encryption_path(documents) == hardening.ENCRYPTION:
        make_key(hardening.ENCRYPTION)


def read_files(folder: str = hardening.FOLDER) -> list[dict[str, str]]:
    """Return the files of this control plane as :func:`write_files` takes them, [] on one that has none."""
    found = sorted(path for path in Path(folder).glob("[!.]*") if path.is_file())
    return [{"path": str(path), "content": path.read_text(encoding="utf-8")} for path in found]
