# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a kubeconfig names are really run, and say why they do not help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kube import auth, credential_plugin
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import KubeconfigError, read_credentials

V1 = "client.authentication.k8s.io/v1"
CLUSTER = {"server": "https://h:6443", "certificate-authority-data": ""}


def script(folder: Path, text: str) -> str:
    """Write a program."""
    path = folder / "login"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def answer(**status: str) -> str:
    """What a program answers."""
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def program(command: str, **more: Any) -> dict[str, Any]:
    """The section exec of a kubeconfig's user."""
    return {"apiVersion": V1, "command": command, **more}


def test_a_token_is_fetched_and_fetched_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = script(tmp_path, f"echo x >> {count}\necho '{answer(token='t-N')}' | sed s/N/$(wc -l < {count})/\n")
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": CLUSTER}],
        "users": [{"name": "u", "user": {"exec": program(command)}}],
    }
    found = read_credentials(config, plugin=credential_plugin.run)
    assert found.token == "t-1" and found.renew is not None and found.renew()["token"] == "t-2"
    with pytest.raises(KubeconfigError, match="with 'exec'"):
        read_credentials(config)
    # beside the kubeconfig: the path of the program is relative to it
    config["users"] = [{"name": "u", "user": {"exec": program("./login")}}]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    assert auth.credentials({"kubeconfig": str(tmp_path / "config")}, lambda _name: None).token == "t-3"


def test_a_certificate_of_the_kubeconfig_stays_beside_a_renewed_token(tmp_path: Path) -> None:
    for name in ("crt", "key"):
        (tmp_path / name).write_text(name)
    files = {"client-certificate": "crt", "client-key": "key"}
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": CLUSTER}],
        "users": [{"name": "u", "user": dict(files, exec=program(script(tmp_path, f"echo '{answer(token='t')}'\n")))}],
    }
    found = read_credentials(config, folder=str(tmp_path), plugin=credential_plugin.run)
    assert (found.certificate, found.key, found.token) == (b"crt", b"key", "t") and found.renew is not None
    assert found.renew() == {"certificate": b"crt", "key": b"key", "token": "t"}


def test_the_program_sees_arguments_environment_and_cluster(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        'echo "$@" > {0}/seen\necho "$ZONE" >> {0}/seen\necho "$KUBERNETES_EXEC_INFO" >> {0}/seen\n'
        "echo '{1}'\n".format(tmp_path, answer(clientCertificateData="CERT", clientKeyData="KEY")),
    )
    found = credential_plugin.run(
        program(command, args=["get", "token"], env=[{"name": "ZONE", "value": "z1"}], provideClusterInfo=True),
        CLUSTER,
        "",
    )
    assert set(found) == {"client-certificate-data", "client-key-data"}
    lines = (tmp_path / "seen").read_text().splitlines()
    assert lines[:2] == ["get token", "z1"]
    assert json.loads(lines[2]) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://h:6443"}},
    }
    (tmp_path / "ca.crt").write_text("CA")
    cluster = {"server": "https://h:6443", "certificate-authority": "ca.crt"}
    credential_plugin.run(program("./login", provideClusterInfo=True), cluster, str(tmp_path))
    spec = json.loads((tmp_path / "seen").read_text().splitlines()[-1])["spec"]
    assert spec["cluster"]["certificate-authority-data"] == "Q0E=", (
        "the program does not know the folder of the kubeconfig"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo not logged in >&2; echo c4n4ry; exit 3", "exited with code 3: not logged in"),
        ("exit 1", "exited with code 1: it printed no error"),
        ("echo c4n4ry", "did not return an ExecCredential"),
        (f"echo '{answer()}'", "did not return an ExecCredential"),
        ("echo '[]'", "did not return an ExecCredential"),
    ],
)
def test_a_program_that_does_not_help_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(KubeconfigError, match=told) as caught:
        credential_plugin.run(program(script(tmp_path, text)), CLUSTER, "")
    assert "c4n4ry" not in str(caught.value)


def test_a_program_that_is_not_there_tells_how_to_get_it() -> None:
    with pytest.raises(KubeconfigError, match=r"'no-such-login' of the kubeconfig is not installed. Get it from x"):
        credential_plugin.run(program("no-such-login", installHint="Get it\n from x"), CLUSTER, "")
    with pytest.raises(KubeconfigError, match=r"uses apiVersion client.authentication.k8s.io/v1alpha1; supported are"):
        credential_plugin.run({"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}, CLUSTER, "")
