# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Package repositories that apt of a host is configured with, in both forms of sources.list(5).

apt refuses every command where two entries for one URL and suite name different keys. dnf accepts one URL under several names.
"""

from __future__ import annotations

import re
from typing import Any

from .files import Files

MAIN = "/etc/apt/sources.list"
PARTS = "/etc/apt/sources.list.d"


def describe(path: str, line: int, url: str, suite: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return one entry of the key ``repositories`` of host_info, without ``key_missing``.

    :param fields: its ``components``, ``architectures`` and ``signed-by``, as written.
    """
    signed_by = fields.get("signed-by", "")
    return {
        "path": path,
        "line": line,
        "url": re.sub(r"//[^/@]*@", "//", url).rstrip("/"),
        "suite": suite,
        "components": fields.get("components", "").split(),
        "architectures": re.split(r"[\s,]+", fields["architectures"]) if fields.get("architectures") else [],
        "signed_by": "a key in the entry" if "BEGIN PGP" in signed_by else signed_by,
    }


def parse_list(path: str, text: str) -> list[dict[str, Any]]:
    """Return the binary repositories of a file with one line for each."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)", line)
        if not match:
            continue
        options, url, suite, components = match.groups()
        known = dict(option.split("=", 1) for option in (options or "").split() if "=" in option)
        fields = {
            "components": components,
            "architectures": known.get("arch", ""),
            "signed-by": known.get("signed-by", ""),
        }
        entries.append(describe(path, number, url, suite, fields))
    return entries


def parse_sources(path: str, text: str) -> list[dict[str, Any]]:
    """Return the enabled binary repositories of a file with deb822 stanzas: one for each URL and suite."""
    entries = []
    fields: dict[str, str] = {}
    name, start = "", 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        field = re.match(r"([\w-]+):\s*(.*)", line)
        if field:
            start = start if fields else number
            name = field.group(1).lower()
            fields[name] = field.group(2).strip()
        elif line.strip():
            fields[name] = (fields.get(name, "") + "\n" + line.strip()).strip()
        else:
            enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "without", "off", "disable", "0")
            if enabled and "deb" in fields.get("types", "").split():
                for url in fields.get("uris", "").split():
                    entries += [describe(path, start, url, suite, fields) for suite in fields.get("suites", "").split()]
            fields = {}
    return entries


def gather_repositories(files: Files) -> list[dict[str, Any]]:
    """Return the key ``repositories`` of host_info, in the order in which apt reads the files."""
    entries = parse_list(MAIN, files.read(MAIN))
    for name in files.names(PARTS):
        path = PARTS + "/" + name
        if name.endswith(".list"):
            entries += parse_list(path, files.read(path))
        elif name.endswith(".sources"):
            entries += parse_sources(path, files.read(path))
    for entry in entries:
        keyrings = [word for word in re.split(r"[\s,]+", entry["signed_by"]) if word.startswith("/")]
        entry["key_missing"] = not all(files.exists(path) for path in keyrings)
    return entries
