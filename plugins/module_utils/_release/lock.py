# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a release: a Lease that the active run holds and renews, so that only one run at a time works on a release.

The rules are those of leader election (https://kubernetes.io/docs/concepts/architecture/leases/): a run waits until the lease of
another run is released, or has not been renewed for its whole duration. A run that was killed on this host is
recognized by its process, so that the next run need not wait. A run that could not renew for that long checks the lease before it continues.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, Mapping

from .._kube.api import ApiError, Client, Unreachable, now_of
from .._kube.objects import RELEASE
from .._kube.timestamps import seconds_of, to_micro_time
from .errors import LockLost

DURATION = 20  # seconds for which a lease is valid without being renewed
RENEW = 5
ABANDONED = 120  # seconds after which a lease has expired, even if the clocks of the hosts differ
STARTED = "slipway.kube/run-started"
PROCESS = "slipway.kube/process"


class Lock:
    """The lease of one release."""

    def __init__(self, client: Client, release: str, namespace: str, run_id: str) -> None:
        self.client = client
        self.release_name = release
        self.namespace = namespace
        self.run_id = run_id
        self.started = time.time()  # when the first call of this run began (seconds since the epoch)
        self.held = False
        self._version = ""
        self._seen: tuple[str, float] = ("", 0.0)
        self._lost = ""
        self._renewed = 0.0  # time.monotonic() before the last request that acquired or renewed it
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = "slipway-release-" + release

    def acquire(self) -> str:
        """Try to acquire the lease.

        :returns: empty on success, otherwise who holds it.
        """
        lease = self.client.find(f"{self._collection}/{self._name}")
        sent = time.monotonic()
        try:
            if lease is None:
                self.started = time.time()
                lease = self.client.create(self._collection, self._content({}))
            else:
                holder = self._holder(lease)
                if holder:
                    return holder
                self._restore_start(lease)
                lease = self.client.replace(f"{self._collection}/{self._name}", self._content(lease))
        except ApiError as error:
            if error.status == 409:
                return "another run, which has just started"
            raise
        self._version, self._renewed = lease["metadata"]["resourceVersion"], sent
        self.held = True
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        return ""

    def check(self) -> None:
        """Check that this run still holds the lease. A request is sent only if it could not be renewed for its whole duration.

        :raises LockLost: another run holds it, or may hold it.
        """
        if self.held and not self._lost and time.monotonic() - self._renewed > DURATION:
            try:
                self._still_ours(patience=RENEW)
            except (ApiError, Unreachable) as error:
                raise LockLost(
                    f"This run could not renew its lease of release {self.release_name} for more than {DURATION} s, so another run may have taken "
                    f"over the release: {error} This run stops. "
                    "Run it again when the API server responds and permits reading and updating leases. [slipway:release_taken_over]"
                ) from error
        if self._lost:
            raise LockLost(
                f"Another run ({self._lost}) has taken over release {self.release_name}, because this run did not renew its lease for more than "
                f"{DURATION} s. This run stops; the other one finishes. [slipway:release_taken_over]"
            )

    def stop_renewing(self) -> None:
        """Stop renewing the lease: it expires by itself, or is deleted with its namespace."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(timeout=self.client.timeout)

    def pause(self) -> None:
        """Keep the lease for the next call of this run, which is another process."""
        self._write(lambda content: content["metadata"]["annotations"].pop(PROCESS, None))

    def release(self) -> None:
        """Release the lease, so that the next run can start immediately."""
        self._write(lambda content: content["spec"].update(holderIdentity="", renewTime=None, acquireTime=None))
        self.held = False

    def remove(self) -> None:
        """Delete the lease after the release has been deleted. The lease of a run that has taken over is kept."""
        self.stop_renewing()
        path = f"{self._collection}/{self._name}"
        if self.held and not self._lost and not self.client.delete(path, version=self._version) and self._still_ours():
            # The response to the last renewal was lost, so its version is newer.
            self.client.delete(path, version=self._version)
        self.held = False

    def _write(self, change: Callable[[dict[str, Any]], Any]) -> None:
        self.stop_renewing()
        if not self.held or self._lost:
            return
        content = self._content({"metadata": {"resourceVersion": self._version}})
        change(content)
        try:
            self.client.replace(f"{self._collection}/{self._name}", content)
        except (ApiError, Unreachable):
            pass  # it expires by itself

    def _holder(self, lease: Mapping[str, Any]) -> str:
        """Return who holds a lease, empty if it may be acquired."""
        spec, metadata = lease.get("spec") or {}, lease.get("metadata") or {}
        holder = spec.get("holderIdentity") or ""
        if not holder or holder == self.run_id:
            return ""
        if has_exited((metadata.get("annotations") or {}).get(PROCESS) or ""):
            return ""
        age = now_of(self.client) - seconds_of(spec.get("renewTime"))
        version = metadata.get("resourceVersion") or ""
        if self._seen[0] != version:
            self._seen = (version, time.monotonic())
        duration = spec.get("leaseDurationSeconds") or DURATION
        if time.monotonic() - self._seen[1] > duration or age > max(duration, ABANDONED):
            return ""
        host = ((metadata.get("annotations") or {}).get(PROCESS) or "").partition(" ")[0] or "another host"
        return f"run {holder[:8]} on {host}, which last renewed its lease {max(age, 0):.0f} s ago"

    def _restore_start(self, lease: Mapping[str, Any]) -> None:
        """Set when the run began: when it acquired the lease, perhaps in an earlier call."""
        self.started = time.time()
        if (lease.get("spec") or {}).get("holderIdentity") == self.run_id:
            annotations = (lease.get("metadata") or {}).get("annotations") or {}
            try:
                self.started = float(annotations.get(STARTED) or self.started)
            except ValueError:
                pass  # not written by this collection

    def _content(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": self._name,
            "namespace": self.namespace,
            "labels": {RELEASE: self.release_name},
            "annotations": {STARTED: f"{self.started:.3f}", PROCESS: process()},
        }
        version = (lease.get("metadata") or {}).get("resourceVersion")
        if version:
            metadata["resourceVersion"] = version
        spec = {
            "holderIdentity": self.run_id,
            "leaseDurationSeconds": DURATION,
            "acquireTime": to_micro_time(self.started),
            "renewTime": to_micro_time(now_of(self.client)),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _renew(self) -> None:
        while not self._end.wait(RENEW):
            try:
                if not self._renew_once():
                    return
            except (ApiError, Unreachable):
                continue  # check() reports it when the lease has expired

    def _renew_once(self) -> bool:
        sent = time.monotonic()
        try:
            content = self._content({"metadata": {"resourceVersion": self._version}})
            lease = self.client.replace(f"{self._collection}/{self._name}", content)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return self._still_ours()
        self._version, self._renewed = lease["metadata"]["resourceVersion"], sent
        return True

    def _still_ours(self, patience: float | None = None) -> bool:
        """Query who holds the lease.

        :param patience: seconds for which a request with a transient failure is repeated.
        :raises ApiError: it may not be read. :raises Unreachable: the server does not respond.
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


def process(pid: int = 0) -> str:
    """Identify a process so that another one on the same host can check whether it still runs: host, boot, PID and start time.

    :param pid: of the process; by default, of this one.
    """
    pid = pid or os.getpid()
    return " ".join([os.uname().nodename, _boot(), str(pid), _start_of(pid)])


def has_exited(name: str) -> bool:
    """Return whether a process, as :func:`process` identifies it, ran on this host and has exited."""
    parts = name.split(" ")
    if len(parts) != 4 or parts[:2] != [os.uname().nodename, _boot()] or not parts[2].isdigit() or not parts[3]:
        return False
    return _start_of(int(parts[2])) != parts[3]


def _boot() -> str:
    # Containers on one host share its boot ID, but not its processes.
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return f"{stream.read().strip()[:8]}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "?"


def _start_of(pid: int) -> str:
    # proc(5): the 22nd field of stat is the start time; the second may contain spaces and ends with the last parenthesis.
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
