# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time works on a release: a Lease says which, and is renewed while it works.

The rules are those of leader election (https://kubernetes.io/docs/concepts/architecture/leases/): who finds the lease of
another waits until it is released, or until it was not renewed for its whole duration. A run that was killed on this host is
recognised by its process, so that the next run need not wait. A run that could not renew for that long asks before it goes on.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, Mapping

from .._kube.api import ApiError, Client, Unreachable
from .._kube.timestamps import seconds_of, to_micro_time
from .errors import LockLost
from .ownership import RELEASE

DURATION = 20  # seconds for which a lease holds without being renewed
RENEW = 5
ABANDONED = 120  # seconds after which a lease is over, whatever the clocks of the hosts say
STARTED = "slipway.kube/run-started"
PROCESS = "slipway.kube/process"


class Lock:
    """The lease of one release."""

    def __init__(self, client: Client, release: str, namespace: str, run_id: str) -> None:
        """Prepare; nothing is asked yet."""
        self.client = client
        self.release = release
        self.namespace = namespace
        self.run_id = run_id
        self.started = time.time()  # when this run began, also over several calls (seconds since the epoch)
        self.held = False
        self._version = ""
        self._seen: tuple[str, float] = ("", 0.0)
        self._lost = ""
        self._renewed = 0.0  # time.monotonic() before the last request that took or renewed it
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = "slipway-release-" + release

    def take(self) -> str:
        """Try to get the lease.

        :returns: empty when it is ours, otherwise who holds it.
        """
        lease = self.client.find(f"{self._collection}/{self._name}")
        asked = time.monotonic()
        try:
            if lease is None:
                self.started = time.time()
                lease = self.client.create(self._collection, self._content({}))
            else:
                busy = self._busy(lease)
                if busy:
                    return busy
                self._inherit(lease)
                lease = self.client.replace(f"{self._collection}/{self._name}", self._content(lease))
        except ApiError as error:
            if error.status == 409:
                return "another run, which has just begun"
            raise
        self._version, self._renewed = lease["metadata"]["resourceVersion"], asked
        self.held = True
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        return ""

    def check(self) -> None:
        """See that the lease is still ours. The cluster is asked only where it could not be renewed for its whole duration.

        :raises LockLost: another run has it, or may have it.
        """
        if self.held and not self._lost and time.monotonic() - self._renewed > DURATION:
            try:
                self._still_ours(patience=RENEW)
            except (ApiError, Unreachable) as error:
                raise LockLost(
                    "This run could not renew its lease of release %s for more than %d s, and whether another run has taken the release over "
                    "cannot be known: %s This run stops. Run it again when the API server answers and leases may be read and updated."
                    % (self.release, DURATION, error)
                ) from error
        if self._lost:
            raise LockLost(
                "Another run (%s) has taken release %s over, because this one was silent for more than %d s. This run stops; that one finishes."
                % (self._lost, self.release, DURATION)
            )

    def stop(self) -> None:
        """Renew the lease no more: it runs out by itself, or goes with its namespace."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=self.client.timeout)

    def pause(self) -> None:
        """Keep the lease for the next call of this run, which is another process."""
        self._write(lambda content: content["metadata"]["annotations"].pop(PROCESS, None))

    def release_it(self) -> None:
        """Let the next run begin."""
        self._write(lambda content: content["spec"].update(holderIdentity="", renewTime=None, acquireTime=None))
        self.held = False

    def remove(self) -> None:
        """Delete the lease, when the release itself is gone. That of a run which has taken the release over stays."""
        self.stop()
        path = f"{self._collection}/{self._name}"
        if self.held and not self._lost and not self.client.delete(path, version=self._version) and self._still_ours():
            # It was renewed last by a request whose answer did not come.
            self.client.delete(path, version=self._version)
        self.held = False

    def _write(self, change: Callable[[dict[str, Any]], Any]) -> None:
        self.stop()
        if not self.held or self._lost:
            return
        content = self._content({"metadata": {"resourceVersion": self._version}})
        change(content)
        try:
            self.client.replace(f"{self._collection}/{self._name}", content)
        except (ApiError, Unreachable):
            pass  # it runs out by itself

    def _busy(self, lease: Mapping[str, Any]) -> str:
        """Say who holds a lease, empty where it may be taken."""
        spec, metadata = lease.get("spec") or {}, lease.get("metadata") or {}
        holder = spec.get("holderIdentity") or ""
        if not holder or holder == self.run_id:
            return ""
        if dead((metadata.get("annotations") or {}).get(PROCESS) or ""):
            return ""
        age = time.time() - seconds_of(spec.get("renewTime"))
        version = metadata.get("resourceVersion") or ""
        if self._seen[0] != version:
            self._seen = (version, time.monotonic())
        duration = spec.get("leaseDurationSeconds") or DURATION
        if time.monotonic() - self._seen[1] > duration or age > max(duration, ABANDONED):
            return ""
        host = ((metadata.get("annotations") or {}).get(PROCESS) or "").partition(" ")[0] or "another host"
        return f"run {holder[:8]} on {host}, which gave a sign of life {max(age, 0)} s ago"

    def _inherit(self, lease: Mapping[str, Any]) -> None:
        """A run begins when it gets the lease, and its later calls go on with that time."""
        self.started = time.time()
        if (lease.get("spec") or {}).get("holderIdentity") == self.run_id:
            annotations = (lease.get("metadata") or {}).get("annotations") or {}
            try:
                self.started = float(annotations.get(STARTED) or self.started)
            except ValueError:
                pass  # somebody else wrote that

    def _content(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": self._name,
            "namespace": self.namespace,
            "labels": {RELEASE: self.release},
            "annotations": {STARTED: f"{self.started:.3f}", PROCESS: process()},
        }
        version = (lease.get("metadata") or {}).get("resourceVersion")
        if version:
            metadata["resourceVersion"] = version
        spec = {
            "holderIdentity": self.run_id,
            "leaseDurationSeconds": DURATION,
            "acquireTime": to_micro_time(self.started),
            "renewTime": to_micro_time(time.time()),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _renew(self) -> None:
        while not self._end.wait(RENEW):
            try:
                if not self._renew_once():
                    return
            except (ApiError, Unreachable):
                continue  # check() tells, when the time of the lease is over

    def _renew_once(self) -> bool:
        asked = time.monotonic()
        try:
            content = self._content({"metadata": {"resourceVersion": self._version}})
            lease = self.client.replace(f"{self._collection}/{self._name}", content)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return self._still_ours()
        self._version, self._renewed = lease["metadata"]["resourceVersion"], asked
        return True

    def _still_ours(self, patience: float | None = None) -> bool:
        """Ask who holds the lease.

        :param patience: seconds for which a request that fails in passing is repeated.
        :raises ApiError: it may not be read. :raises Unreachable: the server does not answer.
        """
        try:
            lease = self.client.get(f"{self._collection}/{self._name}", patience=patience)
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {}
        holder = (lease.get("spec") or {}).get("holderIdentity") or ""
        if holder == self.run_id:
            self._version = lease["metadata"]["resourceVersion"]
            return True
        self._lost = holder or "which deleted the lease"
        return False


def process() -> str:
    """Name this process so that another one on the same host can see whether it still runs: host, boot, pid and its start."""
    return " ".join([os.uname().nodename, _boot(), str(os.getpid()), _start_of(os.getpid())])


def dead(name: str) -> bool:
    """Whether a process, as :func:`process` names it, ran on this host and does not run any more."""
    parts = name.split(" ")
    if len(parts) != 4 or parts[:2] != [os.uname().nodename, _boot()] or not parts[2].isdigit() or not parts[3]:
        return False
    return _start_of(int(parts[2])) != parts[3]


def _boot() -> str:
    # Containers of one host share its boot, not its processes.
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return f"{stream.read().strip()[:8]}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "?"


def _start_of(pid: int) -> str:
    # proc(5): the 22nd field of stat is the start time; the second may hold blanks and ends with the last parenthesis.
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
