# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs with C(ttlSecondsAfterFinished), which the cluster deletes after their end, with 0 seconds at once.

While a run awaits such a Job, it has no TTL, so that its end is seen however late the next look is; it gets its TTL back afterwards.
https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, mapping, reference
from .fingerprint import digest
from .ignored import Ignored, without
from .live_state import uid
from .ownership import MANAGER, key

TTL = "ttlSecondsAfterFinished"


def has_ttl(content: Mapping[str, Any]) -> bool:
    """Return whether an object is a Job that the cluster deletes after its end."""
    return content.get("kind") == "Job" and mapping(content.get("spec")).get(TTL) is not None


def without_ttl(content: Object) -> Object:
    """Return a Job that stays after its end; any other object as it is."""
    if not has_ttl(content):
        return content
    return dict(content, spec={name: value for name, value in content["spec"].items() if name != TTL})


def restore_ttl(
    client: Client, path: Callable[[Reference], str], contents: Sequence[Object], force: bool
) -> dict[str, Object]:
    """Give Jobs their TTL back, unless they were deleted in the meantime: none of them is created again.

    :param contents: objects; those without TTL are left alone.
    :returns: the live objects by their key, without those that this user may not change any more or that are gone.
    """

    def restore(content: Object) -> Object:
        place = path(reference(content))
        try:
            live = client.find(place)
            if live is None or has_ttl(live):
                return {}
            # With the UID, the server does not create a Job that was deleted a moment ago.
            mine = dict(content, metadata=dict(content["metadata"], uid=uid(live)))
            return client.apply(place, mine, MANAGER, force, dry_run=False)
        except ApiError:
            return {}  # the Job stays until the release no longer contains it

    jobs = [content for content in contents if has_ttl(content)]
    answers = client.each(restore, jobs)
    return {key(reference(content)): live for content, live in zip(jobs, answers) if live}


def done_jobs(contents: Sequence[Object], ignored: Sequence[Ignored]) -> dict[str, str]:
    """Return what a deployed revision remembers of its Jobs with a TTL: the digest of each by its key.

    :param ignored: fields that make no difference, such as those that a chart makes anew with each rendering.
    """
    return {key(reference(content)): digest(without(content, ignored)) for content in contents if has_ttl(content)}
