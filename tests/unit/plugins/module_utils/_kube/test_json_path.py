# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSONPath that waiting needs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import json_path

CONTENT = {
    "metadata": {"annotations": {"a.b/c": "yes"}},
    "status": {
        "phase": "Running",
        "ok": True,
        "ingress": [{"ip": "1.2.3.4"}, {"ip": "5.6.7.8"}],
        "conditions": [{"type": "Ready", "status": "True", "n": 1}, {"type": "Other", "status": "False", "n": 2}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.phase", ["Running"]),
        ("{.status.phase}", ["Running"]),
        ("$.status.phase", ["Running"]),
        ("status.phase", ["Running"]),
        (".status['phase']", ["Running"]),
        (".status.ingress[0].ip", ["1.2.3.4"]),
        (".status.ingress[-1].ip", ["5.6.7.8"]),
        (".status.ingress[*].ip", ["1.2.3.4", "5.6.7.8"]),
        (".status.ingress[2].ip", []),
        (r".metadata.annotations.a\.b/c", ["yes"]),
        (".metadata.annotations['a.b/c']", ["yes"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Other')].n", [2]),
        (".status.conditions[?(@.n==2)].status", ["False"]),
        (".status.none.phase", []),
        (".status.phase.none", []),
        (".status.phase[*]", []),
    ],
)
def test_a_path_selects(path: str, found: list[Any]) -> None:
    assert json_path.values(json_path.parse(path), CONTENT) == found


@pytest.mark.parametrize("path", [".a[?(@.b>1)]", "..a", ".a[", ".a[1:2]", ".a b", "{range .items[*]}{.a}{end}", ".a["])
def test_what_is_not_supported_is_refused(path: str) -> None:
    with pytest.raises(json_path.BadPath, match="is not a supported JSONPath at"):
        json_path.parse(path)


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (3, "3"), ("x", "x"), (1.5, "1.5")])
def test_values_are_compared_as_a_person_writes_them(value: Any, text: str) -> None:
    assert json_path.as_text(value) == text
