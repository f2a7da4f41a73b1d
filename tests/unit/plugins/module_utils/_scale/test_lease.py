# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run decides at a time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.filter.run_identity import run_identity
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.timestamps import to_micro_time
from ansible_collections.slipway.kube.plugins.module_utils._release.lock import has_exited
from ansible_collections.slipway.kube.plugins.module_utils._scale import run

OURS, OTHERS = "ci1 boot 10 1", "ci2 boot 20 2"


class Api:
    """The Leases of a cluster."""

    def __init__(self) -> None:
        self.lease: Any = None
        self.conflict = False

    def find(self, path: str) -> Any:
        assert path == f"{run.LEASES}/slipway-scale"
        return self.lease

    def create(self, path: str, content: Any) -> Any:
        return self.replace(path, content)

    def replace(self, _path: str, content: Any) -> Any:
        if self.conflict:
            raise ApiError(409, "Conflict", "another one was faster")
        if self.lease:
            assert content["metadata"]["resourceVersion"] == self.lease["metadata"]["resourceVersion"]
        self.lease = {**content, "metadata": {**content["metadata"], "resourceVersion": "7"}}

    def delete(self, _path: str, version: str) -> None:
        assert version == self.lease["metadata"]["resourceVersion"]
        self.lease = None


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(run, "now_of", lambda _client: time.time())
    return Api()


def hold(api: Api, holder: str, age: float = 5) -> None:
    spec = {"holderIdentity": holder, "renewTime": to_micro_time(time.time() - age)}
    api.lease = {"metadata": {"resourceVersion": "3"}, "spec": spec}


def test_the_first_run_holds_it_until_it_ends(api: Api) -> None:
    assert run.acquire(api, OURS, "") == "" and api.lease["spec"]["holderIdentity"] == OURS
    assert run.acquire(api, OTHERS, "") == OURS
    run.release(api, OTHERS)
    assert api.lease["spec"]["holderIdentity"] == OURS
    run.release(api, OURS)
    assert api.lease is None
    run.release(api, OURS)
    assert run.acquire(api, OTHERS, "") == ""


@pytest.mark.parametrize(
    ("holder", "age", "ended", "active"),
    [
        (OTHERS, 5, "", OTHERS),
        (OTHERS, 5, OTHERS, ""),  # its control node is this one, where its process is gone
        (OTHERS, 5, "ci3 boot 30 3", OTHERS),  # yet another one has begun since
        (OTHERS, run.DURATION + 5, "", ""),
        (OURS, 5, "", ""),
        ("", 5, "", ""),
    ],
)
def test_a_run_that_may_be_active_is_left_alone(api: Api, holder: str, age: float, ended: str, active: str) -> None:
    hold(api, holder, age)
    assert run.acquire(api, OURS, ended) == active
    assert api.lease["spec"]["holderIdentity"] == (active or OURS)


def test_of_two_runs_that_begin_at_once_one_is_first(api: Api) -> None:
    api.conflict = True
    assert run.acquire(api, OURS, "") == "another run, which has just started"


@pytest.mark.parametrize(("check_mode", "name"), [(True, OURS), (False, "")])
def test_who_changes_nothing_locks_nothing(api: Api, monkeypatch: Any, check_mode: bool, name: str) -> None:
    hold(api, OTHERS)
    monkeypatch.setattr(run, "connect", lambda *_: api)
    params = {"kubeconfig": "", "server": "", "run": name, "ended": "", "state": "released"}
    assert run.converge(params, check_mode) == {"changed": False} and api.lease


def test_nothing_is_decided_beside_another_run(api: Api, monkeypatch: Any) -> None:
    hold(api, OTHERS)
    monkeypatch.setattr(run, "connect", lambda *_: api)
    params = {"kubeconfig": "", "server": "", "run": OURS, "ended": "", "state": "decided"}
    found = run.converge(params, False)
    assert found == {
        "changed": False,
        "active": OTHERS,
        "changes": [],
        "joins": [],
        "leaves": [],
        "plan": [],
        "notes": [],
    }


def test_a_run_is_known_by_its_process() -> None:
    assert not has_exited(run_identity()) and len(run_identity().split(" ")) == 4
    node, boot, pid, start = run_identity().split(" ")
    assert has_exited(f"{node} {boot} {pid} {int(start) - 1}")
    assert not has_exited(f"another {boot} {pid} 1"), "nobody knows it here"
