# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: their structure, and the server and credentials that a context selects.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

from .timestamps import for_people
from .x509 import certificate_end

# Runs a credential plugin: see credential_plugin.run.
Plugin = Callable[[Mapping[str, Any], Mapping[str, Any], str], Mapping[str, Any]]


# The types of the fields that are read: a mapping with its fields, a list with its item, text or a boolean.
EXEC: dict[str, Any] = {"command": "", "apiVersion": "", "args": [], "env": [{"name": "", "value": ""}]}
USER: dict[str, Any] = {
    **dict.fromkeys(("token", "tokenFile", "username", "password", "as", "as-uid"), ""),
    **dict.fromkeys(("client-certificate", "client-certificate-data", "client-key", "client-key-data"), ""),
    "as-groups": [""],
    "as-user-extra": {},
    "exec": EXEC,
    "auth-provider": {"name": "", "config": {"id-token": ""}},
}
CLUSTER: dict[str, Any] = {
    **dict.fromkeys(("server", "tls-server-name", "proxy-url"), ""),
    **dict.fromkeys(("certificate-authority", "certificate-authority-data"), ""),
    "insecure-skip-tls-verify": True,
}
KUBECONFIG: dict[str, Any] = {
    "current-context": "",
    "contexts": [{"name": "", "context": {"cluster": "", "user": ""}}],
    "clusters": [{"name": "", "cluster": CLUSTER}],
    "users": [{"name": "", "user": USER}],
}


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the message gives the reason and the remedy."""

    def __str__(self) -> str:
        """Return the message with its code."""
        text = super().__str__()
        return text if "[slipway:" in text else f"{text} [slipway:kubeconfig]"


@dataclass(frozen=True)
class Credentials:
    """A resolved context of a kubeconfig. PEM data is in bytes, empty if not set."""

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    server_name: str = ""
    verify: bool = True
    user: str = ""
    username: str = ""
    password: str = ""
    # Impersonate-* (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation)
    # and the other headers of every request; a name can occur more than once.
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str = ""
    proxy_headers: tuple[tuple[str, str], ...] = ()
    # Returns the fields that are new when short-lived credentials have expired; None if they cannot be renewed.
    renew: Callable[[], dict[str, Any]] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Show the server only: the rest is secret."""
        return f"Credentials(server={self.server!r})"

    @property
    def whom(self) -> str:
        """The identity, as messages show it."""
        names = [value for name, value in self.headers if name == "Impersonate-User"]
        user = self.user if " " in self.user else f"user {self.user!r}" if self.user else "an anonymous user"
        return f"{user} (as {names[0]})" if names else user

    def as_kubeconfig(self) -> dict[str, Any]:
        """Return a kubeconfig with these credentials for another program. Of the headers, only impersonation can be expressed."""

        def text(content: bytes) -> str:
            return base64.b64encode(content).decode()

        cluster = {
            "server": self.server,
            "certificate-authority-data": text(self.authority) if self.verify else "",
            "insecure-skip-tls-verify": not self.verify,
            "tls-server-name": self.server_name,
            "proxy-url": self.proxy,
        }
        user = {
            "client-certificate-data": text(self.certificate),
            "client-key-data": text(self.key),
            "token": self.token,
            "username": self.username,
            "password": self.password,
            "as": next((value for name, value in self.headers if name == "Impersonate-User"), ""),
            "as-groups": [value for name, value in self.headers if name == "Impersonate-Group"],
        }
        parts: dict[str, dict[str, Any]] = {
            "cluster": cluster,
            "user": user,
            "context": {"cluster": "it", "user": "it"},
        }
        lists: dict[str, Any] = {
            f"{part}s": [{"name": "it", part: {name: value for name, value in content.items() if value}}]
            for part, content in parts.items()
        }
        return {"apiVersion": "v1", "kind": "Config", "current-context": "it", **lists}

    def check_age(self, now: float | None = None) -> None:
        """Check that certificate and token have not expired: the server would reject them without a reason.

        :param now: seconds since the epoch.
        :raises KubeconfigError: one of them has expired.
        """
        now = time.time() if now is None else now
        for what, end, remedy in (
            (
                "client certificate",
                certificate_end(self.certificate) if self.certificate else None,
                "Renew it (with kubeadm: 'kubeadm certs renew admin.conf' on a control plane)",
            ),
            ("token", token_end(self.token) if self.token else None, "Get a new one"),
        ):
            if end is not None and end <= now:
                raise KubeconfigError(
                    f"The {what} of {self.whom} for {self.server} expired on {for_people(end)}. {remedy}, or use another kubeconfig."
                )


def read_credentials(
    config: Mapping[str, Any], context: str | None = None, folder: str = "", plugin: Plugin | None = None
) -> Credentials:
    """Resolve a context of a kubeconfig, including the files that it refers to.

    :param config: the parsed kubeconfig.
    :param context: name of the context; the current one if empty.
    :param folder: the folder to which relative paths refer.
    :param plugin: runs a credential plugin (:func:`credential_plugin.run`).
    :raises KubeconfigError: a part is missing or cannot be read, or the authentication method is not supported.
    """
    check_shape(config)
    name = context or config.get("current-context")
    if not name:
        raise KubeconfigError(
            f"The kubeconfig has no current context. Set 'context' to one of its contexts: {_names(config, 'contexts')}."
        )
    chosen = _entry(config, "contexts", "context", name)
    cluster = _entry(config, "clusters", "cluster", chosen.get("cluster") or "")
    user = _entry(config, "users", "user", chosen["user"]) if chosen.get("user") else {}
    server = cluster.get("server") or ""
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(
            f"The server of cluster {chosen.get('cluster')!r} in the kubeconfig is not a URL: {server!r}."
        )
    renew = None
    given: Mapping[str, Any] = user
    if user.get("exec") and not (user.get("token") or user.get("client-certificate-data")):
        if plugin is None:
            raise _unsupported(chosen["user"], "exec")
        given = dict(user, **plugin(user["exec"], cluster, folder))
        renew = functools.partial(_issued_by, plugin, user, cluster, folder)
    elif "auth-provider" in user:
        given = dict(user, token=_token_of_provider(chosen["user"], user["auth-provider"]))
    elif user.get("tokenFile") and not user.get("token"):
        path = os.path.join(folder, str(user["tokenFile"]))
        renew = functools.partial(_token_in, path)
        given = dict(user, **renew()) if not user.get("exec") else user
    return Credentials(
        server=server.rstrip("/"),
        authority=_pem(cluster, "certificate-authority", folder),
        certificate=_pem(given, "client-certificate", folder),
        key=_pem(given, "client-key", folder),
        token=given.get("token") or "",
        server_name=cluster.get("tls-server-name") or "",
        verify=not cluster.get("insecure-skip-tls-verify", False),
        user=chosen.get("user") or "",
        username=user.get("username") or "",
        password=user.get("password") or "",
        headers=impersonation(
            user.get("as") or "", user.get("as-groups") or [], user.get("as-uid") or "", user.get("as-user-extra") or {}
        ),
        proxy=cluster.get("proxy-url") or "",
        renew=renew,
    )


def check_shape(config: Mapping[str, Any]) -> None:
    """Check the structure of a kubeconfig.

    :raises KubeconfigError: fields have the wrong type; the message names their paths and never shows a value.
    """
    wrong = list(_wrong_types(config, KUBECONFIG, ""))
    if not wrong:
        for number, entry in enumerate(config.get("users") or []):
            extra = (entry.get("user") or {}).get("as-user-extra") or {}
            path = f"users[{number}].user.as-user-extra"
            wrong += [
                text for key, values in extra.items() for text in _wrong_types(values or [], [""], f"{path}.{key}")
            ]
    if wrong:
        raise KubeconfigError(f"This is not a valid kubeconfig: {'; '.join(wrong)}. Correct these fields.")


def merge(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge kubeconfigs as kubectl merges the files in $KUBECONFIG: the first entry of a name wins."""
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": [], "current-context": ""}
    for config in configs:
        merged["current-context"] = merged["current-context"] or config.get("current-context") or ""
        for section in ("clusters", "contexts", "users"):
            known = {entry.get("name") for entry in merged[section]}
            merged[section] += [entry for entry in config.get(section) or [] if entry.get("name") not in known]
    return merged


def impersonation(
    user: str, groups: Sequence[str], uid: str = "", extra: Mapping[str, Sequence[str]] | None = None
) -> tuple[tuple[str, str], ...]:
    """Return the headers for user impersonation.

    :raises KubeconfigError: groups are given without a user.
    """
    headers = [("Impersonate-User", user)] if user else []
    headers += [("Impersonate-Group", group) for group in groups if group]
    headers += [("Impersonate-Uid", uid)] if uid else []
    headers += [("Impersonate-Extra-" + key, value) for key, values in (extra or {}).items() for value in values or []]
    if headers and not user:
        raise KubeconfigError(
            "Groups to impersonate are set without a user to impersonate. Set impersonate_user as well."
        )
    return tuple(headers)


def token_end(token: str) -> float | None:
    """Return when a JSON Web Token expires (RFC 7519, ``exp``), in seconds since the epoch, or None if it does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return None


def read_file(path: str, what: str) -> bytes:
    """Return the content of a file that contains a part of the credentials.

    :raises KubeconfigError: the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise KubeconfigError(f"The {what} in {path} cannot be read: {error.strerror}.") from error


def _unsupported(user: str, method: str) -> KubeconfigError:
    return KubeconfigError(
        f"User {user!r} of the kubeconfig authenticates with '{method}', which this module does not support. "
        "Use a client certificate or a token."
    )


def _token_of_provider(user: str, provider: Mapping[str, Any]) -> str:
    """Return the token that kubectl keeps in the kubeconfig for an OpenID Connect provider.

    It is not renewed: a provider may give a new refresh token with each renewal, which only who writes the kubeconfig can keep.

    :raises KubeconfigError: there is none, it has expired, or it is another provider.
    """
    name, token = provider.get("name") or "", (provider.get("config") or {}).get("id-token") or ""
    if name != "oidc":
        raise _unsupported(user, f"auth-provider {name}".strip())
    end = token_end(token)
    if token and (end is None or end > time.time()):
        return token
    why = f"expired on {for_people(end)}" if token and end is not None else "is not there"
    raise KubeconfigError(
        f"User {user!r} of the kubeconfig authenticates with auth-provider oidc, and its id-token {why}. This module does not renew it: any command of "
        "kubectl does, such as 'kubectl get namespaces'. Or let the user authenticate with exec and a credential plugin such as kubelogin, which is run "
        "when it is needed."
    )


def _names(config: Mapping[str, Any], section: str) -> str:
    names: list[str] = [entry.get("name") or "" for entry in config.get(section) or []]
    return ", ".join(names) or "none"


def _entry(config: Mapping[str, Any], section: str, key: str, name: str) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise KubeconfigError(f"The kubeconfig has no {key} named {name!r}. It has: {_names(config, section)}.")


def _pem(part: Mapping[str, Any], key: str, folder: str) -> bytes:
    try:
        # Line breaks are no part of base64, and a file that was written by hand or by the command base64 has them.
        data = base64.b64decode("".join(str(part.get(key + "-data") or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"The kubeconfig's {key}-data is not valid base64: {error}.") from error
    if data or not part.get(key):
        return data
    return read_file(os.path.join(folder, str(part[key])), key)


def _issued_by(run: Plugin, user: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> dict[str, Any]:
    given = dict(user, **run(user["exec"], cluster, folder))
    pair = {"certificate": _pem(given, "client-certificate", folder), "key": _pem(given, "client-key", folder)}
    return {"token": str(given.get("token") or ""), **pair}


def _token_in(path: str) -> dict[str, Any]:
    return {"token": read_file(path, "token").decode(errors="replace").strip()}


def _wrong_types(value: Any, expected: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and not isinstance(value, Mapping):
        yield f"{path or 'it'} is {_type_name(value)}, not a mapping"
    elif not isinstance(expected, dict) and not isinstance(value, type(expected)):
        yield f"{path} is {_type_name(value)}, not {_type_name(expected)}"
    elif isinstance(expected, dict):
        for key, below in expected.items():
            if value.get(key) is not None:
                yield from _wrong_types(value[key], below, f"{path}.{key}" if path else key)
    elif isinstance(expected, list) and expected:
        for number, one in enumerate(value):
            yield from _wrong_types(one, expected[0], f"{path}[{number}]")


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else "null" if value is None else "a number"
