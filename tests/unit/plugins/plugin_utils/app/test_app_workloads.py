# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The defaults of an application, and the fields of its workload."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand

SELECTOR = {"app.kubernetes.io/name": "web", "slipway.kube/part": "app"}
RWO = {"data": {"path": "/data", "size": "10Gi"}}


def test_three_fields_make_a_deployment_with_good_defaults(make) -> None:
    made = make()
    assert [content["kind"] for content in made.objects] == ["ServiceAccount", "Deployment"]
    assert made.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert made.workload == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/name": "web", "app.kubernetes.io/managed-by": "slipway.kube"},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "progressDeadlineSeconds": 540,
            "template": {
                "metadata": {"labels": SELECTOR},
                "spec": {
                    "serviceAccountName": "web",
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "web",
                            "image": "web:1",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ],
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "topologySpreadConstraints": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "maxSkew": 1,
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": SELECTOR},
                            "matchLabelKeys": ["pod-template-hash"],
                        }
                    ],
                },
            },
        },
    }


def test_it_is_pure() -> None:
    fields = {"name": "web", "namespace": "shop", "image": "web:1", "ports": {"http": 80}, "env": {"A": "1"}}
    before = copy.deepcopy(fields)
    first, second = expand(read(fields)), expand(read(fields))
    assert first == second
    assert fields == before


@pytest.mark.parametrize(
    ("options", "deadline"),
    [
        ({"timeout": 300}, 270),
        ({"timeout": 1800}, 600),
        ({"timeout": 10, "min_ready_seconds": 30}, 31),
        ({"wait": False}, None),
        ({"progress_deadline_seconds": 77}, 77),
    ],
)
def test_the_progress_deadline_lies_below_that_of_the_wait(make, options, deadline) -> None:
    assert make(**options).workload["spec"].get("progressDeadlineSeconds") == deadline


@pytest.mark.parametrize(
    ("fields", "strategy"),
    [
        ({"strategy": "Recreate"}, {"type": "Recreate"}),
        ({"volumes": RWO}, {"type": "Recreate"}),
        (
            {"volumes": {"data": dict(RWO["data"], mode="RWX")}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        ),
        (
            {"volumes": RWO, "strategy": "RollingUpdate"},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        ),
        (
            {"strategy": {"max_surge": 1, "max_unavailable": 1}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
        ),
        (
            {"strategy": {"max_surge": 0}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        ),
        (
            {"ports": {"http": {"port": 80, "host_port": 80}}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        ),
    ],
)
def test_the_strategy_of_a_deployment(make, fields, strategy) -> None:
    assert make(**fields).workload["spec"]["strategy"] == strategy


def test_values_of_the_mysql_example(make) -> None:
    made = make(
        strategy="Recreate",
        min_ready_seconds=5,
        revision_history_limit=2,
        termination_grace_period_seconds=10,
        ports={"mysql": 3306},
        pod_annotations={"prometheus.io/scrape": "true", "prometheus.io/port": 9104},
    )
    spec = made.workload["spec"]
    assert (spec["minReadySeconds"], spec["revisionHistoryLimit"]) == (5, 2)
    assert made.pod["terminationGracePeriodSeconds"] == 10
    assert made.template["metadata"]["annotations"] == {"prometheus.io/scrape": "true", "prometheus.io/port": "9104"}


def test_replicas_are_left_out_where_an_autoscaler_decides(make) -> None:
    made = make(replicas=3, scaling={"max": 10})
    assert "replicas" not in made.workload["spec"]
    assert made.warnings[-1] == "replicas: is ignored, because the autoscaler (scaling) sets the number of pods."
    body = made.one("HorizontalPodAutoscaler")["spec"]
    assert body["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert (body["minReplicas"], body["maxReplicas"]) == (1, 10)
    assert body["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    ]
    assert body["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 300}}


def test_scaling_with_behaviour(make) -> None:
    body = make(
        scaling={
            "min": 2,
            "max": 10,
            "cpu": 70,
            "memory": 80,
            "scale_down": {"policies": [{"type": "Percent", "value": 50, "period_seconds": 60}]},
            "scale_up": {
                "stabilization_window_seconds": 60,
                "select_policy": "Max",
                "policies": [
                    {"type": "Percent", "value": 100, "period_seconds": 15},
                    {"type": "Pods", "value": 2, "period_seconds": 15},
                ],
            },
        }
    ).one("HorizontalPodAutoscaler")["spec"]
    assert [metric["resource"]["target"]["averageUtilization"] for metric in body["metrics"]] == [70, 80]
    assert body["behavior"] == {
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
        },
        "scaleUp": {
            "stabilizationWindowSeconds": 60,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15},
                {"type": "Pods", "value": 2, "periodSeconds": 15},
            ],
        },
    }


def test_cpu_is_no_metric_where_another_one_is_named(make) -> None:
    metrics = make(scaling={"max": 3, "memory": 80}).one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [metric["resource"]["name"] for metric in metrics] == ["memory"]


def test_a_budget_where_there_can_be_more_than_one_pod(make) -> None:
    assert not make().all("PodDisruptionBudget")
    assert not make(replicas=3, disruption_budget=False).all("PodDisruptionBudget")
    assert not make(kind="DaemonSet").all("PodDisruptionBudget")
    for fields in ({"replicas": 2}, {"scaling": {"max": 2}}, {"replicas": 2, "kind": "StatefulSet"}):
        assert make(**fields).one("PodDisruptionBudget")["spec"] == {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": SELECTOR},
        }
    own = make(replicas=3, disruption_budget={"min_available": "50%"}).one("PodDisruptionBudget")["spec"]
    assert own["minAvailable"] == "50%" and "maxUnavailable" not in own


def test_a_stateful_set_has_claims_and_a_name_for_each_pod(make) -> None:
    made = make(
        kind="StatefulSet", ports={"db": 5432}, volumes=RWO, strategy={"partition": 1}, pod_management_policy="Parallel"
    )
    spec = made.workload["spec"]
    assert spec["serviceName"] == "web-headless"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    assert spec["podManagementPolicy"] == "Parallel"
    assert "strategy" not in spec and "persistentVolumeClaimRetentionPolicy" not in spec
    claim = spec["volumeClaimTemplates"][0]
    assert claim["metadata"]["name"] == "data"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    assert "volumes" not in made.pod and not made.all("PersistentVolumeClaim")
    assert made.container["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
    governing = made.one("Service", "web-headless")["spec"]
    assert governing["clusterIP"] == "None" and governing["publishNotReadyAddresses"] is True
    assert [service["metadata"]["name"] for service in made.all("Service")] == ["web", "web-headless"]
    assert "matchLabelKeys" not in made.pod["topologySpreadConstraints"][0]


def test_a_headless_service_of_its_own_governs_a_stateful_set(make) -> None:
    made = make(kind="StatefulSet", ports={"db": 5432}, service={"headless": True}, keep_claims=False)
    assert made.workload["spec"]["serviceName"] == "web" == made.one("Service")["metadata"]["name"]
    policy = made.workload["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": "Delete", "whenScaled": "Delete"}


def test_a_daemon_set(make) -> None:
    spec = make(kind="DaemonSet", strategy={"max_surge": 1}).workload["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert "replicas" not in spec and "topologySpreadConstraints" not in spec["template"]["spec"]
    assert make(kind="DaemonSet", strategy="OnDelete").workload["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_a_job_is_named_by_its_content(make) -> None:
    first, same, other = make(kind="Job"), make(kind="Job"), make(kind="Job", args=["x"])
    name = first.workload["metadata"]["name"]
    assert name.startswith("web-") and name == same.workload["metadata"]["name"] != other.workload["metadata"]["name"]
    assert first.pod["restartPolicy"] == "Never"
    assert not first.all("Service")


def test_the_fields_of_a_job(make) -> None:
    job = {
        "completions": 4,
        "parallelism": 2,
        "completion_mode": "Indexed",
        "backoff_limit": 3,
        "active_deadline_seconds": 60,
        "ttl_seconds_after_finished": 100,
        "restart_policy": "OnFailure",
    }
    made = make(kind="Job", job=job)
    spec = {key: value for key, value in made.workload["spec"].items() if key != "template"}
    assert spec == {
        "completions": 4,
        "parallelism": 2,
        "completionMode": "Indexed",
        "backoffLimit": 3,
        "activeDeadlineSeconds": 60,
        "ttlSecondsAfterFinished": 100,
    }
    assert made.pod["restartPolicy"] == "OnFailure"


def test_a_cron_job(make) -> None:
    made = make(
        kind="CronJob",
        schedule="*/5 * * * *",
        job={"time_zone": "Etc/UTC", "suspend": True, "failed_jobs_history_limit": 1, "backoff_limit": 2},
    )
    spec = dict(made.workload["spec"])
    job = spec.pop("jobTemplate")
    assert spec == {
        "schedule": "*/5 * * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "failedJobsHistoryLimit": 1,
        "suspend": True,
    }
    assert made.workload["metadata"]["name"] == "web"
    assert job["spec"]["backoffLimit"] == 2 and "suspend" not in job["spec"]


def test_placement(make) -> None:
    made = make(
        node_selector={"disktype": "ssd"},
        tolerations=["dedicated=gpu:NoSchedule", "spot", {"key": "a", "operator": "Exists", "toleration_seconds": 5}],
        anti_affinity="preferred",
        affinity={"nodeAffinity": {"x": "y"}},
        spread=["topology.kubernetes.io/zone", {"max_skew": 2, "when_unsatisfiable": "DoNotSchedule"}],
        priority_class="high",
        runtime_class="gvisor",
        scheduler="own",
        host_aliases={"10.0.0.1": "a.example.com"},
    )
    pod = made.pod
    assert pod["nodeSelector"] == {"disktype": "ssd"}
    assert pod["tolerations"] == [
        {"key": "dedicated", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
        {"key": "a", "operator": "Exists", "tolerationSeconds": 5},
    ]
    assert pod["affinity"]["nodeAffinity"] == {"x": "y"}
    assert pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == [
        {
            "weight": 100,
            "podAffinityTerm": {"labelSelector": {"matchLabels": SELECTOR}, "topologyKey": "kubernetes.io/hostname"},
        }
    ]
    spread = [
        (rule["topologyKey"], rule["maxSkew"], rule["whenUnsatisfiable"]) for rule in pod["topologySpreadConstraints"]
    ]
    assert spread == [
        ("topology.kubernetes.io/zone", 1, "ScheduleAnyway"),
        ("kubernetes.io/hostname", 2, "DoNotSchedule"),
    ]
    assert (pod["priorityClassName"], pod["runtimeClassName"], pod["schedulerName"]) == ("high", "gvisor", "own")
    assert pod["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["a.example.com"]}]
    assert "topologySpreadConstraints" not in make(spread=False).pod
    required = make(anti_affinity="required").pod["affinity"]["podAntiAffinity"]
    assert list(required) == ["requiredDuringSchedulingIgnoredDuringExecution"]


def test_a_pod_of_the_hosts_network_still_knows_services_by_name(make) -> None:
    pod = make(host_network=True).pod
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")


def test_labels_and_annotations(make) -> None:
    made = make(
        labels={"tier": "front"}, annotations={"owner": "me"}, pod_labels={"version": "1"}, pod_annotations={"a": "b"}
    )
    for content in made.objects:
        assert content["metadata"]["labels"]["tier"] == "front"
        assert content["metadata"]["annotations"]["owner"] == "me"
    assert made.template["metadata"] == {
        "labels": dict(SELECTOR, tier="front", version="1"),
        "annotations": {"a": "b"},
    }
    assert made.workload["spec"]["selector"]["matchLabels"] == SELECTOR


def test_needs_of_the_cluster(make) -> None:
    made = make(
        ports={"http": 80},
        service="LoadBalancer",
        ingress={"host": "a.example.com", "tls": {"issuer": "le"}},
        network={"allow_from": ["a"]},
        scaling={"max": 2},
        volumes=RWO,
        priority_class="high",
        node_selector={"a": "b"},
    )
    assert made.expansion.needs == [
        "certificate_issuer",
        "ingress_class",
        "load_balancer",
        "metrics",
        "network_policy",
        "node_labels",
        "priority_class",
        "storage_class",
    ]


def test_further_manifests_come_along(make) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}}
    assert make(manifests=[extra]).objects[-1] == extra


WARNINGS = [
    (
        {},
        "resources.requests: cpu and memory are not set. The scheduler reserves nothing for the container, and nodes can run out of resources.",
    ),
    (
        {"resources": {"limits": {"cpu": "1"}}},
        "resources.requests: memory is not set. The scheduler reserves nothing for the container, and nodes can run out of resources.",
    ),
    ({"image": "web"}, "image: web can refer to different images over time and on different nodes. Set a version tag."),
    (
        {"image": "registry:5000/web:latest"},
        "image: registry:5000/web:latest can refer to different images over time and on different nodes. Set a version tag.",
    ),
    (
        {"scaling": {"max": 2}},
        "scaling.cpu: is a percentage of resources.requests.cpu, which is not set.",
    ),
    (
        {"disruption_budget": {"min_available": 1}},
        "disruption_budget.min_available: is 1 of 1 pods, so a node that runs one of them cannot be drained.",
    ),
    (
        {"ports": {"http": {"port": 80, "node_port": 30080}}, "network": {"allow_from": ["a"]}},
        "network.allow_from: contains no CIDR block, so clients outside the cluster cannot reach the Service.",
    ),
]


@pytest.mark.parametrize(("fields", "warning"), WARNINGS)
def test_it_warns_of_what_its_author_may_not_expect(make, fields, warning) -> None:
    assert warning in make(**fields).warnings


def test_containers_that_are_over_soon_need_no_requests(make) -> None:
    requests = {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    short = {"init": {"a": {"command": ["a"]}}, "hooks": {"pre": {"b": {"command": ["b"]}}}}
    assert make(**requests, **short).warnings == []
    assert (
        make(**requests, sidecars={"log": {"image": "log:1"}})
        .warnings[0]
        .startswith("sidecars.log.resources.requests:")
    )


def test_nothing_is_warned_of_where_nothing_is_wrong(make) -> None:
    made = make(
        image="registry:5000/web@sha256:0000",
        resources={"requests": {"cpu": "1", "memory": "1Gi"}},
        ports={"http": 80},
        ingress={"host": "a.example.com"},
        network={"allow_from": [{"namespace": "ingress"}]},
        scaling={"max": 3},
        disruption_budget={"max_unavailable": 1},
    )
    assert made.warnings == []
