# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of source is read, and all problems are reported together, with file and line."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from ansible_collections.slipway.kube.plugins.plugin_utils.sources import programs
from ansible_collections.slipway.kube.plugins.plugin_utils.sources.reader import Reader, Sources

Write = Callable[[str, str], Path]
Read = Callable[..., Sources]
CANARY = "c4n4ry-of-a-value"


def thing(name: str, kind: str = "ConfigMap", **more: Any) -> dict[str, Any]:
    """Return an object."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


@pytest.fixture
def read(make_action: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return what reads sources beside a playbook in the temporary folder."""
    monkeypatch.chdir(tmp_path)
    variables: dict[str, Any] = {"ansible_search_path": [str(tmp_path)], "color": "blue"}
    return lambda **options: Reader(make_action(), variables, "shop", "web").read(options)


def names(sources: Sources) -> list[str]:
    """Return the names of the objects, in order."""
    return [content["metadata"]["name"] for content in sources.objects]


def test_inline_objects_and_texts(read: Read) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {at: 2020-01-01}}\n---\n" + json.dumps(
        thing("c")
    )
    found = read(
        manifests=[thing("a"), text, [thing("d")], {"apiVersion": "v1", "kind": "List", "items": [thing("e")]}]
    )
    assert names(found) == ["a", "b", "c", "d", "e"]
    assert found.objects[1]["metadata"]["annotations"] == {"at": "2020-01-01"}


def test_files_folders_and_patterns_in_the_order_of_their_names(read: Read, write: Write) -> None:
    for name in (
        "files/app/2.yml",
        "files/app/1.yaml",
        "files/app/sub/3.json",
        "files/app/.hidden.yml",
        "files/app/README.md",
    ):
        write(name, json.dumps(thing(Path(name).stem.replace(".", ""))))
    write("other/x1.yml", json.dumps(thing("x1")))
    write("other/x2.yml", json.dumps(thing("x2")))
    assert names(read(files=["app"])) == ["1", "2", "3"]
    assert names(read(files=["other/x*.yml", "app/2.yml"])) == ["x1", "x2", "2"]


def test_an_encrypted_file_is_read(make_action: Callable[..., Any], write: Write) -> None:
    secret = VaultSecret(b"open")
    text = VaultLib([("default", secret)]).encrypt(json.dumps(thing("hidden")), secret).decode()
    action = make_action()
    action._loader.set_vault_secrets([("default", secret)])
    write("s.yml", text)
    assert names(Reader(action, {}, "shop", "web").read({"files": ["s.yml"]})) == ["hidden"]


def test_templates_take_variables(read: Read, write: Write) -> None:
    write("templates/a.yml.j2", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a-{{ color }}\n")
    assert names(read(templates=["a.yml.j2", {"path": "templates/a.yml.j2", "variables": {"color": "red"}}])) == [
        "a-blue",
        "a-red",
    ]


def test_everything_that_is_wrong_is_told_at_once(read: Read, write: Write) -> None:
    write("twice.yml", "a: 1\na: 2\n")
    write("broken.yml", "a: [\n")
    write("t.yml.j2", "kind: x\nb: {{ nothing }}\n")
    write("k/kustomization.yaml", "resources: []\n")
    with pytest.raises(InputError) as caught:
        read(
            files=["twice.yml", "broken.yml", "none.yml", "none/*.yml", "k"],
            templates=["t.yml.j2", {"pth": "x"}],
            manifests=["a: b: c"],
        )
    told = caught.value.problems
    assert len(told) == 8
    for sign in (
        "manifests[1], line 1",
        "twice.yml, line 2: duplicate key 'a', already in line 1",
        "broken.yml, line 2",
        "none.yml: no such file",
        "none/*.yml: no file matches",
        "Use 'kustomize'",
        "t.yml.j2, line 2: template error: 'nothing' is undefined",
        "templates[2]: must be a path, or a mapping with 'path' and 'variables' (a mapping); unknown: pth",
    ):
        assert any(sign in problem for problem in told), (sign, told)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("just text\n", "m.yml, line 1: must be an object, not a string."),
        ("kind: ConfigMap\nmetadata: {name: a}\n", "ConfigMap a: apiVersion is required."),
        ("apiVersion: 1\nkind: ConfigMap\nmetadata: {name: a}", "apiVersion must be a string, not a number"),
        ("apiVersion: v1\nkind: ConfigMap\n", "metadata.name is required."),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", "generateName is not supported"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 5}\n",
            "metadata.name must be a string, not a number. Enclose it in quotes.",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {on: yes}}\n",
            "metadata.labels.true must be a string, not a boolean",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {port: 80}\n",
            "data.port must be a string, not a number.",
        ),
        (
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\ndata: {{password: {CANARY}}}\n",
            "Secret a: data.password is not base64.",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 123456}\n",
            "stringData.pin must be a string, not a number",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {slipway.kube/hook: pre}}\n",
            "is supported only by a Job",
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {slipway.kube/hook: before}}\n",
            "one of pre, post",
        ),
    ],
)
def test_what_no_object_can_be_is_refused(read: Read, write: Write, content: str, told: str) -> None:
    write("m.yml", content)
    with pytest.raises(InputError) as caught:
        read(files=["m.yml"])
    assert told in str(caught.value)
    assert CANARY not in str(caught.value)


def test_two_of_one_name_are_told_with_both_places(read: Read, write: Write) -> None:
    write("a.yml", json.dumps(thing("same")))
    write("b.yml", "# a comment\n\n" + json.dumps(thing("same", metadata={"name": "same", "namespace": "web"})))
    with pytest.raises(
        InputError, match=r"b.yml, line 3: ConfigMap same is already defined in a.yml, line 1. Keep one of them."
    ):
        read(files=["a.yml", "b.yml"])
    write("b.yml", json.dumps(thing("same", metadata={"name": "same", "namespace": "other"})))
    assert names(read(files=["a.yml", "b.yml"])) == ["same", "same"]


def test_hooks_are_told_from_objects(read: Read) -> None:
    job = thing("migrate", "Job", metadata={"name": "migrate", "annotations": {"slipway.kube/hook": "pre"}})
    found = read(manifests=[thing("a"), job])
    assert (names(found), [hook["metadata"]["name"] for hook in found.hooks["pre"]], found.hooks["post"]) == (
        ["a"],
        ["migrate"],
        [],
    )


def hook(kind: str, events: str, **more: Any) -> dict[str, Any]:
    """A hook of a chart."""
    return thing("x", kind, metadata={"name": "x", "annotations": {"helm.sh/hook": events}}, **more)


def test_hooks_of_several_events_share_a_name(read: Read) -> None:
    account = hook("ServiceAccount", "pre-install,post-delete")
    install, upgrade = hook("ConfigMap", "pre-install", data={"a": "1"}), hook("ConfigMap", "pre-upgrade")
    jobs = [hook("Job", "pre-install"), hook("Job", "pre-upgrade"), hook("Job", "post-delete")]
    found = read(manifests=[thing("a"), account, install, upgrade, *jobs])
    kinds = {when: [one["kind"] for one in some] for when, some in found.hooks.items() if some}
    assert kinds == {
        "pre": ["ServiceAccount", "ConfigMap", "ConfigMap", "Job", "Job"],
        "post-delete": ["ServiceAccount", "Job"],
    }
    for first, second in (
        (install, hook("ConfigMap", "pre-upgrade,pre-install")),
        (thing("x"), install),
        (install, hook("ConfigMap", "crd-install")),
    ):
        with pytest.raises(InputError, match=r"manifests\[2\]: ConfigMap x is already defined in manifests\[1\]"):
            read(manifests=[first, second])


# --- kustomize and helm: stand-ins for the programs record their arguments and input ---------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Return what adds a program to the PATH that records its call and prints a text."""

    def put(name: str, answer: str, status: int = 0, said: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "answer").write_text(answer)
        (folder / "said").write_text(said)
        path = folder / name
        path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/arguments\ncat > {folder}/input\nenv > {folder}/environment\n'
            f"cat {folder}/said >&2\ncat {folder}/answer\nexit {status}\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return put


CHART = """---
# Source: shop/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
# Source: shop/templates/hooks.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: late, annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "5"}}
---
# Source: shop/templates/hooks.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: early, annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-weight: "-5"}}
---
# Source: shop/templates/hooks.yaml
apiVersion: v1
kind: ServiceAccount
metadata: {name: late-account, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "5"}}
---
# Source: shop/templates/hooks.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: end, annotations: {helm.sh/hook: post-install}}
---
# Source: shop/templates/tests.yaml
apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
---
# Source: shop/templates/delete.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: gone, annotations: {helm.sh/hook: post-delete}}
"""


def test_a_chart_gets_its_values_through_standard_input(read: Read, write: Write, program: Callable[..., Path]) -> None:
    folder = program("helm", CHART)
    write("files/shop/Chart.yaml", "name: shop")
    write("values/one.yml", "db: {user: u, password: p}\nsize: 1\n")
    write("values/two.yml", "db: {password: q}\nsize: 2\n")
    found = read(
        helm={
            "chart": "shop",
            "values_files": ["values/one.yml", "values/two.yml"],
            "values": {"db": {"password": CANARY}},
            "api_versions": ["monitoring.coreos.com/v1"],
            "kube_version": "1.36.3",
        }
    )
    assert json.loads((folder / "input").read_text()) == {"db": {"user": "u", "password": CANARY}, "size": 2}
    assert CANARY not in (folder / "arguments").read_text() + (folder / "environment").read_text()
    arguments = (folder / "arguments").read_text().split("\n")
    assert arguments[:2] == ["template", "shop"] and arguments[2].endswith("files/shop")
    assert "--include-crds" in arguments and arguments[arguments.index("--namespace") + 1] == "web"
    assert arguments[arguments.index("--api-versions") + 1] == "monitoring.coreos.com/v1"
    assert names(found) == ["a"]
    assert [hook["metadata"]["name"] for hook in found.hooks["pre"]] == ["early", "late-account", "late"]
    assert [hook["metadata"]["name"] for hook in found.hooks["post"]] == ["end"]
    assert [hook["metadata"]["name"] for hook in found.hooks["post-delete"]] == ["gone"]
    assert found.warnings == []


def test_helm_tells_why_it_refuses_without_the_values(read: Read, write: Write, program: Callable[..., Path]) -> None:
    write("shop/Chart.yaml", "name: shop")
    program(
        "helm",
        "",
        1,
        f"level=WARN x\nError: template: shop/templates/a.yaml:7:3: bad value {CANARY}\n\nUse --debug flag",
    )
    with pytest.raises(InputError) as caught:
        read(helm={"chart": "shop", "values": {"database": {"credentials": [CANARY]}}})
    assert "helm failed: template: shop/templates/a.yaml:7:3: bad value ********" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_what_a_chart_makes_wrong_names_its_template(read: Read, write: Write, program: Callable[..., Path]) -> None:
    write("shop/Chart.yaml", "name: shop")
    program("helm", "---\n# Source: shop/templates/x.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {}\n")
    with pytest.raises(InputError, match=r"shop/templates/x.yaml: ConfigMap: metadata.name is required"):
        read(helm={"chart": "shop"})


def test_the_log_of_kustomize_is_no_message(read: Read, write: Write, program: Callable[..., Path]) -> None:
    write("k/kustomization.yaml", "resources: []")
    said = "# Warning: 'bases' is deprecated.\n2026/11/29 10:20:30 error: accumulating resources: no such file x.yaml\n"
    program("kubectl", "", 1, said)
    with pytest.raises(InputError) as caught:
        read(kustomize="k")
    assert str(caught.value).endswith(
        "k: kustomize failed: accumulating resources: no such file x.yaml [slipway:program_failed]"
    )


def test_items_of_a_typed_list_need_no_kind(read: Read) -> None:
    item = {"metadata": {"name": "a"}, "data": {"x": "1"}}
    (content,) = read(manifests=[{"apiVersion": "v1", "kind": "ConfigMapList", "items": [item]}]).objects
    assert content == {"apiVersion": "v1", "kind": "ConfigMap", **item}


def test_kustomize_comes_before_kubectl(read: Read, write: Write, program: Callable[..., Path]) -> None:
    write("k/kustomization.yaml", "resources: []")
    folder = program("kubectl", json.dumps(thing("b")))
    assert names(read(kustomize="k")) == ["b"]
    assert (folder / "arguments").read_text().split() == ["kustomize", str(folder.parent / "k")]
    program("kustomize", json.dumps(thing("a")))
    assert names(read(kustomize="k")) == ["a"]
    assert (folder / "arguments").read_text().split() == ["build", str(folder.parent / "k")]


def test_a_program_that_is_not_there_is_named(read: Read, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("k/kustomization.yaml", "resources: []")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError) as caught:
        read(kustomize="k", helm={"chart": "k"})
    assert "neither kustomize nor kubectl" in str(caught.value) and "helm is not installed" in str(caught.value)


def test_values_are_merged_as_helm_does() -> None:
    first = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    then = {"a": {"c": [3], "e": None}, "d": {"x": 1}}
    assert programs.merge_values(first, then) == {"a": {"b": 1, "c": [3], "e": None}, "d": {"x": 1}}
    assert first == {"a": {"b": 1, "c": [1, 2]}, "d": 1}
