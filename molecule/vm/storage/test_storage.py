# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example on storage with a kernel's own NFS server and client: data over pods, a drained node and a deleted claim, and mounts that fail.

The control plane is the NFS server as well; it loses its taint here, so that pods have two nodes to move between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.hosts import Host, hosts_of
from harness.kube import Kube, call, eventually
from harness.playbook import ROOT, Run, addresses, output_of, run

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
FOLDER = output_of(LAB) / "storage"
SHARE = "/srv/nfs/share"
TAINT = "node-role.kubernetes.io/control-plane"
NOBODY = "65534"
# Volumes that cannot be mounted: server and path, and what the finding says. Nothing listens on {gateway}, the machine with the lab.
FAILING = {
    "denied": ("{server}", "/srv/nfs/private", "does not let node w1 mount /srv/nfs/private"),
    "absent": ("{server}", f"{SHARE}/absent", f"has no folder {SHARE}/absent"),
    "unknown": ("files.lab.invalid", SHARE, "is not resolved on node w1"),
    "closed": ("{gateway}", SHARE, "does not answer node w1"),
}


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(LAB)


@pytest.fixture(scope="module")
def hosts() -> dict[str, Host]:
    return {host.name: host for host in hosts_of(LAB)}


def must(host: Host, command: str) -> str:
    code, output = host.execute("sh", "-c", command)
    assert code == 0, f"{command} on {host.name}: {output}"
    return output.strip()


@pytest.fixture(scope="module")
def server(kube: Kube, hosts: dict[str, Host]) -> Iterator[str]:
    """Export two folders of the control plane, one of them to itself only; return its address."""
    known = addresses(kube.inventory)
    network = known["cp1"].rpartition(".")[0] + ".0/24"
    exports = f"{SHARE} {network}(rw,sync,no_subtree_check)\n/srv/nfs/private 127.0.0.1(ro,sync,no_subtree_check)\n"
    must(hosts["cp1"], f"mkdir -p {SHARE} /srv/nfs/private && chown {NOBODY}:{NOBODY} {SHARE}")
    must(hosts["cp1"], f"printf '{exports}' >/etc/exports && systemctl restart nfs-server && exportfs -r")
    kube.kubectl("taint", "node", "cp1", f"{TAINT}-")
    # A default class, whose volumes nobody makes: claims without a class would wait for it.
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    nobody = {"metadata": {"name": "nobody", "annotations": default}, "provisioner": "kubernetes.io/no-provisioner"}
    kube.apply([{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **nobody}])
    yield known["cp1"]
    kube.kubectl("delete", "storageclass", "nobody")
    kube.kubectl("uncordon", "w1")
    kube.kubectl("taint", "node", "cp1", f"{TAINT}=:NoSchedule", "--overwrite")


def play(kube: Kube, name: str, server: str, *arguments: str) -> Run:
    given = {"storage_nfs_server": server, "storage_nfs_path": SHARE, "storage_node": "w1"}
    book = str(ROOT / "examples" / "storage" / "deploy.yml")
    return run(book, kube.inventory, FOLDER / name, "-e", json.dumps(given), *arguments).succeeded()


def pods(kube: Kube, application: str) -> dict[str, str]:
    """Return the ready pods of an application, with their nodes."""
    return {
        one["metadata"]["name"]: one["spec"].get("nodeName", "")
        for one in kube.get("pods", namespace="storage")
        if one["metadata"]["labels"].get("app.kubernetes.io/name") == application
        and "deletionTimestamp" not in one["metadata"]
        and all(part["ready"] for part in one["status"].get("containerStatuses", [{"ready": False}]))
    }


def ready(kube: Kube, application: str, count: int) -> dict[str, str]:
    """Return that many ready pods of an application, as soon as there are so many."""

    def found() -> dict[str, str]:
        there = pods(kube, application)
        return there if len(there) == count else {}

    return eventually(found, 120, f"{count} pods of {application} are ready")


def inside(kube: Kube, pod: str, command: str) -> str:
    return kube.kubectl("--namespace=storage", "exec", pod, "--", "sh", "-c", command).strip()


def test_the_hosts_have_the_client_that_the_inventory_names(hosts: dict[str, Host]) -> None:
    assert all(must(host, "command -v mount.nfs") for host in hosts.values())


def test_the_example_shares_files_between_pods(kube: Kube, hosts: dict[str, Host], server: str) -> None:
    play(kube, "first", server)
    claim = kube.get("pvc", "share", "storage")
    assert (claim["spec"]["storageClassName"], claim["spec"]["volumeName"]) == ("", "share")
    assert claim["status"]["phase"] == "Bound"
    one, other = ready(kube, "share", 2)
    inside(kube, one, "echo kept >/share/file")
    assert inside(kube, other, "cat /share/file") == "kept"
    assert must(hosts["cp1"], f"cat {SHARE}/file") == "kept"
    mounts = [
        must(host, "findmnt --noheadings --list --types nfs,nfs4 --output SOURCE,FSTYPE || true")
        for host in hosts.values()
    ]
    assert f"{server}:{SHARE} nfs4" in " ".join(" ".join(mounts).split())
    again = play(kube, "again", server)
    assert not again.changed(), again.output


def test_data_survives_pods_and_a_drained_node(kube: Kube, hosts: dict[str, Host], server: str) -> None:
    inside(kube, "store-0", "echo kept >/data/file")
    assert must(hosts["w1"], "cat /mnt/store-*/file") == "kept"
    kube.kubectl("--namespace=storage", "delete", "pod", "--all")
    assert ready(kube, "store", 1) == {"store-0": "w1"}
    assert inside(kube, "store-0", "cat /data/file") == "kept"
    assert inside(kube, next(iter(ready(kube, "share", 2))), "cat /share/file") == "kept"
    kube.kubectl("drain", "w1", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
    # Files of a server follow the pods; those on a node wait for it.
    moved = ready(kube, "share", 2)
    assert set(moved.values()) == {"cp1"} and inside(kube, next(iter(moved)), "cat /share/file") == "kept"
    assert not pods(kube, "store")
    reason = kube.kubectl("--namespace=storage", "get", "events", "--field-selector=reason=FailedScheduling")
    assert "store-0" in reason
    kube.kubectl("uncordon", "w1")
    assert ready(kube, "store", 1) == {"store-0": "w1"}
    assert inside(kube, "store-0", "cat /data/file") == "kept"


def test_a_claim_that_is_deleted_leaves_its_data_to_the_next_one(
    kube: Kube, hosts: dict[str, Host], server: str
) -> None:
    claim = kube.get("pvc", "share", "storage")
    kube.kubectl("--namespace=storage", "delete", "deployment/share", "pvc/share", "--wait=true", "--timeout=120s")
    volume = eventually(
        lambda: (it := kube.get("pv", "share"))["status"]["phase"] == "Released" and it, 60, "it is released"
    )
    assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert must(hosts["cp1"], f"cat {SHARE}/file") == "kept"
    kube.kubectl("patch", "pv", "share", "--type=json", '--patch=[{"op": "remove", "path": "/spec/claimRef"}]')
    play(kube, "reused", server)
    assert inside(kube, next(iter(ready(kube, "share", 2))), "cat /share/file") == "kept"


def deployment(kube: Kube, name: str, server: str, path: str) -> dict[str, Any]:
    volume = {"name": "share", "nfs": {"server": server, "path": path}}
    container = {
        "name": "web",
        "image": kube.agnhost,
        "args": ["pause"],
        "volumeMounts": [{"name": "share", "mountPath": "/share"}],
    }
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"nodeName": "w1", "volumes": [volume], "containers": [container]},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def titles(kube: Kube, namespace: str) -> dict[str, str]:
    """Return the titles of the findings about Deployments of a namespace, by name."""
    answer = call(kube, FOLDER / "health", "health_info", {"namespaces": [namespace]}).ok().answer
    found = [one for one in answer["findings"] if one["object"]["kind"] == "Deployment"]
    return {one["object"]["name"]: f"{one['fault']}: {one['title']} {one['advice']} {one['evidence']}" for one in found}


def test_a_share_that_cannot_be_mounted_is_explained(kube: Kube, hosts: dict[str, Host], server: str) -> None:
    gateway = server.rpartition(".")[0] + ".1"
    kube.make_namespace("mounts")
    try:
        kube.apply(
            [
                deployment(kube, name, address.format(server=server, gateway=gateway), path)
                for name, (address, path, _title) in FAILING.items()
            ],
            "mounts",
        )
        seen: dict[str, str] = {}

        def explained() -> bool:
            seen.update(titles(kube, "mounts"))
            return all(title in seen.get(name, "") for name, (_server, _path, title) in FAILING.items())

        try:
            eventually(explained, 200, "all are explained")
        finally:
            print(json.dumps(seen, indent=1))
            print(
                kube.kubectl(
                    "--namespace=mounts", "get", "events", "--field-selector=reason=FailedMount", "--output=json"
                )
            )
        # Without the client on the node.
        helper = must(hosts["w1"], "readlink -f $(command -v mount.nfs)")
        must(hosts["w1"], f"mv {helper} {helper}.away")
        try:
            kube.apply([deployment(kube, "client", server, SHARE)], "mounts")
            eventually(
                lambda: "mount.nfs is not installed on node w1" in titles(kube, "mounts").get("client", ""),
                100,
                "client",
            )
        finally:
            print(
                kube.kubectl(
                    "--namespace=mounts", "get", "events", "--field-selector=reason=FailedMount", "--output=json"
                )
            )
            must(hosts["w1"], f"mv {helper}.away {helper}")
    finally:
        kube.remove_namespaces(["mounts"])


def test_the_example_is_removed(kube: Kube, server: str) -> None:
    play(kube, "absent", server, "-e", "examples_state=absent")
    assert kube.get("pvc", "share", "storage")["status"]["phase"] == "Bound"
    kube.remove_namespaces(["storage"])
    kube.kubectl("delete", "pv", "share", "store-one", "store-two")
