# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The free space of etcd's database is returned to the file system, and a space alarm ends. On the cluster that was restored."""

from __future__ import annotations

import json
import os
import re

import pytest

from harness.kube import Kube
from harness.playbook import inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
DEFRAGMENT = "slipway.kube.etcd_defragment"
# etcdctl can neither raise an alarm nor tell the ID of a member without a table.
ASK = """
import ssl, sys, urllib.request
pki = "/etc/kubernetes/pki/etcd/"
context = ssl.create_default_context(cafile=pki + "ca.crt")
context.load_cert_chain(pki + "healthcheck-client.crt", pki + "healthcheck-client.key")
print(urllib.request.urlopen("https://127.0.0.1:2379" + sys.argv[1], sys.argv[2].encode(), context=context).read().decode())
"""


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(SCENARIO)


def ask_etcd(kube: Kube, path: str, body: dict[str, object]) -> dict[str, object]:
    code, answer = kube.host.execute("python3", "-c", ASK, path, json.dumps(body))
    assert code == 0, answer
    return json.loads(answer)


def test_free_space_is_returned_to_the_file_system(kube: Kube) -> None:
    for number in range(20):
        kube.kubectl("-n", "default", "create", "configmap", f"large-{number}", f"--from-literal=text={'x' * 100_000}")
    kube.kubectl("-n", "default", "delete", "configmap", *(f"large-{number}" for number in range(20)))
    untouched = run(DEFRAGMENT, INVENTORY, FOLDER / "small").succeeded()
    assert not untouched.changed() and "No member of etcd needs to be defragmented." in untouched.output
    revision = ask_etcd(kube, "/v3/maintenance/status", {})["header"]["revision"]  # type: ignore[index]
    ask_etcd(kube, "/v3/kv/compaction", {"revision": revision, "physical": True})
    done = run(
        DEFRAGMENT,
        INVENTORY,
        FOLDER / "large",
        "-e",
        "etcd_defragment_minimum_size=1",
        "-e",
        "etcd_defragment_free_percent=20",
    )
    told = re.search(
        r"etcd member cp1 defragmented: ([0-9.]+) MiB before, ([0-9.]+) MiB after", done.succeeded().output
    )
    assert told and float(told[2]) < float(told[1]) - 1, done.output
    assert kube.kubectl("get", "--raw=/readyz") == "ok"


def test_the_api_server_tells_the_size_of_the_database_which_health_compares_with_its_quota(kube: Kube) -> None:
    size = int(str(ask_etcd(kube, "/v3/maintenance/status", {})["dbSize"]))
    told = re.search(
        r"^apiserver_storage_size_bytes\{.*\} ([0-9.e+]+)$", kube.kubectl("get", "--raw=/metrics"), re.MULTILINE
    )
    assert told and float(told[1]) == pytest.approx(size, rel=0.2)


def test_the_space_alarm_ends(kube: Kube) -> None:
    member = ask_etcd(kube, "/v3/maintenance/status", {})["header"]["member_id"]  # type: ignore[index]
    ask_etcd(kube, "/v3/maintenance/alarm", {"action": "ACTIVATE", "memberID": member, "alarm": "NOSPACE"})
    with pytest.raises(AssertionError, match="database space exceeded"):
        kube.kubectl("-n", "default", "create", "configmap", "refused")
    planned = run(DEFRAGMENT, INVENTORY, FOLDER / "alarm-planned", "--check").succeeded()
    assert "alarm NOSPACE ended" in planned.output
    run(DEFRAGMENT, INVENTORY, FOLDER / "alarm").succeeded()
    kube.kubectl("-n", "default", "create", "configmap", "accepted")
    assert not run(DEFRAGMENT, INVENTORY, FOLDER / "alarm-again").succeeded().changed()
