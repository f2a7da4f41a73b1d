# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real action plugin beside a playbook in a temporary folder: Ansible's own loader and templar, no connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.slipway.kube.plugins.action.release import ActionModule

MakeAction = Callable[..., ActionModule]


@pytest.fixture
def make_action(tmp_path: Path) -> MakeAction:
    """Return what makes an action whose playbook is in the temporary folder."""

    def make(**arguments: Any) -> ActionModule:
        loader = DataLoader()
        loader.set_basedir(str(tmp_path))
        task = SimpleNamespace(
            args=arguments,
            async_val=0,
            check_mode=False,
            diff=False,
            get_search_path=lambda: [str(tmp_path)],
            environment=None,
        )
        context = SimpleNamespace(no_log=False, check_mode=False, diff=False, verbosity=0)
        connection = SimpleNamespace(_play_context=context, _shell=SimpleNamespace(tmpdir=None), transport="local")
        return ActionModule(task, connection, context, loader, Templar(loader=loader, variables={}), None)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return what writes a file below the temporary folder."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return put
