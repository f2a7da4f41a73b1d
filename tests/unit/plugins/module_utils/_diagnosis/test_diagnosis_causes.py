# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact cause and its object, where the cluster's own words leave it open; and what looks like it and is well."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import Finding
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.health import examine
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.images import image_fault, repository_of

from .conftest import (
    Cluster,
    crashed,
    deployment,
    endpoints,
    event,
    findings_of,
    meta,
    node,
    pod,
    service,
    stamp,
    waiting,
)

DENIED = "failed to pull image: unexpected status from HEAD request to http://10.0.0.9/v2/team/app/manifests/1: 401 Unauthorized"
CONFIG = {"name": "settings", "configMap": {"name": "settings"}}


def first(lists: dict[str, list[dict[str, Any]]]) -> Finding:
    return findings_of(lists)[0]


def bound(driver: str = "disks.example.com", **spec: Any) -> dict[str, list[dict[str, Any]]]:
    """Claim data and its volume v."""
    kind = {"csi": {"driver": driver, "volumeHandle": "1"}} if driver else {"hostPath": {"path": "/x"}}
    return {
        "PersistentVolumeClaim": [
            {"metadata": meta("data"), "spec": {"volumeName": "v"}, "status": {"phase": "Bound"}},
        ],
        "PersistentVolume": [
            {"metadata": {"name": "v"}, "spec": {**kind, **spec}, "status": {"phase": "Bound"}},
        ],
    }


def claiming(name: str = "web-1-a", **more: Any) -> dict[str, Any]:
    """A pod that waits for claim data."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    return pod(name, waiting("ContainerCreating"), spec={"volumes": volumes, **more.pop("spec", {})}, **more)


@pytest.mark.parametrize(("there", "named"), [([], True), (["registry-login"], False)])
def test_a_pull_secret_that_is_not_there(there: list[str], named: bool) -> None:
    said = "Unable to retrieve some image pull secrets (registry-login); attempting to pull the image may not succeed."
    found = first(
        {
            **deployment(0),
            "Pod": [pod(state=waiting("ErrImagePull", DENIED))],
            "Event": [event("Pod", "web-1-a", "FailedToRetrieveImagePullSecret", said)],
            "Secret": [{"metadata": meta(name)} for name in there],
        }
    )
    assert found.fault == "image_pull_denied"
    assert (
        ("Create Secret shop/registry-login" in found.advice)
        == named
        == ("of imagePullSecrets does not exist" in found.title)
    )


def test_a_storage_driver_that_does_not_run_on_the_node() -> None:
    lists = {**deployment(0), **bound(), "Pod": [claiming(age=30)], "Node": [node("w1"), node("w2")]}
    found = first(lists)
    assert (found.fault, found.severity, str(found.object)) == (
        "storage_driver_missing",
        "error",
        "Deployment shop/web",
    )
    assert "is not registered on any node" in found.title and "disks.example.com" in found.evidence[0]
    lists["Node"][1]["metadata"]["annotations"] = {"csi.volume.kubernetes.io/nodeid": '{"disks.example.com":"w2"}'}
    assert "is not registered on node w1" in first(lists).title
    lists["Node"][0]["metadata"]["annotations"] = {"csi.volume.kubernetes.io/nodeid": '{"disks.example.com":"w1"}'}
    assert all(finding.fault != "storage_driver_missing" for finding in findings_of(lists))


def test_a_key_that_a_volume_asks_for() -> None:
    said = 'MountVolume.SetUp failed for volume "settings" : configmap references non-existent config key: app.cnf'
    made = pod(state=waiting("ContainerCreating"), spec={"volumes": [CONFIG]})
    found = first({**deployment(0), "Pod": [made], "Event": [event("Pod", "web-1-a", "FailedMount", said)]})
    assert found.title == "key app.cnf, which volume settings references, does not exist in ConfigMap shop/settings"


def test_the_secret_of_a_storage_driver_is_not_taken_for_one_of_the_pod() -> None:
    said = (
        'MountVolume.MountDevice failed for volume "data" : rpc error: code = Internal desc = secrets "ceph" not found'
    )
    made = pod(state=waiting("ContainerCreating"))
    found = first({**deployment(0), "Pod": [made], "Event": [event("Pod", "web-1-a", "FailedMount", said)]})
    assert found.fault == "mount_fails" and "Secret" not in found.title and not found.hopeless


NFS = {"name": "share", "nfs": {"server": "10.0.0.9", "path": "/srv/share"}}
COMMAND = "mount failed: exit status 32 Mounting command: mount Mounting arguments: -t nfs 10.0.0.9:/srv/share /var/lib/kubelet/pods/1/share"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        (
            "mount: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
            "mount.nfs is not installed",
        ),
        (
            "mount: /x: fsconfig() failed: NFS: mount program didn't pass remote address.",
            "mount.nfs is not installed on node w1",
        ),
        (
            "mount.nfs: access denied by server while mounting 10.0.0.9:/srv/share",
            "10.0.0.9 does not let node w1 mount /srv/share",
        ),
        (
            "mount.nfs: mounting 10.0.0.9:/srv/share failed, reason given by server: No such file or directory",
            "has no folder /srv/share",
        ),
        (
            "mount.nfs: Failed to resolve server files.example.com: Name or service not known",
            "is not resolved on node w1",
        ),
        ("mount.nfs: Connection refused for 10.0.0.9:/srv/share on /x", "10.0.0.9 does not answer node w1"),
        ("mount.nfs: Connection timed out for 10.0.0.9:/srv/share on /x", "10.0.0.9 does not answer node w1"),
        (
            "mount.nfs: requested NFS version or transport protocol is not supported for /x",
            "does not support the version or an option",
        ),
        ("mount.nfs: failed to prepare mount: No such device", "the kernel of node w1 has no NFS client"),
        ("mount: /x: unknown filesystem type 'nfs'.", "mount.nfs is not installed on node w1"),
        ("mount.nfs: an incorrect mount option was specified for /x", "does not support the version or an option"),
        ("mount.nfs: rpc.statd is not running but is required for remote locking.", "node w1 has no rpc.statd"),
        (
            "mount.nfs: rpc.statd is not running but is required for remote locking. mount.nfs: Connection refused for 10.0.0.9:/srv/share on /x",
            "10.0.0.9 does not answer node w1",
        ),
        ("mount.nfs: something else", "/srv/share of the NFS server 10.0.0.9 could not be mounted on node w1"),
    ],
)
@pytest.mark.parametrize("claimed", [False, True])
def test_a_share_that_is_not_mounted(said: str, title: str, claimed: bool) -> None:
    lists = {**deployment(0), **bound(driver="", nfs=NFS["nfs"])}
    made = claiming(age=30) if claimed else pod(state=waiting("ContainerCreating"), spec={"volumes": [NFS]}, age=30)
    message = f'MountVolume.SetUp failed for volume "{"v" if claimed else "share"}" : {COMMAND} Output: {said}'
    found = first({**lists, "Pod": [made], "Event": [event("Pod", "web-1-a", "FailedMount", message)]})
    assert found.fault == "mount_fails" and title in found.title and found.severity == "error"


def test_a_share_whose_server_does_not_answer_yet() -> None:
    waits = [{"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "False"}]
    made = pod(state=waiting("ContainerCreating"), spec={"volumes": [NFS]}, age=30, conditions=waits)
    (found,) = findings_of({**deployment(0), "Pod": [made]})
    assert found.title.startswith("/srv/share of the NFS server 10.0.0.9 has not been mounted on node w1 for 30 s")
    waits[1]["status"] = "True"  # it is the image that takes time
    assert not [one for one in findings_of({**deployment(0), "Pod": [made]}) if one.fault == "mount_fails"]


def test_a_share_that_a_pod_waits_for_again_after_its_node_has_booted() -> None:
    waits = [{"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": stamp(5)}]
    made = pod(state=waiting("ContainerCreating"), spec={"volumes": [NFS]}, age=86400, conditions=waits)
    assert not [one for one in findings_of({**deployment(0), "Pod": [made]}) if one.fault == "mount_fails"]
    waits[0]["lastTransitionTime"] = stamp(40)
    assert "on node w1 for 40 s" in first({**deployment(0), "Pod": [made]}).title


def test_a_share_beside_another_volume_that_is_not_mounted() -> None:
    said = "Unable to attach or mount volumes: unmounted volumes=[settings share], unattached volumes=[]: timed out waiting for the condition"
    made = pod(state=waiting("ContainerCreating"), spec={"volumes": [CONFIG, NFS]}, age=150)
    found = first({**deployment(0), "Pod": [made], "Event": [event("Pod", "web-1-a", "FailedMount", said)]})
    assert found.title == "the NFS server 10.0.0.9 does not answer node w1"


def test_a_share_about_which_only_a_time_is_known() -> None:
    said = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]: timed out waiting for the condition"
    found = first(
        {
            **deployment(0),
            **bound(driver="", nfs=NFS["nfs"]),
            "Pod": [claiming(age=150)],
            "Event": [event("Pod", "web-1-a", "FailedMount", said)],
        }
    )
    assert found.title == "the NFS server 10.0.0.9 does not answer node w1"


def test_a_file_system_of_another_type() -> None:
    said = 'MountVolume.MountDevice failed for volume "v" : mount failed: exit status 32 Output: mount: wrong fs type, bad option, bad superblock on /dev/sdb'
    found = first(
        {
            **deployment(0),
            **bound(driver=""),
            "Pod": [claiming()],
            "Event": [event("Pod", "web-1-a", "FailedMount", said)],
        }
    )
    assert found.fault == "mount_fails" and "not that of fsType" in found.title


def test_a_folder_that_is_mounted_over_a_file() -> None:
    said = (
        'failed to create containerd task: error mounting "/var/lib/kubelet/x" to rootfs at "/etc/passwd": not a directory: '
        "Are you trying to mount a directory onto a file (or vice-versa)?"
    )
    mounts = {"volumeMounts": [{"name": "settings", "mountPath": "/etc/passwd", "subPath": "passwd"}]}
    made = pod(state=crashed(128, "StartError", message=said), container=mounts)
    found = first({**deployment(0), "Pod": [made]})
    assert found.fault == "mount_fails" and "volume settings cannot be mounted at /etc/passwd" in found.title
    assert "subPath passwd" in found.title and "key" in found.advice


def test_a_variable_of_a_sub_path() -> None:
    made = pod(state=waiting("CreateContainerConfigError", 'missing value for "TENANT"'))
    found = first({**deployment(0), "Pod": [made]})
    assert found.fault == "mount_fails" and found.hopeless and "variable TENANT" in found.title


def test_a_claim_for_one_pod_names_the_pod_that_has_it() -> None:
    said = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode."
    scheduled = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}]
    late = claiming("web-1-b", conditions=scheduled, containerStatuses=[], spec={"nodeName": ""})
    holder = pod(spec={"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]})
    found = first({**deployment(1, 2), **bound(""), "Pod": [holder, late], "Node": [node("w1")]})
    assert (found.fault, str(found.object)) == ("claim_in_use", "Deployment shop/web")
    assert "in use by pod shop/web-1-a" in found.title and "Recreate" in found.advice


def test_a_volume_on_a_node_that_is_not_there() -> None:
    said = "0/1 nodes are available: 1 node(s) had volume node affinity conflict."
    scheduled = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}]
    rule = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["w9"]}
    volume = bound("", nodeAffinity={"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}})
    made = claiming(conditions=scheduled, containerStatuses=[], spec={"nodeName": ""})
    lists = {**deployment(0), **volume, "Pod": [made], "Node": [node("w1")]}
    found = first(lists)
    assert found.fault == "unschedulable_volume" and "volume v of claim data is available on no node" in found.title
    assert "kubernetes.io/hostname In w9" in found.evidence[-1]
    rule["values"] = ["w1"]
    assert "is available on node w1, which rejects the pod" in first(lists).title


def test_a_script_without_an_interpreter_is_no_other_architecture() -> None:
    found = first(
        {**deployment(0), "Pod": [pod(state=crashed(128, "StartError", message="exec /x: exec format error"))]}
    )
    assert found.fault == "image_wrong_platform" and "#!" in found.title and "#!/bin/sh" in found.advice


@pytest.mark.parametrize(("times", "severity"), [(1, "warning"), (2, "error")])
def test_pods_that_are_evicted_one_after_the_other(times: int, severity: str) -> None:
    message = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    gone = [
        pod(f"web-1-{number}", {"ready": False}, age=60, phase="Failed", reason="Evicted", message=message)
        for number in range(times)
    ]
    found = first({**deployment(0), "Pod": gone, "Node": [node("w1")]})
    assert (found.fault, found.severity) == ("evicted", severity) and "sizeLimit" in found.advice


@pytest.mark.parametrize(
    ("why", "fault"),
    [
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "webhook_untrusted"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "webhook_down"),
    ],
)
def test_a_webhook_that_is_not_trusted(why: str, fault: str) -> None:
    said = (
        'Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: Post "https://x": '
        + why
    )
    hook = {"name": "x.example.com", "clientConfig": {"url": "https://x"}, "rules": [{"resources": ["pods"]}]}
    lists = {
        **deployment(0),
        "Event": [event("ReplicaSet", "web-1", "FailedCreate", said)],
        "ValidatingWebhookConfiguration": [{"metadata": {"name": "gate"}, "webhooks": [hook]}],
    }
    lists["ReplicaSet"][0]["status"]["replicas"] = 0
    (found,) = [finding for finding in findings_of(lists) if finding.severity == "error"]
    assert (found.fault, str(found.object)) == (fault, "ValidatingWebhookConfiguration gate")
    assert found.others == ["Deployment shop/web"] and ("caBundle" in found.advice) == (fault == "webhook_untrusted")


@pytest.mark.parametrize(
    ("said", "fault", "advice"),
    [
        (
            'jobs.batch "n-1" is forbidden: exceeded quota: no-jobs, requested: count/jobs.batch=1',
            "quota_exceeded",
            "ResourceQuota",
        ),
        ('Job.batch "n-1" is invalid: spec.template: Invalid value', "cron_job_bad", "Correct the pod template"),
    ],
)
def test_a_cron_job_whose_jobs_are_refused(said: str, fault: str, advice: str) -> None:
    cron = {"metadata": meta("n"), "spec": {"schedule": "* * * * *"}}
    found = first({"CronJob": [cron], "Event": [event("CronJob", "n", "FailedCreate", "Error creating job: " + said)]})
    assert (found.fault, str(found.object)) == (fault, "CronJob shop/n") and advice in found.advice


@pytest.mark.parametrize(("port", "unknown"), [("http", True), ("web", False), (8080, False), ("8080", False)])
def test_a_probe_asks_a_port_by_a_name_that_none_has(port: Any, unknown: bool) -> None:
    parts = {"ports": [{"name": "web", "containerPort": 8080}], "readinessProbe": {"httpGet": {"port": port}}}
    found = first({**deployment(0), "Pod": [pod(state={"ready": False}, container=parts)]})
    assert found.fault == "readiness_fails"
    assert (
        ("uses port http, but the container has no port with that name" in found.title)
        == unknown
        == ("web (8080)" in found.advice)
    )


def test_the_service_of_a_stateful_set() -> None:
    made = {"metadata": meta("db"), "spec": {"replicas": 0, "serviceName": "db"}, "status": {"observedGeneration": 1}}
    (found,) = findings_of({"StatefulSet": [made], "Service": []})
    assert (found.fault, found.severity, str(found.object)) == (
        "stateful_service_missing",
        "warning",
        "StatefulSet shop/db",
    )
    headless = {"metadata": meta("db"), "spec": {"clusterIP": "None"}}
    assert findings_of({"StatefulSet": [made], "Service": [headless]}) == []
    made["metadata"]["creationTimestamp"] = stamp(5)
    assert findings_of({"StatefulSet": [made]}) == []


@pytest.mark.parametrize(
    ("offered", "title"),
    [(None, "no node provides the resource example.com/gpu"), ("1", "no node has enough free resources")],
)
def test_a_device_that_no_node_offers(offered: str | None, title: str) -> None:
    said = "0/1 nodes are available: 1 Insufficient example.com/gpu. preemption: 0/1 nodes are available."
    scheduled = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}]
    wants = {"resources": {"requests": {"example.com/gpu": "2"}}}
    made = pod(state=waiting(""), conditions=scheduled, containerStatuses=[], container=wants, spec={"nodeName": ""})
    there = node("w1")
    if offered:
        there["status"]["allocatable"]["example.com/gpu"] = offered
    found = first({**deployment(0), "Pod": [made], "Node": [there]})
    assert found.fault == "unschedulable_resources" and found.title.startswith(title)


def test_the_only_node_that_fits_is_cordoned() -> None:
    said = "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable."
    scheduled = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}]
    spec = {"nodeName": "", "nodeSelector": {"kubernetes.io/hostname": "w1"}}
    made = pod(state=waiting(""), conditions=scheduled, containerStatuses=[], spec=spec)
    nodes = [node("w1"), node("w2"), node("cp1")]
    nodes[0]["spec"] = {
        "unschedulable": True,
        "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
    }
    nodes[2]["spec"] = {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}
    found = first({**deployment(0), "Pod": [made], "Node": nodes})
    assert found.fault == "unschedulable_cordoned" and "kubectl uncordon w1" in found.advice
    assert found.title == "all suitable nodes are cordoned: w1"


@pytest.mark.parametrize(
    ("name", "wanted", "on", "told"),
    [
        ("kube-proxy", 0, [], ("kube_proxy_missing", "error")),
        ("kube-proxy", 1, ["w1"], ("kube_proxy_missing", "warning")),
        ("kube-flannel-ds", 1, ["w1"], ("network_agent_missing", "warning")),
        ("kube-proxy", 2, ["w1", "w2"], None),
        ("log-agent", 0, [], None),
    ],
)
def test_what_must_run_on_every_node(name: str, wanted: int, on: list[str], told: tuple[str, str] | None) -> None:
    counts = dict.fromkeys(
        ("currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"), wanted
    )
    made = {
        "metadata": meta(name, "kube-system", generation=2),
        "spec": {"template": {"spec": {"nodeSelector": {"faults": "none"}, "containers": []}}},
        "status": {"observedGeneration": 2, "desiredNumberScheduled": wanted, **counts},
    }
    owner = {"kind": "DaemonSet", "name": name, "apiVersion": "apps/v1", "controller": True}
    pods = [pod(f"{name}-{host}", spec={"nodeName": host}) for host in on]
    for one in pods:
        one["metadata"].update(namespace="kube-system", ownerReferences=[owner])
    found = findings_of({"DaemonSet": [made], "Pod": pods, "Node": [node("w1"), node("w2")]})
    assert [(one.fault, one.severity) for one in found] == ([told] if told else [])
    assert not told or ("w2" in found[0].title and "faults=none" in found[0].evidence[0])


def test_a_namespace_that_does_not_go_is_told_where_only_it_is_asked_for() -> None:
    left = "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances"
    said = [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": left}]

    class Leaving(Cluster):
        def find(self, path: str) -> dict[str, Any] | None:
            gone = {"name": "shop", "deletionTimestamp": stamp(90)}
            return {"metadata": gone, "status": {"conditions": said}} if path.endswith("/shop") else super().find(path)

    (found,) = examine(Leaving(), namespaces=["shop"]).findings  # type: ignore[arg-type]
    assert (found.fault, found.severity, str(found.object)) == ("deletion_stuck", "error", "Namespace shop")
    assert "example.com/keep" in found.evidence[0]
    assert examine(Leaving(), namespaces=["other"]).findings == []  # type: ignore[arg-type]


def test_the_name_of_an_image_is_no_reason() -> None:
    image = "r.example.com/faults/forbidden:1"
    said = f'failed to pull and unpack image "{image}": failed to resolve image: {image}: not found'
    assert image_fault("ErrImagePull", said, image).fault == "image_not_found"
    said = "unexpected status from HEAD request to http://r/v2/faults/forbidden/manifests/1: 429 Too Many Requests"
    assert image_fault("ErrImagePull", said, image).fault == "image_rate_limited"
    assert [repository_of(name) for name in ("nginx", "a/b:1", "r:5000/a@sha256:0", image)] == [
        "nginx",
        "a/b",
        "a",
        "faults/forbidden",
    ]


def test_dns_that_is_down_is_told_once() -> None:
    lists = deployment(0, 2)
    lists["Deployment"][0]["spec"]["template"]["metadata"]["labels"] = {"k8s-app": "kube-dns"}
    lists["Pod"] = [pod(f"web-1-{number}", crashed()) for number in range(2)]
    for content in [one for items in lists.values() for one in items]:
        content["metadata"]["namespace"] = "kube-system"
    dns = service("kube-dns", {"app": "web"})
    dns["metadata"]["namespace"] = "kube-system"
    lists.update(Service=[dns], EndpointSlice=[endpoints("kube-dns", 0, "kube-system")])
    (found,) = findings_of(lists)
    assert found.fault == "dns_down" and len(found.pods) == 2 and "Corefile" in found.advice


LIVENESS = "Liveness probe failed: Get http://10.244.1.2:8080/: connection refused"
CONTAINER = {"fieldPath": "spec.containers{app}"}


def probed(state: dict[str, Any], *killed: str) -> dict[str, list[dict[str, Any]]]:
    """A container whose liveness probe has failed often, with these messages of events "Killing"."""
    lists = deployment(0, 1)
    lists["Pod"] = [pod(state=state, container={"livenessProbe": {"failureThreshold": 3}})]
    lists["Event"] = [event("Pod", "web-1-a", "Unhealthy", LIVENESS, about=CONTAINER, count=40)]
    lists["Event"] += [
        event("Pod", "web-1-a", "Killing", message, type="Normal", about=CONTAINER, ago=500) for message in killed
    ]
    return lists


KILLED = "Container app failed liveness probe, will be restarted"
RUNS = {
    "ready": False,
    "restartCount": 3,
    "state": {"running": {"startedAt": stamp(2)}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stamp(4)}},
}


@pytest.mark.parametrize("state", [crashed(1), crashed(137), crashed(0, "Completed"), RUNS])
def test_only_the_kubelet_s_word_tells_that_a_probe_ended_a_container(state: dict[str, Any]) -> None:
    (found,) = findings_of(probed(state))
    assert found.fault in ("crash_loop", "exits_at_once")
    (found,) = findings_of(probed(state, "Stopping container app"))
    assert found.fault in ("crash_loop", "exits_at_once")
    (found,) = findings_of(probed(state, KILLED))
    assert found.fault == "liveness_kills" and "connection refused" in found.evidence[0]
    (found,) = findings_of(probed(state, "Container app failed startup probe, will be restarted"))
    assert found.fault == "startup_kills" and "failed startup probe" in found.evidence[0]


def test_the_end_of_another_container_is_not_blamed_on_the_probe() -> None:
    lists = probed(crashed(1), KILLED)
    lists["Event"][-1]["involvedObject"]["fieldPath"] = "spec.containers{other}"
    assert [found.fault for found in findings_of(lists)] == ["crash_loop"]


def test_a_service_of_a_namespace_that_is_being_deleted_is_no_error() -> None:
    namespace = {"metadata": {"name": "shop"}, "spec": {}, "status": {"phase": "Active"}}
    lists: dict[str, Any] = {"Namespace": [namespace], "Service": [service()], "Pod": [], "EndpointSlice": []}
    assert [found.fault for found in findings_of(lists)] == ["service_selects_nothing"]
    namespace["metadata"]["deletionTimestamp"] = stamp(5)
    assert [found.object.kind for found in findings_of(lists) if found.object.kind == "Service"] == []
