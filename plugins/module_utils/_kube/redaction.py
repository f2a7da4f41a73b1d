# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes secrets from texts that leave a module: errors of the API server, log lines, findings."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Iterable, Iterator, Mapping, Sequence

from .api import ApiError
from .objects import MASK, mapping

# The expressions below begin at the beginning of a word, and look for a part of it ahead: they take linear time for any text.
# The beginning of a group: the name of a secret and what separates it from its value.
SECRET_NAME = (
    r"(?i)(?<![\w.-])((?=[\w.-]*?(?:passw(?:or)?d|passphrase|psk|auth_?pass|secret|token|credential"
    r"|(?:api|access|private|certificate)[_-]?key|client-key-data))"
    r"[\w.-]+[\"']?\s*(?:=>|[:=])\s*"
)
# What programs print of their secrets: the first group is kept, the second is masked.
LOG_PATTERNS = (
    # "api_key": "several words", password='...'
    re.compile(SECRET_NAME + r"\")((?:[^\"\\]|\\.)+)(?=\")"),
    re.compile(SECRET_NAME + r"')([^']+)(?=')"),
    # password=...
    re.compile(SECRET_NAME + r"[\"']?)([^\s\"',;&}]+)"),
    # --token ...
    re.compile(
        r"(?i)(?<![\w-])((?=\w*-[\w-]*?(?:password|token|secret|api-?key|certificate-key))[\w-]+\s+)([^\s-][^\s]*)"
    ),
    # scheme://user:password@host
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]*:)([^\s/@]+)(?=@)"),
    re.compile(r"(?i)(authorization:?\s+(?:bearer|basic)\s+|\bbearer\s+)([\w.~+/=-]{8,})"),
    # A JSON Web Token, the second part of a bootstrap token (whose first one is public), a key of age
    re.compile(r"(?<![\w-])(?=[\w-]+\.[\w-]{10,}\.)((?:[\w-]*?\b)??)(eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"),
    re.compile(r"((?<![\w.-])[a-z0-9]{6}\.)((?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16})(?![\w-]|\.\w)"),
    re.compile(r"()(\bAGE-SECRET-KEY-1\w+)"),
)
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")

# Shorter values occur in every text. Callers choose the values that they pass; those of Secrets are arbitrary.
SHORTEST_GIVEN, SHORTEST_IN_SECRET = 4, 6
# Ordinary words and numbers, such as the value "password" of a tutorial: masking them would make messages unreadable.
ORDINARY = re.compile(r"[a-z]{1,10}|[0-9]{1,6}", re.I)
# KEY=value, "key": "value" and the password in a URL: an application may print the value alone.
PARTS = (
    re.compile(r"(?<![\w.-])[\w.-]+[\"']?\s*[=:]\s*[\"']?([^\"'\s,{\[]+)"),
    re.compile(r"://[^:/@\s]*:([^@/\s]+)@"),
)


# How the API server repeats values of an object that it rejects.
INVALID_VALUE = re.compile(r"Invalid value: .*?(?:: (?=[^:\"{}]*$)|$)", re.S)
TYPED_VALUE = re.compile(r"got &value\.valueUnstructured\{.*\}", re.S)


class Redactor:
    """Masks known values, and in log lines also everything that looks like a secret."""

    def __init__(self, contents: Iterable[Mapping[str, Any]] = (), values: Iterable[str] = ()) -> None:
        """Learn what must not be shown.

        :param contents: objects; the values of the Secrets among them are masked.
        :param values: further texts to mask, as a whole and line by line.
        """
        self.values: list[str] = []
        self._given = {part for value in values for part in (value, *value.splitlines())}
        self._found: set[str] = set()
        self._names: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(contents)

    def learn(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """Learn the values of further Secrets, in plain text and in base64. Names of objects are not taken for values."""
        for content in map(mapping, contents):
            metadata = mapping(content.get("metadata"))
            self._names.update(str(metadata.get(part) or "").lower() for part in ("name", "namespace"))
            if content.get("kind") == "Secret":
                self._found.update(_values(content))
        names = "\n".join(self._names)
        secret = {value for value in self._given if len(value.strip()) >= SHORTEST_GIVEN}
        secret.update(
            value
            for value in self._found
            if len(value) >= SHORTEST_IN_SECRET and not ORDINARY.fullmatch(value) and value.lower() not in names
        )
        self.values = sorted(secret, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self.values))) if self.values else None

    def text(self, text: str) -> str:
        """Return a text without the known values."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def clean(self, value: Any) -> Any:
        """Return a structure without the known values in any of its texts; the keys of mappings stay."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.clean(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(part) for part in value]
        return value

    def log_line(self, line: str) -> str:
        """Return a line that a program wrote without the known values and without everything that looks like a secret."""
        line = self.text(line)
        for pattern in LOG_PATTERNS:
            line = pattern.sub(lambda match: match.group(1) + MASK, line)
        return line

    def log_lines(self, lines: Sequence[str]) -> list[str]:
        """Return the lines of a log as :meth:`log_line` does; a private key becomes one masked line."""
        kept: list[str] = []
        inside = False
        for line in lines:
            if KEY_BEGINS.search(line):
                inside = True
                kept.append(MASK)
            if not inside:
                kept.append(self.log_line(line))
            if KEY_ENDS.search(line):
                inside = False
        return kept


def without_values(error: ApiError) -> ApiError:
    """Return the error without the values that the server repeats: they can be long, and secret."""
    causes = [dict(cause, message=_without(cause.get("message") or "")) for cause in error.causes]
    message = _without(error.message) if not error.causes else error.message
    if error.causes and INVALID_VALUE.search(error.message):
        message = "; ".join(f"{cause.get('field') or '?'}: {cause['message']}" for cause in causes)
    return ApiError(
        error.status, error.reason, TYPED_VALUE.sub("got another type", message), error.method, error.path, causes
    )


def _without(text: str) -> str:
    found = INVALID_VALUE.search(text)
    # Short values of scalar fields are evidence; structures and long texts are not.
    if found and ("{" in found.group(0) or len(found.group(0)) > 120):
        text = INVALID_VALUE.sub("invalid value: ", text).rstrip(": ")
    return TYPED_VALUE.sub("got another type", text)


def _values(secret: Mapping[str, Any]) -> Iterator[str]:
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
