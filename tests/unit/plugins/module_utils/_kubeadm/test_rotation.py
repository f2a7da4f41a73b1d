# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rotation of the authorities refuses, what it makes, and what it changes in the API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import (
    authorities,
    rotation,
    rotation_cluster,
    rotation_files,
)

from .test_authorities import MANIFEST, NEW, OLD


@pytest.fixture
def pki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control plane with the authorities ca and sa."""
    folder = tmp_path / "pki"
    folder.mkdir()
    for name, text in (("ca.crt", OLD.public), ("ca.key", OLD.key), ("sa.pub", "public"), ("sa.key", "key")):
        (folder / name).write_text(text)
    manager = tmp_path / "kube-controller-manager.yaml"
    manager.write_text(MANIFEST.replace("/etc/kubernetes/pki", str(folder)))
    for module in (rotation, rotation_files, authorities):
        monkeypatch.setattr(module, "PKI", str(folder))
        monkeypatch.setattr(module, "FOLDER", str(folder / "rotation"))
    for module in (rotation, rotation_files):
        monkeypatch.setattr(module, "MANAGER", str(manager))
    return folder


def test_what_this_control_plane_can_rotate_is_not_refused(pki: Path) -> None:
    assert rotation_files.refusal(["ca", "sa"]) == ""


def test_an_authority_whose_key_is_elsewhere_is_refused(pki: Path) -> None:
    (pki / "ca.key").unlink()
    assert "ca.key is missing" in rotation_files.refusal(
        ["ca"]
    ) and "[slipway:external_authority]" in rotation_files.refusal(["ca"])
    assert rotation_files.refusal(["sa"]) == ""


def test_a_controller_manager_that_signs_with_another_authority_is_refused(pki: Path) -> None:
    Path(rotation.MANAGER).write_text(MANIFEST.replace("pki/ca.key", "other.key"))
    assert "kube-controller-manager signs with another one" in rotation_files.refusal(["ca"])


def params(**given: Any) -> dict[str, Any]:
    return {"authorities": {}, "rotate": [], "keys": None, "nodes": [], "kubeconfig": "", "server": "", **given}


def test_another_control_plane_keeps_what_it_receives(pki: Path) -> None:
    given = params(authorities={"ca": {"old": OLD.public, "new": NEW.public}}, keys={"ca": NEW.key})
    done = rotation_files.prepare(given, False, None)
    assert done["changes"] == ["New ca received."] and rotation_files.rotated() == ["ca"]
    assert authorities.read_files(str(pki / "rotation/old"), ["ca"]) == {"ca": OLD}
    assert authorities.read_files(str(pki / "rotation/new"), ["ca"]) == {"ca": NEW}
    assert (pki / "rotation").stat().st_mode & 0o777 == 0o700
    assert rotation_files.prepare(given, False, None)["changes"] == []


def test_a_control_plane_that_has_finished_does_not_begin_again(pki: Path) -> None:
    (pki / "ca.crt").write_text(NEW.public)
    given = params(authorities={"ca": {"old": OLD.public, "new": NEW.public}}, keys={"ca": NEW.key})
    assert rotation_files.prepare(given, False, None)["changes"] == [] and rotation_files.rotated() == []


def test_the_first_control_plane_makes_them_after_the_cluster_was_checked(
    pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(rotation_cluster, "check", lambda given, starting: calls.append(starting))
    monkeypatch.setattr(
        rotation_files, "make", lambda given, names, lock: rotation_files.keep({"ca": OLD}, {"ca": NEW})
    )
    predicted = rotation_files.prepare(params(rotate=["ca"]), True, None)
    assert predicted["changes"] == ["New ca made."] and predicted["authorities"] == {
        "ca": {"old": OLD.public, "new": ""}
    }
    done = rotation_files.prepare(params(rotate=["ca"]), False, None)
    assert done["keys"] == {"ca": NEW.key} and done["authorities"]["ca"] == {"old": OLD.public, "new": NEW.public}
    assert rotation_files.prepare(params(rotate=["ca"]), False, None)["changes"] == []
    assert calls == [True, True, False]


def test_a_rotation_that_was_killed_while_it_was_prepared_begins_anew(pki: Path) -> None:
    (pki / ".rotation.abc/new").mkdir(parents=True)
    assert rotation_files.rotated() == []
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    assert rotation_files.rotated() == ["ca"]
    rotation_files.remove()
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    assert sorted(os.listdir(pki)) == ["ca.crt", "ca.key", "rotation", "sa.key", "sa.pub"]


def step(pki: Path, state: str, check_mode: bool = False) -> rotation.Step:
    given = {"state": state, "authorities": {"ca": {"old": OLD.public, "new": NEW.public}}, "timeout": 1}
    return rotation.Step(given, check_mode, None)


def test_files_and_signing_follow_the_phases_and_never_go_back(pki: Path) -> None:
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    seen = []
    for state in ("trusted", "issued", "trusted", "finished", "issued"):
        one = step(pki, state)
        one.place_authorities()
        one.place_signing_files()
        key = (pki / "ca.key").read_text()
        seen.append(
            (len(one.changes), key, authorities.signing_files(Path(rotation.MANAGER).read_text())[0][len(str(pki)) :])
        )
    assert seen == [
        (2, "old key", "/rotation/old/ca.crt"),
        (2, "new key", "/rotation/new/ca.crt"),
        (0, "new key", "/rotation/new/ca.crt"),
        (2, "new key", "/ca.crt"),
        (0, "new key", "/ca.crt"),
    ]
    assert (pki / "ca.crt").read_text() == NEW.public


def test_check_mode_says_it_and_changes_nothing(pki: Path) -> None:
    one = step(pki, "trusted", check_mode=True)
    one.place_authorities()
    assert one.changes == ["The new ca is trusted with the old one."] and (pki / "ca.crt").read_text() == OLD.public


def node(name: str, ready: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "gone"}]
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}, "status": {"conditions": conditions}}


def test_a_node_that_could_not_follow_is_named() -> None:
    nodes = [node("cp1"), node("w1", "Unknown"), node("w2")]
    problems = rotation_cluster.node_problems(nodes, ["cp1", "w1"], True)
    assert len(problems) == 2 and problems[0].startswith("node w1 is not Ready")
    assert problems[1] == "node w2 is not among the hosts of this run"
    assert rotation_cluster.node_problems(nodes, ["cp1", "w1"], False) == problems[1:]


def test_the_old_authority_leaves_a_bundle() -> None:
    assert rotation_cluster.without(OLD.public + NEW.public, OLD.public) == NEW.public


@pytest.mark.parametrize(
    ("spec", "mounts"),
    [
        ({}, True),
        ({"serviceAccountName": "silent"}, False),
        ({"serviceAccountName": "silent", "automountServiceAccountToken": True}, True),
        ({"automountServiceAccountToken": False}, False),
        (
            {
                "automountServiceAccountToken": False,
                "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            },
            True,
        ),
    ],
)
def test_who_has_the_authority_of_the_cluster_is_restarted(spec: dict[str, Any], mounts: bool) -> None:
    assert rotation_cluster.mounts_token({"spec": spec}, "web", {("web", "silent")}) is mounts
