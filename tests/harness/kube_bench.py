# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-bench, which holds a node against the CIS benchmark for Kubernetes, built from its Go module."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from harness.hosts import Host
from harness.origin import cache
from harness.playbook import ROOT

MODULE = "github.com/aquasecurity/kube-bench"
LOCKS = ROOT / "tests" / "kube-bench"
BENCHMARK = "cis-1.10"
PLACE = "/opt/kube-bench"
# The section on policies judges what runs on a cluster and who may do what there, not how it was made.
TARGETS = "master,controlplane,etcd,node"


@dataclass(frozen=True)
class Finding:
    """One check, such as 1.2.1, and its state: PASS, FAIL, WARN or INFO."""

    number: str
    state: str
    text: str
    actual: str


def build() -> tuple[Path, Path]:
    """Return the program and the folder with its checks; Go's caches make a second build short."""
    target = cache() / "programs" / "kube-bench"
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}
    command = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", str(target), MODULE]
    subprocess.run(command, cwd=LOCKS, env=environment, check=True, timeout=1200)
    listed = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", MODULE]
    folder = subprocess.run(listed, cwd=LOCKS, env=environment, check=True, capture_output=True, text=True).stdout
    return target, Path(folder.strip()) / "cfg"


def install(host: Host) -> None:
    """Put the program and its checks on a host."""
    program, checks = build()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(program, "kube-bench/kube-bench")
        archive.add(checks / "config.yaml", "kube-bench/cfg/config.yaml")
        archive.add(checks / BENCHMARK, f"kube-bench/cfg/{BENCHMARK}")
    assert host.container.put_archive("/opt", packed.getvalue())


def check(host: Host) -> list[Finding]:
    """Return what kube-bench finds on a host.

    :raises AssertionError: it does not run, or says nothing.
    """
    command = f"cd {PLACE} && KUBECONFIG=/etc/kubernetes/admin.conf ./kube-bench run --config-dir cfg --config cfg/config.yaml"
    code, output = host.execute("sh", "-c", f"{command} --benchmark {BENCHMARK} --targets {TARGETS} --json")
    assert code == 0, output
    document = json.loads(output[output.index("{") :])
    return [
        Finding(one["test_number"], one["status"], one["test_desc"], one["actual_value"])
        for control in document["Controls"]
        for group in control["tests"]
        for one in group["results"]
    ]
