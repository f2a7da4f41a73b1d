# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the files of the control node that the description of an application names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..sources.errors import SourceError
from ..sources.files import needle, read_text
from ..sources.template_reader import render
from .checks_pod import containers_of
from .fields import BadApp, join
from .spec import Spec


def entries(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every file of a description with the path of its field."""
    for path, container in containers_of(spec):
        for field in ("config_files", "secret_files"):
            for name, entry in container[field].items():
                yield join(join(path, field), name), entry
    for place in ("config_maps", "secrets"):
        for name, data in spec[place].items():
            for key, entry in data.items():
                yield join(join(place, name), key), entry


def read_files(action: Any, task_vars: Mapping[str, Any], spec: Spec) -> None:
    """Read what C(src) and C(template) name, into C(data) of each entry.

    :param action: the action plugin; files are looked for as its task does, those that Ansible Vault encrypted are decrypted in memory.
    :param spec: the description; changed.
    :raises BadApp: a file is not there or cannot be read, a template fails; every such file is named.
    """
    problems: list[str] = []
    for path, entry in entries(spec):
        try:
            if entry["src"] is not None:
                entry["data"] = _bytes(action, needle(action, entry["src"], "files"))
            elif entry["template"] is not None:
                entry["data"] = _rendered(action, task_vars, entry["template"])
        except SourceError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
    if problems:
        raise BadApp(problems)


def _bytes(action: Any, path: str) -> bytes:
    if os.path.isdir(path):
        raise SourceError([f"{path} is a folder; name its files one by one."])
    try:
        content, _shown = action._loader._get_file_contents(path)
    except (AnsibleError, OSError) as error:
        reason = " ".join(str(getattr(error, "message", None) or error).split())
        raise SourceError([f"{path} cannot be read: {reason}"]) from None
    return bytes(content)


def _rendered(action: Any, task_vars: Mapping[str, Any], name: str) -> bytes:
    path = needle(action, name, "templates")
    made = render(action, task_vars, path, read_text(action, path), {})
    text = made if isinstance(made, str) else json.dumps(made)
    return str(text).encode()
