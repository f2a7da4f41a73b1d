# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers: environment, files, probes, security context, volumes, and the other containers of a pod."""

from __future__ import annotations

import base64

import pytest

HTTP = {"http": {"port": 80, "target_port": 8080}}
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def decoded(secret: dict) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_plain_values_are_kept_in_an_immutable_object_with_a_hash_in_its_name(make) -> None:
    made = make(env={"LEVEL": "INFO", "COUNT": 3, "RATIO": 1.5, "ON": True}, secret_env={"PASSWORD": "hunter2"})
    config, secret = made.one("ConfigMap"), made.one("Secret")
    assert config["data"] == {"LEVEL": "INFO", "COUNT": "3", "RATIO": "1.5", "ON": "true"}
    assert decoded(secret) == {"PASSWORD": "hunter2"}
    for content in (config, secret):
        assert content["immutable"] is True
        assert content["metadata"]["annotations"]["slipway.kube/version-of"] == "web-env"
        family, _hyphen, suffix = content["metadata"]["name"].rpartition("-")
        assert family == "web-env" and len(suffix) == 10 and int(suffix, 16) >= 0
    assert made.container["envFrom"] == [
        {"configMapRef": {"name": config["metadata"]["name"]}},
        {"secretRef": {"name": secret["metadata"]["name"]}},
    ]
    assert "env" not in made.container


def test_the_name_follows_the_content_and_nothing_else(make) -> None:
    def name(**env) -> str:
        return make(env=env).one("ConfigMap")["metadata"]["name"]

    assert name(A="1", B="2") == name(B="2", A="1") != name(A="1", B="3")
    pods = [make(secret_env={"P": value}).pod for value in ("a", "a", "b")]
    assert pods[0] == pods[1] != pods[2]
    assert make(env={"A": "1"}, labels={"x": "y"}).one("ConfigMap")["metadata"]["name"] == name(A="1")


def test_values_from_elsewhere(make) -> None:
    made = make(
        config_maps={"special": {"special.how": "very", "special.type": "charm"}},
        secrets={"db": {"password": "hunter2"}},
        env={
            "HOW": {"config_map": "special", "key": "special.how"},
            "TYPE": {"config_map": "other", "key": "type", "optional": True},
            "POD": {"field": "metadata.name"},
            "MEMORY": {"resource": "limits.memory"},
            "URL": "http://$(POD)/",
        },
        secret_env={"PASSWORD": {"secret": "db", "key": "password"}},
        env_from=[{"config_map": "special", "prefix": "S_"}, {"secret": "there", "optional": True}],
    )
    special = made.one("ConfigMap")["metadata"]["name"]
    assert special.startswith("special-")
    assert made.container["env"] == [
        {"name": "HOW", "valueFrom": {"configMapKeyRef": {"name": special, "key": "special.how"}}},
        {"name": "TYPE", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "type", "optional": True}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        # Kubernetes puts other variables in here only.
        {"name": "URL", "value": "http://$(POD)/"},
        {
            "name": "PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": made.one("Secret")["metadata"]["name"], "key": "password"}},
        },
    ]
    assert made.container["envFrom"] == [
        {"prefix": "S_", "configMapRef": {"name": special}},
        {"secretRef": {"name": "there", "optional": True}},
    ]


def test_files_are_mounted_one_by_one(make) -> None:
    made = make(
        config_files={"/etc/app/app.conf": "level=INFO\n", "/etc/app/logo": {"base64": "//79"}},
        secret_files={"/etc/app/key.pem": {"content": "KEY"}},
    )
    config, secret = made.one("ConfigMap"), made.one("Secret")
    assert config["data"] == {"app.conf": "level=INFO\n"} and config["binaryData"] == {"logo": "//79"}
    assert decoded(secret) == {"key.pem": "KEY"}
    assert made.pod["volumes"] == [
        {"name": "config-files", "configMap": {"name": config["metadata"]["name"]}},
        {"name": "secret-files", "secret": {"secretName": secret["metadata"]["name"]}},
    ]
    assert made.container["volumeMounts"] == [
        {"name": "config-files", "mountPath": "/etc/app/app.conf", "subPath": "app.conf", "readOnly": True},
        {"name": "config-files", "mountPath": "/etc/app/logo", "subPath": "logo", "readOnly": True},
        {"name": "secret-files", "mountPath": "/etc/app/key.pem", "subPath": "key.pem", "readOnly": True},
    ]


def test_files_of_one_name_are_kept_apart(make) -> None:
    made = make(config_files={"/etc/a/app.conf": "a", "/etc/b/app.conf": "b", "/etc/b/app conf": "c"})
    data = made.one("ConfigMap")["data"]
    keys = {mount["mountPath"]: mount["subPath"] for mount in made.container["volumeMounts"]}
    assert {path: data[key] for path, key in keys.items()} == {
        "/etc/a/app.conf": "a",
        "/etc/b/app.conf": "b",
        "/etc/b/app conf": "c",
    }


def test_one_probe_is_readiness_and_startup(make) -> None:
    container = make(ports=HTTP, probe="/healthz").container
    request = {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"] == {"httpGet": request, "periodSeconds": 5, "timeoutSeconds": 5}
    startup = container["startupProbe"]
    assert startup["httpGet"] == request and startup["periodSeconds"] * startup["failureThreshold"] == 300
    assert "livenessProbe" not in container


def test_probes_of_the_tutorials(make) -> None:
    container = make(
        ports=HTTP,
        readiness={"path": "/ready", "initial_delay_seconds": 5, "period_seconds": 5},
        liveness={"path": "/health", "initial_delay_seconds": 30, "period_seconds": 10},
    ).container
    assert "startupProbe" not in container
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/ready", "port": "http"},
        "initialDelaySeconds": 5,
        "periodSeconds": 5,
        "timeoutSeconds": 5,
    }
    assert container["livenessProbe"]["initialDelaySeconds"] == 30
    assert container["livenessProbe"]["periodSeconds"] == 10


@pytest.mark.parametrize(
    ("probe", "action"),
    [
        ({"tcp": True}, {"tcpSocket": {"port": "http"}}),
        ({"tcp": True, "port": 9090}, {"tcpSocket": {"port": 9090}}),
        ({"grpc": "shop"}, {"grpc": {"port": 8080, "service": "shop"}}),
        ({"grpc": ""}, {"grpc": {"port": 8080}}),
        ({"command": ["pg_isready"]}, {"exec": {"command": ["pg_isready"]}}),
        (
            {"path": "/", "scheme": "HTTPS", "headers": {"Host": "a"}},
            {
                "httpGet": {
                    "path": "/",
                    "port": "http",
                    "scheme": "HTTPS",
                    "httpHeaders": [{"name": "Host", "value": "a"}],
                }
            },
        ),
    ],
)
def test_ways_to_probe(make, probe, action) -> None:
    made = make(ports=HTTP, readiness=probe).container["readinessProbe"]
    assert {key: value for key, value in made.items() if not key.endswith("Seconds")} == action


def test_a_probe_can_be_switched_off(make) -> None:
    container = make(ports=HTTP, probe="/", startup=False).container
    assert "startupProbe" not in container and "readinessProbe" in container


def test_handlers(make) -> None:
    container = make(ports=HTTP, pre_stop={"sleep": 5}, post_start={"path": "/start"}).container
    assert container["lifecycle"] == {
        "preStop": {"sleep": {"seconds": 5}},
        "postStart": {"httpGet": {"path": "/start", "port": "http"}},
    }


def test_an_image_that_starts_as_root_runs_with_the_profile_baseline(make) -> None:
    made = make(security={"profile": "baseline"}, sidecars={"log": {}})
    assert made.pod["securityContext"] == {"runAsNonRoot": False, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in (made.container, made.pod["initContainers"][0]):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False}, (
            "with the capabilities of the runtime"
        )
    made = make(security={"profile": "baseline", "run_as_user": 70, "capabilities": {"drop": ["NET_RAW"]}})
    assert made.pod["securityContext"]["runAsNonRoot"] is True
    assert made.container["securityContext"]["capabilities"] == {"drop": ["NET_RAW"]}
    made = make(security={"profile": "baseline", "run_as_non_root": True, "capabilities": {"drop": ["ALL"]}})
    assert made.pod["securityContext"]["runAsNonRoot"] is True
    assert made.container["securityContext"] == RESTRICTED


def test_rights_that_are_opted_out_of(make) -> None:
    made = make(security={"run_as_user": 0, "seccomp": "Unconfined", "capabilities": {"add": ["NET_RAW"], "drop": []}})
    assert made.pod["securityContext"] == {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "seccompProfile": {"type": "Unconfined"},
    }
    assert made.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_RAW"]},
    }
    made = make(security={"privileged": True}, sidecars={"log": {}})
    assert made.container["securityContext"] == {"privileged": True}
    assert made.pod["initContainers"][0]["securityContext"] == RESTRICTED
    made = make(
        security={"run_as_user": 65534, "fs_group": 65534, "read_only_root_filesystem": True, "seccomp": "own.json"}
    )
    assert made.pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "fsGroup": 65534,
        "seccompProfile": {"type": "Localhost", "localhostProfile": "own.json"},
    }
    assert made.container["securityContext"] == dict(RESTRICTED, readOnlyRootFilesystem=True)
    assert make(security={"run_as_non_root": False}).pod["securityContext"]["runAsNonRoot"] is False


def test_several_containers(make) -> None:
    made = make(
        init={"wait": {"command": ["wait"]}, "migrate": {"image": "tool:2", "args": ["up"], "env": {"A": "1"}}},
        sidecars={"log": {"image": "log:1", "security": {"run_as_user": 0}}},
        containers={"proxy": {"image": "proxy:1", "ports": {"proxy": 9000}, "probe": "/", "mounts": {"tmp": "/cache"}}},
        volumes={"tmp": {"empty_dir": True, "path": "/tmp"}},
    )
    init = made.pod["initContainers"]
    assert [(one["name"], one["image"], one.get("restartPolicy")) for one in init] == [
        ("log", "log:1", "Always"),
        ("wait", "web:1", None),
        ("migrate", "tool:2", None),
    ]
    assert init[0]["securityContext"] == dict(RESTRICTED, runAsUser=0, runAsNonRoot=False)
    assert made.one("ConfigMap")["metadata"]["name"].startswith("web-migrate-env-")
    proxy = made.pod["containers"][1]
    assert proxy["volumeMounts"] == [{"name": "tmp", "mountPath": "/cache"}]
    assert proxy["readinessProbe"]["httpGet"]["port"] == "proxy"
    assert [port["name"] for port in made.one("Service")["spec"]["ports"]] == ["proxy"]
    assert made.container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]


VOLUMES = [
    ({"claim": "there"}, {"persistentVolumeClaim": {"claimName": "there"}}),
    ({"size": "1Gi"}, {"persistentVolumeClaim": {"claimName": "web-v"}}),
    ({"empty_dir": True}, {"emptyDir": {}}),
    (
        {"empty_dir": {"medium": "Memory", "size_limit": "64Mi"}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ),
    ({"host_path": "/var/log"}, {"hostPath": {"path": "/var/log"}}),
    ({"nfs": {"server": "nfs", "path": "/x"}}, {"nfs": {"server": "nfs", "path": "/x"}}),
    ({"config_map": "there"}, {"configMap": {"name": "there"}}),
    ({"secret": "there"}, {"secret": {"secretName": "there"}}),
    ({"source": {"csi": {"driver": "x"}}}, {"csi": {"driver": "x"}}),
]


@pytest.mark.parametrize(("source", "expected"), VOLUMES, ids=[next(iter(source)) for source, _volume in VOLUMES])
def test_sources_of_volumes(make, source, expected) -> None:
    made = make(volumes={"v": dict(source, path="/v", read_only=True, sub_path="x")})
    assert made.pod["volumes"] == [dict(name="v", **expected)]
    mount = {"name": "v", "mountPath": "/v", "readOnly": True, "subPath": "x"}
    assert made.container["volumeMounts"] == [mount]


def test_a_claim(make) -> None:
    volume = {"path": "/v", "size": "5Gi", "class": "", "mode": "ROX", "volume_name": "pv", "selector": {"a": "b"}}
    claim = make(volumes={"v": volume}).one("PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "web-v"
    assert claim["spec"] == {
        "accessModes": ["ReadOnlyMany"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "",
        "selector": {"matchLabels": {"a": "b"}},
        "volumeName": "pv",
    }


def test_a_volume_of_the_applications_own_configuration(make) -> None:
    made = make(config_maps={"special": {"a": "1"}}, volumes={"v": {"path": "/v", "config_map": "special"}})
    assert made.pod["volumes"] == [{"name": "v", "configMap": {"name": made.one("ConfigMap")["metadata"]["name"]}}]
