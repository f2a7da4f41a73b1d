# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role history: lists the runs that are recorded beside an inventory (plugin_utils/progress)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.plugins.loader import callback_loader

from ..plugin_utils.progress.history_lines import history_lines
from ..plugin_utils.progress.record import folder_of, summaries


def run_history(sources: Iterable[str], folder: str = "", count: int = 20) -> list[str]:
    """Return the recorded runs as lines, the newest first.

    :param sources: Those of the inventory.
    :param folder: Of the records. If empty, it is the one that the callback is configured to use, or found beside the inventory.
    :raises AnsibleFilterError: The folder cannot be read.
    """
    folder = folder or configured()
    found = Path(folder).expanduser() if folder else folder_of(str(one) for one in sources)
    try:
        runs = summaries(found) if found and found.is_dir() else []
    except OSError as error:
        raise AnsibleFilterError(f"The records cannot be read: {error}. [slipway:file_not_read]") from error
    return history_lines(runs, str(found or ""), count)


def configured() -> str:
    """Return the folder that the callback is configured to use, "" if none is."""
    callback = callback_loader.get("slipway.kube.progress")
    if callback is None:  # outside of Ansible
        return ""
    callback.set_options()
    return str(callback.get_option("runs_dir") or "")


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"run_history": run_history}
