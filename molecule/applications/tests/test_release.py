# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release as a whole: deployed, repeated, changed, broken, rolled back, killed, raced and deleted."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, begin, call, config_map, workload

CANARY = "canary-4711-do-not-tell"
RECORDS = "--selector=slipway.kube/release=web"


def options(namespace: str, *objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "web", "namespace": namespace, "manifests": list(objects), "timeout": 120, **more}


def container_of(kube: Kube, namespace: str, kind: str = "deployment") -> dict[str, Any]:
    return kube.get(kind, "web", namespace)["spec"]["template"]["spec"]["containers"][0]


def test_deployed_repeated_and_taken_away(kube: Kube, namespace: str, folder: Path) -> None:
    wanted = options(namespace, config_map("settings", level="INFO"), workload(kube.agnhost, replicas=2))
    dry = call(kube, folder / "dry", "release", wanted, "--check", "--diff").ok()
    assert dry.answer["changed"] and not kube.get("deployment", "web", namespace)
    first = call(kube, folder / "first", "release", wanted).ok()
    assert (first.answer["revision"], first.answer["status"], first.answer["changed"]) == (1, "deployed", True)
    assert kube.get("deployment", "web", namespace)["status"]["readyReplicas"] == 2
    second = call(kube, folder / "second", "release", wanted).ok()
    assert not second.answer["changed"] and second.answer["revision"] == 1
    assert not call(kube, folder / "dry again", "release", wanted, "--check", "--diff").ok().answer["changed"]
    kube.kubectl(f"--namespace={namespace}", "patch", "configmap", "settings", '--patch={"data":{"level":"DEBUG"}}')
    assert call(kube, folder / "drift", "release", wanted | {"force_conflicts": True}).ok().answer["changed"]
    assert kube.get("configmap", "settings", namespace)["data"]["level"] == "INFO"
    call(kube, folder / "absent", "release", {"name": "web", "namespace": namespace, "state": "absent"}).ok()
    left = kube.kubectl(f"--namespace={namespace}", "get", "deploy,configmap,secret,lease", RECORDS, "--output=name")
    assert not left.strip(), left
    assert (
        not call(kube, folder / "absent again", "release", {"name": "web", "namespace": namespace, "state": "absent"})
        .ok()
        .answer["changed"]
    )


def test_what_is_no_longer_in_it_goes_and_what_is_foreign_stays(kube: Kube, namespace: str, folder: Path) -> None:
    call(kube, folder / "first", "release", options(namespace, config_map("one", a="1"), config_map("two", a="1"))).ok()
    kube.apply([config_map("foreign", a="1")], namespace)
    second = call(kube, folder / "second", "release", options(namespace, config_map("one", a="2"))).ok()
    assert [one["name"] for one in second.answer["pruned"]] == ["two"]
    names = {one["metadata"]["name"] for one in kube.get("configmap", namespace=namespace)}
    assert {"one", "foreign"} <= names and "two" not in names


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_wrong_image_is_told_and_the_last_good_revision_is_back(
    kube: Kube, namespace: str, folder: Path, kind: str
) -> None:
    def wanted(image: str, level: str) -> dict[str, Any]:
        content = workload(image, kind)
        if kind == "DaemonSet":
            content["spec"].pop("replicas")
        return options(namespace, config_map("settings", level=level), content)

    call(kube, folder / "good", "release", wanted(kube.agnhost, "INFO")).ok()
    wrong = kube.agnhost.rpartition(":")[0] + ":no-such-tag"
    bad = call(kube, folder / "bad", "release", wanted(wrong, "DEBUG"))
    assert bad.failed and bad.answer["rolled_back_to"] == 1, bad.run.output[-4000:]
    assert "no-such-tag" in bad.message and "Rolled back to revision 1." in bad.message
    assert bad.answer["findings"][0]["fault"] == "image_not_found"
    assert bad.run.seconds < 100, f"it took {bad.run.seconds:.0f} s"
    assert container_of(kube, namespace, kind.lower())["image"] == kube.agnhost
    assert kube.get("configmap", "settings", namespace)["data"]["level"] == "INFO"
    again = call(kube, folder / "again", "release", wanted(kube.agnhost, "INFO")).ok()
    assert not again.answer["changed"]


def test_a_crash_is_told_with_the_lines_of_its_log(kube: Kube, namespace: str, folder: Path) -> None:
    broken = workload(kube.agnhost, command=["sh", "-c", "echo 'cannot open /data/shop.db' >&2; exit 3"], args=[])
    told = call(kube, folder / "bad", "release", options(namespace, broken))
    assert told.failed and "cannot open /data/shop.db" in told.message and "exit code 3" in told.message
    assert told.run.seconds < 100, f"it took {told.run.seconds:.0f} s"


def test_no_secret_is_ever_told(kube: Kube, namespace: str, folder: Path) -> None:
    hidden = {CANARY, base64.b64encode(CANARY.encode()).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": CANARY}}
    env = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]
    chatty = {"command": ["sh", "-c", 'echo "wrong password $PASSWORD" >&2; exit 1'], "args": [], "env": env}
    runs = [
        call(
            kube, folder / "first", "release", options(namespace, secret, workload(kube.agnhost)), "-vvv", "--diff"
        ).ok(),
        call(kube, folder / "crash", "release", options(namespace, secret, workload(kube.agnhost, **chatty)), "-vvv"),
        call(kube, folder / "info", "release_info", {"name": "web", "namespace": namespace}, "-vvv").ok(),
    ]
    assert runs[1].failed and "wrong password" in runs[1].message
    for one in runs:
        said = one.run.output + one.path.read_text()
        # The options are this test's own, and -vvv tells what a task was given on the command line.
        assert not [word for word in hidden if word in said.replace(str(one.path.parent / "call.json"), "")], one.path
    events = kube.kubectl("get", "events", f"--namespace={namespace}", "--output=yaml")
    assert not [word for word in hidden if word in events]


def test_another_manager_s_field_is_a_conflict(kube: Kube, namespace: str, folder: Path) -> None:
    call(kube, folder / "first", "release", options(namespace, config_map("settings", level="INFO"))).ok()
    theirs = config_map("settings", level="DEBUG")
    force = ("apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "--filename=-")
    kube.kubectl(f"--namespace={namespace}", *force, stdin=json.dumps(theirs))
    refused = call(kube, folder / "refused", "release", options(namespace, config_map("settings", level="WARN")))
    assert refused.failed and "somebody" in refused.message and "data.level" in refused.message
    forced = options(namespace, config_map("settings", level="WARN"), force_conflicts=True)
    call(kube, folder / "forced", "release", forced).ok()
    assert kube.get("configmap", "settings", namespace)["data"]["level"] == "WARN"


def test_what_cannot_change_is_named_and_replaced_when_asked(kube: Kube, namespace: str, folder: Path) -> None:
    call(kube, folder / "first", "release", options(namespace, workload(kube.agnhost))).ok()
    other = workload(kube.agnhost)
    other["spec"]["selector"]["matchLabels"] = other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    refused = call(kube, folder / "refused", "release", options(namespace, other))
    assert refused.failed and "spec.selector" in refused.message
    call(kube, folder / "replaced", "release", options(namespace, other, replace="immutable")).ok()
    assert kube.get("deployment", "web", namespace)["spec"]["selector"]["matchLabels"] == {"app": "other"}


def test_a_hook_that_fails_stops_the_release(kube: Kube, namespace: str, folder: Path) -> None:
    def hook(command: str) -> dict[str, Any]:
        main = {"name": "migrate", "image": kube.agnhost, "command": ["sh", "-c", command]}
        template = {"spec": {"restartPolicy": "Never", "containers": [main]}}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "migrate", "annotations": {"slipway.kube/hook": "pre"}},
            "spec": {"backoffLimit": 0, "template": template},
        }

    failing = options(namespace, hook("echo 'no such table' >&2; exit 1"), workload(kube.agnhost))
    told = call(kube, folder / "failed", "release", failing)
    assert told.failed and "no such table" in told.message
    assert not kube.get("deployment", "web", namespace), "it was applied although the hook before it failed"
    call(kube, folder / "good", "release", options(namespace, hook("true"), workload(kube.agnhost))).ok()
    assert kube.get("deployment", "web", namespace)


@pytest.mark.parametrize("seconds", [0.9, 1.3, 2.0, 4.0])
def test_a_killed_run_is_finished_by_the_next(kube: Kube, namespace: str, folder: Path, seconds: float) -> None:
    slow = {"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "initialDelaySeconds": 4, "periodSeconds": 1}}
    parts = [config_map(f"part-{number:02d}", value="1") for number in range(30)]
    call(kube, folder / "first", "release", options(namespace, config_map("old", a="1"), workload(kube.agnhost))).ok()
    wanted = options(namespace, *parts, workload(kube.agnhost, **slow), lock_timeout=60)
    killed = begin(kube, folder / "killed", "release", wanted)
    time.sleep(seconds)
    killed.run.kill()
    done = call(kube, folder / "next", "release", wanted).ok()
    assert done.answer["status"] == "deployed"
    names = {one["metadata"]["name"] for one in kube.get("configmap", namespace=namespace)}
    assert len([name for name in names if name.startswith("part-")]) == 30 and "old" not in names
    assert not call(kube, folder / "after", "release", wanted).ok().answer["changed"]


def test_two_at_once_do_not_mix(kube: Kube, namespace: str, folder: Path) -> None:
    sides = {
        side: options(namespace, *[config_map(f"part-{n:02d}", side=side) for n in range(40)], lock_timeout=60)
        for side in ("left", "right")
    }
    both = [begin(kube, folder / side, "release", wanted) for side, wanted in sides.items()]
    ended = [one.wait() for one in both]
    assert any(not one.failed for one in ended), ended[0].run.output[-3000:]
    held = {one["data"]["side"] for one in kube.get("configmap", namespace=namespace) if "side" in one.get("data", {})}
    assert len(held) == 1, f"the objects are of {held}"
    winner = held.pop()
    assert not call(kube, folder / "after", "release", sides[winner]).ok().answer["changed"]


def test_every_revision_is_kept_with_what_became_of_it(kube: Kube, namespace: str, folder: Path) -> None:
    for level in ("INFO", "DEBUG"):
        call(kube, folder / level, "release", options(namespace, config_map("settings", level=level))).ok()
    told = (
        call(kube, folder / "info", "release_info", {"name": "web", "namespace": namespace}).ok().answer["releases"][0]
    )
    assert [one["revision"] for one in told["revisions"]] == [1, 2]
    assert [one["status"] for one in told["revisions"]] == ["superseded", "deployed"]
