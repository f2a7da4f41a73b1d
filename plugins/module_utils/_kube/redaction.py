# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking secrets out of what programs say: known values, and what looks like one. Pure functions."""

from __future__ import annotations

import re
from typing import Iterable, Sequence

from .._diagnosis.finding import Finding
from .objects import MASK

# What programs print of their secrets. The name stays, the value goes.
LOOKS = (
    # password=..., "api_key": "...", --token ...
    re.compile(
        r"(?i)([\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w.-]*[\"']?\s*(?:[:=]|\s=>)\s*[\"']?)"
        r"([^\s\"',;&}]+)"
    ),
    re.compile(r"(?i)(--?[\w-]*(?:password|token|secret|api-?key)[\w-]*\s+)([^\s-][^\s]*)"),
    # scheme://user:password@host
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s/@]+)(?=@)"),
    re.compile(r"(?i)(authorization:?\s+(?:bearer|basic)\s+|\bbearer\s+)([\w.~+/=-]{8,})"),
    # A JSON web token
    re.compile(r"()(\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"),
)
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
# What says where a secret is, not what it is: "secret "db" not found" is the evidence itself.
SHORTEST = 4


class Redactor:
    """Takes secrets out of texts."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Take the values that are known.

        :param values: texts that must not be shown; those of less than four characters are ordinary words.
        """
        parts = {part for value in values for part in (value, *value.splitlines()) if len(part.strip()) >= SHORTEST}
        self.values = sorted(parts, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Give a text without secrets."""
        for value in self.values:
            text = text.replace(value, MASK)
        for look in LOOKS:
            text = look.sub(lambda match: match.group(1) + MASK, text)
        return text

    def known(self, text: str) -> str:
        """Give a text without the values that are known; for what the cluster itself says."""
        for value in self.values:
            text = text.replace(value, MASK)
        return text

    def lines(self, lines: Sequence[str]) -> list[str]:
        """Give lines without secrets; private keys go as a whole."""
        kept: list[str] = []
        inside = False
        for line in lines:
            if KEY_BEGINS.search(line):
                inside = True
                kept.append(MASK)
            if not inside:
                kept.append(self.text(line))
            if KEY_ENDS.search(line):
                inside = False
        return kept

    def clean(self, findings: Iterable[Finding]) -> None:
        """Take secrets out of findings: out of their logs and evidence, which quote programs."""
        for finding in findings:
            finding.logs = self.lines(finding.logs)
            finding.evidence = [self.text(line) for line in finding.evidence]
            finding.title = self.known(finding.title)
            finding.causes = [self.known(line) for line in finding.causes]
            finding.advice = self.known(finding.advice)
