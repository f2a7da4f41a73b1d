# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules of this folder end: with the result of their core, or with what it refuses."""

from __future__ import annotations

from typing import Any, Callable

from .._host.system import HostError, host_lock
from .admin import API_ERRORS


def finish(module: Any, converge: Callable[[dict[str, Any], bool], dict[str, Any]]) -> None:
    """Call C(converge(params, check_mode)) and exit with its result, warnings apart; HostError, ValueError and OSError become the failure."""
    try:
        result = converge(module.params, module.check_mode)
    except (HostError, *API_ERRORS, ValueError, OSError) as error:
        module.fail_json(msg=str(error))
    for words in result.pop("warnings", []):
        module.warn(words)
    module.exit_json(**result)


def finish_alone(module: Any, converge: Callable[[dict[str, Any], bool, Any], dict[str, Any]]) -> None:
    """As :func:`finish`, and but for check mode no other run works on this host meanwhile; the core gets the lock, or None."""

    def locked(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        if check_mode:
            return converge(params, True, None)
        with host_lock(params["timeout"]) as lock:
            return converge(params, False, lock)

    finish(module, locked)
