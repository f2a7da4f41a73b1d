# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase of a rotation is read from the files, and each phase says what they have."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import authorities
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.authorities import (
    BEFORE,
    FINISHED,
    ISSUED,
    TRUSTED,
    Files,
)


def pem(content: str, kind: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(content.encode()).decode()}\n-----END {kind}-----\n"


OLD, NEW = Files(pem("old"), "old key"), Files(pem("new"), "new key")


@pytest.mark.parametrize("phase", [BEFORE, TRUSTED, ISSUED, FINISHED])
def test_the_phase_is_read_from_what_the_files_have_in_it(phase: int) -> None:
    live = authorities.files_in(phase, OLD, NEW)
    assert authorities.phase_of(live, OLD, NEW) == phase


@pytest.mark.parametrize(
    ("public", "key", "phase"),
    [
        (NEW.public + OLD.public, "old key", TRUSTED),  # interrupted between the two files
        (
            OLD.public + NEW.public,
            "new key",
            TRUSTED,
        ),  # kubeadm would sign with a key that is not that of the first one
        ("# a comment\n" + OLD.public.rstrip(), "old key", BEFORE),
        (NEW.public, "", FINISHED),  # a worker has no keys
        (NEW.public + OLD.public, "", TRUSTED),
    ],
)
def test_what_an_interruption_leaves_is_the_phase_that_is_repeated(public: str, key: str, phase: int) -> None:
    assert authorities.phase_of(Files(public, key), OLD, NEW) == phase


def test_before_a_new_authority_is_made_nothing_has_begun() -> None:
    assert authorities.phase_of(OLD, OLD, Files()) == BEFORE


def test_a_bundle_has_whole_blocks_whatever_the_files_end_with() -> None:
    files = authorities.files_in(ISSUED, Files(OLD.public.rstrip(), ""), Files("text\n" + NEW.public, ""))
    assert files.public == NEW.public + OLD.public


def test_files_are_read_from_a_folder_that_is_laid_out_like_pki(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd/ca.crt").write_text("certificate")
    (tmp_path / "sa.pub").write_text("public")
    (tmp_path / "sa.key").write_text("key")
    assert authorities.read_files(str(tmp_path), authorities.BASES) == {
        "etcd-ca": Files("certificate", ""),
        "sa": Files("public", "key"),
    }


MANIFEST = """    - --client-ca-file=/etc/kubernetes/pki/ca.crt
    - --cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt
    - --cluster-signing-key-file=/etc/kubernetes/pki/ca.key
    - --root-ca-file=/etc/kubernetes/pki/ca.crt
"""


def test_only_the_signing_files_of_the_manifest_change() -> None:
    changed = authorities.set_signing_files(MANIFEST, "/etc/kubernetes/pki/rotation/old")
    folder = "/etc/kubernetes/pki/rotation/old"
    assert authorities.signing_files(changed) == (f"{folder}/ca.crt", f"{folder}/ca.key")
    assert changed.count("/etc/kubernetes/pki/ca.crt") == 2
    assert authorities.set_signing_files(changed, "/etc/kubernetes/pki") == MANIFEST
    assert authorities.signing_files("command: [kube-controller-manager]") == ("", "")


def token(kid: str) -> str:
    parts = (json.dumps({"alg": "RS256", "kid": kid}), "{}", "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def test_a_token_names_the_key_that_signed_it() -> None:
    public = pem("a public key", "PUBLIC KEY")
    kid = base64.urlsafe_b64encode(hashlib.sha256(b"a public key").digest()).decode().rstrip("=")
    assert authorities.key_id(public + pem("another", "PUBLIC KEY")) == kid
    assert authorities.token_key_id(token(kid) + "\n") == kid
    for text in ("", "kube-system", "a.b.c", "1.2.3", OLD.public):
        assert authorities.token_key_id(text) == ""
    assert authorities.key_id("") == ""


def look(phase: int, pairs: dict[str, tuple[str, str]], pods: Path, now: float = 1e12) -> tuple[list[str], float]:
    return authorities.look_at_volumes(phase, pairs, now, str(pods))


def test_volumes_that_the_kubelet_has_not_refreshed_are_found(tmp_path: Path) -> None:
    keys = (pem("old key", "PUBLIC KEY"), pem("new key", "PUBLIC KEY"))
    pairs = {"ca": (OLD.public, NEW.public), "sa": keys}
    contents = {
        "late": (OLD.public, token(authorities.key_id(keys[0]))),
        "done": (OLD.public + NEW.public, token(authorities.key_id(keys[1]))),
        "foreign": (pem("another"), token("another")),
    }
    for pod, texts in contents.items():
        folder = tmp_path / pod / "volumes/kubernetes.io~projected/kube-api-access-x"
        (folder / "..data").mkdir(parents=True)
        for name, text in zip(("ca.crt", "token"), texts):
            (folder / name).write_text(text)
    late = str(tmp_path / "late/volumes/kubernetes.io~projected/kube-api-access-x")
    assert look(TRUSTED, pairs, tmp_path) == ([f"{late}/ca.crt"], 0)
    assert look(ISSUED, pairs, tmp_path) == ([f"{late}/token"], 0)
    assert look(TRUSTED, {"sa": keys}, tmp_path) == ([], 0)
    assert look(ISSUED, {"ca": pairs["ca"]}, tmp_path) == ([], 0)


@pytest.mark.parametrize(("started", "left"), [(1000, (300, 60)), (4999, (0, 0))])
def test_running_clients_get_time_to_read_again_what_was_refreshed(
    tmp_path: Path, started: int, left: tuple[int, int]
) -> None:
    keys = (pem("old key", "PUBLIC KEY"), pem("new key", "PUBLIC KEY"))
    volume = tmp_path / "pod/volumes/kubernetes.io~projected/kube-api-access-x"
    (volume / "..data").mkdir(parents=True)
    for name, text in (("ca.crt", OLD.public + NEW.public), ("token", token(authorities.key_id(keys[1])))):
        (volume / "..data" / name).write_text(text)
        os.utime(volume / "..data" / name, (5000, 5000))
        (volume / name).symlink_to(f"..data/{name}")
        os.utime(volume / name, (started, started), follow_symlinks=False)
    pairs = {"ca": (OLD.public, NEW.public), "sa": keys}
    assert [look(phase, pairs, tmp_path, now=5010) for phase in (TRUSTED, ISSUED)] == [([], left[0]), ([], left[1])]
    assert look(TRUSTED, pairs, tmp_path, now=5310) == ([], 0)
