# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded faults: the responses of a Kubernetes 1.36.3 API server (1.37.2 from case 96 on), and the findings that they must lead to.

The manifests are those of molecule/faults/cases.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis import explain as explaining
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.ports import verify_ports
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.ranking import ranked
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.rules import all_findings
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError

from .conftest import FIXTURES, KINDS, WHOLE, Cluster

CASES = Path(__file__).parents[5] / "molecule" / "faults" / "cases"
LISTED = yaml.safe_load((CASES / "cases.yml").read_text())["fault_cases"]
SEEN = [case for case in LISTED if (FIXTURES / (case["name"] + ".json")).exists()]
NODES = json.loads((FIXTURES / "nodes.json").read_text())
# Recorded half a minute after the deletion; the scenario waits until it is an error.
SEEN_EARLY = {"60_deletion_stuck": "warning"}


class Refusing(Cluster):
    """A cluster in which no pod listens on a tested port."""

    def text(self, path: str, query: Any = None, timeout: float | None = None) -> str:
        raise ApiError(503, "", "error trying to reach service: dial tcp 10.244.2.97:8081: connect: connection refused")


def test_most_faults_are_recorded() -> None:
    assert len(SEEN) >= 130, "fixtures are missing"
    assert sorted(path.name for path in CASES.glob("[0-9]*.yml.j2")) == sorted(
        case["name"] + ".yml.j2" for case in LISTED
    )


def found_in(seen: dict[str, Any], now: float, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The ranked findings in a recording, at the time ``now`` (seconds since the epoch)."""
    monkeypatch.setattr(time, "time", lambda: now)
    cluster = Refusing(dict(seen["lists"], Node=NODES))
    view = explaining.read_view(cluster, [], KINDS, WHOLE)
    return ranked(verify_ports(cluster, all_findings(view, ["nodes", "dns"])))


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case["name"])
def test_a_recorded_fault_is_reported_first_and_alone(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = json.loads((FIXTURES / (case["name"] + ".json")).read_text())
    found = found_in(seen, float(seen["now"]), monkeypatch)
    assert found, "nothing was found"
    first = found[0]
    assert (first.fault, first.object.kind, first.object.name) == (case["fault"], case["kind"], case["object"])
    assert first.severity == SEEN_EARLY.get(case["name"], case.get("severity", "error"))
    assert first.advice and (first.evidence or first.fault == "job_deadline")
    others = [finding.text() for finding in found[1:] if finding.severity == "error"]
    assert not others, "a false alarm"
    text = "\n".join(first.text())
    assert re.search(case.get("says", ""), " ".join([first.title, *first.evidence, first.advice]))
    assert len(text) < 6000 and "None" not in text.replace("None.", "")


@pytest.mark.parametrize("name", SEEN_EARLY)
def test_what_was_a_warning_at_first_is_an_error_a_minute_later(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = json.loads((FIXTURES / (name + ".json")).read_text())
    assert found_in(seen, float(seen["now"]) + 60, monkeypatch)[0].severity == "error"
