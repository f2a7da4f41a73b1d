# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first member of an external etcd with the state of a backup. The others are added to it, and the control planes begin anew on it.

https://etcd.io/docs/v3.6/op-guide/recovery/
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Mapping

from .._host.record import Record
from .._host.system import HostError
from .._kube.progress import tell
from . import restore
from .certificates import processes
from .recovery import empty_folder

OPERATION = "restore"
LOG = "member/wal"
STOP_SECONDS = 60


def is_done(params: Mapping[str, Any], record: Record) -> bool:
    """Return whether this host has the state of the backup, with what was written since, which a second run must not lose."""
    return (
        bool(params["backup"])
        and record.restored == params["backup"]
        and not record.operation
        and Path(params["etcd_data_dir"], LOG).is_dir()
    )


def refuse_interrupted(params: Mapping[str, Any], record: Record) -> None:
    """Let no new etcd begin where a backup was to be restored.

    :raises HostError: the restore was interrupted on this host.
    """
    if record.operation == OPERATION and not params["snapshot"] and not params["endpoints"]:
        raise HostError(
            "The restore of a backup was interrupted on this host. It was not changed. Run slipway.kube.restore again with the same archive, or reset"
            " the host to create a new cluster. [slipway:restore_interrupted]"
        )


def stop_member(manifest: Path, data: str) -> None:
    """Stop the member of this host, whose data are of no use any more, and delete them.

    :raises HostError: it does not stop.
    """
    if manifest.exists():
        manifest.unlink()
    end = time.monotonic() + STOP_SECONDS
    while any(processes(programs=("etcd",))):
        if time.monotonic() > end:
            raise HostError(
                f"etcd still runs on this host {STOP_SECONDS} seconds after its manifest was removed, so its data were not deleted."
                " Remedy: see 'journalctl -u kubelet', then run again. [slipway:etcd_not_started]"
            )
        time.sleep(1)
    empty_folder(data)


def stop(params: Mapping[str, Any], manifest: Path, check_mode: bool) -> list[str]:
    """Stop the member of this host for a backup that replaces it, and return the changes.

    All members are stopped before the first one is restored, so that none of them goes on with the state that is replaced.
    """
    data = Path(params["etcd_data_dir"])
    if not manifest.exists() and not (data.is_dir() and any(data.iterdir())):
        return []
    if not check_mode:
        record = Record.load(params["record_dir"])
        record.mark(params["cluster"])
        record.begin(OPERATION)
        tell(f"stops the etcd member {params['node_name']}, which a backup replaces")
        stop_member(manifest, str(data))
    return [f"etcd member '{params['node_name']}' is stopped, and its data are deleted."]


def place_data(params: Mapping[str, Any]) -> None:
    """Give this host the data of the snapshot.

    :raises HostError: they cannot be made.
    """
    with restore.work_folder(params["record_dir"]) as work:
        tell(f"restores etcd from {os.path.basename(params['snapshot'])}")
        restore.restore_data(params, params["config"], params["snapshot"], params["node_addresses"][0], work)
