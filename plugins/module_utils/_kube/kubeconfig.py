# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeconfig says about a server and how to prove who one is; standard library only."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .kubeconfig_shape import wrong_shapes
from .timestamps import for_people
from .x509 import certificate_end

# Programs that prove identity are called with the names and arguments of the kubeconfig, and its folder.
Plugin = Callable[[Mapping[str, Any], Mapping[str, Any], str], Mapping[str, Any]]


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Credentials:
    """One context of a kubeconfig, resolved. PEM data are bytes, empty where there are none."""

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
    # and whatever else goes with every request; a name can come more than once.
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str = ""
    proxy_headers: tuple[tuple[str, str], ...] = ()
    # Reads a token again that is short-lived; None where it cannot be renewed.
    renew: Callable[[], str] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Name the server only: the rest is secret."""
        return f"Credentials(server={self.server!r})"

    @property
    def whom(self) -> str:
        """How messages call the one who asks."""
        names = [value for name, value in self.headers if name == "Impersonate-User"]
        user = self.user if " " in self.user else f"user {self.user!r}" if self.user else "an anonymous user"
        return f"{user} (as {names[0]})" if names else user

    def check_age(self, now: float | None = None) -> None:
        """Refuse what the server would refuse without a reason: a certificate or a token whose time is over.

        :param now: seconds since 1970.
        :raises KubeconfigError: it says what ended, and when.
        """
        now = time.time() if now is None else now
        for what, end, remedy in (
            (
                "client certificate",
                certificate_end(self.certificate) if self.certificate else None,
                "Renew it (kubeadm: 'kubeadm certs renew admin.conf' on a control plane)",
            ),
            ("token", token_end(self.token) if self.token else None, "Get a new one"),
        ):
            if end is not None and end <= now:
                raise KubeconfigError(
                    f"The {what} of {self.whom} for {self.server} ended on {for_people(end)}. {remedy}, or name another kubeconfig."
                )


def read_credentials(
    config: Mapping[str, Any], context: str | None = None, folder: str = "", plugin: Plugin | None = None
) -> Credentials:
    """Resolve one context of a kubeconfig.

    The form is that of https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/; files that it names are read.

    :param config: the parsed kubeconfig.
    :param context: name of the context; the current one when empty.
    :param folder: where relative paths begin.
    :param plugin: runs a program that proves identity (:func:`credential_plugin.run`).
    :raises KubeconfigError: a part is missing, cannot be read, or proves identity in a way that is not supported.
    """
    check_shape(config)
    name = context or config.get("current-context")
    if not name:
        raise KubeconfigError(
            f"The kubeconfig has no current context. Name one with 'context'; it has: {_names(config, 'contexts')}."
        )
    chosen = _entry(config, "contexts", "context", name)
    cluster = _entry(config, "clusters", "cluster", chosen.get("cluster") or "")
    user = _entry(config, "users", "user", chosen["user"]) if chosen.get("user") else {}
    server = cluster.get("server") or ""
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(
            f"Cluster {chosen.get('cluster')!r} of the kubeconfig has no usable server address: {server!r}."
        )
    renew = None
    proof: Mapping[str, Any] = user
    if user.get("exec") and not (user.get("token") or user.get("client-certificate-data")):
        if plugin is None:
            raise _unsupported(chosen["user"], "exec")
        run, program = plugin, user["exec"]
        # What the program answers has the names of the kubeconfig, so that it is read alike.
        proof = dict(user, **run(program, cluster, folder))
        renew = functools.partial(_token_of, run, program, cluster, folder)
    elif "auth-provider" in user:
        raise _unsupported(chosen["user"], "auth-provider")
    elif user.get("tokenFile") and not user.get("token"):
        path = os.path.join(folder, str(user["tokenFile"]))
        renew = functools.partial(_token_in, path)
    return Credentials(
        server=server.rstrip("/"),
        authority=_pem(cluster, "certificate-authority", folder),
        certificate=_pem(proof, "client-certificate", folder),
        key=_pem(proof, "client-key", folder),
        token=proof.get("token") or (renew() if renew and user.get("tokenFile") and not user.get("exec") else ""),
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
    """See that a kubeconfig is made of what kubeconfigs are made of.

    :raises KubeconfigError: parts are of another type; each is named by its path, none with its value.
    """
    wrong = wrong_shapes(config)
    if wrong:
        raise KubeconfigError(f"This is no kubeconfig: {'; '.join(wrong)}. Correct it.")


def merge(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge kubeconfigs as kubectl does with several in $KUBECONFIG: of two that say the same, the first one counts."""
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
    """Give the headers by which one acts as somebody else."""
    headers = [("Impersonate-User", user)] if user else []
    headers += [("Impersonate-Group", group) for group in groups if group]
    headers += [("Impersonate-Uid", uid)] if uid else []
    headers += [("Impersonate-Extra-" + key, value) for key, values in (extra or {}).items() for value in values or []]
    if headers and not user:
        raise KubeconfigError("Groups to act as are given without a user to act as. Set impersonate_user also.")
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
    """Read a file that holds a part of the credentials.

    :raises KubeconfigError: it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise KubeconfigError(f"The {what} in {path} cannot be read: {error.strerror}.") from error


def _unsupported(user: str, way: str) -> KubeconfigError:
    return KubeconfigError(
        f"User {user!r} of the kubeconfig proves who they are through '{way}', which this module does not run. "
        "Use a client certificate or a token."
    )


def _names(config: Mapping[str, Any], section: str) -> str:
    names: list[str] = [entry.get("name") or "" for entry in config.get(section) or []]
    return ", ".join(names) or "none"


def _entry(config: Mapping[str, Any], section: str, key: str, name: str) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise KubeconfigError(f"The kubeconfig has no {key} named {name!r}; it has: {_names(config, section)}.")


def _pem(part: Mapping[str, Any], key: str, folder: str) -> bytes:
    try:
        data = base64.b64decode(part.get(key + "-data") or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"The kubeconfig's {key}-data is not valid base64: {error}.") from error
    if data or not part.get(key):
        return data
    return read_file(os.path.join(folder, str(part[key])), key)


def _token_of(run: Plugin, program: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> str:
    return str(run(program, cluster, folder).get("token") or "")


def _token_in(path: str) -> str:
    return read_file(path, "token").decode(errors="replace").strip()
