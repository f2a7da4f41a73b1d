# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server repeats of an object that it refuses, taken out of what it says."""

from __future__ import annotations

import re

from .api import ApiError

VALUE = re.compile(r"Invalid value: .*?(?:: (?=[^:\"{}]*$)|$)", re.S)
TYPED = re.compile(r"got &value\.valueUnstructured\{.*\}", re.S)


def without_values(error: ApiError) -> ApiError:
    """Give the same refusal without the values that the server repeats: they can be long, and secret."""
    causes = [dict(cause, message=_without(cause.get("message") or "")) for cause in error.causes]
    message = _without(error.message) if not error.causes else error.message
    if error.causes and VALUE.search(error.message):
        message = "; ".join(f"{cause.get('field') or '?'}: {cause['message']}" for cause in causes)
    return ApiError(
        error.status, error.reason, TYPED.sub("got another type", message), error.method, error.path, causes
    )


def _without(text: str) -> str:
    found = VALUE.search(text)
    # Short values of plain fields are evidence; structures and long texts are not.
    if found and ("{" in found.group(0) or len(found.group(0)) > 120):
        text = VALUE.sub("invalid value: ", text).rstrip(": ")
    return TYPED.sub("got another type", text)
