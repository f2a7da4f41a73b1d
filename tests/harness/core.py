# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests need from ansible-core, the same for every supported version (2.19 brought data tagging and test helpers)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader

try:
    from ansible.module_utils.testing import patch_module_args
    from ansible.template import trust_as_template

    TRUST: dict[str, Any] = {"trusted_as_template": True}
except ImportError:
    TRUST = {}

    def trust_as_template(value: str) -> str:
        """Return the template itself: before 2.19 every text may hold one."""
        return value

    @contextmanager
    def patch_module_args(args: dict[str, Any]) -> Iterator[None]:
        """Give a module its arguments for the duration of the context."""
        with mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()):
            yield


def load_variables(path: Path) -> dict[str, Any]:
    """Return the variables of a YAML file, whose values may be templates."""
    return DataLoader().load_from_file(str(path), **TRUST)


__all__ = ["load_variables", "patch_module_args", "trust_as_template"]
