# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and read the files of a task as Ansible's own actions do: in the role, beside the playbook, decrypted by Ansible Vault."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError

from ..errors import InputError

MANIFESTS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def find(action: Any, task_vars: Mapping[str, Any], path: str, folder: str, endings: Sequence[str]) -> list[str]:
    """Return the files of a path, a folder (with all folders below it) or a pattern, sorted by name.

    :param folder: where roles and playbooks keep such files (C(files) or C(templates)).
    :param endings: of the files that are read from a folder.
    :raises InputError: there is no such file.
    """
    if glob.has_magic(path):
        found = _matching(action, task_vars, os.path.expanduser(path), folder)
        files = [one for one in found if os.path.isfile(one)]
        if not files:
            raise InputError(f"{path}: no file matches this pattern.")
        return files
    place = find_one(action, path, folder)
    if not os.path.isdir(place):
        return [place]
    kustomization = next((name for name in KUSTOMIZATIONS if os.path.isfile(os.path.join(place, name))), None)
    if kustomization:
        raise InputError(
            f"{place}: the folder contains a {kustomization}. Use 'kustomize', or list the files one by one."
        )
    files = _below(place, endings)
    if not files:
        raise InputError(f"{place}: the folder contains no file that ends in {', '.join(endings)}.")
    return files


def find_one(action: Any, path: str, folder: str) -> str:
    """Return the absolute path of a file or folder.

    :raises InputError: it does not exist.
    """
    try:
        return str(action._find_needle(folder, os.path.expanduser(path)))
    except AnsibleError:
        raise InputError(
            f"{path}: no such file or folder in the folder of the playbook or role, nor in its folder '{folder}'."
        ) from None


def read_bytes(action: Any, path: str) -> bytes:
    """Read a file; one that is encrypted with Ansible Vault is decrypted in memory.

    :raises InputError: it cannot be read.
    """
    try:
        return bytes(action._loader._get_file_contents(path)[0])
    except (AnsibleError, OSError) as error:
        reason = " ".join(str(getattr(error, "message", None) or error).split())
        raise InputError(f"{path}: the file cannot be read: {reason}") from None


def read_text(action: Any, path: str) -> str:
    """Read a text file (see :func:`read_bytes`).

    :raises InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(action, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the file is not UTF-8 text (byte {error.start}).") from None


def _below(place: str, endings: Sequence[str]) -> list[str]:
    found = []
    for folder, folders, names in os.walk(place, followlinks=True):
        # Sorted in place, because os.walk continues in this order. Hidden files belong to editors and version control.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(folder, name)
            for name in sorted(names)
            if name.endswith(tuple(endings)) and not name.startswith(".")
        ]
    return found


def _matching(action: Any, task_vars: Mapping[str, Any], pattern: str, folder: str) -> list[str]:
    if os.path.isabs(pattern):
        return sorted(glob.glob(pattern, recursive=True))
    for base in [*(task_vars.get("ansible_search_path") or []), action._loader.get_basedir()]:
        for place in (os.path.join(base, folder), base):
            found = sorted(glob.glob(os.path.join(place, pattern), recursive=True))
            if found:
                return found
    return []
