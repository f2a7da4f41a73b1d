# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal of a restore: a snapshot becomes the data of a scratch etcd, which must have as many objects as the cluster had.

The scratch etcd listens on sockets in a private folder only, so that nobody else can read it. Nothing of it is kept.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import tempfile
import time

from .._kube.progress import tell
from .etcd_tools import EtcdToolError, Tools, run

PREFIX = "/registry/"
COUNT = ("get", PREFIX, "--prefix", "--count-only", "--write-out=fields")
WAL_BYTES = 2 * (64 << 20)  # etcd allocates its write-ahead log in segments of 64 MiB, and the next one beforehand
SECONDS = 300
SOCKETS = "slipway-rehearsal."
NOWHERE = "http://127.0.0.1:1"  # what it tells others, which there are none; etcd 3.6 refuses a socket here


def count_of(fields: str) -> int:
    """Return the number of keys in an answer of etcdctl.

    :raises EtcdToolError: it has none.
    """
    found = re.search(r'^"Count" : (\d+)$', fields, re.M)
    if not found:
        raise EtcdToolError(
            f"etcdctl did not return a number of keys. Evidence: {fields[:200]} [slipway:snapshot_damaged]"
        )
    return int(found.group(1))


def needed_bytes(database: int) -> int:
    """Return how much space a rehearsal needs.

    :param database: size of etcd's database, in bytes.
    """
    return database + WAL_BYTES


def _count_in_scratch(tools: Tools, data: str, sockets: str, revision: int) -> int:
    """Start an etcd on restored data, and return how many objects it has at a revision."""
    at = f"--rev={revision}"  # leases may run out in the meantime
    client, peer = f"unix://{sockets}/client", f"unix://{sockets}/peer"
    command = [
        *("timeout", str(SECONDS)),  # if this process is killed, it does not run on for long
        f"{tools.folder}/etcd",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={NOWHERE}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={NOWHERE}",
        f"--initial-cluster=default={NOWHERE}",
    ]
    with open(f"{sockets}/log", "w+", encoding="utf-8") as log:  # noqa: SIM117
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as etcd:  # pylint: disable=ansible-bad-function
            try:
                end = time.monotonic() + SECONDS
                while True:
                    try:
                        return count_of(
                            run(f"{tools.folder}/etcdctl", f"--endpoints={client}", "--dial-timeout=2s", *COUNT, at)
                        )
                    except EtcdToolError as error:
                        if etcd.poll() is None and time.monotonic() < end:
                            time.sleep(0.5)
                            continue
                        log.seek(0)
                        lines = log.read().strip().splitlines() or ["no output"]
                        raise EtcdToolError(
                            f"etcd does not serve the snapshot. Evidence: {lines[-1][-500:]} [slipway:snapshot_damaged]"
                        ) from error
            finally:
                etcd.terminate()


def rehearse(tools: Tools, snapshot: str, revision: int, work: str) -> int:
    """Restore a snapshot into a scratch etcd and compare it with the cluster; return the number of its objects.

    :param revision: of the snapshot.
    :param work: private folder with room for the database.
    :raises EtcdToolError: etcd does not serve it, or its objects are not those that the cluster had at this revision.
    """
    tell("rehearses a restore of the snapshot in a temporary etcd")
    expected = count_of(tools.etcdctl(*COUNT, f"--rev={revision}"))
    data = os.path.join(work, "rehearsal")
    folder = "/run" if os.access("/run", os.W_OK) else tempfile.gettempdir()
    for left in glob.glob(os.path.join(folder, SOCKETS + "*")):  # of a run that was killed; one works at a time
        shutil.rmtree(left, ignore_errors=True)
    sockets = tempfile.mkdtemp(prefix=SOCKETS, dir=folder)
    try:
        tools.etcdutl("snapshot", "restore", snapshot, f"--data-dir={data}")
        found = _count_in_scratch(tools, data, sockets, revision)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)
    if found != expected:
        raise EtcdToolError(
            f"The snapshot cannot be trusted: a scratch etcd has {found} objects from it, and the cluster had {expected} at revision {revision}."
            " [slipway:snapshot_damaged]"
        )
    return found
