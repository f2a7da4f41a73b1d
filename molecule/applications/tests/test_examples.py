# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example deploys, changes nothing in a second run, and is removed without a trace. EXAMPLES names some of them; without it, all run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube
from harness.origin import programs
from harness.playbook import ROOT, Run, run

EXAMPLES = ROOT / "examples"
BOOKS = {path.parent.name: "deploy.yml" for path in sorted(EXAMPLES.glob("*/deploy.yml"))} | {
    "operations": "operations.yml"
}
del BOOKS["ingress"]  # it needs Traefik: scenario addons
CHOSEN = os.environ.get("EXAMPLES", "").split() or list(BOOKS)
# Arguments besides the inventory of the cluster.
ARGUMENTS: dict[str, list[str]] = {"environments": ["-i", str(EXAMPLES / "environments" / "hosts.yml")]}


@pytest.fixture(scope="module", autouse=True)
def prepared(kube: Kube) -> None:
    """Add the bundle's helm and kubectl to the PATH, and label a node as the example on scheduling requires."""
    os.environ["PATH"] = os.pathsep.join([str(programs()), os.environ["PATH"]])
    kube.remove_namespaces(["slipway-verify"])  # its deletion can still be in progress after the verification
    kube.kubectl("label", "node", "w1", "disktype=ssd", "--overwrite")


def play(kube: Kube, folder: Path, name: str, *arguments: str, book: str = "") -> Run:
    given = [*ARGUMENTS.get(name, []), *arguments]
    if name == "operations":
        given += ["-e", f"operations_kubeconfig={kube.kubeconfig}"]
    return run(str(EXAMPLES / name / (book or BOOKS[name])), kube.inventory, folder, *given).succeeded()


def objects(kube: Kube) -> set[str]:
    """Return the workloads and Services of the cluster, except for its own and those of other tests."""
    listed = kube.kubectl(
        "get", "deployments,statefulsets,daemonsets,services,cronjobs", "--all-namespaces", "--output=json"
    )
    items: list[dict[str, Any]] = json.loads(listed)["items"]
    names = [(one["metadata"]["namespace"], one["kind"], one["metadata"]["name"]) for one in items]
    return {"/".join(name) for name in names if not name[0].startswith(("kube-", "test-")) and name[2] != "kubernetes"}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_example_deploys_repeats_and_goes(kube: Kube, folder: Path, name: str) -> None:
    before = objects(kube)
    first = play(kube, folder / "first", name)
    assert first.changed() and objects(kube) - before
    second = play(kube, folder / "second", name)
    assert not second.changed(), "\n".join(second.changed())
    if name == "web-tutorial":
        play(kube, folder / "steps", name, book="steps.yml")
    play(kube, folder / "absent", name, "-e", "examples_state=absent")
    assert objects(kube) == before, objects(kube) - before


def test_a_dry_run_of_an_example_says_what_comes_and_changes_nothing(kube: Kube, folder: Path) -> None:
    before = objects(kube)
    said = play(kube, folder / "dry", "configuration", "--check", "--diff")
    assert said.changed() and objects(kube) == before
