# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Returning the free space of etcd's databases to the file system, and ending a space alarm: the core of the module etcd_defragment.

Order: https://etcd.io/docs/v3.6/op-guide/maintenance/ ("Defragmentation", "Space quota"). A member does not respond while it is
defragmented, so one follows the other, and the leader comes last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from .._host.system import HostError, coded
from . import etcd

MIB = 1 << 20
DEFAULT_QUOTA = 2 << 30
"""etcd's ``--quota-backend-bytes`` if it is not set, in bytes."""
NO_SPACE, CORRUPT = "NOSPACE", "CORRUPT"


@dataclass(frozen=True)
class Member:
    """A member of etcd.

    :ivar size: bytes that its database takes in the file system.
    :ivar used: bytes of it that are in use.
    :ivar quota: bytes at which etcd refuses writes.
    :ivar leader: whether it leads the others.
    """

    id: str
    name: str
    url: str
    size: int
    used: int
    quota: int
    leader: bool

    @property
    def free_percent(self) -> float:
        """The share of the database that is free."""
        return 100 * (self.size - self.used) / self.size if self.size else 0.0


def choose(members: Iterable[Member], free_percent: int, minimum_size: int, alarm: bool) -> list[Member]:
    """Return the members to defragment, in order: all of them after a space alarm, else those with much free space. The leader is the last.

    :param minimum_size: in MiB; smaller databases are left alone.
    """
    chosen = [
        member
        for member in members
        if alarm or member.size >= minimum_size * MIB and member.free_percent >= free_percent
    ]
    return sorted(chosen, key=lambda member: member.leader)


def read_members(pki: str = etcd.PKI, endpoint: str = "") -> list[Member]:
    """Return all members.

    :raises EtcdError: one of them does not respond: without it, and with another one at work, etcd could lose its quorum.
    """
    members = []
    for found in etcd.list_members(endpoint or etcd.find_endpoint(pki), pki):
        name, urls = found.get("name") or "", found.get("clientURLs") or []
        if not urls:
            raise etcd.EtcdError(
                f"A member of etcd has never started, so nothing is defragmented. Evidence: {', '.join(found.get('peerURLs') or [])}."
                " Remedy: start it, or remove the node with the playbook slipway.kube.node_remove."
                " [slipway:etcd_not_started]"
            )
        status = etcd.call(urls[0], "/v3/maintenance/status", {}, pki)
        size, quota = int(status.get("dbSize") or 0), int(status.get("dbSizeQuota") or DEFAULT_QUOTA)
        used = int(status.get("dbSizeInUse") or size)
        members.append(
            Member(str(found["ID"]), name, urls[0], size, used, quota, str(status.get("leader")) == str(found["ID"]))
        )
    return members


def read_alarms(pki: str = etcd.PKI, endpoint: str = "") -> list[tuple[str, str]]:
    """Return the alarms that are raised, as (ID of the member, kind)."""
    endpoint = endpoint or etcd.find_endpoint(pki)
    found = etcd.call(endpoint, "/v3/maintenance/alarm", {"action": "GET"}, pki).get("alarms") or []
    return [(str(alarm.get("memberID")), str(alarm.get("alarm"))) for alarm in found]


def compact(pki: str = etcd.PKI, endpoint: str = "") -> None:
    """Delete the history of all objects: the API server cannot do so while etcd refuses writes."""
    endpoint = endpoint or etcd.find_endpoint(pki)
    revision = etcd.call(endpoint, "/v3/maintenance/status", {}, pki)["header"]["revision"]
    try:
        etcd.call(endpoint, "/v3/kv/compaction", {"revision": revision, "physical": True}, pki, etcd.PATIENT)
    except etcd.EtcdError as error:
        if "has been compacted" not in str(error):  # by a run that was interrupted
            raise


def end_alarm(alarms: Iterable[tuple[str, str]], members: Iterable[Member], pki: str = etcd.PKI) -> None:
    """End the space alarms, if the databases have become small enough.

    :raises HostError: one has not; etcd would soon raise the alarm again.
    """
    full = [member for member in members if member.size > 0.9 * member.quota]
    if full:
        shown = ", ".join(f"{one.name} {shown_size(one.size)} of {shown_size(one.quota)}" for one in full)
        raise HostError(
            f"etcd is still nearly full after it was compacted and defragmented, so its alarm stays and the cluster cannot be changed."
            f" Evidence: {shown}. Remedy: raise quota-backend-bytes of etcd (8 GiB at most is advised), run again, then delete what"
            " fills it: 'kubectl get --raw /metrics | grep apiserver_resource_objects' counts objects by kind."
            " [slipway:etcd_space]"
        )
    endpoint = etcd.find_endpoint(pki)
    for member, kind in alarms:
        etcd.call(endpoint, "/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": member, "alarm": kind}, pki)


def shown_size(size: int) -> str:
    """Return a number of bytes as a person reads it."""
    return f"{size / MIB:.1f} MiB"


def wait_for_members(seconds: float, pki: str = etcd.PKI) -> list[Member]:
    """Wait until every member responds again, and return all of them. A space alarm, which an upgrade waits to end, is no reason to wait here.

    :raises HostError: one does not in time.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return read_members(pki)
        except etcd.EtcdError as error:
            if time.monotonic() > end:
                text = f"etcd is not healthy {seconds:.0f} seconds after a member was defragmented, so no other one was. Evidence: {error}"
                raise HostError(coded(text, "etcd_unhealthy")) from error
        time.sleep(1)


def converge(params: Mapping[str, Any], check_mode: bool, _lock: Any) -> dict[str, Any]:
    """Defragment the members that need it, end a space alarm, and return the result of the module.

    :raises HostError: this host has no credentials for etcd, or a member does not respond or is damaged.
    """
    etcd.require_credentials()
    alarms = read_alarms()
    damaged = [member for member, kind in alarms if kind == CORRUPT]
    if damaged:
        raise HostError(
            f"The database of an etcd member is damaged, so nothing is defragmented. Evidence: alarm {CORRUPT} of member"
            f" {', '.join(damaged)}. Remedy: replace the member: remove its node with slipway.kube.node_remove and add it again."
            " [slipway:etcd_corrupt]"
        )
    full = [(member, kind) for member, kind in alarms if kind == NO_SPACE]
    before = after = read_members()
    chosen = choose(before, params["free_percent"], params["minimum_size"], bool(full))
    if full and not check_mode:
        compact()
    for member in chosen if not check_mode else ():
        etcd.call(member.url, "/v3/maintenance/defragment", {}, etcd.PKI, params["member_timeout"])
        after = wait_for_members(params["member_timeout"])
    if full and not check_mode:
        end_alarm(full, after)
    now = {member.id: member for member in after}
    changes = [f"etcd member {one.name} defragmented: {_shown_change(one, now[one.id], check_mode)}" for one in chosen]
    changes += [f"alarm {kind} ended, with which etcd refused writes" for _member, kind in full[:1]]
    return {
        "changed": bool(changes),
        "changes": changes,
        "members": [{"name": one.name, "size": one.size, "used": one.used} for one in after],
    }


def _shown_change(before: Member, after: Member, check_mode: bool) -> str:
    if check_mode:
        return f"{before.free_percent:.0f} percent of {shown_size(before.size)} are free"
    return f"{shown_size(before.size)} before, {shown_size(after.size)} after"
