# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module rollout: what it documents is what it takes and gives, and what its run as a program answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.doc_fragments import auth
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._rollout.changes import NEEDED, ONLY_FOR, Request
from ansible_collections.slipway.kube.plugins.module_utils._rollout.report import result
from ansible_collections.slipway.kube.plugins.module_utils._rollout.run import Outcome
from ansible_collections.slipway.kube.plugins.modules import rollout

OWN = yaml.safe_load(rollout.DOCUMENTATION)["options"]
FILE = Path(rollout.__file__)
COLLECTIONS = Path(__file__).resolve().parents[4] / ".cache" / "collections"


def test_options_are_documented_as_they_are_taken() -> None:
    documented = {**yaml.safe_load(auth.ModuleDocFragment.DOCUMENTATION)["options"], **OWN}
    assert set(documented) == set(rollout.OPTIONS)
    for name, option in OWN.items():
        for field in ("type", "choices", "default", "required"):
            assert rollout.OPTIONS[name].get(field) == option.get(field), (name, field)


def test_rules_name_options_and_actions_that_there_are() -> None:
    actions = set(OWN["action"]["choices"])
    assert set(ONLY_FOR) <= set(OWN) and {one for some in ONLY_FOR.values() for one in some} <= actions
    assert set(NEEDED) <= actions and set(rollout.NO_WAIT) <= actions


def test_answers_are_documented() -> None:
    documented = yaml.safe_load(rollout.RETURN)
    given = result(Request("status", Reference("apps/v1", "Deployment", "shop", "web")), Outcome(), False, False)
    usual = {"changed", "diff", "warnings"}
    assert set(given) - usual | {"seconds", "requests", "template"} == set(documented)
    assert all({"description", "returned", "type"} <= set(one) for one in documented.values())


def test_examples_are_tasks_with_documented_options() -> None:
    for task in yaml.safe_load(rollout.EXAMPLES):
        if "slipway.kube.rollout" in task:
            assert set(task["slipway.kube.rollout"]) <= set(OWN), task["name"]


def run(**options: Any) -> dict[str, Any]:
    """Run the module as a program, with nothing that names a cluster but its options."""
    arguments = {"ANSIBLE_MODULE_ARGS": {"name": "web", "_ansible_remote_tmp": "/tmp", **options}}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(COLLECTIONS), *sys.path])}
    program = "from ansible_collections.slipway.kube.plugins.modules.rollout import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.skipif(not COLLECTIONS.is_dir(), reason="the checkout is no collection yet: make venv")
def test_bad_options_are_refused_before_a_cluster_is_looked_for() -> None:
    answer = run(action="scale", kind="DaemonSet", replicas=-1, kubeconfig="/nowhere")
    assert answer["failed"] and len(answer["msg"].split("\n")) == 2
    assert "/nowhere" not in answer["msg"]


@pytest.mark.skipif(not COLLECTIONS.is_dir(), reason="the checkout is no collection yet: make venv")
def test_an_api_server_that_does_not_answer_is_named() -> None:
    answer = run(host="http://127.0.0.1:1", api_key="canary-4711", _ansible_check_mode=True)
    assert answer["failed"] and "http://127.0.0.1:1 does not answer" in answer["msg"]
    assert "canary-4711" not in json.dumps(answer)
