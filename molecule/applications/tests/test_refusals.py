# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused with the path of the field, before anything is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.kube import Kube, call, config_map, workload

GOOD = config_map("settings", level="INFO")
BAD: dict[str, tuple[Any, list[str]]] = {
    "misspelt field": (
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"prots": [{"port": 80}]}},
        ["Service", "spec", "prots", "ports"],
    ),
    "wrong type": (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "numbers"}, "data": {"port": 80}},
        ["ConfigMap", "numbers", "data.port"],
    ),
    "two of one name": (config_map("settings", level="DEBUG"), ["settings"]),
    "another namespace": (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "far", "namespace": "no-such-place"}},
        ["no-such-place", "Namespace"],
    ),
    "no base64": (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"password": "not base64!"}},
        ["Secret", "login", "data.password", "base64"],
    ),
    "unknown kind": (
        {"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "shop"}},
        ["Shop", "example.com/v1"],
    ),
    "duplicate key": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: '1'\n  a: '2'\n",
        ["line 6", "'a'"],
    ),
    "no YAML": ("apiVersion: v1\n  kind: [\n", ["line 2"]),
}


def refused(kube: Kube, folder: Path, namespace: str, options: dict[str, Any], module: str = "release") -> str:
    """Call the module, which must fail and leave nothing behind; return its message."""
    told = call(kube, folder, module, {"name": "web", "namespace": namespace, "timeout": 30, **options})
    assert told.failed, told.run.output[-3000:]
    left = kube.kubectl(f"--namespace={namespace}", "get", "configmap,secret,lease,deployment,service", "--output=name")
    assert left.split() == ["configmap/kube-root-ca.crt"], left
    return told.message


def test_bad_objects(kube: Kube, namespace: str, folder: Path) -> None:
    for name, (bad, words) in BAD.items():
        message = refused(kube, folder / name, namespace, {"manifests": [GOOD, bad]})
        missing = [word for word in words if word not in message]
        assert not missing, f"{name}: {missing} is not in: {message}"
        assert "not base64!" not in message


def test_all_problems_come_in_one_list(kube: Kube, namespace: str, folder: Path) -> None:
    both = [BAD["no base64"][0], BAD["wrong type"][0]]
    message = refused(kube, folder, namespace, {"manifests": [GOOD, *both]})
    assert "data.password" in message and "data.port" in message


def test_a_template_that_fails_names_its_file_and_line(
    kube: Kube, namespace: str, folder: Path, tmp_path: Path
) -> None:
    template = tmp_path / "web.yml.j2"
    template.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ no_such_variable }}\n")
    message = refused(kube, folder, namespace, {"templates": [str(template)]})
    assert "web.yml.j2" in message and "line 4" in message and "no_such_variable" in message


def test_a_misspelt_field_of_a_compact_description(kube: Kube, namespace: str, folder: Path) -> None:
    options = {"image": kube.agnhost, "resources": {"requets": {"cpu": "1"}}}
    message = refused(kube, folder, namespace, options, "app")
    assert "resources.requets" in message and "requests" in message


def test_who_may_not_is_told_what(kube: Kube, namespace: str, folder: Path) -> None:
    options = {"manifests": [workload(kube.agnhost)], "impersonate_user": "bob"}
    message = refused(kube, folder, namespace, options)
    assert "bob" in message and namespace in message


def test_a_server_that_does_not_answer(kube: Kube, namespace: str, folder: Path) -> None:
    config = yaml.safe_load(kube.kubeconfig.read_text())
    host = config["clusters"][0]["cluster"]["server"].rpartition(":")[0]
    message = refused(kube, folder, namespace, {"manifests": [GOOD], "host": f"{host}:9"})
    assert f"{host}:9" in message and "does not answer" in message


def test_a_token_that_is_not_known(kube: Kube, namespace: str, folder: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(kube.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "nobody-knows-this-one"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    message = refused(kube, folder, namespace, {"manifests": [GOOD], "kubeconfig": str(path)})
    assert "token" in message and "nobody-knows-this-one" not in message
