# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the files of the control node that the description of an application refers to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError
from ..sources.files import find_one, read_bytes, read_text
from ..sources.template_reader import render
from .fields import join
from .spec import Spec, containers_of


def read_files(action: Any, task_vars: Mapping[str, Any], spec: Spec) -> None:
    """Read what C(src) and C(template) refer to into C(data) of each entry.

    :param action: the action plugin: its search path is used, and its vault secrets to decrypt files in memory.
    :param spec: the description; changed.
    :raises InputError: a file does not exist or cannot be read, or a template fails; the message lists all of them.
    """
    problems: list[str] = []
    for path, entry in _entries(spec):
        try:
            if entry["src"] is not None:
                file = find_one(action, entry["src"], "files")
                if os.path.isdir(file):
                    raise InputError(f"{file} is a folder. List its files one by one.")
                entry["data"] = read_bytes(action, file)
            elif entry["template"] is not None:
                file = find_one(action, entry["template"], "templates")
                result = render(action, task_vars, file, read_text(action, file), {})
                entry["data"] = (result if isinstance(result, str) else json.dumps(result)).encode()
        except InputError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
    if problems:
        raise InputError(*problems)


def _entries(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every file of a description with the path of its field."""
    for path, container in containers_of(spec):
        for field in ("config_files", "secret_files"):
            for name, entry in container[field].items():
                yield join(join(path, field), name), entry
    for place in ("config_maps", "secrets"):
        for name, data in spec[place].items():
            for key, entry in data.items():
                yield join(join(place, name), key), entry
