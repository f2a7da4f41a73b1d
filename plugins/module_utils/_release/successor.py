# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revision that follows another one: what it takes over from it. A pure function."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Mapping

from .._kube.objects import reference
from .chart_hooks import LASTING
from .desired import Desired
from .ownership import key
from .plan import no_longer_contained
from .revision import PENDING, Revision
from .settings import Settings
from .waves import records


def successor(
    settings: Settings, desired: Desired, latest: Revision | None, run: Mapping[str, Any], upgrade: bool
) -> Revision:
    """Return the next revision of a release.

    :param latest: the newest revision.
    :param run: the state of a run that begins.
    :param upgrade: whether a revision is deployed.
    """
    before = latest.state if latest else {}
    # Hooks of a rollback run each time.
    repeated = {key(reference(one)) for when, some in desired.hooks.items() if when not in LASTING for one in some}
    state = dict(
        run,
        new=True,
        restores=settings.revision or 0,
        inherited=[name.as_dict() for name in no_longer_contained(desired, latest)],
        digests=before.get("digests") or {},
        hooks_done=[one for one in before.get("hooks_done") or [] if one not in repeated],
        upgrade=upgrade,
        # Those of the option may be others when the revision is restored; they tell what is no drift.
        ignored=[asdict(one) for one in desired.ignored[: len(settings.ignore_differences)]],
        generated=[asdict(one) for one in desired.ignored[len(settings.ignore_differences) :]],
        jobs_done=before.get("jobs_done") or {},
        **records(settings.waves, before),
    )
    number = latest.number + 1 if latest else 1
    return Revision(settings.name, settings.namespace, number, desired.objects, desired.hooks, PENDING, state)
