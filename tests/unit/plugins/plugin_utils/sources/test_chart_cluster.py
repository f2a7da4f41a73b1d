# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart is rendered with the capabilities of the cluster, unless the task sets a version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SERVED = {"kube_version": "v1.36.3", "api_versions": ["apps/v1", "apps/v1/Deployment"], "finished": True}
# A stand-in for helm: records each call, and prints a definition, with an object of its kind if the cluster serves it.
HELM = """#!/bin/sh
printf '%s ' "$@" >> {folder}/calls
echo >> {folder}/calls
cat >> {folder}/input
cat {folder}/crd.json
case "$*" in *x.io/v1/Thing*) printf '\\n---\\n'; cat {folder}/thing.json;; esac
"""
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.x.io"},
    "spec": {"group": "x.io", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]},
}
THING = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}}


@pytest.fixture
def run(
    make_action: Callable[..., Any], write: Callable[[str, str], Path], tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return what runs the action with a chart, and returns its result and the calls of the module."""
    write("shop/Chart.yaml", "name: shop")
    write("crd.json", json.dumps(CRD))
    write("thing.json", json.dumps(THING))
    write("helm", HELM.format(folder=tmp_path)).chmod(0o755)

    def go(answer: dict[str, Any], **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        helm = {"chart": "shop", "binary_path": str(tmp_path / "helm"), **options}
        action = make_action(name="shop", namespace="web", kubeconfig="/k", helm=helm)
        calls: list[dict[str, Any]] = []

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            assert module_name == "slipway.kube.release" and action._play_context.no_log
            calls.append(module_args)
            return dict(answer) if module_args.get("_chart_view") else {"changed": True, "finished": True}

        action._execute_module = execute
        return action.run(task_vars={}), calls

    return go


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the calls of helm."""
    return lambda: (tmp_path / "calls").read_text().splitlines()


def test_a_chart_sees_the_cluster_and_what_the_release_defines(run: Any, said: Any) -> None:
    result, calls = run(SERVED, api_versions=["y.io/v1"])
    assert result["changed"] and [bool(call.get("_chart_view")) for call in calls] == [True, False]
    assert calls[0] == {"name": "shop", "namespace": "web", "kubeconfig": "/k", "_chart_view": True}
    first, second, again = said()  # the last one finds out what differs with each rendering
    assert again == second
    assert "--kube-version v1.36.3 --api-versions y.io/v1 --api-versions apps/v1 " in first
    assert "--api-versions apps/v1/Deployment" in first and "x.io" not in first
    assert "--kube-version v1.36.3" in second and "--api-versions x.io/v1 --api-versions x.io/v1/Thing" in second


def test_the_next_run_renders_the_same_at_once(run: Any, said: Any) -> None:
    first = run(SERVED)[1][1]["_payload"]
    served = dict(SERVED, api_versions=[*SERVED["api_versions"], "x.io/v1", "x.io/v1/Thing"])
    assert run(served)[1][1]["_payload"] == first and len(said()) == 5


def test_a_version_of_the_task_is_taken(run: Any, said: Any) -> None:
    run(SERVED, kube_version="1.30.0")
    assert len(said()) == 2 and "--kube-version 1.30.0" in said()[0]
    assert "--api-versions" not in said()[0]


def test_a_chart_sees_an_upgrade_once_a_revision_is_deployed(run: Any, said: Any) -> None:
    run(SERVED)
    assert not any("--is-upgrade" in line for line in said())
    run(dict(SERVED, upgrade=True))
    run(dict(SERVED, upgrade=True), kube_version="1.30.0")
    assert all("--is-upgrade" in line for line in said()[3:]) and len(said()) > 6


def test_a_cluster_that_does_not_answer_is_told(run: Any, tmp_path: Path) -> None:
    result, calls = run({"failed": True, "msg": "The API server does not answer."})
    assert result["failed"] and "The API server does not answer." in result["msg"] and len(calls) == 1
    assert not (tmp_path / "calls").exists()


def test_a_version_that_may_not_be_asked_for_is_warned_of(run: Any, said: Any) -> None:
    result, _calls = run(dict(SERVED, kube_version=""))
    assert "Set helm.kube_version" in result["warnings"][0] and "--kube-version" not in said()[0]
    assert "--api-versions apps/v1" in said()[0]
