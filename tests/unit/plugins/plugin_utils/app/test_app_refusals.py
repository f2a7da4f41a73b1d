# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions that are refused: which problems are told, with which path."""

from __future__ import annotations

import pytest

HTTP = {"http": 8080}

REFUSED = [
    # unknown and misspelt fields
    ({"replica": 3}, "replica: there is no such field; did you mean replicas?"),
    ({"minReadySeconds": 5}, "minReadySeconds: there is no such field; did you mean min_ready_seconds?"),
    ({"ingress": {"hots": "a.example.com"}}, "ingress.hots: there is no such field; did you mean ingress.host?"),
    ({"limits": {"cpu": "1"}}, "limits: there is no such field here; write resources.limits."),
    ({"autoscaling": {}}, "autoscaling: there is no such field here; write scaling."),
    ({"scaling": {"min_replicas": 1, "max": 2}}, "scaling.min_replicas: there is no such field here; write min."),
    ({"resources": {"cpu": "1"}}, "resources.cpu: there is no such field here; write requests.cpu and limits.cpu."),
    (
        {"sidecars": {"log": {"imag": "a:1"}}},
        "sidecars.log.imag: there is no such field; did you mean sidecars.log.image?",
    ),
    ({"volumes": {"d": {"storage_class": "x"}}}, "volumes.d.storage_class: there is no such field here; write class."),
    ({"network": {"egress": []}}, "network.egress: there is no such field here; write allow_to."),
    # wrong types
    ({"replicas": "three"}, "replicas: takes a whole number, not 'three'."),
    ({"replicas": True}, "replicas: takes a whole number, not true or false."),
    ({"replicas": -1}, "replicas: is -1; it takes at least 0."),
    ({"args": "netexec"}, "args: takes a list, not a text."),
    ({"env": ["A=1"]}, "env: takes a mapping from names to values, not a list."),
    (
        {"env": {"A": None}},
        "env.A: takes a value, or a mapping with config_map or secret and key, with field, or with resource, not nothing.",
    ),
    ({"env": {"2A": "x"}}, "env[2A]: the name '2A' is not the name of an environment variable."),
    ({"paused": "maybe"}, "paused: takes true or false, not 'maybe'."),
    ({"ports": {"http": 80800}}, "ports.http.port: is 80800; it takes 1 to 65535."),
    (
        {"ports": {"HTTP": 80}},
        "ports.HTTP: the name 'HTTP' is not the name of a port: lower-case letters, digits and hyphens.",
    ),
    (
        {"kind": "deployment"},
        "kind: takes Deployment, StatefulSet, DaemonSet, Job or CronJob, not 'deployment'. Did you mean Deployment?",
    ),
    (
        {"resources": {"limits": {"memory": "64MB"}}},
        "resources.limits.memory: takes an amount such as 250m, 64Mi or 10Gi, not '64MB'.",
    ),
    (
        {"name": "Web"},
        "name: 'Web' is not a name that begins with a letter, of lower-case letters, digits and hyphens.",
    ),
    (
        {"strategy": {"max_surge": "a lot"}},
        "strategy.max_surge: takes a number or a percentage such as 25%, not 'a lot'.",
    ),
    (
        {"ingress": {"host": "https://a.example.com/x"}},
        "ingress.host[0]: 'https://a.example.com/x' is not the name of a host, without scheme, port or path.",
    ),
    (
        {"config_files": {"app.conf": "x"}},
        "config_files[app.conf]: the name 'app.conf' is not the absolute path of a file, such as /etc/app/app.conf.",
    ),
    ({"overrides": ["x"]}, "overrides[0]: takes a mapping, not a text."),
    # what the kind has not
    (
        {"kind": "DaemonSet", "replicas": 2},
        "replicas: a DaemonSet has none; it runs one pod on every node that node_selector and tolerations allow.",
    ),
    ({"kind": "Job", "scaling": {"max": 2}}, "scaling: a Job has none; it belongs to a Deployment or StatefulSet."),
    (
        {"kind": "Job", "ports": HTTP, "probe": "/"},
        "probe: a Job has none; its pods serve nothing, they end (liveness watches over one that hangs).",
    ),
    ({"schedule": "@daily"}, "schedule: a Deployment has none; it belongs to a CronJob."),
    ({"kind": "CronJob"}, "schedule: is required for a CronJob, for example '*/5 * * * *'."),
    ({"kind": "Job", "job": {"time_zone": "Etc/UTC"}}, "job.time_zone: only a CronJob has it."),
    ({"kind": "StatefulSet", "paused": True}, "paused: a StatefulSet has none; it belongs to a Deployment."),
    (
        {"kind": "StatefulSet", "strategy": "Recreate"},
        "strategy.type: a StatefulSet takes RollingUpdate or OnDelete, not Recreate.",
    ),
    (
        {"strategy": {"type": "Recreate", "max_surge": 1}},
        "strategy.max_surge: belongs to RollingUpdate; Recreate replaces pods all at once.",
    ),
    (
        {"strategy": {"max_surge": 0, "max_unavailable": "0%"}},
        "strategy: max_surge and max_unavailable cannot both be 0, no pod could ever be replaced.",
    ),
    (
        {"kind": "CronJob", "schedule": "* * * *"},
        "schedule: '* * * *' has 4 parts; it takes minute, hour, day, month and day of the week, or one of "
        "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.",
    ),
    ({"kind": "CronJob", "schedule": "61 * * * *"}, "schedule: '61' is no minute (0 to 59)."),
    ({"kind": "CronJob", "schedule": "TZ=UTC 1 * * * *"}, "schedule: holds a time zone; write it as job.time_zone."),
    (
        {"kind": "Job", "job": {"completion_mode": "Indexed"}},
        "job.completions: is required with completion_mode: Indexed.",
    ),
    # fields that do not go together
    ({"name": "a" * 53}, "name: has 53 characters; 52 are allowed, because the names of pods are made from it."),
    ({"image": None}, "image: is required."),
    ({"scaling": {"min": 5, "max": 2}}, "scaling.min: is 5, more than scaling.max (2)."),
    ({"scaling": {}}, "scaling.max: is required."),
    (
        {"min_ready_seconds": 60, "progress_deadline_seconds": 60},
        "progress_deadline_seconds: is 60 and must be more than min_ready_seconds (60).",
    ),
    ({"disruption_budget": {}}, "disruption_budget: needs max_unavailable or min_available."),
    (
        {"labels": {"app.kubernetes.io/name": "x"}},
        "labels[app.kubernetes.io/name]: this label is set by the module, its selectors rest on it; choose another.",
    ),
    (
        {"labels": {"tier": "not this"}},
        "labels.tier: is not the value of a label: at most 63 letters, digits, hyphens, dots and underscores.",
    ),
    ({"probe": "/"}, "probe.port: is required, because the container has no ports of its own."),
    (
        {"ports": HTTP, "probe": {"path": "/", "port": "htp"}},
        "probe.port: there is no port htp; there are http. Did you mean http?",
    ),
    (
        {"ports": HTTP, "probe": {"path": "/", "tcp": True}},
        "probe: takes path, command, tcp: true or grpc, exactly one of these.",
    ),
    (
        {"ports": HTTP, "liveness": {"path": "/", "success_threshold": 2}},
        "liveness.success_threshold: takes 1 for a liveness probe.",
    ),
    ({"pre_stop": {"sleep": 5, "command": ["x"]}}, "pre_stop: takes command, path or sleep, exactly one of these."),
    ({"env": {"A": {"secret": "db"}}}, "env.A.key: is required."),
    (
        {"env": {"A": {"value": "x", "field": "metadata.name"}}},
        "env.A: takes a value, config_map, secret, field or resource, exactly one of these.",
    ),
    ({"env": {"A": "1"}, "secret_env": {"A": "2"}}, "secret_env.A: env has this variable too."),
    (
        {
            "config_maps": {"special": {"special.how": "very"}},
            "env": {"A": {"config_map": "special", "key": "special.hwo"}},
        },
        "env.A.key: there is no key special.hwo; there are special.how. Did you mean special.how?",
    ),
    ({"env_from": [{"config_map": "a", "secret": "b"}]}, "env_from[0]: takes config_map or secret."),
    (
        {"secret_files": {"/etc/key": {"base64": "§"}}},
        "secret_files[/etc/key].base64: is not base64; write plain text as content.",
    ),
    (
        {"config_files": {"/etc/a": {"content": "x", "src": "y"}}},
        "config_files[/etc/a]: takes content, src, template or base64, exactly one of these.",
    ),
    (
        {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}}},
        "resources.requests.cpu: is 1, more than the limit (500m).",
    ),
    (
        {"security": {"run_as_non_root": True, "run_as_user": 0}},
        "security.run_as_user: is 0, which is root; set run_as_non_root: false where that is meant.",
    ),
    (
        {"volumes": {"data": {"path": "/data"}}},
        "volumes.data: takes size, claim, empty_dir, host_path, nfs, config_map, secret or source, exactly one of these.",
    ),
    ({"volumes": {"data": {"size": "1Gi"}}}, "volumes.data.path: is required, or no container uses the volume."),
    (
        {"volumes": {"a": {"size": "1Gi", "path": "/d"}, "b": {"empty_dir": True, "path": "/d"}}},
        "volumes.b.path: /d is the path of volumes.a.",
    ),
    (
        {"volumes": {"a": {"claim": "x", "path": "/d", "class": "manual"}}},
        "volumes.a.class: belongs to a claim of one's own; add size.",
    ),
    (
        {"kind": "DaemonSet", "volumes": {"a": {"size": "1Gi", "path": "/d"}}},
        "volumes.a.mode: a DaemonSet's pods run on many nodes and cannot share a ReadWriteOnce volume; use ReadWriteMany, host_path or empty_dir.",
    ),
    (
        {"init": {"x": {"mounts": {"dta": "/d"}}}, "volumes": {"data": {"empty_dir": True, "path": "/d"}}},
        "init.x.mounts.dta: there is no volume dta; there are data. Did you mean data?",
    ),
    (
        {"sidecars": {"web": {"image": "a:1"}}},
        "sidecars.web: the name is taken by the application itself; a pod's containers have different names.",
    ),
    (
        {"ports": HTTP, "sidecars": {"log": {"ports": {"log": {"port": 8080, "service": False}}}}},
        "ports.log: TCP port 8080 of the pod is taken by http.",
    ),
    (
        {"ports": {"http": 80, "web": {"port": 80, "target_port": 81}}},
        "ports.web: the Service has TCP port 80 already, as http.",
    ),
    (
        {"ports": {"http": {"port": 80, "node_port": 30080}}, "service": "ClusterIP"},
        "ports.http.node_port: needs a service of the type NodePort or LoadBalancer.",
    ),
    ({"service": "NodePort"}, "service: there is nothing to serve; name a port: ports: {http: 8080}."),
    (
        {"ports": HTTP, "service": {"headless": True, "type": "NodePort"}},
        "service.headless: a headless Service has the type ClusterIP.",
    ),
    (
        {"ports": HTTP, "service": {"external_traffic_policy": "Local"}},
        "service.external_traffic_policy: needs the type NodePort or LoadBalancer.",
    ),
    (
        {"ingress": {"host": "a.example.com"}},
        "ingress: there is no Service that it could lead to; name a port: ports: {http: 8080}.",
    ),
    (
        {"ports": HTTP, "ingress": {"port": "htpp"}},
        "ingress.port: there is no port htpp; there are http. Did you mean http?",
    ),
    ({"ports": HTTP, "ingress": {"tls": "x"}}, "ingress.tls: a certificate is for a host; name one as ingress.host."),
    ({"ports": HTTP, "ingress": {"host": "a.b", "tls": {}}}, "ingress.tls: needs secret, issuer or cluster_issuer."),
    (
        {"ports": HTTP, "ingress": {"paths": {"/api": {"service": "api"}}}},
        "ingress.paths[/api].port: is required, a port of the Service api.",
    ),
    ({"network": {}}, "network: needs allow_from or allow_to (an empty list allows nobody)."),
    (
        {"network": {"allow_from": [{"ports": 80}]}},
        "network.allow_from[0]: names nobody; it takes app, labels, namespace, namespace_labels or cidr.",
    ),
    (
        {"network": {"allow_from": [{"app": "a", "ports": "http"}]}},
        "network.allow_from[0].ports[0]: there is no port http; there are none.",
    ),
    (
        {"network": {"allow_to": [{"app": "a", "cidr": "10.0.0.0/24"}]}},
        "network.allow_to[0]: takes app or cidr, not both; write two entries.",
    ),
    ({"rbac": [{"verbs": ["get"]}]}, "rbac.rules[0].resources: is required."),
    ({"pull_secrets": [{"registry": "r", "username": "u"}]}, "pull_secrets[0].password: is required."),
    (
        {"hooks": {"pre": {"migrate": {}}}},
        "hooks.pre.migrate: needs command or args; without, it would start the application itself.",
    ),
    (
        {"hooks": {"pre": {"a": {"command": ["x"], "after": "bb"}}}},
        "hooks.pre.a.after: there is no hook bb in hooks.pre.",
    ),
    (
        {"hooks": {"pre": {"a": {"command": ["x"], "after": "b"}, "b": {"command": ["x"], "after": "a"}}}},
        "hooks.pre: these wait for each other: a after b after a.",
    ),
    (
        {
            "kind": "StatefulSet",
            "volumes": {"data": {"size": "1Gi", "path": "/d"}},
            "hooks": {"pre": {"a": {"command": ["x"], "mounts": {"data": "/d"}}}},
        },
        "hooks.pre.a.mounts.data: each pod of a StatefulSet has a volume of its own, a hook has none of them.",
    ),
    # what only the expansion shows
    ({"overrides": [{"spec": {}}]}, "overrides[0].kind: is required; there are Deployment, ServiceAccount."),
    (
        {"overrides": [{"kind": "Deploymnt"}]},
        "overrides[0].kind: this application has no Deploymnt; it has Deployment, ServiceAccount. Did you mean Deployment?",
    ),
    (
        {"env": {"A": "1"}, "overrides": [{"kind": "ConfigMap", "data": {"A": "2"}}]},
        "overrides[0].data: the name of this ConfigMap is made from its content; change env, config_files or config_maps instead.",
    ),
    (
        {"overrides": [{"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"tty": True}]}}}}]},
        "overrides[0]: spec.template.spec.containers[0].name: is required, elements of this list are told apart by it.",
    ),
    (
        {"manifests": [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}]},
        "manifests: Deployment web is made by the application already; leave it out, or use overrides.",
    ),
    (
        {"config_files": {"/etc/big": "x" * (1024 * 1024 + 1)}},
        "config_files: is 1024 KiB; a ConfigMap holds at most 1024 KiB. Put large files into the image or a volume.",
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
