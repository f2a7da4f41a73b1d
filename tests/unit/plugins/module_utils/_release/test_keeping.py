# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept and by whom: records, the lease, values that stay hidden, names."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import Redactor
from ansible_collections.slipway.kube.plugins.module_utils._release import lock as lease
from ansible_collections.slipway.kube.plugins.module_utils._release.desired import named_by_content
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import LockLost, ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.history import differences, read_revision
from ansible_collections.slipway.kube.plugins.module_utils._release.history import releases as list_releases
from ansible_collections.slipway.kube.plugins.module_utils._release.ownership import normalize, stamp
from ansible_collections.slipway.kube.plugins.module_utils._release.revision import (
    Revision,
    UnreadableRevision,
    decode,
    encode,
    parts_of,
)
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import PARTS, pack, read_settings
from ansible_collections.slipway.kube.plugins.module_utils._release.stateful_set import blocking_pods
from ansible_collections.slipway.kube.plugins.module_utils._release.store import Store


def test_a_record_survives_its_parts() -> None:
    noise = base64.b64encode(os.urandom(3000)).decode()
    record = Revision(
        "web",
        "default",
        3,
        [{"kind": "ConfigMap", "data": {"a": noise}}],
        {"pre": [], "post": []},
        "pending",
        {"run": "x"},
    )
    *parts, main = encode(record, 1000)
    assert [part["metadata"]["name"] for part in parts] == parts_of(main) and len(parts) > 1
    assert main["type"] == "slipway.kube/release" and "slipway.kube/status" not in parts[0]["metadata"]["labels"]
    back = decode(main, parts)
    assert (back.objects, back.state, back.number, back.status) == (record.objects, {"run": "x"}, 3, "pending")
    for broken in (parts[:-1], [None, *parts[1:]]):
        with pytest.raises(
            UnreadableRevision, match="slipway-release-web-r3 of a release revision cannot be read: a part is missing"
        ):
            decode(main, broken)


def test_the_order_of_objects_is_not_the_intent() -> None:
    one, two = {"kind": "A"}, {"kind": "B"}
    assert Revision("w", "n", 1, [one, two]).digest == Revision("w", "n", 9, [two, one]).digest
    assert Revision("w", "n", 1, [one]).digest != Revision("w", "n", 1, [one, two]).digest
    assert Revision("w", "n", 1, [one], {"pre": [two]}).digest != Revision("w", "n", 1, [one], {"post": [two]}).digest


def test_a_record_that_another_run_has_written_is_not_overwritten(releases: Any) -> None:
    ours, theirs = Store(releases.client(), "web", "default"), Store(releases.client(), "web", "default")
    record = Revision("web", "default", 1, [], {}, "pending", {"run": "ours"})
    ours.create(record)
    with pytest.raises(LockLost):
        theirs.create(Revision("web", "default", 1, [], {}, "pending", {"run": "theirs"}))
    other = theirs.read(1)
    other.status = "failed"
    theirs.update(other, "taken over")
    with pytest.raises(LockLost, match="Another run has changed revision 1"):
        ours.update(record)


def test_a_lease_is_one_runs_and_is_lost_only_in_silence(
    releases: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW", 0.05)
    first = lease.Lock(releases.client(), "web", "default", "first")
    second = lease.Lock(releases.client(), "web", "default", "second")
    assert first.acquire() == "" and second.acquire().startswith("run second"[:4])
    before = server.find("Lease", "slipway-release-web")["metadata"]["resourceVersion"]
    time.sleep(0.3)
    assert server.find("Lease", "slipway-release-web")["metadata"]["resourceVersion"] != before
    first.check()
    content = server.find("Lease", "slipway-release-web")
    content["spec"]["holderIdentity"] = "thief"
    server.put("/apis/coordination.k8s.io/v1/namespaces/default/leases/slipway-release-web", content)
    time.sleep(0.3)
    with pytest.raises(LockLost, match="thief"):
        first.check()


def test_a_lease_passes_to_the_next_call_of_the_same_run(releases: Any) -> None:
    first = lease.Lock(releases.client(), "web", "default", "mine")
    assert first.acquire() == ""
    first.started -= 100
    first.pause()
    other = lease.Lock(releases.client(), "web", "default", "other")
    assert "another host" in other.acquire()
    again = lease.Lock(releases.client(), "web", "default", "mine")
    assert again.acquire() == "" and abs(again.started - first.started) < 0.01
    again.release()
    assert other.acquire() == ""
    other.release()


def test_a_lease_that_nobody_renews_runs_out(releases: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "DURATION", 1)
    silent = lease.Lock(releases.client(), "web", "default", "silent")
    assert silent.acquire() == ""
    silent._end.set()
    # Its host is another one, whose clock is an hour ahead.
    content = server.find("Lease", "slipway-release-web")
    content["metadata"]["annotations"].clear()
    content["spec"]["renewTime"] = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 3600))
    other = lease.Lock(releases.client(), "web", "default", "other")
    assert other.acquire() == "run silent on another host, which last renewed its lease 0 s ago"
    time.sleep(0.5)
    assert other.acquire()
    time.sleep(0.6)
    assert other.acquire() == ""
    other.release()


def test_a_process_that_was_killed_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lease.has_exited(lease.process())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host, boot = lease.process().split(" ")[:2]
    name = " ".join((host, boot, str(child.pid), lease._start_of(child.pid)))
    assert not lease.has_exited(name)
    child.kill()
    child.wait()
    assert lease.has_exited(name)
    assert (
        not lease.has_exited(name.replace(host, "elsewhere"))
        and not lease.has_exited("")
        and not lease.has_exited(name.replace(boot, "boot.1"))
    )


def test_values_of_secrets_are_hidden_in_texts_and_names_are_not() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "postgres-login", "namespace": "n"},
        "data": {"a": base64.b64encode(b"canary-alpha").decode(), "user": base64.b64encode(b"postgres").decode()},
        "stringData": {"file": "first\nline-two-canary\n", "n": "123456"},
    }
    scrub = Redactor([secret])
    text = f"login canary-alpha {base64.b64encode(b'canary-alpha').decode()} line-two-canary postgres-login 123456"
    assert scrub.text(text) == "login ******** ******** ******** postgres-login 123456"
    assert scrub.clean([{"canary-alpha": ["x canary-alpha"]}]) == [{"canary-alpha": ["x ********"]}]
    assert Redactor().text(text) == text


def test_objects_are_tidied_and_marked() -> None:
    note = {"kubectl.kubernetes.io/last-applied-configuration": "x"}
    metadata = {"name": "s", "uid": "1", "resourceVersion": "2", "creationTimestamp": None, "annotations": note}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    exported = {**secret, "stringData": {"a": "b"}, "data": {"c": "ZA=="}, "status": {}}
    clean = normalize(exported)
    assert clean == {**secret, "metadata": {"name": "s", "annotations": {}}, "data": {"a": "Yg==", "c": "ZA=="}}
    with pytest.raises(ValueError, match=r"metadata.labels is list"):
        stamp({"metadata": {"labels": ["a"]}}, "web", "n")


def test_hooks_are_named_by_what_they_do() -> None:
    job = {"kind": "Job", "metadata": {"name": "x" * 70}, "spec": {"a": 1}}
    name = named_by_content(job)["metadata"]["name"]
    assert len(name) == 63 and name == named_by_content(job)["metadata"]["name"]
    assert name != named_by_content(dict(job, spec={"a": 2}))["metadata"]["name"]
    assert named_by_content({"kind": "ConfigMap", "metadata": {"name": "c"}})["metadata"]["name"] == "c"


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"name": "Web"}, "name: 'Web' is not a valid release name"),
        ({"namespace": ""}, "namespace: '' is not a valid namespace name"),
        ({"namespace": "../kube-system"}, "namespace: '../kube-system' is not a valid namespace name"),
        ({"history": 0}, "history: 0 is not a valid number of revisions"),
        ({"timeout": -1}, "timeout: -1 is not a valid number of seconds"),
        ({"_payload": None}, "No objects were specified"),
        ({"_payload": pack([], {})}, "would contain no objects"),
        ({"_payload": "c2VjcmV0LWNhbmFyeQ=="}, "not the format of the action plugin"),
    ],
)
def test_options_are_refused_without_repeating_what_may_be_secret(params: dict[str, Any], says: str) -> None:
    given = {"name": "web", "_payload": pack([{"kind": "A"}], {"pre": []}), **params}
    with pytest.raises(ReleaseError) as caught:
        read_settings(given)
    assert says in str(caught.value) and "canary" not in str(caught.value)


def test_options_are_read() -> None:
    settings = read_settings(
        {"name": "web", "_payload": pack([{"kind": "A"}], {"post": [{"kind": "B"}]}), "timeout": 5, "context": "x"}
    )
    assert (settings.objects, settings.hooks, settings.timeout) == (
        [{"kind": "A"}],
        {**{when: [] for when in PARTS}, "post": [{"kind": "B"}]},
        5,
    )
    assert settings.run_id


def test_history_tells_revisions_and_what_differs_without_values(releases: Any, some: Any, workload: Any) -> None:
    secret = some("Secret", "s", stringData={"a": "canary-one", "b": "same-in-both"})
    releases.run([secret, some("ConfigMap", "old")])
    secret = some("Secret", "s", stringData={"a": "canary-two", "b": "same-in-both"})
    releases.run([secret, some("ConfigMap", "new")])
    client = releases.client()
    (found,) = list_releases(client, "", "")
    assert (found["name"], found["revision"], found["status"], found["deployed"]) == ("web", 2, "deployed", 2)
    assert [one["status"] for one in found["revisions"]] == ["superseded", "deployed"]
    assert "2 objects, 2 created" in found["revisions"][0]["message"] and found["revisions"][0]["finished"]
    changes, diffs = differences(read_revision(client, "default", "web", 1), read_revision(client, "default", "web", 2))
    assert [(one["name"], one["action"]) for one in changes] == [("new", "create"), ("old", "delete"), ("s", "change")]
    assert diffs[2]["before"]["data"] == {"a": "******** (before)", "b": "********"}
    assert "canary" not in str(diffs)
    with pytest.raises(ReleaseError, match="no revision 9; it has: 1, 2"):
        read_revision(client, "default", "web", 9)


def pod(name: str, revision: str, ready: str = "False", **more: Any) -> dict[str, Any]:
    """A pod of a StatefulSet."""
    metadata = {
        "name": name,
        "labels": {"controller-revision-hash": revision},
        "ownerReferences": [{"uid": "set", "controller": True}],
    }
    status = {"conditions": [{"type": "Ready", "status": ready}], **more.pop("status", {})}
    return {"kind": "Pod", "metadata": {**metadata, **more}, "status": status}


def test_only_pods_that_keep_a_stateful_set_from_going_on_are_blocking_pods() -> None:
    waiting = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    pods = [
        pod("db-0", "old", ready="True"),
        pod("db-1", "old", status=waiting),
        pod("db-2", "old"),
        pod("db-3", "new", status=waiting),
        pod("db-4", "old", deletionTimestamp="now"),
        pod("db-5", "old", ownerReferences=[{"uid": "other", "controller": True}]),
    ]
    live = {"metadata": {"uid": "set"}, "spec": {}, "status": {"updateRevision": "new"}}
    assert [one["metadata"]["name"] for one in blocking_pods(live, pods, back=True)] == ["db-1"], "the one awaited"
    assert [one["metadata"]["name"] for one in blocking_pods(live, pods, back=False)] == ["db-1"]
    live["spec"] = {"updateStrategy": {"rollingUpdate": {"partition": 2}}}
    assert not blocking_pods(live, pods, back=True)
    pods[1] = pod("db-1", "old", ready="True")
    assert [one["metadata"]["name"] for one in blocking_pods(live, pods, back=True)] == ["db-2"]
    assert str(Reference("v1", "Pod", "n", "p")) == "Pod n/p"
