# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint in the files and ConfigMaps that kubeadm wrote, as pure functions over their text.

A managed host need not have a YAML library. kubeadm writes one key in a line and lists as blocks; a text in another form is refused, not guessed.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Iterable

from .._kube.x509 import canonical_address
from .config import unique_sans


class FormError(ValueError):
    """The text has not the form in which kubeadm writes it. The message includes the remedy."""


def scalar(value: str) -> str:
    """Return a text as a YAML scalar."""
    return value if re.fullmatch(r"[A-Za-z0-9./][A-Za-z0-9./:-]*", value) else json.dumps(value)


def set_key(text: str, key: str, value: str) -> str:
    """Return a mapping in YAML with another value of a key of its first level."""
    line = f"{key}: {scalar(value)}"
    changed, count = re.subn(rf"^{re.escape(key)}:.*$", lambda _match: line, text, flags=re.MULTILINE)
    return changed if count else f"{line}\n{text}"


def _section(lines: list[str], key: str, start: int, end: int, indent: int) -> tuple[int, int]:
    """Return the first line of the content of a key and the line after it; it is added where it is missing.

    :raises FormError: its value is not a block.
    """
    head = " " * indent + key + ":"
    for number in range(start, end):
        if not lines[number].startswith(head):
            continue
        if lines[number][len(head) :].strip() not in ("", "{}", "[]"):
            raise FormError(
                f"{key} is not written as kubeadm does. Evidence: the line {lines[number].strip()!r}. Write its entries on lines of their own with"
                " 'kubectl -n kube-system edit configmap kubeadm-config', and run again."
                " [slipway:kubeadm_config_map]"
            )
        lines[number] = head
        last = number + 1
        item = " " * indent + "- "
        while last < end and (lines[last].startswith((" " * (indent + 1), item)) or not lines[last].strip()):
            last += 1
        return number + 1, last
    lines.insert(start, head)
    return start + 1, start + 1


def add_sans(text: str, names: Iterable[str]) -> str:
    """Return a ClusterConfiguration whose ``apiServer.certSANs`` has these names, too.

    :raises FormError: it is not written as kubeadm does.
    """
    lines = text.splitlines()
    start, end = _section(lines, "apiServer", 0, len(lines), 0)
    start, end = _section(lines, "certSANs", start, max(end, start), 2)
    items = [line for line in lines[start:end] if line.lstrip().startswith("- ")]
    have = {canonical_address(line.strip()[2:].strip().strip("'\"")) for line in items}
    indent = items[-1][: len(items[-1]) - len(items[-1].lstrip())] if items else "  "
    missing = [name for name in unique_sans(names) if name not in have]
    position = start + len(items)
    lines[position:position] = [f"{indent}- {scalar(name)}" for name in missing]
    return "\n".join(lines) + "\n" if missing else text


def set_endpoint(text: str, endpoint: str, names: Iterable[str]) -> str:
    """Return a ClusterConfiguration with an endpoint (``host:port``) and with these names in the API server's certificate.

    :raises FormError: it is not written as kubeadm does.
    """
    return add_sans(set_key(text, "controlPlaneEndpoint", endpoint), names)


def endpoint_of(text: str) -> str:
    """Return ``controlPlaneEndpoint`` of a ClusterConfiguration, "" if it has none."""
    found = re.search(r"^controlPlaneEndpoint:\s*(\S+)\s*$", text, re.MULTILINE)
    return found.group(1).strip("'\"") if found else ""


def set_etcd_endpoints(text: str, endpoints: Iterable[str]) -> str:
    """Return a ClusterConfiguration with other endpoints of an external etcd, the same text if they are only in another order.

    :raises FormError: it has no external etcd, or is not written as kubeadm does.
    """
    wanted = list(endpoints)
    found = re.search(
        r"^etcd:\n  external:\n(?:    \w.*\n)*?    endpoints:\n((?:    - .*\n)+)", text, flags=re.MULTILINE
    )
    if not found:
        raise FormError(
            "The ConfigMap kube-system/kubeadm-config has no endpoints of an external etcd as kubeadm writes them. Correct etcd.external.endpoints"
            " with 'kubectl -n kube-system edit configmap kubeadm-config', and run again."
            " [slipway:kubeadm_config_map]"
        )
    if {line.strip(" -'\"") for line in found.group(1).splitlines()} == set(wanted):
        return text
    return text[: found.start(1)] + "".join(f"    - {scalar(url)}\n" for url in wanted) + text[found.end(1) :]


def set_server(text: str, endpoint: str) -> str:
    """Return a kubeconfig with one cluster, whose server is the endpoint.

    :raises FormError: it does not have exactly one server.
    """
    return _set_cluster_key(
        text, "server", f"https://{endpoint}", "servers", "so it is not known which of them is the endpoint"
    )


def set_authority(text: str, authority: str) -> str:
    """Return a kubeconfig with one cluster, whose authority is this one.

    :param authority: one or more certificates in PEM.
    :raises FormError: it does not have exactly one.
    """
    data = base64.b64encode(authority.encode()).decode()
    return _set_cluster_key(
        text, "certificate-authority-data", data, "authorities", "so it is not known which of them is the cluster's"
    )


def _set_cluster_key(text: str, key: str, value: str, noun: str, consequence: str) -> str:
    if text.lstrip().startswith("{"):
        pattern, line = rf'("{key}"\s*:\s*)"[^"]*"', json.dumps(value)
    else:
        pattern, line = rf"^([ -]*{key}:[ ]*)\S+[ ]*$", value if key != "server" else scalar(value)
    changed, count = re.subn(pattern, lambda match: match.group(1) + line, text, flags=re.MULTILINE)
    if count != 1:
        raise FormError(
            f"A kubeconfig of the cluster has {count} {noun} instead of one, {consequence}. Leave only that of"
            " this cluster in it, and run again."
            " [slipway:kubeconfig]"
        )
    return changed
