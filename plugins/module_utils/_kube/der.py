# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of DER (ITU-T X.690), the form in which certificates are written: hosts need not have a library for them."""

from __future__ import annotations


def read_der(data: bytes, offset: int) -> tuple[int, int, int]:
    """(tag, start of the content, end) of the DER element at an offset.

    :raises ValueError: the data end early.
    """
    if offset + 2 > len(data):
        raise ValueError("DER data end early")
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError("DER data end early")
    return tag, start, start + length
