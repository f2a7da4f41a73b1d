# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which types the parts of a kubeconfig are (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/), as far as they are read."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

# A mapping with its fields, a list with what it holds, text, or a truth value.
PROGRAM: dict[str, Any] = {"command": "", "apiVersion": "", "args": [], "env": [{"name": "", "value": ""}]}
USER: dict[str, Any] = {
    **dict.fromkeys(("token", "tokenFile", "username", "password", "as", "as-uid"), ""),
    **dict.fromkeys(("client-certificate", "client-certificate-data", "client-key", "client-key-data"), ""),
    "as-groups": [""],
    "as-user-extra": {},
    "exec": PROGRAM,
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


def wrong_shapes(config: Any) -> list[str]:
    """Tell which parts of a kubeconfig are of another type than they must be, each by its path and never with its value."""
    wrong = list(_wrong(config, KUBECONFIG, ""))
    if not wrong:
        for number, entry in enumerate(config.get("users") or []):
            extra = (entry.get("user") or {}).get("as-user-extra") or {}
            path = f"users[{number}].user.as-user-extra"
            wrong += [text for name, values in extra.items() for text in _wrong(values or [], [""], f"{path}.{name}")]
    return wrong


def _wrong(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(shape, dict) and not isinstance(value, Mapping):
        yield f"{path or 'it'} is {_called(value)}, not a mapping"
    elif not isinstance(shape, dict) and not isinstance(value, type(shape)):
        yield f"{path} is {_called(value)}, not {_called(shape)}"
    elif isinstance(shape, dict):
        for key, below in shape.items():
            if value.get(key) is not None:
                yield from _wrong(value[key], below, f"{path}.{key}" if path else key)
    elif isinstance(shape, list) and shape:
        for number, one in enumerate(value):
            yield from _wrong(one, shape[0], f"{path}[{number}]")


def _called(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else "nothing" if value is None else "a number"
