# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases as production clusters know them: Jobs that vanish, controllers that make Secrets, new definitions, narrow rights."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from harness.kube import Kube, call, config_map, workload


def options(namespace: str, *objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "web", "namespace": namespace, "manifests": list(objects), "timeout": 90, **more}


def hook(kube: Kube, name: str, when: str, command: str) -> dict[str, Any]:
    """A hook that the cluster deletes as soon as it has ended."""
    main = {"name": "main", "image": kube.agnhost, "command": ["sh", "-c", command]}
    template = {"spec": {"restartPolicy": "Never", "containers": [main]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": {"slipway.kube/hook": when}},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 0, "template": template},
    }


def definition(namespace: str, *fields: str) -> dict[str, Any]:
    group = f"{namespace[:20].strip('-')}.example.org"
    properties = {"spec": {"type": "object", "properties": {name: {"type": "string"} for name in fields}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def widget(namespace: str, **spec: str) -> dict[str, Any]:
    group = definition(namespace)["spec"]["group"]
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": spec}


def test_hooks_that_vanish_run_once_and_nothing_goes_before_the_last_succeeded(
    kube: Kube, namespace: str, folder: Path
) -> None:
    old = [config_map("settings", a="1"), config_map("old", a="1")]
    first = call(kube, folder / "first", "release", options(namespace, *old, hook(kube, "certs", "pre", "true"))).ok()
    assert first.answer["status"] == "deployed"
    kube.kubectl(f"--namespace={namespace}", "wait", "--for=delete", "jobs", "--all", "--timeout=20s")
    new = [config_map("settings", a="2"), hook(kube, "certs", "pre", "true")]
    failed = call(kube, folder / "failed", "release", options(namespace, *new, hook(kube, "smoke", "post", "exit 1")))
    assert failed.answer["rolled_back_to"] == 1 and "post hook Job" in failed.message
    assert kube.get("configmap", "old", namespace)["data"] == {"a": "1"}
    events = kube.get("events", namespace=namespace)
    made = [event["message"] for event in events if event["reason"] == "SuccessfulCreate"]
    assert sum("certs-" in message for message in made) == 1, made


def test_a_secret_that_a_controller_creates_is_waited_for(kube: Kube, namespace: str, folder: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made"}, "stringData": {"KEY": "value"}}
    late = threading.Timer(9, kube.apply, ([secret], namespace))
    late.start()
    content = workload(kube.agnhost, envFrom=[{"secretRef": {"name": "made"}}])
    call(kube, folder / "release", "release", options(namespace, content)).ok()
    late.join()


def test_a_pod_that_no_node_takes_waits_for_the_grace(kube: Kube, namespace: str, folder: Path) -> None:
    content = workload(kube.agnhost)
    content["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "none"}
    told = call(kube, folder / "release", "release", options(namespace, content, grace=2))
    assert "Cannot become ready: Deployment" in told.message and "pool=none" in told.message


def test_a_definition_and_its_new_field_come_in_one_upgrade(kube: Kube, namespace: str, folder: Path) -> None:
    first = options(namespace, definition(namespace, "size"), widget(namespace, size="1"))
    call(kube, folder / "first", "release", first).ok()
    second = options(namespace, definition(namespace, "size", "colour"), widget(namespace, size="1", colour="red"))
    call(kube, folder / "second", "release", second).ok()
    assert not call(kube, folder / "third", "release", second).ok().answer["changed"]
    kind = definition(namespace)["metadata"]["name"]
    assert kube.get(kind, "one", namespace)["spec"] == {"size": "1", "colour": "red"}
    call(kube, folder / "absent", "release", {"name": "web", "namespace": namespace, "state": "absent"}).ok()
    assert kind not in kube.kubectl("get", "crd", "--output=name")


def test_a_role_and_its_binding_by_who_may_not_bind(kube: Kube, namespace: str, folder: Path) -> None:
    inside = f"--namespace={namespace}"
    resources = "--resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,configmaps,secrets"
    verbs = "--verb=get,list,create,patch,update,delete"
    kube.kubectl(inside, "create", "role", "deployer", verbs, resources, "--resource=leases.coordination.k8s.io")
    kube.kubectl(inside, "create", "rolebinding", "deployer", "--role=deployer", "--user=bob")
    api, group = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    role = {"apiVersion": api, "kind": "Role", "metadata": {"name": "app"}, "rules": rules}
    binding = {"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": "app"}}
    binding["roleRef"] = {"apiGroup": group, "kind": "Role", "name": "app"}
    binding["subjects"] = [{"apiGroup": group, "kind": "User", "name": "alice"}]
    whom = {"impersonate_user": "bob"}
    answer = call(kube, folder / "release", "release", options(namespace, role, binding, **whom)).ok().answer
    assert answer["status"] == "deployed" and "because its Role app is part of this release" in str(answer["warnings"])


def test_a_corrected_stateful_set_gets_past_a_pod_that_never_became_ready(
    kube: Kube, namespace: str, folder: Path
) -> None:
    def wanted(command: str, **more: Any) -> dict[str, Any]:
        probe = {"exec": {"command": ["sh", "-c", command]}, "periodSeconds": 1}
        return options(namespace, workload(kube.agnhost, "StatefulSet", readinessProbe=probe), **more)

    broken = call(kube, folder / "broken", "release", wanted("exit 1", timeout=20))
    assert broken.failed and "StatefulSet" in broken.message
    before = kube.get("pod", "web-0", namespace)["metadata"]["uid"]
    kept = call(kube, folder / "kept", "release", wanted("exit 0", delete_blocking_pods=False, timeout=20))
    assert kept.failed and kube.get("pod", "web-0", namespace)["metadata"]["uid"] == before
    fixed = call(kube, folder / "fixed", "release", wanted("exit 0")).ok()
    assert f"Deleted pod {namespace}/web-0 of another revision" in fixed.run.output
    assert kube.get("pod", "web-0", namespace)["metadata"]["uid"] != before
