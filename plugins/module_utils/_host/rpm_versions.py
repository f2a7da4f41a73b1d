# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of rpm's versions (rpm-version(7))."""

from __future__ import annotations

import re


def compare(one: str, other: str) -> int:
    """Compare two texts [EPOCH:]VERSION[-RELEASE]: negative where the first is older, 0 where they are equal."""
    (epoch, version, release), (other_epoch, other_version, other_release) = split(one), split(other)
    return epoch - other_epoch or compare_parts(version, other_version) or compare_parts(release, other_release)


def split(text: str) -> tuple[int, str, str]:
    """Return epoch (0 where there is none), version and release ("" where there is none)."""
    epoch, colon, rest = text.rpartition(":")
    version, _dash, release = rest.partition("-")
    return int(epoch) if colon and epoch.isdigit() else 0, version, release


def compare_parts(one: str, other: str) -> int:
    """Compare two versions or releases, segment by segment; separators do not count.

    "~" sorts before everything, also before the end; "^" after the end and before everything else; a number after letters.
    """
    segments, others = (re.findall(r"\d+|[A-Za-z]+|~|\^", text) for text in (one, other))
    for left, right in zip([*segments, ""], [*others, ""]):
        if left == right:
            continue
        ranks = rank(left) - rank(right)
        if ranks:
            return ranks
        if left.isdigit():
            if int(left) != int(right):
                return int(left) - int(right)
        else:
            return -1 if left < right else 1
    return len(segments) - len(others)


def rank(segment: str) -> int:
    """Return the rank of a segment's kind; "" is the end of a version."""
    if segment in ("~", "", "^"):
        return ("~", "", "^").index(segment)
    return 4 if segment.isdigit() else 3
