# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts as helm itself renders them: notes, values that are random, objects that they look up. Skipped where helm is not installed."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials, read_credentials
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import unpack
from ansible_collections.slipway.kube.plugins.plugin_utils import release_runner
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from ansible_collections.slipway.kube.plugins.plugin_utils.sources import charts
from harness.api_server import serving
from harness.origin import cache

HELM = shutil.which("helm", path=f"{os.environ['PATH']}:{cache() / 'programs'}")
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not installed")
SERVED = {"kube_version": "v1.37.2", "api_versions": ["v1", "v1/Secret", "apps/v1", "batch/v1"], "finished": True}
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData:
  user: shop
  password: {{ randAlphaNum 16 }}
  db/url: "postgres://{{ uuidv4 }}"
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop, annotations: {at: "{{ now | unixEpoch }}"}}
data: {upgrade: "{{ .Release.IsUpgrade }}"}
"""
LOOKUP = """apiVersion: v1
kind: ConfigMap
metadata: {name: found}
data: {value: "{{ get ((lookup "v1" "ConfigMap" .Release.Namespace "there").data | default dict) "a" | default "nothing" }}"}
"""


@pytest.fixture
def run(
    make_action: Callable[..., Any], write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Any], dict[str, Any], list[str]]]:
    """Return what runs the action with a chart; it returns the result, the payload and what was shown."""
    monkeypatch.chdir(tmp_path)
    write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")

    def go(*, answer: dict[str, Any] | None = None, auth: Any = None, **helm: Any) -> Any:
        action = make_action(
            name="shop", namespace="web", **(auth or {}), helm={"chart": "shop", "binary_path": HELM, **helm}
        )
        payloads: list[dict[str, Any]] = [{}]
        lines: list[str] = []

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            if module_args.get("_chart_view"):
                return dict(SERVED)
            payloads.append(unpack(module_args["_payload"]))
            return answer or {"changed": True, "finished": True}

        action._execute_module = execute
        monkeypatch.setattr(
            release_runner.display.__class__, "display", lambda _self, text, **_more: lines.append(text)
        )
        result = action.run(task_vars={})
        return result, payloads[-1], lines

    return go


@needs_helm
def test_the_notes_of_a_chart_are_returned_and_their_first_line_is_shown(run: Any, write: Any, tmp_path: Path) -> None:
    write(
        "shop/templates/secret.yaml",
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: "c4n4ry-of-notes"}',
    )
    write(
        "shop/templates/NOTES.txt",
        'Open "https://{{ .Release.Name }}.example.com"\n{{ if .Release.IsInstall }}<p> c4n4ry-of-notes{{ end }}\n',
    )
    result, payload, lines = run()
    assert result["notes"] == 'Open "https://shop.example.com"\n<p> ********'
    assert lines == ['  Notes of the chart: Open "https://shop.example.com" (… see the return value notes)']
    assert [one["kind"] for one in payload["objects"]] == ["Secret"] and not any(payload["hooks"].values())
    assert sorted(path.name for path in (tmp_path / "shop/templates").iterdir()) == ["NOTES.txt", "secret.yaml"]
    result, _payload, lines = run(answer={"changed": False, "finished": True})
    assert result["notes"] and lines == []


@needs_helm
def test_the_notes_show_no_secret_values(run: Any, write: Any) -> None:
    write("shop/templates/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
    write("shop/values.yaml", "db: {rootPassword: c4n4ry-default, port: 5432}\n")
    write(
        "shop/templates/NOTES.txt",
        "{{ .Values.db.rootPassword }} {{ .Values.db.port }} {{ .Values.auth.user }} {{ .Values.auth.apiToken }} {{ .Values.pin.secret }} "
        "{{ .Values.auth.apiToken | b64enc }} {{ .Values.auth.existingSecret }} {{ .Values.tls.secretName }} {{ .Values.license_key }} "
        "{{ range .Values.tokens }}{{ . }}{{ end }} {{ .Release.Name }}",
    )
    values = {
        "auth": {"user": "shopper", "apiToken": "c4n4ry-token", "existingSecret": "shop-auth"},
        "pin": {"secret": 271828},
        "tls": {"secretName": "shop-tls"},
        "license_key": "c4n4ry-key",
        "tokens": ["c4n4ry-list"],
        "password": "shop",
    }
    result, _payload, lines = run(values=values)
    mask = "********"
    assert result["notes"] == f"{mask} 5432 shopper {mask} {mask} {mask} shop-auth shop-tls {mask} {mask} shop"
    assert "c4n4ry" not in str(lines)


@needs_helm
def test_an_archive_is_rendered_like_its_folder(run: Any, write: Any, tmp_path: Path) -> None:
    write("shop/templates/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
    write("shop/templates/NOTES.txt", "hello")
    with tarfile.open(tmp_path / "shop-1.0.0.tgz", "w:gz") as archive:
        archive.add(tmp_path / "shop", "shop")
    shutil.rmtree(tmp_path / "shop")
    result, payload, _lines = run(chart="shop-1.0.0.tgz")
    assert result["notes"] == "hello" and payload["objects"][0]["metadata"]["name"] == "c"
    write("bad.tgz", "this is no archive")
    assert "helm.chart" in run(chart="bad.tgz")[0]["msg"] and "cannot be unpacked" in run(chart="bad.tgz")[0]["msg"]


@needs_helm
def test_what_differs_with_each_rendering_is_kept(run: Any, write: Any) -> None:
    write("shop/templates/all.yaml", SECRET)
    result, payload, _lines = run()
    found = {entry["kind"]: entry for entry in payload["kept"]}
    assert found["Secret"]["fields"] == ["/stringData/password", "/stringData/db~1url"]
    assert found["ConfigMap"]["fields"] == ["/metadata/annotations/at"], "seconds differ as well"
    assert result["generated"] == payload["kept"] and "password" in payload["objects"][0]["stringData"]
    write("shop/templates/all.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
    result, payload, _lines = run()
    assert "generated" not in result and payload["kept"] == []


@needs_helm
def test_what_differs_outside_of_secrets_is_a_warning_that_names_it(run: Any, write: Any) -> None:
    write("shop/templates/all.yaml", SECRET)
    result, _payload, _lines = run()
    (warning,) = result["warnings"]
    assert warning.startswith("chart shop: ") and "ConfigMap shop (/metadata/annotations/at)" in warning
    assert "Secret" not in warning and "password" not in warning
    files = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: files}\n"
        'stringData: {app.conf: "level: info\\npassword: {{ randAlphaNum 9 }}"}\n'
        'data: {b: {{ printf "level: info\\n%s" (randAlphaNum 9) | b64enc }}, '
        'key: {{ (genSelfSignedCert "shop" nil (list (repeat 200 "a") (repeat 200 "b")) 9).Cert | b64enc }}}\n'
    )
    write("shop/templates/all.yaml", files)
    result, _payload, _lines = run()
    assert "Secret files (/stringData/app.conf, /data/b)" in result["warnings"][0], "the level is kept as well"
    webhook = (
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: w}\n"
        'webhooks: [{name: a.example.com, clientConfig: {caBundle: "{{ randAlphaNum 20 | b64enc }}"}}]\n'
    )
    write("shop/templates/all.yaml", webhook)
    result, payload, _lines = run()
    assert payload["kept"] and not result.get("warnings"), "a CA that is kept is what its certificate was issued by"


@needs_helm
def test_a_hook_that_differs_is_a_warning_and_a_name_is_refused(run: Any, write: Any) -> None:
    template = "template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}"
    job = 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: pre-upgrade, at: "{{ randAlpha 9 }}"}}\nspec: {'
    write(
        "shop/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n" + job + template + "}\n"
    )
    result, _payload, _lines = run()
    assert (
        "shop/templates/a.yaml: hook j differs with each rendering, so it runs with each run" in result["warnings"][0]
    )
    write("shop/templates/a.yaml", 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "c-{{ randNumeric 12 }}"}')
    result, payload, _lines = run()
    assert result["failed"] and payload == {}
    assert (
        "shop/templates/a.yaml: ConfigMap c-" in result["msg"] and "another name with each rendering" in result["msg"]
    )


@needs_helm
def test_a_chart_looks_objects_up_where_the_task_wants_it(
    run: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("shop/templates/found.yaml", LOOKUP)
    write("shop/templates/NOTES.txt", "hello")
    monkeypatch.setenv("HELM_KUBEAPISERVER", "http://127.0.0.1:1")
    with serving() as server:
        path = "/api/v1/namespaces/web/configmaps/there"
        server.put(
            path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}, "data": {"a": "live"}}
        )
        auth = {"host": f"http://127.0.0.1:{server.server_port}"}
        result, payload, _lines = run(auth=auth)
        assert payload["objects"][0]["data"] == {"value": "nothing"} and server.asked == []
        result, payload, _lines = run(auth=auth, lookup=True)
        assert payload["objects"][0]["data"] == {"value": "live"} and result["notes"] == "hello"
        assert {line.partition(" ")[0] for line in server.asked} == {"GET"}


def test_a_lookup_needs_the_control_node(run: Any, write: Any, make_action: Any) -> None:
    result, _payload, _lines = run(lookup=True, kube_version="1.37.0")
    assert "helm.kube_version: with helm.lookup" in result["msg"]
    action = make_action()
    action._connection.transport = "ssh"
    with pytest.raises(InputError, match="delegate_to: localhost"):
        release_runner.write_kubeconfig(action, {}, "/nowhere")


def test_the_credentials_of_the_task_become_a_kubeconfig(make_action: Any, tmp_path: Path) -> None:
    arguments = {"host": "https://k8s:6443", "api_key": "c4n4ry", "verify_ssl": False, "impersonate_user": "jane"}
    path = Path(release_runner.write_kubeconfig(make_action(), {**arguments, "name": "shop"}, str(tmp_path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert '"token": "c4n4ry"' in text and '"as": "jane"' in text and '"insecure-skip-tls-verify": true' in text
    given = Credentials(
        "https://k8s:6443", key=b"key", certificate=b"cert", username="u", password="p", proxy="http://p:1"
    )
    there = read_credentials(given.as_kubeconfig(), None, "", None)  # type: ignore[arg-type]
    assert (there.server, there.key, there.certificate, there.proxy) == (given.server, b"key", b"cert", given.proxy)
    assert base64.b64encode(b"key").decode() in str(given.as_kubeconfig())


@pytest.mark.parametrize("name", ["../out", "shop/../../out", "/out"])
def test_an_archive_writes_nothing_beside_its_chart(run: Any, write: Any, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as archive:
        archive.add(write("shop/Chart.yaml", "name: shop"), "shop/Chart.yaml")
        info = tarfile.TarInfo(name)
        archive.addfile(info)
    folder = tmp_path / "place"
    folder.mkdir()
    with pytest.raises(InputError, match="is not a path below the chart"):
        charts.unpacked(str(tmp_path / "bad.tgz"), str(folder))
    assert not (tmp_path / "out").exists()


def test_links_in_an_archive_are_left_out(write: Any, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shop.tgz", "w:gz") as archive:
        archive.add(write("shop/Chart.yaml", "name: shop"), "shop/Chart.yaml")
        link = tarfile.TarInfo("shop/values.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    folder = tmp_path / "place"
    folder.mkdir()
    assert os.listdir(charts.unpacked(str(tmp_path / "shop.tgz"), str(folder))) == ["Chart.yaml"]


def test_a_chart_of_a_repository_is_downloaded_once(run: Any, write: Any, tmp_path: Path) -> None:
    write("remote/templates/c.yaml", "")
    write("remote/Chart.yaml", "name: remote")
    with tarfile.open(tmp_path / "remote-2.tgz", "w:gz") as archive:
        archive.add(tmp_path / "remote", "remote")
    stand_in = (
        '#!/bin/sh\necho "$@" >> {0}/calls\ncase $1 in pull) cp {0}/remote-2.tgz "$4";;\n'
        '*) printf "apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: c}}\\n";; esac\n'
    )
    helm = write("helm", stand_in.format(tmp_path))
    helm.chmod(0o755)
    _result, payload, _lines = run(
        chart="remote", repository="https://charts.example.com", version="2", binary_path=str(helm)
    )
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["pull", "template", "template"]
    assert calls[0].endswith("--repo https://charts.example.com --version 2") and "--repo" not in calls[1]
    assert payload["objects"][0]["metadata"]["name"] == "c"


@pytest.mark.parametrize(
    ("text", "reads"),
    [("{{ now | date }}", True), ('{{ printf "%s" (now) }}', True), ("{{ .Values.known }} now", False), ("", False)],
)
def test_a_chart_that_reads_the_clock(write: Any, tmp_path: Path, text: str, reads: bool) -> None:
    write("c/charts/sub/templates/a.tpl", text)
    assert charts.reads_the_clock(str(tmp_path / "c")) is reads
