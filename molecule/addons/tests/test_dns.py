# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about names is served by the cluster DNS when the run ends, and no lookup is lost meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, config_map, workload
from harness.origin import versions
from harness.playbook import Run, run

NAMESPACE = "names"
# A client that never rests; a lookup that is not answered within two seconds is lost.
LOOKUPS = """
while :; do
  dig +short +tries=1 +time=2 kubernetes.default.svc.cluster.local | grep -q '^10' && echo found || echo lost
  sleep 0.1
done
"""
COREFILE = """.:5353 {
    hosts {
       192.0.2.7 db.corp.example.com
    }
}
"""


@pytest.fixture(scope="module")
def server(kube: Kube) -> Iterator[str]:
    """The address of a DNS server for corp.example.com, beside a client of the cluster DNS."""
    kube.make_namespace(NAMESPACE)
    client = workload(kube.agnhost, name="client", command=["sh", "-c", LOOKUPS], args=[], readinessProbe=None)
    image = f"registry.k8s.io/coredns/coredns:v{versions()['coredns']}"
    probe = {"tcpSocket": {"port": 5353}, "periodSeconds": 1}
    mount = {"name": "corefile", "mountPath": "/etc/coredns"}
    other = workload(
        image, name="server", args=["-conf", "/etc/coredns/Corefile"], readinessProbe=probe, volumeMounts=[mount]
    )
    other["spec"]["template"]["spec"]["volumes"] = [{"name": "corefile", "configMap": {"name": "corefile"}}]
    kube.apply([config_map("corefile", Corefile=COREFILE), client, other], NAMESPACE)
    kube.kubectl(
        f"--namespace={NAMESPACE}", "wait", "--for=condition=Available", "deployments", "--all", "--timeout=90s"
    )
    (pod,) = [one for one in kube.get("pods", namespace=NAMESPACE) if one["metadata"]["labels"]["app"] == "server"]
    yield pod["status"]["podIP"]
    kube.remove_namespaces([NAMESPACE])


def resolved(kube: Kube, name: str) -> str:
    return kube.kubectl(
        f"--namespace={NAMESPACE}", "exec", "deploy/client", "--", "dig", "+short", name, check=False
    ).strip()


def configured(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    given = ["-e", json.dumps({"verify_mode": "light", **variables}), *arguments]
    return run("slipway.kube.cluster", kube.inventory, folder, *given).succeeded()


def pods_of_the_dns(kube: Kube) -> int:
    return int(
        kube.kubectl("--namespace=kube-system", "get", "deployment", "coredns", "--output=jsonpath={.spec.replicas}")
    )


def test_names_are_served_and_go_again_and_no_lookup_is_lost(kube: Kube, server: str, folder: Path) -> None:
    wanted = {
        "kube_dns_stub_domains": {"corp.example.com": [f"{server}:5353"]},
        "kube_dns_hosts": {"192.0.2.80": ["registry.lab.example"]},
        "kube_dns_replicas": 3,
    }
    planned = configured(kube, folder / "planned", "--check", "--diff", **wanted)
    assert "+corp.example.com:53 {" in planned.output and len(planned.changed()) == 1
    done = configured(kube, folder / "configured", **wanted)
    assert [one for one in done.changed() if "Configure the cluster DNS" in one] == done.changed()
    print(f"\nconfigured in {done.seconds:.0f} s")
    assert resolved(kube, "registry.lab.example") == "192.0.2.80"
    assert resolved(kube, "db.corp.example.com") == "192.0.2.7"
    assert pods_of_the_dns(kube) == 3
    assert not configured(kube, folder / "again", **wanted).changed()
    configured(kube, folder / "gone")
    assert pods_of_the_dns(kube) == 2
    assert "192.0.2.80" not in resolved(kube, "registry.lab.example")
    assert "192.0.2.7" not in resolved(kube, "db.corp.example.com")
    lookups = kube.kubectl(f"--namespace={NAMESPACE}", "logs", "deploy/client", "--tail=-1").split()
    print(f"{len(lookups)} lookups")
    assert len(lookups) > 500 and lookups.count("lost") == 0


@pytest.mark.parametrize(
    "variables", [{"kube_dns_forwarders": ["dns"]}, {"kube_dns_stub_domains": {"x.org": []}}], ids=str
)
def test_what_is_no_server_is_refused(kube: Kube, folder: Path, variables: dict[str, Any]) -> None:
    refused = run("slipway.kube.cluster", kube.inventory, folder, "-e", json.dumps(variables))
    assert refused.process.returncode != 0 and "[dns_settings]" in refused.output and not refused.changed()
