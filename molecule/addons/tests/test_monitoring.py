# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring: every kind of target is scraped, an alert about a Service of a user arrives at a webhook, and nothing of it stays."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.kube import Kube, config_map, eventually, workload
from harness.origin import addons, versions
from harness.playbook import ROOT, Run, run

pytestmark = pytest.mark.skipif(not addons(["monitoring"]), reason="the origin has no monitoring: make test-all")

ADDON = ROOT / "roles" / "addons" / "addons" / "monitoring"
PARTS = ["local_path_storage", "monitoring"]
SECRET = "hunter2-in-the-address"
SHOP = "shop"
# Fires as long as no pod of the Service is scraped.
GONE = {"alert": "ShopGone", "expr": f'absent(up{{job="services",namespace="{SHOP}",service="web"}} == 1)'}
SERVICES = "/api/v1/namespaces/monitoring/services"


class Receiver:
    """A web server on the lab's network, outside of the cluster, to which Alertmanager sends."""

    def __init__(self, address: str) -> None:
        self.got: list[tuple[str, str]] = []  # status and name of each alert, in the order of arrival
        self.paths: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.paths.add(self.path)
                receiver.got += [(one["status"], one["labels"]["alertname"]) for one in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Write nothing."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://{address}:{self.server.server_port}/{SECRET}"


def play(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    return run("slipway.kube.addons", kube.inventory, folder, "-e", json.dumps(variables), *arguments)


def ask(kube: Kube, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers."""
    path = f"{SERVICES}/prometheus:9090/proxy/api/v1/query?query={urllib.parse.quote(query)}"
    found: list[dict[str, Any]] = json.loads(kube.kubectl("get", "--raw", path))["data"]["result"]
    return found


def left(kube: Kube) -> set[str]:
    """Return what could stay of the add-ons in the cluster."""
    kinds = "namespaces,clusterroles,clusterrolebindings,storageclasses,persistentvolumes"
    return set(kube.kubectl("get", kinds, "--output=name").split())


@pytest.fixture(scope="module")
def receiver(kube: Kube) -> Iterator[Receiver]:
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    command = ["docker", "network", "inspect", f"slipway-{kube.inventory.parent.name}", f"--format={gateway}"]
    one = Receiver(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    yield one
    one.server.shutdown()


@pytest.fixture(scope="module")
def chosen(receiver: Receiver) -> dict[str, Any]:
    """The variables of the playbook: quick, and with a receiver whose address must not be seen."""
    hook = {"name": "hook", "webhook_configs": [{"url": receiver.url}]}
    route = {"receiver": "hook", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "5s"}
    settings = {
        "interval": "5s",
        "rules": [{"name": "shop", "rules": [GONE]}],
        "alertmanager": {"route": route, "receivers": [hook]},
    }
    return {"kube_addons": PARTS, "kube_addons_settings": {"monitoring": settings}}


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    kube.remove_namespaces([SHOP])
    return left(kube)


@pytest.fixture(scope="module")
def monitored(kube: Kube, before: set[str], chosen: dict[str, Any]) -> Run:
    """The run that deployed and verified it."""
    done = play(kube, kube.inventory.parent / "output-monitoring", "-vvv", **chosen).succeeded()
    print(f"\nlocal-path storage and monitoring deployed and verified in {done.seconds:.0f} s")
    return done


def test_it_is_deployed_and_every_kind_of_target_is_scraped(kube: Kube, monitored: Run) -> None:
    done = {event.task.split(" : ")[-1] for event in monitored.events if event.status == "ok"}
    assert "Wait until every kind of target is scraped" in done
    assert "Wait until the alert that always fires is in Alertmanager" in done
    claims = {one["metadata"]["name"]: one for one in kube.get("persistentvolumeclaims", namespace="monitoring")}
    assert claims["data-prometheus-0"]["status"]["phase"] == "Bound"
    assert not ask(kube, "up == 0")


def test_every_panel_of_the_dashboards_has_values(kube: Kube, monitored: Run) -> None:
    declared = yaml.safe_load((ADDON / "dashboards.yml").read_text())
    deployed = kube.get("configmap", "dashboards", "monitoring")["data"]
    assert sorted(deployed) == sorted(f"{one['name']}.json" for one in declared)
    for dashboard in declared:
        targets = [panel["targets"] for panel in json.loads(deployed[f"{dashboard['name']}.json"])["panels"]]
        for panel, queries in zip(dashboard["panels"], targets, strict=True):
            assert [one["expr"] for one in queries] == list(panel["queries"].values())
            for query in panel["queries"].values():
                for name, value in {"$__rate_interval": "1m", "$node": ".*", "$namespace": ".*"}.items():
                    query = query.replace(name, value)
                if panel.get("may_be_empty"):
                    ask(kube, query)  # fails if it is not valid
                else:
                    eventually(lambda query=query: ask(kube, query), 90, f"{dashboard['name']}, {panel['title']}")


def test_it_costs_this_much(kube: Kube, monitored: Run) -> None:
    query = (
        'sum by (container, node) (container_memory_working_set_bytes{namespace=~"monitoring.*",container!=""}) / 1e6'
    )
    used = eventually(lambda: ask(kube, query), 60, "memory of the containers")
    for one in used:
        print(f"\n{one['metric']['container']} on {one['metric']['node']}: {float(one['value'][1]):.0f} MB", end="")
    assert sum(float(one["value"][1]) for one in used) < 600


def test_its_secrets_are_not_in_the_output(kube: Kube, monitored: Run, chosen: dict[str, Any], folder: Path) -> None:
    assert SECRET not in monitored.output
    again = play(kube, folder / "again", "-vvv", "--diff", **chosen).succeeded()
    assert not again.changed(), again.changed()
    other = json.loads(json.dumps(chosen))
    other["kube_addons_settings"]["monitoring"]["alertmanager"]["route"]["group_wait"] = "2s"
    planned = play(kube, folder / "planned", "-vvv", "--check", "--diff", **other).succeeded()
    assert planned.changed() and SECRET not in again.output + planned.output


def test_the_rules_fire_when_they_should(kube: Kube, monitored: Run) -> None:
    """With promtool of the image, in the cluster."""
    tests = (Path(__file__).parent / "rules_test.yml").read_text()
    rules = (ADDON / "rules.yml").read_text()
    files = config_map("rules", **{"rules.yml": rules, "rules_test.yml": tests})
    container = {
        "name": "promtool",
        "image": f"quay.io/prometheus/prometheus:v{versions()['prometheus']}",
        "command": ["/bin/promtool", "test", "rules", "/rules/rules_test.yml"],
        "volumeMounts": [{"name": "rules", "mountPath": "/rules"}],
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    pod["volumes"] = [{"name": "rules", "configMap": {"name": "rules"}}]
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    kube.make_namespace("rules")
    kube.apply([files, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "rules"}, "spec": spec}], "rules")

    def ended() -> dict[str, Any]:
        status = kube.get("job", "rules", "rules")["status"]
        return status if status.get("succeeded") or status.get("failed") else {}

    status = eventually(ended, 120, "promtool has ended")
    assert status.get("succeeded"), kube.kubectl("--namespace=rules", "logs", "job/rules")
    assert {one["name"] for one in yaml.safe_load(tests)["tests"]} >= {
        rule["alert"]
        for group in yaml.safe_load(rules)["groups"]
        for rule in group["rules"]
        if rule["alert"] not in ("Watchdog", "APIServerDown", "SchedulerDown", "ControllerManagerDown", "EtcdDown")
    }
    kube.remove_namespaces(["rules"])


def test_an_annotated_service_is_scraped_and_its_alerts_arrive_at_a_webhook(
    kube: Kube, monitored: Run, receiver: Receiver
) -> None:
    eventually(lambda: ("firing", "ShopGone") in receiver.got, 60, "there is no shop yet")
    assert ("firing", "Watchdog") in receiver.got and receiver.paths == {f"/{SECRET}"}
    kube.make_namespace(SHOP)
    image = f"quay.io/prometheus/node-exporter:v{versions()['node_exporter']}"
    exporter = {"args": ["--collector.disable-defaults", "--web.listen-address=:8080"], "image": image}
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    pod = workload(**exporter, name="pod")
    pod["spec"]["template"]["metadata"]["annotations"] = annotations
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    kube.apply([workload(**exporter), pod, service], SHOP)
    started = time.monotonic()
    eventually(lambda: ask(kube, f'up{{job="services",namespace="{SHOP}",service="web"}} == 1'), 90, "the Service")
    print(f"\nthe Service was scraped within {time.monotonic() - started:.0f} s")
    eventually(lambda: ask(kube, f'up{{job="pods",namespace="{SHOP}"}} == 1'), 60, "the annotated pod")
    assert not ask(kube, f'up{{job="pods",namespace="{SHOP}",pod=~"web-.*"}}')
    eventually(lambda: ("resolved", "ShopGone") in receiver.got, 90, "the alert is resolved")
    seen = len(receiver.got)
    kube.kubectl(f"--namespace={SHOP}", "delete", "deployment", "web")
    started = time.monotonic()
    eventually(lambda: ("firing", "ShopGone") in receiver.got[seen:], 120, "the alert fires again")
    print(f"the alert arrived {time.monotonic() - started:.0f} s after its pod was deleted")
    kube.remove_namespaces([SHOP])


def test_values_outlive_their_pod(kube: Kube, monitored: Run) -> None:
    oldest = 'count(last_over_time(up{job="prometheus"}[1h] offset 1m))'
    eventually(lambda: ask(kube, oldest), 90, "a value that is a minute old")
    kube.kubectl("--namespace=monitoring", "delete", "pod", "prometheus-0", "--wait=true")
    kube.kubectl("--namespace=monitoring", "rollout", "status", "statefulset/prometheus", "--timeout=120s")
    assert ask(kube, oldest)


def test_it_goes_with_its_data_and_its_storage(kube: Kube, monitored: Run, before: set[str], folder: Path) -> None:
    assert left(kube) - before
    planned = play(kube, folder / "planned", "--check", kube_addons_set="none").succeeded()
    assert len(planned.changed()) == 2 and left(kube) - before
    gone = play(kube, folder / "gone", kube_addons_set="none").succeeded()
    print(f"\nremoved in {gone.seconds:.0f} s")
    eventually(lambda: left(kube) == before, 60, f"as before: {left(kube) ^ before}")
    assert not play(kube, folder / "again", kube_addons_set="none").succeeded().changed()


def test_an_operator_of_somebody_else_is_refused(kube: Kube, before: set[str], folder: Path) -> None:
    kube.make_namespace("monitoring")
    refused = play(kube, folder, kube_addons=["monitoring"])
    assert refused.process.returncode != 0 and not refused.changed()
    assert "Namespace monitoring (field manager kubectl-client-side-apply)" in refused.output
    kube.remove_namespaces(["monitoring"])
