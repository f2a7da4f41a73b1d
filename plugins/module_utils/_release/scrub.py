# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masking values of Secrets in every text: errors of the server, log lines, findings."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Iterable, Mapping

from .._kube.objects import MASK, mapping

SHORTEST = 6  # shorter values would match unrelated text
# Ordinary words and numbers, such as the value "password" of a tutorial: masking these would make messages unreadable.
ORDINARY = re.compile(r"[a-z]{1,10}|[0-9]{1,6}", re.I)

# KEY=value, "key": "value" and the password in a URL: an application may log the value alone.
PARTS = (
    re.compile(r"[\w.-]+[\"']?\s*[=:]\s*[\"']?([^\"'\s,{\[]+)"),
    re.compile(r"://[^:/@\s]*:([^@/\s]+)@"),
)


class Scrubber:
    """Masks the values of some Secrets in texts."""

    def __init__(self, contents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Collect the values of the Secrets among some objects."""
        self.values: list[str] = []
        self._found: set[str] = set()
        self._words: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(contents)

    def learn(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """Collect more values, in plain text and as base64. Names of objects are not treated as values.

        :param contents: objects; only the Secrets among them are considered.
        """
        for content in map(mapping, contents):
            metadata = mapping(content.get("metadata"))
            self._words.update(str(metadata.get(part) or "").lower() for part in ("name", "namespace"))
            if content.get("kind") == "Secret":
                self._found.update(_values(content))
        names = "\n".join(self._words)
        secret = [
            value
            for value in self._found
            if len(value) >= SHORTEST and not ORDINARY.fullmatch(value) and value.lower() not in names
        ]
        self.values = sorted(secret, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(value) for value in self.values)) if self.values else None

    def text(self, text: str) -> str:
        """Mask the values in a text."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def clean(self, value: Any) -> Any:
        """Mask the values in every text of a structure, except in keys of mappings."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.clean(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(part) for part in value]
        return value


def _values(secret: Mapping[str, Any]) -> Iterable[str]:
    data, texts = mapping(secret.get("data")), mapping(secret.get("stringData"))
    for encoded, value in [(True, value) for value in data.values()] + [(False, value) for value in texts.values()]:
        text = str(value)
        yield text.strip()
        plain = _decoded(text) if encoded else text
        yield base64.b64encode(plain.encode()).decode()
        yield plain.strip()
        # A file in a Secret appears line by line in a log.
        lines = plain.splitlines()
        if len(lines) > 1:
            for line in lines:
                yield line.strip()
        for part in PARTS:
            yield from part.findall(plain)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text
