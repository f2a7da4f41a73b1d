# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster and credentials from the options that modules share with kubernetes.core (documentation fragment slipway.kube.auth)."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
from typing import Any, Callable, Mapping, NoReturn, Optional, Sequence
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule, env_fallback

from . import credential_plugin
from .api import Client, load_credentials
from .connection import basic_authentication
from .kubeconfig import Credentials, KubeconfigError, check_shape, impersonation, merge, read_credentials, read_file
from .objects import mapping, mappings
from .socks import SCHEMES

FindProgram = Callable[[str], Optional[str]]

ADMIN = "/etc/kubernetes/admin.conf"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def _env(*names: str) -> tuple[Any, list[str]]:
    return (env_fallback, ["K8S_AUTH_" + name for name in names])


# The kubeconfig option and file names are not secret: no_log would mask ordinary words in every result.
# The secret values inside a kubeconfig are masked one by one, see KubeModule.
AUTH_OPTIONS: dict[str, Any] = dict(
    kubeconfig=dict(type="raw", no_log=False, fallback=_env("KUBECONFIG")),
    context=dict(type="str", fallback=_env("CONTEXT")),
    host=dict(type="str", fallback=_env("HOST")),
    api_key=dict(type="str", no_log=True, fallback=_env("API_KEY")),
    username=dict(type="str", fallback=_env("USERNAME")),
    password=dict(type="str", no_log=True, fallback=_env("PASSWORD")),
    client_cert=dict(type="path", aliases=["cert_file"], fallback=_env("CERT_FILE")),
    client_key=dict(type="path", no_log=False, aliases=["key_file"], fallback=_env("KEY_FILE")),
    ca_cert=dict(type="path", aliases=["ssl_ca_cert"], fallback=_env("SSL_CA_CERT")),
    validate_certs=dict(type="bool", aliases=["verify_ssl"], fallback=_env("VERIFY_SSL")),
    proxy=dict(type="str", fallback=_env("PROXY")),
    no_proxy=dict(type="str", fallback=_env("NO_PROXY")),
    proxy_headers=dict(
        type="dict",
        apply_defaults=True,
        options=dict(
            proxy_basic_auth=dict(type="str", no_log=True, fallback=_env("PROXY_HEADERS_PROXY_BASIC_AUTH")),
            basic_auth=dict(type="str", no_log=True, fallback=_env("PROXY_HEADERS_BASIC_AUTH")),
            user_agent=dict(type="str", fallback=_env("PROXY_HEADERS_USER_AGENT")),
        ),
    ),
    persist_config=dict(type="bool", fallback=_env("PERSIST_CONFIG")),
    impersonate_user=dict(type="str", fallback=_env("IMPERSONATE_USER")),
    impersonate_groups=dict(type="list", elements="str", fallback=_env("IMPERSONATE_GROUPS")),
)


def connect(
    params: Mapping[str, Any], get_bin_path: FindProgram, threads: int = 8, patience: float = 20, timeout: float = 30
) -> Client:
    """Return a client for the cluster that the options select. Nothing is sent yet.

    :param params: parameters of a module that takes :data:`AUTH_OPTIONS`.
    :param get_bin_path: finds a program, as AnsibleModule.get_bin_path does; kubectl is needed only without PyYAML.
    :param threads: number of parallel requests.
    :param patience: seconds for which a request that fails with a transient error is repeated.
    :param timeout: seconds that one request may take.
    :raises KubeconfigError: no cluster is configured, or its configuration cannot be used.
    """
    found = credentials(params, get_bin_path)
    found.check_age()
    return Client(found, timeout=timeout, patience=patience, threads=threads)


class KubeModule(AnsibleModule):
    """A module that takes :data:`AUTH_OPTIONS`. Its parameters are not logged, and no result shows a secret of its kubeconfig."""

    def __init__(self, argument_spec: Mapping[str, Any], **more: Any) -> None:
        """Read the parameters of the module.

        :param argument_spec: all options of the module, including :data:`AUTH_OPTIONS`.
        """
        super().__init__(argument_spec=dict(argument_spec), no_log=True, **more)
        self.no_log_values.update(secrets(self.params))

    def fail_json(self, msg: str, **more: Any) -> NoReturn:
        """Fail the module. The failure can be an invalid parameter, so secrets are masked here again."""
        self.no_log_values.update(secrets(self.params))
        super().fail_json(msg, **more)
        raise SystemExit(1)  # not reached: fail_json of the base class exits


def secrets(params: Mapping[str, Any]) -> set[str]:
    """Return the secret values of a kubeconfig that is given as a mapping: tokens, passwords and keys; all of it if it is given as text."""
    config = params.get("kubeconfig")
    if is_kubeconfig_text(config):
        return {str(config)}
    found: set[str] = set()
    for entry in mappings(mapping(config).get("users")):
        user = mapping(entry.get("user"))
        found.update(str(user[key]) for key in ("token", "password", "client-key-data") if user.get(key))
        kept = mapping(mapping(user.get("auth-provider")).get("config"))
        found.update(
            str(kept[key]) for key in ("id-token", "access-token", "refresh-token", "client-secret") if kept.get(key)
        )
        program = mapping(user.get("exec"))
        found.update(str(one["value"]) for one in mappings(program.get("env")) if one.get("value"))
    return found


def is_kubeconfig_text(given: Any) -> bool:
    """Return whether the option contains the text of a kubeconfig instead of its path."""
    return isinstance(given, str) and ("\n" in given.strip() or given.lstrip().startswith("{"))


def credentials(params: Mapping[str, Any], get_bin_path: FindProgram) -> Credentials:
    """Return the credentials that the options select. Single options take precedence over the kubeconfig.

    :raises KubeconfigError: no cluster is configured, or its configuration cannot be used.
    """
    if params.get("host") and not params.get("kubeconfig") and not params.get("context"):
        base = Credentials(str(params["host"]).rstrip("/"))
    else:
        base = _from_kubeconfig(params, get_bin_path)
    return _override(base, params)


def _from_kubeconfig(params: Mapping[str, Any], get_bin_path: FindProgram) -> Credentials:
    given, context = params.get("kubeconfig"), params.get("context")
    if isinstance(given, Mapping):
        return read_credentials(given, context, os.getcwd(), credential_plugin.run)
    if is_kubeconfig_text(given):
        raise KubeconfigError(
            "The option kubeconfig contains the text of a kubeconfig. Pass it as a mapping (with the filter from_yaml), or pass the path of a file."
        )
    paths = [os.path.expanduser(path) for path in str(given or "").split(os.pathsep) if path]
    missing = [path for path in paths if not os.path.exists(path)]
    if paths and len(missing) == len(paths):
        raise KubeconfigError(
            f"The kubeconfig {', '.join(missing)} does not exist on this host. Set 'kubeconfig' to an existing file, or run this on a control plane."
        )
    paths = [path for path in paths if path not in missing] or _default_paths()
    if paths:
        return _read(paths, context, get_bin_path)
    inside = _service_account()
    if inside is None:
        raise KubeconfigError(
            "No cluster is configured: neither the options kubeconfig and host nor $K8S_AUTH_KUBECONFIG and $KUBECONFIG are set, and neither "
            f"~/.kube/config nor {ADMIN} is readable on this host. Set 'kubeconfig', or run this on a control plane."
        )
    return inside


def _default_paths() -> list[str]:
    named = [os.path.expanduser(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    there = [path for path in named if os.path.exists(path)]
    if named and not there:
        raise KubeconfigError(f"$KUBECONFIG is {', '.join(named)}, which does not exist. Correct the variable.")
    if there:
        return there
    for path in (os.path.expanduser("~/.kube/config"), ADMIN):
        if os.access(path, os.R_OK):
            return [path]
    return []


def _read(paths: Sequence[str], context: str | None, get_bin_path: FindProgram) -> Credentials:
    configs = []
    try:
        for path in paths:
            configs.append(_absolute(_load(path), os.path.dirname(os.path.abspath(path))))
    except _NoYaml:
        kubectl = get_bin_path("kubectl")
        if not kubectl:
            raise KubeconfigError(
                f"{paths[0]} cannot be read: this host has neither PyYAML nor kubectl. Install one of them, or pass the kubeconfig as a mapping."
            ) from None
        return load_credentials(kubectl, os.pathsep.join(paths), context)
    try:
        return read_credentials(merge(configs), context, "", credential_plugin.run)
    except KubeconfigError as error:
        raise KubeconfigError(f"{', '.join(paths)}: {error}") from error


def _load(path: str) -> Mapping[str, Any]:
    try:
        config = _parse(path)
        check_shape(config)
    except KubeconfigError as error:
        raise KubeconfigError(str(error) if path in str(error) else f"{path}: {error}") from None
    return config


class _NoYaml(Exception):
    """PyYAML is not installed."""


def _parse(path: str) -> Mapping[str, Any]:
    text = read_file(path, "kubeconfig")
    if text.lstrip().startswith(b"{"):
        try:
            config = json.loads(text)
        except ValueError as error:
            raise KubeconfigError(f"{path} is not a valid kubeconfig: {error}.") from error
    else:
        try:
            import yaml
        except ImportError:
            raise _NoYaml() from None
        try:
            config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            # Only the problem and its line: the surrounding text may be a key.
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "the file is not valid YAML"
            raise KubeconfigError(f"{path}{where}: {problem}.") from None
    if not isinstance(config, dict):
        raise KubeconfigError(f"{path} is not a valid kubeconfig: its content is not a mapping.")
    return config


# Fields of a kubeconfig that can be relative to its own folder.
FILES = (
    ("clusters", "cluster", ("certificate-authority",)),
    ("users", "user", ("client-certificate", "client-key", "tokenFile")),
)


def _absolute(config: Mapping[str, Any], folder: str) -> dict[str, Any]:
    made = dict(config)
    for section, key, names in FILES:
        entries = []
        for entry in config.get(section) or []:
            part = dict(entry.get(key) or {})
            part.update({name: os.path.join(folder, str(part[name])) for name in names if part.get(name)})
            command = str((part.get("exec") or {}).get("command") or "")
            if os.sep in command:
                part["exec"] = dict(part["exec"], command=os.path.join(folder, command))
            entries.append(dict(entry, **{key: part}))
        made[section] = entries
    return made


def _service_account() -> Credentials | None:
    """Return the credentials of a pod (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/), None outside of one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    path = os.path.join(ACCOUNT, "token")
    if not host or not os.access(path, os.R_OK):
        return None

    def renew() -> dict[str, Any]:
        return {"token": read_file(path, "token").decode(errors="replace").strip()}

    return Credentials(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        authority=read_file(os.path.join(ACCOUNT, "ca.crt"), "certificate authority"),
        **renew(),
        user="the service account of this pod",
        renew=renew,
    )


# Only one kind of credential is sent: the server would prefer a certificate to a token.
NO_CREDENTIALS: dict[str, Any] = dict(certificate=b"", key=b"", token="", username="", password="", renew=None)


def _override(base: Credentials, params: Mapping[str, Any]) -> Credentials:
    changes: dict[str, Any] = {}
    if params.get("host"):
        changes["server"] = str(params["host"]).rstrip("/")
        if not changes["server"].startswith(("https://", "http://")):
            raise KubeconfigError(f"host {params['host']!r} is not a URL (expected e.g. https://10.0.0.10:6443).")
    if params.get("api_key"):
        # kubernetes.core accepts the token with its scheme.
        token = str(params["api_key"]).strip()
        changes.update(
            NO_CREDENTIALS,
            token=token[7:] if token.startswith("Bearer ") else token,
            user="the owner of the given token",
        )
    elif params.get("username"):
        changes.update(
            NO_CREDENTIALS, username=params["username"], password=params.get("password") or "", user=params["username"]
        )
    elif params.get("client_cert"):
        changes.update(NO_CREDENTIALS, user="the owner of the given certificate")
    for option, name in (("client_cert", "certificate"), ("client_key", "key"), ("ca_cert", "authority")):
        if params.get(option):
            changes[name] = read_file(str(params[option]), option)
    if bool(params.get("client_cert")) != bool(params.get("client_key")):
        raise KubeconfigError("client_cert and client_key must be set together.")
    if params.get("validate_certs") is not None:
        changes["verify"] = bool(params["validate_certs"])
    if params.get("impersonate_user") or params.get("impersonate_groups"):
        headers = impersonation(params.get("impersonate_user") or "", params.get("impersonate_groups") or [])
        changes["headers"] = headers
    _apply_proxy(base, params, changes)
    return dataclasses.replace(base, **changes)


def _apply_proxy(base: Credentials, params: Mapping[str, Any], changes: dict[str, Any]) -> None:
    server = changes.get("server") or base.server
    proxy, where = params.get("proxy") or base.proxy, ""
    if not proxy and is_valid_url(server) and not _is_kubeadms(params):
        proxy, where = environment_proxy(server)
    for what, url in (("API server", server), ("proxy", proxy)):
        if not is_valid_url(url):
            raise KubeconfigError(f"The URL of the {what} is not valid: check its brackets and its port.")
    host = urlsplit(server).hostname or ""
    if proxy and bypasses_proxy(host, params.get("no_proxy") or ""):
        proxy = ""
    if proxy and urlsplit(proxy).scheme not in ("http", *SCHEMES):
        origin = f" of the environment variable {where}" if where else ""
        raise KubeconfigError(
            f"The proxy {urlsplit(proxy).hostname}{origin} is not supported: only http:// and socks5:// proxies are. Set another one with the option "
            "proxy, or bypass it with no_proxy."
        )
    changes["proxy"] = proxy
    wanted = params.get("proxy_headers") or {}
    login = wanted.get("proxy_basic_auth")
    if login:
        changes["proxy_headers"] = (("Proxy-Authorization", basic_authentication(login)),)
    headers = list(changes.get("headers", base.headers))
    headers += [("Authorization", basic_authentication(wanted["basic_auth"]))] if wanted.get("basic_auth") else []
    headers += [("User-Agent", wanted["user_agent"])] if wanted.get("user_agent") else []
    changes["headers"] = tuple(headers)


def _is_kubeadms(params: Mapping[str, Any]) -> bool:
    """Return whether the kubeconfig is one of kubeadm's on a control plane, which reaches the API server without a proxy whatever its environment says."""
    given = params.get("kubeconfig")
    if isinstance(given, Mapping) or (params.get("host") and not given and not params.get("context")):
        return False
    paths = str(given).split(os.pathsep) if given else _default_paths()
    return bool(paths) and all(path.startswith("/etc/kubernetes/") for path in paths)


def is_valid_url(url: str) -> bool:
    """Return whether a URL can be parsed. Messages do not show it, because the URL of a proxy can contain a password."""
    try:
        parts = urlsplit(url)
        return parts.port is None or bool(parts.hostname)
    except ValueError:
        return False


def environment_proxy(server: str) -> tuple[str, str]:
    """Return the proxy that the environment names for a server, as kubectl uses it, and its variable; empty if there is none.

    Servers on this host and those in E(NO_PROXY) are contacted directly (https://pkg.go.dev/net/http#ProxyFromEnvironment).
    """
    parts = urlsplit(server)
    upper = f"{parts.scheme}_proxy".upper()
    where = next((name for name in (upper, upper.lower()) if os.environ.get(name)), "")
    host = parts.hostname or ""
    direct = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    if (
        not where
        or _is_local(host)
        or bypasses_proxy(host, direct, parts.port or (443 if parts.scheme == "https" else 80))
    ):
        return "", ""
    proxy = os.environ[where]
    return (proxy if "://" in proxy else f"http://{proxy}"), where


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bypasses_proxy(host: str, no_proxy: str, port: int = 0) -> bool:
    """Return whether a host is contacted without the proxy.

    :param no_proxy: names, domains, addresses and networks, separated by commas; ``*`` matches every host.
    :param port: of the host, which an entry may name as well (C(example.com:6443)).
    """
    for entry in (one.strip().lower() for one in no_proxy.split(",")):
        name, _colon, number = entry.rpartition(":")
        if port and name and number == str(port) and (":" not in name or name.startswith("[")):
            entry = name.strip("[]")
        domain = entry[1:] if entry.startswith("*.") else entry
        if entry == "*" or entry and (host == entry or host.endswith("." + domain.lstrip("."))):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False
