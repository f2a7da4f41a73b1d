# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and read the files that a task names, as Ansible's own actions do: beside the role, beside the playbook, encrypted or not."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError

from .errors import SourceError

MANIFESTS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def find(action: Any, task_vars: Mapping[str, Any], path: str, folder: str, endings: Sequence[str]) -> list[str]:
    """Find the files that a path means: itself, all below a folder, or those of a pattern; in the order of their names.

    :param folder: where roles and playbooks keep such files (C(files) or C(templates)).
    :param endings: of the files that count in a folder.
    :raises SourceError: there is no such file, or none in the folder.
    """
    if glob.has_magic(path):
        found = _matching(action, task_vars, os.path.expanduser(path), folder)
        files = [one for one in found if os.path.isfile(one)]
        if not files:
            raise SourceError([f"{path}: no file matches this pattern."])
        return files
    place = needle(action, path, folder)
    if not os.path.isdir(place):
        return [place]
    kustomization = next((name for name in KUSTOMIZATIONS if os.path.isfile(os.path.join(place, name))), None)
    if kustomization:
        raise SourceError(
            [f"{place}: this folder has a {kustomization}. Name it with 'kustomize', or name its files one by one."]
        )
    files = _below(place, endings)
    if not files:
        raise SourceError([f"{place}: this folder holds no file that ends in {', '.join(endings)}."])
    return files


def needle(action: Any, path: str, folder: str) -> str:
    """Find one file or folder.

    :raises SourceError: it is not there.
    """
    try:
        return str(action._find_needle(folder, os.path.expanduser(path)))
    except AnsibleError:
        raise SourceError(
            [f"{path}: there is no such file or folder, neither beside the playbook or role nor in '{folder}' there."]
        ) from None


def read_text(action: Any, path: str) -> str:
    """Read a file; one that Ansible Vault encrypted is decrypted in memory.

    :raises SourceError: it cannot be read, or is no text.
    """
    try:
        content, _shown = action._loader._get_file_contents(path)
        return bytes(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(["%s: this is no text in UTF-8 (byte %d)." % (path, error.start)]) from None
    except (AnsibleError, OSError) as error:
        reason = " ".join(str(getattr(error, "message", None) or error).split())
        raise SourceError([f"{path}: it cannot be read: {reason}"]) from None


def _below(place: str, endings: Sequence[str]) -> list[str]:
    found = []
    for folder, folders, names in os.walk(place, followlinks=True):
        # Sorted in place: os.walk goes on in this order. Hidden ones belong to editors and version control.
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
