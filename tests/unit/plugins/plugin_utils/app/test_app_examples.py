# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications under examples/ have the values that their readers know from tutorials."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import Expansion, expand
from ansible_collections.slipway.kube.plugins.plugin_utils.app.spec import FIELDS

EXAMPLES = Path(__file__).resolve().parents[5] / "examples"
JINJA = NativeEnvironment()
JINJA.filters["combine"] = lambda first, *more: {key: value for part in (first, *more) for key, value in part.items()}
JINJA.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()
KNOWN = {
    "kube_component_versions": {"agnhost": "2.63.0"},
    "groups": {},
    "playbook_dir": "/examples",
    "lookup": lambda *_words, **_options: "looked-up",
}


def rendered(value: Any, variables: dict[str, Any]) -> Any:
    """Evaluate templates recursively, as Ansible does."""
    if isinstance(value, dict):
        return {key: rendered(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [rendered(one, variables) for one in value]
    if isinstance(value, str) and "{{" in value:
        needed = {key: rendered(one, variables) for key, one in variables.items() if key in value}
        return JINJA.from_string(value).render({**KNOWN, **variables, **needed})
    return value


def applications(path: Path, extra: dict[str, Any] | None = None) -> dict[str, Expansion]:
    """Expand the applications of a playbook, by name; files are not read."""
    found: dict[str, Expansion] = {}
    for play in yaml.safe_load(path.read_text()):
        variables = {**(play.get("vars") or {}), **(extra or {})}
        for task in play.get("tasks") or []:
            description = task.get("slipway.kube.app")
            if description:
                fields = {key: value for key, value in description.items() if key in FIELDS}
                fields = {key: value for key, value in rendered(fields, variables).items() if value is not None}
                assert not set(description) - set(FIELDS) - {"state", "create_namespace", "timeout"}
                found[fields["name"]] = expand(read(fields))
    return found


def settings(environment: str) -> dict[str, Any]:
    folder = EXAMPLES / "environments" / "group_vars"
    files = [yaml.safe_load((folder / (name + ".yml")).read_text()) for name in ("environments", environment)]
    return {**files[0], **files[1]}


def workload(made: Expansion) -> dict[str, Any]:
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
    return next(content["spec"] for content in made.objects if content["kind"] in kinds)


def container(made: Expansion) -> dict[str, Any]:
    return workload(made)["template"]["spec"]["containers"][0]


def one(made: Expansion, kind: str) -> dict[str, Any]:
    return next(content["spec"] for content in made.objects if content["kind"] == kind)


BOOKS = [*sorted(EXAMPLES.glob("*/deploy.yml")), EXAMPLES / "operations" / "operations.yml"]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.parent.name)
def test_every_application_expands_without_advice(path) -> None:
    extra = settings("prod") if path.parent.name == "environments" else None
    for name, made in applications(path, extra).items():
        assert made.warnings == [], name


def test_the_web_server_of_the_tutorials() -> None:
    made = applications(EXAMPLES / "web-tutorial" / "deploy.yml")["web"]
    spec, main, service = workload(made), container(made), one(made, "Service")
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    assert main["resources"] == {
        "requests": {"memory": "64Mi", "cpu": "250m"},
        "limits": {"memory": "128Mi", "cpu": "500m"},
    }
    live, ready = main["livenessProbe"], main["readinessProbe"]
    assert (live["initialDelaySeconds"], live["periodSeconds"], live["httpGet"]["path"]) == (30, 10, "/")
    assert (ready["initialDelaySeconds"], ready["periodSeconds"], ready["httpGet"]["path"]) == (5, 5, "/")
    assert service["type"] == "NodePort" and service["ports"][0]["nodePort"] == 30080
    assert service["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] == 10800


def test_the_microservices() -> None:
    made = applications(EXAMPLES / "microservices" / "deploy.yml")
    backend, frontend, database = made["backend"], made["frontend"], made["database"]
    assert (workload(backend)["replicas"], workload(frontend)["replicas"], workload(database)["replicas"]) == (3, 2, 1)
    assert container(backend)["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container(backend)["resources"]["limits"] == {"memory": "512Mi", "cpu": "500m"}
    assert container(frontend)["resources"]["requests"] == {"memory": "128Mi", "cpu": "100m"}
    assert one(frontend, "Service")["type"] == "LoadBalancer"
    claim = workload(database)["volumeClaimTemplates"][0]["spec"]
    assert claim["resources"]["requests"]["storage"] == "10Gi"
    paths = one(frontend, "Ingress")["rules"][0]["http"]["paths"]
    assert [(path["path"], path["backend"]["service"]["name"]) for path in paths] == [
        ("/", "frontend"),
        ("/api", "backend"),
    ]
    # The password is in Secrets and nowhere else.
    for content in [content for each in made.values() for content in each.objects]:
        assert content["kind"] == "Secret" or "looked-up" not in str(content)


def test_scaling_and_availability() -> None:
    made = applications(EXAMPLES / "availability" / "deploy.yml")
    assert workload(made["steady"])["replicas"] == 3
    assert container(made["steady"])["resources"]["limits"] == {"memory": "512Mi", "cpu": "1000m"}
    scaler = one(made["elastic"], "HorizontalPodAutoscaler")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert [metric["resource"]["target"]["averageUtilization"] for metric in scaler["metrics"]] == [70, 80]
    assert scaler["behavior"]["scaleUp"]["policies"][1] == {"type": "Pods", "value": 2, "periodSeconds": 15}


def test_the_other_values() -> None:
    database = workload(applications(EXAMPLES / "database" / "deploy.yml")["database"])
    assert database["strategy"] == {"type": "Recreate"}
    assert (database["minReadySeconds"], database["revisionHistoryLimit"]) == (5, 2)
    policies = applications(EXAMPLES / "policies" / "deploy.yml")
    egress = one(policies["db"], "NetworkPolicy")["egress"]
    assert egress[1] == {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"protocol": "TCP", "port": 5978}]}
    store = workload(applications(EXAMPLES / "storage" / "deploy.yml", {"storage_nfs_server": "nfs"})["store"])
    sizes = [claim["spec"]["resources"]["requests"]["storage"] for claim in store["volumeClaimTemplates"]]
    assert sizes == ["5Gi", "3Gi"]


def test_environments_differ_by_their_variables_only() -> None:
    path = EXAMPLES / "environments" / "deploy.yml"
    made = {name: applications(path, settings(name))["shop"] for name in ("dev", "test", "staging", "prod")}
    assert [workload(each)["replicas"] for each in made.values()] == [1, 1, 2, 3]
    levels = [
        next(content["data"]["LOG_LEVEL"] for content in each.objects if content["kind"] == "ConfigMap")
        for each in made.values()
    ]
    assert levels == ["DEBUG", "DEBUG", "INFO", "WARNING"]
    spaces = [each.objects[0]["metadata"]["namespace"] for each in made.values()]
    assert spaces == ["shop-dev", "shop-test", "shop-staging", "shop-prod"]
