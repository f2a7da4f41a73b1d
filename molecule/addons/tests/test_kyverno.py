# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kyverno: pods that violate a level are refused, images are only admitted if they are signed, and nothing of it stays."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, eventually, workload
from harness.origin import addons, cache, programs
from harness.playbook import Run, run
from harness.registry import Registry

pytestmark = pytest.mark.skipif(not addons(["kyverno"]), reason="the origin has no Kyverno: make test-all")

SHOP = "shop"
OFF = {"kube_addons_set": "none"}
ENFORCED = {"pod_security": "restricted", "pod_security_action": "enforce"}


def play(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    return run("slipway.kube.addons", kube.inventory, folder, "-e", json.dumps(variables), *arguments)


def deploy(kube: Kube, folder: Path, **settings: Any) -> Run:
    return play(kube, folder, kube_addons=["kyverno"], kube_addons_settings={"kyverno": settings}).succeeded()


def pod(image: str, **security: Any) -> dict[str, Any]:
    """Return a pod of the level restricted; *security* changes the security context of its container."""
    container = {
        "name": "web",
        "image": image,
        "args": ["pause"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **security},
    }
    context = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": context, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}


def create(kube: Kube, content: dict[str, Any], namespace: str = SHOP) -> str:
    """Return what kubectl says when the API server is asked to create an object, which is not kept."""
    arguments = ("create", "--dry-run=server", "--filename=-", "--output=json")
    return kube.kubectl(f"--namespace={namespace}", *arguments, stdin=json.dumps(content), check=False)


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    kube.remove_namespaces([SHOP])
    return kube.objects()


@pytest.fixture(scope="module")
def deployed(kube: Kube, before: set[str]) -> Run:
    done = deploy(kube, kube.inventory.parent / "output-kyverno", **ENFORCED)
    print(f"\nKyverno deployed and verified in {done.seconds:.0f} s")
    return done


@pytest.fixture(scope="module")
def registry(kube: Kube) -> Iterator[Registry]:
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    command = ["docker", "network", "inspect", f"slipway-{kube.inventory.parent.name}", f"--format={gateway}"]
    address = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    one = Registry(kube.inventory.parent / "registry", address)
    yield one
    one.stop()


def test_it_is_deployed_and_refuses_what_its_policy_names(kube: Kube, deployed: Run) -> None:
    done = {event.task.split(" : ")[-1] for event in deployed.events if event.status == "ok"}
    assert {"Wait until a pod that violates it is refused", "Check that a privileged pod is refused"} <= done
    used = kube.memory("kyverno")
    print(f"\nmemory in MB: {used}")
    assert len(used) == 1 and sum(used.values()) < 384


def test_a_second_run_changes_nothing(kube: Kube, deployed: Run, folder: Path) -> None:
    again = deploy(kube, folder, **ENFORCED)
    assert not again.changed(), again.changed()
    print(f"\nnothing to do in {again.seconds:.1f} s")


def test_the_level_restricted(kube: Kube, deployed: Run) -> None:
    kube.make_namespace(SHOP)
    assert json.loads(create(kube, pod(kube.agnhost)))["kind"] == "Pod"
    for security, message in (
        ({"privileged": True, "allowPrivilegeEscalation": True}, "containers must not be privileged"),
        ({"capabilities": {"drop": []}}, "all capabilities must be dropped"),
        ({"runAsUser": 0}, "runAsUser must not be 0"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation must be false"),
    ):
        said = create(kube, pod(kube.agnhost, **security))
        assert "denied the request" in said and message in said, said
    bad = pod(kube.agnhost)
    bad["spec"].update(hostNetwork=True, volumes=[{"name": "root", "hostPath": {"path": "/"}}])
    said = create(kube, bad)
    assert "denied the request" in said, said
    # The template of a Deployment is judged like its pods.
    assert "denied the request" in create(kube, workload(kube.agnhost))


def test_system_namespaces_do_not_wait_for_it(kube: Kube, deployed: Run) -> None:
    kube.make_namespace(SHOP)
    # Not scaled to 0: Kyverno takes its webhooks along when it ends.
    service = ("--namespace=kyverno", "patch", "service", "kyverno-svc")
    kube.kubectl(*service, '--patch={"spec": {"selector": {"nobody": "here"}}}')
    eventually(lambda: "failed calling webhook" in create(kube, pod(kube.agnhost)), 60, "pods are refused without it")
    assert json.loads(create(kube, pod(kube.agnhost), "kube-system"))["kind"] == "Pod"
    kube.kubectl(*service, "--type=json", '--patch=[{"op": "remove", "path": "/spec/selector/nobody"}]')
    eventually(lambda: '"kind": "Pod"' in create(kube, pod(kube.agnhost)), 60, "pods are admitted again")


@pytest.mark.skipif(not (cache() / "programs" / "cosign").is_file(), reason="there is no cosign: make test-all")
def test_only_signed_images_are_admitted(kube: Kube, deployed: Run, registry: Registry, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "COSIGN_PASSWORD": "",
        "SSL_CERT_FILE": str(registry.ca),
        "HOME": str(folder),
    }

    def cosign(*arguments: str) -> None:
        command = [str(programs() / "cosign"), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    signed, unsigned = (f"{registry.name}/shop/{name}:1" for name in ("signed", "unsigned"))
    for name in (signed, unsigned):
        registry.push(name)
    (folder / "cosign.key").unlink(missing_ok=True)
    cosign("generate-key-pair")
    cosign(
        "sign",
        "--yes",
        "--key=cosign.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--new-bundle-format=false",
        signed,
    )
    rule = {"images": [f"{registry.name}/*"], "keys": [(folder / "cosign.pub").read_text()]}
    deploy(kube, folder / "run", verify_images=[rule], registry_ca=registry.authority.certificate, **ENFORCED)
    kube.make_namespace(SHOP)
    said = eventually(
        lambda: "denied" in (text := create(kube, pod(unsigned))) and text,
        60,
        "the image that is not signed is refused",
    )
    assert "is not signed with a key" in said, said
    admitted = json.loads(create(kube, pod(signed)))
    assert "@sha256:" in admitted["spec"]["containers"][0]["image"]
    assert json.loads(create(kube, pod(kube.agnhost)))["kind"] == "Pod"
    deploy(kube, folder / "back", **ENFORCED)


def test_policies_of_a_user_forbid_that_it_goes_and_then_nothing_stays(
    kube: Kube, before: set[str], deployed: Run, folder: Path
) -> None:
    kube.make_namespace(SHOP)
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "true", "message": "never"}]}
    mine = {"apiVersion": "policies.kyverno.io/v1", "kind": "ValidatingPolicy", "metadata": {"name": "mine"}}
    kube.apply([{**mine, "spec": spec}])
    refused = play(kube, folder / "refused", **OFF)
    assert refused.process.returncode != 0 and not refused.changed()
    assert "ValidatingPolicy mine" in refused.output
    kube.kubectl("delete", "validatingpolicies.policies.kyverno.io", "mine")
    gone = play(kube, folder / "gone", **OFF).succeeded()
    print(f"\nremoved in {gone.seconds:.0f} s")
    # Nothing is blocked, and nothing is left.
    assert json.loads(create(kube, pod(kube.agnhost, privileged=True, allowPrivilegeEscalation=True)))["kind"] == "Pod"
    kube.remove_namespaces([SHOP])
    eventually(lambda: kube.objects() == before, 60, f"as before: {kube.objects() ^ before}")
    assert not play(kube, folder / "again", **OFF).succeeded().changed()
