# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook health reports a faulty application, to people and to machines, without any Secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.kube import Kube, workload
from harness.origin import programs
from harness.playbook import ROOT, run


def health(kube: Kube, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the playbook; return its exit code, its output and the page."""
    page = folder / "health.html"
    done = run("slipway.kube.health", kube.inventory, folder, "-e", f"health_page={page}", *arguments)
    return done.process.returncode, done.output, page.read_text()


def test_a_fault_is_in_the_report_and_in_the_exit_code(kube: Kube, namespace: str, folder: Path) -> None:
    wrong = kube.agnhost.rpartition(":")[0] + ":no-such-tag"
    kube.apply([workload(wrong)], namespace)
    kube.kubectl("wait", f"--namespace={namespace}", "--for=jsonpath={.status.unavailableReplicas}=1", "deployment/web")
    only = ("-e", f'{{"health_namespaces": ["{namespace}"]}}')
    for _attempt in range(10):
        code, said, page = health(kube, folder, *only)
        if code:
            break
    assert code != 0 and "no-such-tag" in said and "no-such-tag" in page
    assert health(kube, folder, *only, "-e", "health_fail=never")[0] == 0


def test_no_secret_is_told_anywhere(kube: Kube) -> None:
    environment = {
        **os.environ,
        "KUBECONFIG": str(kube.kubeconfig),
        "PATH": os.pathsep.join([str(programs()), os.environ["PATH"]]),
    }
    command = [
        sys.executable,
        str(ROOT / "tests" / "canary" / "run.py"),
        "--image",
        kube.agnhost,
        "--namespace=test-canary",
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
