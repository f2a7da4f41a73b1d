# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid descriptions: which problems are reported, with which path."""

from __future__ import annotations

import pytest

HTTP = {"http": 8080}

REFUSED = [
    # routes
    ({"ports": HTTP, "route": {"host": "a.example.com"}}, "route.gateway: is required."),
    (
        {"route": {"gateway": "g"}},
        "route: requires a Service with a port. Define one, for example ports: {http: 8080}.",
    ),
    (
        {"ports": HTTP, "route": {"gateway": "g", "rules": [{"port": "htp"}]}},
        "route.rules[0].port: unknown port htp (available: http). Did you mean http?",
    ),
    (
        {"ports": HTTP, "route": {"gateway": "g", "rules": [{"port": 80}]}},
        "route.rules[0].port: the Service has no port 80 (available: 8080).",
    ),
    (
        {"ports": HTTP, "route": {"gateway": "g", "rules": [{"service": "api", "port": "http"}]}},
        "route.rules[0].port: must be the number of a port of the Service api.",
    ),
    (
        {"ports": HTTP, "route": {"gateway": "g", "rules": [{"timeout": "30"}]}},
        "route.rules[0].timeout: '30' is not a valid duration (such as 30s or 500ms).",
    ),
    (
        {"kind": "Job", "route": {"gateway": "g"}},
        "route: is not supported by a Job, only by a Deployment, StatefulSet or DaemonSet.",
    ),
    # unknown and misspelt fields
    ({"replica": 3}, "replica: unknown field; did you mean replicas?"),
    ({"minReadySeconds": 5}, "minReadySeconds: unknown field; did you mean min_ready_seconds?"),
    ({"ingress": {"hots": "a.example.com"}}, "ingress.hots: unknown field; did you mean ingress.host?"),
    ({"limits": {"cpu": "1"}}, "limits: unknown field; use resources.limits instead."),
    ({"autoscaling": {}}, "autoscaling: unknown field; use scaling instead."),
    ({"scaling": {"min_replicas": 1, "max": 2}}, "scaling.min_replicas: unknown field; use min instead."),
    ({"resources": {"cpu": "1"}}, "resources.cpu: unknown field; use requests.cpu and limits.cpu instead."),
    (
        {"sidecars": {"log": {"imag": "a:1"}}},
        "sidecars.log.imag: unknown field; did you mean sidecars.log.image?",
    ),
    ({"volumes": {"d": {"storage_class": "x"}}}, "volumes.d.storage_class: unknown field; use class instead."),
    ({"network": {"egress": []}}, "network.egress: unknown field; use allow_to instead."),
    # wrong types
    ({"replicas": "three"}, "replicas: must be an integer, not 'three'."),
    ({"replicas": True}, "replicas: must be an integer, not a boolean."),
    ({"replicas": -1}, "replicas: must be at least 0, not -1."),
    ({"args": "netexec"}, "args: must be a list, not a string."),
    ({"env": ["A=1"]}, "env: must be a mapping from names to values, not a list."),
    (
        {"env": {"A": None}},
        "env.A: must be a value, or a mapping with config_map or secret and key, with field, or with resource, not null.",
    ),
    ({"env": {"2A": "x"}}, "env[2A]: '2A' is not a valid environment variable name."),
    ({"paused": "maybe"}, "paused: must be true or false, not 'maybe'."),
    ({"ports": {"http": 80800}}, "ports.http.port: must be from 1 to 65535, not 80800."),
    (
        {"ports": {"HTTP": 80}},
        "ports.HTTP: 'HTTP' is not a valid port name (lowercase letters, digits and hyphens, with at least one letter).",
    ),
    (
        {"kind": "deployment"},
        "kind: must be Deployment, StatefulSet, DaemonSet, Job or CronJob, not 'deployment'. Did you mean Deployment?",
    ),
    (
        {"resources": {"limits": {"memory": "64MB"}}},
        "resources.limits.memory: must be a quantity such as 250m, 64Mi or 10Gi, not '64MB'.",
    ),
    (
        {"name": "Web"},
        "name: 'Web' is not a valid application name (lowercase letters, digits and hyphens, starting with a letter).",
    ),
    (
        {"strategy": {"max_surge": "a lot"}},
        "strategy.max_surge: must be a number or a percentage such as 25%, not 'a lot'.",
    ),
    (
        {"ingress": {"host": "https://a.example.com/x"}},
        "ingress.host[0]: 'https://a.example.com/x' is not a valid host name (without scheme, port and path).",
    ),
    (
        {"config_files": {"app.conf": "x"}},
        "config_files[app.conf]: 'app.conf' is not a valid absolute path of a file, such as /etc/app/app.conf.",
    ),
    ({"overrides": ["x"]}, "overrides[0]: must be a mapping, not a string."),
    # what the kind has not
    (
        {"kind": "DaemonSet", "replicas": 2},
        "replicas: is not supported by a DaemonSet, which runs one pod on every node that node_selector and tolerations allow.",
    ),
    (
        {"kind": "Job", "scaling": {"max": 2}},
        "scaling: is not supported by a Job, only by a Deployment or StatefulSet.",
    ),
    (
        {"kind": "Job", "ports": HTTP, "probe": "/"},
        "probe: is not supported by a Job, because its pods run to completion and serve no requests. Use liveness to restart a container that hangs.",
    ),
    ({"schedule": "@daily"}, "schedule: is not supported by a Deployment, only by a CronJob."),
    ({"kind": "CronJob"}, "schedule: is required for a CronJob, for example '*/5 * * * *'."),
    ({"kind": "Job", "job": {"time_zone": "Etc/UTC"}}, "job.time_zone: is supported only by a CronJob."),
    ({"kind": "StatefulSet", "paused": True}, "paused: is not supported by a StatefulSet, only by a Deployment."),
    (
        {"kind": "StatefulSet", "strategy": "Recreate"},
        "strategy.type: a StatefulSet supports RollingUpdate or OnDelete, not Recreate.",
    ),
    (
        {"strategy": {"type": "Recreate", "max_surge": 1}},
        "strategy.max_surge: is supported only by RollingUpdate; Recreate replaces all pods at the same time.",
    ),
    (
        {"strategy": {"max_surge": 0, "max_unavailable": "0%"}},
        "strategy: max_surge and max_unavailable cannot both be 0, because no pod could be replaced.",
    ),
    (
        {"kind": "CronJob", "schedule": "* * * *"},
        "schedule: '* * * *' has 4 fields. A schedule has five (minute, hour, day of month, month, day of week), "
        "or is one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.",
    ),
    ({"kind": "CronJob", "schedule": "61 * * * *"}, "schedule: '61' is not a valid minute (0 to 59)."),
    ({"kind": "CronJob", "schedule": "TZ=UTC 1 * * * *"}, "schedule: must not contain a time zone. Use job.time_zone."),
    (
        {"kind": "Job", "job": {"completion_mode": "Indexed"}},
        "job.completions: is required with completion_mode: Indexed.",
    ),
    # fields that do not go together
    (
        {"name": "a" * 53},
        "name: has 53 characters; at most 52 are allowed, because the names of pods are derived from it.",
    ),
    ({"image": None}, "image: is required."),
    ({"scaling": {"min": 5, "max": 2}}, "scaling.min: 5 is greater than scaling.max (2)."),
    ({"scaling": {}}, "scaling.max: is required."),
    (
        {"min_ready_seconds": 60, "progress_deadline_seconds": 60},
        "progress_deadline_seconds: must be greater than min_ready_seconds (60), not 60.",
    ),
    ({"disruption_budget": {}}, "disruption_budget: requires exactly one of max_unavailable or min_available."),
    (
        {"labels": {"app.kubernetes.io/name": "x"}},
        "labels[app.kubernetes.io/name]: is reserved; the module sets this label and its selectors depend on it.",
    ),
    (
        {"labels": {"tier": "not this"}},
        "labels.tier: the value is not a valid label value (at most 63 letters, digits, hyphens, dots and underscores).",
    ),
    ({"probe": "/"}, "probe.port: is required, because the container has no ports."),
    (
        {"ports": HTTP, "probe": {"path": "/", "port": "htp"}},
        "probe.port: unknown port htp (available: http). Did you mean http?",
    ),
    (
        {"ports": HTTP, "probe": {"path": "/", "tcp": True}},
        "probe: requires exactly one of path, command, tcp: true or grpc.",
    ),
    (
        {"ports": HTTP, "liveness": {"path": "/", "success_threshold": 2}},
        "liveness.success_threshold: must be 1 for a liveness probe.",
    ),
    ({"pre_stop": {"sleep": 5, "command": ["x"]}}, "pre_stop: requires exactly one of command, path or sleep."),
    ({"env": {"A": {"secret": "db"}}}, "env.A.key: is required."),
    (
        {"env": {"A": {"value": "x", "field": "metadata.name"}}},
        "env.A: requires exactly one of value, config_map, secret, field or resource.",
    ),
    ({"env": {"A": "1"}, "secret_env": {"A": "2"}}, "secret_env.A: the variable is also set in env."),
    (
        {
            "config_maps": {"special": {"special.how": "very"}},
            "env": {"A": {"config_map": "special", "key": "special.hwo"}},
        },
        "env.A.key: unknown key special.hwo (available: special.how). Did you mean special.how?",
    ),
    ({"env_from": [{"config_map": "a", "secret": "b"}]}, "env_from[0]: requires exactly one of config_map or secret."),
    (
        {"secret_files": {"/etc/key": {"base64": "§"}}},
        "secret_files[/etc/key].base64: is not valid base64. Use content for plain text.",
    ),
    (
        {"config_files": {"/etc/a": {"content": "x", "src": "y"}}},
        "config_files[/etc/a]: requires exactly one of content, src, template or base64.",
    ),
    (
        {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}}},
        "resources.requests.cpu: 1 is more than the limit (500m).",
    ),
    (
        {"security": {"run_as_non_root": True, "run_as_user": 0}},
        "security.run_as_user: is 0, which is root. Set run_as_non_root: false if that is intended.",
    ),
    (
        {"volumes": {"data": {"path": "/data"}}},
        "volumes.data: requires exactly one of size, claim, empty_dir, host_path, nfs, config_map, secret or source.",
    ),
    (
        {"volumes": {"data": {"size": "1Gi"}}},
        "volumes.data.path: is required, because no other container mounts the volume.",
    ),
    (
        {"volumes": {"a": {"size": "1Gi", "path": "/d"}, "b": {"empty_dir": True, "path": "/d"}}},
        "volumes.b.path: /d is already used by volumes.a.",
    ),
    (
        {"volumes": {"a": {"claim": "x", "path": "/d", "class": "manual"}}},
        "volumes.a.class: applies only to a new claim; set size too.",
    ),
    (
        {"kind": "DaemonSet", "volumes": {"a": {"size": "1Gi", "path": "/d"}}},
        "volumes.a.mode: the pods of a DaemonSet run on many nodes and cannot share a ReadWriteOnce volume. Use ReadWriteMany, host_path or empty_dir.",
    ),
    (
        {"init": {"x": {"mounts": {"dta": "/d"}}}, "volumes": {"data": {"empty_dir": True, "path": "/d"}}},
        "init.x.mounts.dta: unknown volume dta (available: data). Did you mean data?",
    ),
    (
        {"sidecars": {"web": {"image": "a:1"}}},
        "sidecars.web: the name is already used by the application itself. Containers of a pod must have different names.",
    ),
    (
        {"ports": HTTP, "sidecars": {"log": {"ports": {"log": {"port": 8080, "service": False}}}}},
        "ports.log: TCP port 8080 of the pod is already used by http.",
    ),
    (
        {"ports": {"http": 80, "web": {"port": 80, "target_port": 81}}},
        "ports.web: TCP port 80 of the Service is already used by http.",
    ),
    (
        {"ports": {"http": {"port": 80, "node_port": 30080}}, "service": "ClusterIP"},
        "ports.http.node_port: requires a Service of type NodePort or LoadBalancer.",
    ),
    ({"service": "NodePort"}, "service: requires a port. Define one, for example ports: {http: 8080}."),
    (
        {"ports": HTTP, "service": {"headless": True, "type": "NodePort"}},
        "service.headless: requires the type ClusterIP.",
    ),
    (
        {"ports": HTTP, "service": {"external_traffic_policy": "Local"}},
        "service.external_traffic_policy: requires the type NodePort or LoadBalancer.",
    ),
    (
        {"ingress": {"host": "a.example.com"}},
        "ingress: requires a Service with a port. Define one, for example ports: {http: 8080}.",
    ),
    (
        {"ports": HTTP, "ingress": {"port": "htpp"}},
        "ingress.port: unknown port htpp (available: http). Did you mean http?",
    ),
    ({"ports": HTTP, "ingress": {"tls": "x"}}, "ingress.tls: requires a host. Set ingress.host."),
    ({"ports": HTTP, "ingress": {"host": "a.b", "tls": {}}}, "ingress.tls: requires secret, issuer or cluster_issuer."),
    (
        {"ports": HTTP, "ingress": {"paths": {"/api": {"service": "api"}}}},
        "ingress.paths[/api].port: is required, as a port of the Service api.",
    ),
    ({"network": {}}, "network: requires allow_from or allow_to (an empty list denies all traffic)."),
    (
        {"network": {"allow_from": [{"ports": 80}]}},
        "network.allow_from[0]: requires app, labels, namespace, namespace_labels or cidr.",
    ),
    (
        {"network": {"allow_from": [{"app": "a", "ports": "http"}]}},
        "network.allow_from[0].ports[0]: unknown port http (available: none).",
    ),
    (
        {"network": {"allow_to": [{"app": "a", "cidr": "10.0.0.0/24"}]}},
        "network.allow_to[0]: app and cidr cannot be combined. Use two entries.",
    ),
    ({"rbac": [{"verbs": ["get"]}]}, "rbac.rules[0].resources: is required."),
    ({"pull_secrets": [{"registry": "r", "username": "u"}]}, "pull_secrets[0].password: is required."),
    (
        {"hooks": {"pre": {"migrate": {}}}},
        "hooks.pre.migrate: requires command or args; without them it would start the application itself.",
    ),
    (
        {"hooks": {"pre": {"a": {"command": ["x"], "after": "bb"}}}},
        "hooks.pre.a.after: unknown hook bb (available: a).",
    ),
    (
        {"hooks": {"pre": {"a": {"command": ["x"], "after": "b"}, "b": {"command": ["x"], "after": "a"}}}},
        "hooks.pre: hooks wait for each other: a -> b -> a.",
    ),
    (
        {
            "kind": "StatefulSet",
            "volumes": {"data": {"size": "1Gi", "path": "/d"}},
            "hooks": {"pre": {"a": {"command": ["x"], "mounts": {"data": "/d"}}}},
        },
        "hooks.pre.a.mounts.data: each pod of a StatefulSet has its own volume, and a hook cannot mount any of them.",
    ),
    # what only the expansion shows
    ({"overrides": [{"spec": {}}]}, "overrides[0].kind: is required (available: Deployment, ServiceAccount)."),
    (
        {"overrides": [{"kind": "Deploymnt"}]},
        "overrides[0].kind: the application has no Deploymnt (available: Deployment, ServiceAccount). Did you mean Deployment?",
    ),
    (
        {"env": {"A": "1"}, "overrides": [{"kind": "ConfigMap", "data": {"A": "2"}}]},
        "overrides[0].data: the name of this ConfigMap contains a hash of its content. Change env, config_files or config_maps instead.",
    ),
    (
        {"overrides": [{"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"tty": True}]}}}}]},
        "overrides[0]: spec.template.spec.containers[0].name: is required, because the items of this list are merged by it.",
    ),
    (
        {"manifests": [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}]},
        "manifests: Deployment web is already an object of the application. Remove it, or use overrides.",
    ),
    (
        {"config_files": {"/etc/big": "x" * (1024 * 1024 + 1)}},
        "config_files: the content has 1024 KiB; a ConfigMap holds at most 1024 KiB. Put large files into the image or a volume.",
    ),
]


@pytest.mark.parametrize(
    ("fields", "problem"), REFUSED, ids=[problem.partition(":")[0] for _fields, problem in REFUSED]
)
def test_it_is_refused_with_the_path_of_the_field(refused, fields, problem) -> None:
    assert refused(**fields) == [problem]


def test_all_problems_are_told_at_once(refused) -> None:
    assert len(refused(replica=3, args="x", ingress={"hots": "a"})) == 3
    assert len(refused(kind="Job", replicas=2, ports=HTTP, ingress={"host": "a.b"}, hooks={"pre": {"a": {}}})) == 3


def test_secret_values_are_never_repeated(refused) -> None:
    for fields in (
        {"secret_env": {"A": ["CANARY"]}},
        {"secret_files": {"/etc/key": ["CANARY"]}},
        {"secret_files": {"/etc/key": {"base64": "CANARY!"}}},
        {"secrets": {"db": {"password": {"value": "CANARY"}}}},
        {"pull_secrets": [{"registry": "r", "password": ["CANARY"], "username": "u"}]},
    ):
        assert "CANARY" not in "\n".join(refused(**fields))


def test_text_from_templates_is_taken_as_what_it_says(make) -> None:
    made = make(replicas="3", paused="true", ports={"http": "8080"}, min_ready_seconds="5", strategy={"max_surge": "2"})
    spec = made.workload["spec"]
    assert (spec["replicas"], spec["paused"], spec["minReadySeconds"]) == (3, True, 5)
    assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 2
    assert made.container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
