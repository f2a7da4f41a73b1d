# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the workloads of a manifest; on failure, report the reasons."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import Reference, reference
from .._kube.readiness import WAITED_FOR
from .system import reasons
from .waiting import Watch

PAUSE = 0.5


class NotReady(Exception):
    """Workloads are not ready in time, or cannot become ready; the message contains the pods and the reasons."""


def wait_ready(
    client: Client, path: Callable[[Reference], str], contents: Sequence[Mapping[str, Any]], seconds: float
) -> list[str]:
    """Wait until the workloads among some objects are ready.

    :param path: Returns the path of an object in the API.
    :param seconds: The timeout for all of them together.
    :returns: The workloads.
    :raises NotReady: The timeout has expired, or a pod cannot start without intervention.
    """
    names = [reference(content) for content in contents if content.get("kind") in WAITED_FOR]
    watch = Watch(client, names, path, grace=0)
    started = time.monotonic()
    while names:
        outlook = watch.look()
        if not outlook.waiting:
            break
        spent = time.monotonic() - started
        if spent >= seconds or outlook.hopeless:
            begin = f"Not ready after {spent:.0f} s:"
            if outlook.hopeless and spent < seconds:
                begin = "These workloads cannot become ready without intervention:"
            late = [f"{name}: {why}." for name, why in outlook.waiting]
            raise NotReady("\n".join([begin, *late, *reasons(outlook.findings)]))
        time.sleep(PAUSE)
    return [str(name) for name in names]
