# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module app: it sorts arguments, reads files, passes objects to the release, and masks what it shows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.slipway.kube.plugins.action import app
from ansible_collections.slipway.kube.plugins.modules import app as app_module
from ansible_collections.slipway.kube.plugins.modules import release as release_module
from ansible_collections.slipway.kube.plugins.plugin_utils.app import files
from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

WEB = {"name": "web", "namespace": "shop", "image": "web:1"}


class Action(app.ActionModule):
    """The action without a task executor around it."""

    def __init__(self, arguments: dict[str, Any], folder: Path) -> None:
        self._task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False)
        self._loader = DataLoader()
        self._loader.set_basedir(str(folder))
        self.folder = folder
        self.sent: dict[str, Any] = {}

    def _find_needle(self, dirname: str, needle: str) -> str:
        from ansible.errors import AnsibleError

        path = self.folder / dirname / needle
        if not path.exists():
            raise AnsibleError(f"no {needle}")
        return str(path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return what runs the action; C(sent) is what it would pass to the release."""

    def act(**arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        action = Action(arguments, tmp_path)

        def run_release(caller, task_vars, wanted, objects, hooks):
            action.sent.update(wanted=wanted, objects=objects, hooks=hooks)
            return {"changed": True, "warnings": ["from the release"]}

        monkeypatch.setattr(app, "run_release", run_release)
        monkeypatch.setattr(app.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
        return action.run(task_vars={}), action.sent

    return act


def test_a_description_becomes_a_release(run) -> None:
    result, sent = run(**WEB, ports={"http": 80}, timeout="100", wait="yes", kubeconfig="/k", prune=False)
    assert result["changed"] and result["warnings"][-1] == "from the release"
    assert result["warnings"][0].startswith("resources.requests:")
    # What was not said is left to the release's own defaults.
    assert sent["wanted"] == {
        "name": "web",
        "namespace": "shop",
        "timeout": 100,
        "wait": True,
        "prune": False,
        "kubeconfig": "/k",
    }
    assert [content["kind"] for content in sent["objects"]] == ["ServiceAccount", "Service", "Deployment"]
    assert sent["objects"][-1]["spec"]["progressDeadlineSeconds"] == 90
    assert sent["hooks"] == {"pre": [], "post": []}


def test_absence_needs_a_name_only(run) -> None:
    result, sent = run(name="web", namespace="shop", state="absent", replicas=3)
    assert (sent["objects"], sent["wanted"]["state"], result["changed"]) == ([], "absent", True)
    result, sent = run(state="absent", name="web")
    assert result["failed"] and "- namespace: is required." in result["msg"] and not sent


def test_everything_that_is_wrong_is_told_before_anything_is_sent(run) -> None:
    result, sent = run(**WEB, timeout="soon", ingres={}, host="web.example.com", replica=2, args="x")
    assert result["failed"] and not sent
    assert result["msg"].startswith("The description of the application web is invalid [slipway:app_description]:\n- ")
    problems = [problem.replace("<class 'str'>", "str") for problem in result["problems"]]  # ansible-core before 2.19
    assert [problem.partition(":")[0] for problem in problems] == [
        "ingres",
        "replica",
        "host",
        "argument 'timeout' is of type str and we were unable to convert to int",
        "args",
    ]


def test_only_rendered(run) -> None:
    result, sent = run(**WEB, env={"A": "1"}, secret_env={"P": "CANARY"}, render_only=True)
    assert not sent and result["changed"] is False
    secret = next(content for content in result["manifests"] if content["kind"] == "Secret")
    assert secret["data"] == {"P": "********"} and secret["metadata"]["name"].startswith("web-env-")
    coded = base64.b64encode(b"CANARY").decode()
    assert "CANARY" not in json.dumps(result) and coded not in json.dumps(result)


def test_a_canary_is_rendered_with_the_hooks(run) -> None:
    result, _sent = run(**WEB, ports={"http": 80}, strategy="Canary", render_only=True)
    assert [one["metadata"]["name"] for one in result["hooks"]["canary"]] == ["web-canary"]
    documented = yaml.safe_load(app_module.RETURN)["hooks"]["description"]
    assert "canary" in documented


def test_files_of_the_control_node(run, tmp_path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "app.conf").write_text("level=INFO\n")
    (tmp_path / "files" / "logo").write_bytes(b"\xff\x00")
    _result, sent = run(
        **WEB,
        config_files={"/etc/app.conf": {"src": "app.conf"}, "/etc/logo": {"src": "logo"}},
        secrets={"key": {"tls.key": {"src": "app.conf"}}},
        init={"x": {"command": ["x"], "secret_files": {"/etc/x": {"src": "logo"}}}},
    )
    data = {content["metadata"]["name"].rpartition("-")[0]: content for content in sent["objects"]}
    assert data["web-files"]["data"] == {"app.conf": "level=INFO\n"}
    assert base64.b64decode(data["web-files"]["binaryData"]["logo"]) == b"\xff\x00"
    assert base64.b64decode(data["key"]["data"]["tls.key"]) == b"level=INFO\n"
    assert base64.b64decode(data["web-x-files"]["data"]["x"]) == b"\xff\x00"


def test_files_that_are_not_there_are_all_named(run, tmp_path) -> None:
    (tmp_path / "files" / "folder").mkdir(parents=True)
    result, sent = run(
        **WEB,
        config_files={"/etc/a": {"src": "nope"}, "/etc/b": {"src": "folder"}},
        config_maps={"c": {"k": {"template": "nope.j2"}}},
    )
    assert not sent
    assert [problem.partition(": ")[0] for problem in result["problems"]] == [
        "config_files[/etc/a]",
        "config_files[/etc/b]",
        "config_maps.c.k",
    ]
    assert "is a folder. List its files one by one." in result["problems"][1]


def test_a_template_is_rendered_with_the_variables_of_the_task(monkeypatch, tmp_path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text("x")
    seen = []

    def render(action, task_vars, path, text, variables):
        seen.append((task_vars, text))
        return "level=INFO"

    monkeypatch.setattr(files, "render", render)
    spec = read({**WEB, "config_files": {"/etc/a": {"template": "a.j2"}}})
    files.read_files(Action({}, tmp_path), {"who": "me"}, spec)
    assert seen == [({"who": "me"}, "x")]
    config = next(content for content in expand(spec).objects if content["kind"] == "ConfigMap")
    assert config["data"] == {"a": "level=INFO"}


def test_what_a_description_may_not_hold(run) -> None:
    with pytest.raises(InputError, match="payload: unknown field"):
        app.sort_arguments({**WEB, "payload": "x"})


def test_the_values_that_a_release_returns_are_documented() -> None:
    of_release, of_app = (set(yaml.safe_load(module.RETURN)) for module in (release_module, app_module))
    assert of_release - {"generated", "notes"} <= of_app  # these two are about charts
