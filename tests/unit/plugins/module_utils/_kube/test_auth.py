# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster and as whom: what goes before what, what is refused, and that no secret is shown."""

from __future__ import annotations

import base64
import builtins
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.slipway.kube.plugins.doc_fragments.auth import ModuleDocFragment
from ansible_collections.slipway.kube.plugins.module_utils._kube import auth, kubeconfig, x509
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials, KubeconfigError, merge

CANARY = "c4n4ry-token"
ROOT = Path(__file__).resolve().parents[5]


def no_program(_name: str) -> None:
    """There is no program."""


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig of this machine, and no variable."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(auth, "ADMIN", str(tmp_path / "admin.conf"))
    monkeypatch.setattr(auth, "ACCOUNT", str(tmp_path / "account"))


def config(server: str = "https://10.0.0.1:6443", **user: Any) -> dict[str, Any]:
    """A kubeconfig."""
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }


def written(path: Path, content: dict[str, Any]) -> str:
    """Write a kubeconfig as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


def found(**params: Any) -> Credentials:
    """Credentials that some options give, as the module's specification reads them."""
    checked = ArgumentSpecValidator(auth.AUTH_OPTIONS).validate(params)
    assert not checked.error_messages
    return auth.credentials(checked.validated_parameters, no_program)


def test_the_options_are_documented_as_they_are_taken() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]

    def compare(specified: dict[str, Any], told: dict[str, Any]) -> None:
        assert set(specified) == set(told)
        for name, option in specified.items():
            assert option["type"] == told[name]["type"], name
            assert option.get("aliases") == told[name].get("aliases"), name
            assert option.get("elements") == told[name].get("elements"), name
            for variable in option.get("fallback", (None, []))[1]:
                assert f"E({variable})" in str(told[name]["description"]), name
            if "options" in option:
                compare(option["options"], told[name]["suboptions"])

    compare(auth.AUTH_OPTIONS, documented)


def test_the_options_are_those_of_kubernetes_core() -> None:
    # It comes with the package `ansible`, which the matrix of ansible-core versions does not install.
    core = pytest.importorskip("ansible_collections.kubernetes.core.plugins.module_utils.args_common")
    assert set(auth.AUTH_OPTIONS) == set(core.AUTH_ARG_SPEC)
    for name, option in core.AUTH_ARG_SPEC.items():
        assert set(option.get("aliases", [])) == set(auth.AUTH_OPTIONS[name].get("aliases", [])), name


def test_each_place_goes_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KubeconfigError, match="No cluster is configured"):
        found()
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(CANARY + "\n")
    (account / "ca.crt").write_text("CA")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert (found().server, found().token, found().authority) == ("https://[fd00::1]:443", CANARY, b"CA")
    written(Path(auth.ADMIN), config("https://admin:6443"))
    assert found().server == "https://admin:6443"
    written(tmp_path / "home/.kube/config", config("https://home:6443"))
    assert found().server == "https://home:6443"
    monkeypatch.setenv("KUBECONFIG", written(tmp_path / "variable", config("https://variable:6443")))
    assert found().server == "https://variable:6443"
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", written(tmp_path / "theirs", config("https://theirs:6443")))
    assert found().server == "https://theirs:6443"
    option = written(tmp_path / "option", config("https://option:6443", token="t"))
    assert found(kubeconfig=option).server == "https://option:6443"
    assert found(kubeconfig=config("https://mapping:6443")).server == "https://mapping:6443"
    both = found(kubeconfig=option, host="https://host:6443/", api_key="Bearer mine")
    assert (both.server, both.token) == ("https://host:6443", "mine")
    monkeypatch.delenv("K8S_AUTH_KUBECONFIG")
    assert found(host="https://host:6443").token == ""


def test_variables_of_kubernetes_core_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOST": "http://h:1",
        "API_KEY": CANARY,
        "VERIFY_SSL": "no",
        "IMPERSONATE_USER": "bob",
        "IMPERSONATE_GROUPS": "a,b",
        "PROXY_HEADERS_USER_AGENT": "me/1",
    }.items():
        monkeypatch.setenv("K8S_AUTH_" + name, value)
    result = found()
    assert (result.server, result.token, result.verify) == ("http://h:1", CANARY, False)
    assert result.headers == (
        ("Impersonate-User", "bob"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("User-Agent", "me/1"),
    )
    assert result.whom == "the owner of the given token (as bob)"


def test_several_kubeconfigs_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"current-context": "", "users": [{"name": "u", "user": {"token": "first"}}]}
    paths = [written(tmp_path / "a", first), str(tmp_path / "none"), written(tmp_path / "b", config(token="second"))]
    monkeypatch.setenv("KUBECONFIG", ":".join(paths))
    assert found().token == "first"
    assert merge([config("a"), config("b")])["clusters"] == config("a")["clusters"]


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    content = config(**{"client-certificate": "me.crt", "client-key": "/nowhere/me.key"})
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca/ca.crt"
    path = written(tmp_path / "deep/config", content)
    for name in ("ca/ca.crt", "me.crt"):
        (tmp_path / "deep" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "deep" / name).write_text(name)
    with pytest.raises(KubeconfigError, match=r"client-key in /nowhere/me.key cannot be read: No such file"):
        found(kubeconfig=path)
    content["users"][0]["user"]["client-key"] = "me.crt"
    written(tmp_path / "deep/config", content)
    result = found(kubeconfig=path)
    assert (result.authority, result.certificate, result.key) == (b"ca/ca.crt", b"me.crt", b"me.crt")


def test_a_given_proof_replaces_that_of_the_kubeconfig(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"PEM").decode()
    path = written(tmp_path / "c", config(**{"client-certificate-data": encoded, "client-key-data": encoded}))
    assert found(kubeconfig=path).certificate == b"PEM"
    assert found(kubeconfig=path, api_key="t").certificate == b""
    login = found(kubeconfig=path, username="me", password="p")
    assert (login.certificate, login.username, login.password) == (b"", "me", "p")
    (tmp_path / "mine").write_text("MINE")
    mine = found(kubeconfig=path, cert_file=str(tmp_path / "mine"), key_file=str(tmp_path / "mine"))
    assert (mine.certificate, mine.key, mine.token) == (b"MINE", b"MINE", "")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"kubeconfig": "/nowhere/config"}, "The kubeconfig /nowhere/config does not exist on this host"),
        ({"host": "10.0.0.1:6443"}, "host '10.0.0.1:6443' is not a URL"),
        ({"host": "http://h", "client_cert": "/etc/hosts"}, "must be set together"),
        ({"host": "http://h", "impersonate_groups": ["a"]}, "without a user to impersonate"),
        (
            {"host": "http://h", "proxy": f"https://me:{CANARY}@p:1"},
            "The proxy p is not supported: only http:// and socks5:// proxies are",
        ),
        ({"kubeconfig": config(token=CANARY), "context": "other"}, "no context named 'other'. It has: c"),
    ],
)
def test_what_cannot_be_is_refused(params: dict[str, Any], told: str) -> None:
    with pytest.raises(KubeconfigError, match=told) as caught:
        found(**params)
    assert CANARY not in str(caught.value)


def test_a_broken_kubeconfig_is_told_by_its_line_and_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"users:\n- user: {{token: {CANARY}\n  x: [")
    with pytest.raises(KubeconfigError, match="config, line 3: ") as caught:
        found(kubeconfig=str(path))
    assert CANARY not in str(caught.value) and caught.value.__suppress_context__
    path.write_text('{"users": ')
    with pytest.raises(KubeconfigError, match="is not a valid kubeconfig"):
        found(kubeconfig=str(path))


def test_kubectl_reads_it_where_python_has_no_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "config", config(token="from kubectl"))
    real = builtins.__import__

    def without_yaml(name: str, *rest: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    monkeypatch.delitem(sys.modules, "yaml")
    with pytest.raises(KubeconfigError, match="neither PyYAML nor kubectl"):
        auth.credentials({"kubeconfig": path}, no_program)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\ncat <<'E'\n{json.dumps(config(token='from kubectl'))}\nE\n")
    kubectl.chmod(0o755)
    assert auth.credentials({"kubeconfig": path}, lambda name: str(tmp_path / name)).token == "from kubectl"
    (tmp_path / "json").write_text(json.dumps(config(token="from json")))
    assert auth.credentials({"kubeconfig": str(tmp_path / "json")}, no_program).token == "from json"


MODULES = ("manifest", "release", "release_info", "rollout", "health_info")


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("wrong", [{}, {"no_such_option": 1}])
def test_no_module_shows_or_logs_what_is_secret_in_a_kubeconfig(
    name: str, wrong: dict[str, Any], tmp_path: Path
) -> None:
    content = config(token=CANARY, username="admin", exec=None)
    # Not sent anywhere: this is no certificate.
    content["clusters"][0]["cluster"]["certificate-authority-data"] = "bm90aGluZw=="
    content["users"].append({"name": "v", "user": {"exec": {"env": [{"name": "A", "value": CANARY + "-too"}]}}})
    given = {
        "kubeconfig": content,
        "api_key": CANARY + "-three",
        "name": "x",
        "namespace": "x",
        "kind": "Deployment",
        **wrong,
    }
    given.update(
        {"manifest": {"objects": []}, "release": {"_payload": CANARY}, "rollout": {"action": "status"}}.get(name, {})
    )
    given = {key: value for key, value in given.items() if name != "manifest" or key not in ("name", "kind")}
    given = {key: value for key, value in given.items() if name == "rollout" or key != "kind"}
    if name == "health_info":
        given.pop("name"), given.pop("namespace")
    program = (
        "import sys, json, syslog\nsys.path[:0] = {!r}\nsys.modules.update({{}})\n"
        "logged = []\nsyslog.syslog = lambda *parts: logged.append(str(parts))\n"
        "from ansible.module_utils import basic\nbasic.has_journal = False\nbasic._ANSIBLE_ARGS = {!r}\nbasic._ANSIBLE_PROFILE = 'legacy'\n"
        "import conftest\nfrom importlib import import_module\n"
        "try:\n    import_module('ansible_collections.slipway.kube.plugins.modules.{}').main()\n"
        "finally:\n    print('LOGGED', logged)\n"
    ).format([str(ROOT / "tests/unit"), *sys.path], json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode(), name)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert '"failed": true' in done.stdout, done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert ("no_such_option" in done.stdout) is bool(wrong)


def test_only_values_that_are_secret_are_hidden() -> None:
    assert auth.secrets({"kubeconfig": config(token=CANARY, username="admin", password="pw")}) == {CANARY, "pw"}
    kept = {
        "id-token": "id",
        "refresh-token": "again",
        "client-secret": "app",
        "client-id": "kubernetes",
        "idp-issuer-url": "https://idp",
    }
    provider = {"auth-provider": {"name": "oidc", "config": kept}}
    assert auth.secrets({"kubeconfig": config(**provider)}) == {"id", "again", "app"}
    assert auth.secrets({"kubeconfig": "/a/path"}) == set() == auth.secrets({"kubeconfig": {"users": ["x"]}})


@pytest.mark.parametrize("days", [3, 20000])
def test_the_end_of_a_certificate_is_read(make_certificate: Callable[[int], Any], days: int) -> None:
    pair = make_certificate(days)
    end = x509.certificate_end(pair.certificate.read_bytes())
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(pair.certificate)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
    assert end is not None and time.strftime("%b %e %H:%M:%S %Y GMT", time.gmtime(end)) == told
    assert x509.certificate_end(b"no certificate") is None
    assert x509.certificate_end(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----") is None


def token(claims: Any) -> str:
    """A JSON web token."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.sig"


def test_what_has_ended_is_refused_before_anything_is_sent(make_certificate: Callable[[int], Any]) -> None:
    pem = make_certificate(3).certificate.read_bytes()
    old = Credentials("https://h", certificate=pem, user="admin")
    old.check_age()
    with pytest.raises(KubeconfigError, match="The client certificate of user 'admin' for https://h expired on 20"):
        old.check_age(time.time() + 4 * 86400)
    assert kubeconfig.token_end(token({"exp": 1000})) == 1000
    assert [kubeconfig.token_end(text) for text in ("opaque", token({}), token([]), "a.b.c")] == [None] * 4
    with pytest.raises(
        KubeconfigError, match="The token of the owner of the given token for https://h expired on 1970-01-01 00:16 UTC"
    ):
        auth.connect({"host": "https://h", "api_key": token({"exp": 1000})}, no_program)


@pytest.mark.parametrize(
    ("host", "no_proxy", "result"),
    [
        ("10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1", "localhost, 10.0.0.1", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "example.com", True),
        ("notexample.com", "example.com", False),
        ("api.example.com", "", False),
        ("api.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("api.example.com", "API.Example.com", True),
        ("x", "*", True),
        ("11.0.0.1", "10.0.0.0/8", False),
    ],
)
def test_some_hosts_are_spared_the_proxy(host: str, no_proxy: str, result: bool) -> None:
    assert auth.bypasses_proxy(host, no_proxy) is result
    given = found(host=f"http://{host}:1", proxy="http://p:3128", no_proxy=no_proxy)
    assert given.proxy == ("" if result else "http://p:3128")


@pytest.mark.parametrize(
    ("host", "environment", "proxy"),
    [
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example:6443", {"https_proxy": "p:3128"}, "http://p:3128"),
        ("https://api.example:6443", {"HTTPS_PROXY": "socks5://p"}, "socks5://p"),
        ("https://api.example:6443", {"HTTP_PROXY": "http://p:3128"}, ""),
        ("http://api.example:8080", {"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128", "no_proxy": ".example"}, ""),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "api.example:6443"}, ""),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "api.example:443"}, "http://p:3128"),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "[fd00::1]:6443"}, ""),
    ],
)
def test_the_proxy_of_the_environment(
    host: str, environment: dict[str, str], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert found(host=host).proxy == proxy


def test_a_control_plane_needs_no_proxy_for_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts behind a proxy have it in /etc/environment, often without the addresses of the cluster in NO_PROXY."""
    monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
    monkeypatch.setattr(auth, "_from_kubeconfig", lambda params, _find: Credentials(server="https://10.0.0.1:6443"))
    assert found(kubeconfig="/etc/kubernetes/admin.conf").proxy == ""
    assert found(kubeconfig="/home/me/.kube/config").proxy == "http://p:3128"
    # Without the option, the same file is the default there.
    for default, proxy in (("/etc/kubernetes/admin.conf", ""), ("/root/.kube/config", "http://p:3128")):
        monkeypatch.setattr(auth, "_default_paths", lambda default=default: [default])
        assert found().proxy == proxy
    assert found(host="https://10.0.0.1:6443").proxy == "http://p:3128"


def test_options_and_the_kubeconfig_precede_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"https://me:{CANARY}@other:1")
    assert found(host="https://h:1", proxy="http://p:1").proxy == "http://p:1"
    assert found(host="https://h:1", no_proxy="h", proxy="http://p:1").proxy == ""
    with pytest.raises(
        KubeconfigError, match="The proxy other of the environment variable HTTPS_PROXY is not"
    ) as caught:
        found(host="https://h:1")
    assert CANARY not in str(caught.value)
