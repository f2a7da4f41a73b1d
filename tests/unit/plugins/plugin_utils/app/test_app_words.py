# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advice names options of the module, and only those that it has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.app.fields import Structure
from ansible_collections.slipway.kube.plugins.plugin_utils.app.spec import FIELDS
from ansible_collections.slipway.kube.plugins.plugin_utils.app.words import (
    BASELINE,
    OPTIONS,
    in_words_of_app,
    translate,
)


@pytest.mark.parametrize("option", sorted(set(OPTIONS.values())))
def test_every_option_exists(option: str) -> None:
    fields: Any = FIELDS
    for part in option.split("."):
        assert part in fields, option
        inner = fields[part].type
        fields = inner.fields if isinstance(inner, Structure) else {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Set securityContext.runAsUser to a UID other than 0.",
            f"Set security.run_as_user to a UID other than 0. {BASELINE}",
        ),
        ("Raise resources.limits.memory above 1Gi.", "Raise resources.limits.memory above 1Gi."),
        ("Set startupProbe for a program that starts slowly.", "Set startup for a program that starts slowly."),
        ("mystartupProbes", "mystartupProbes"),
    ],
)
def test_fields_become_options(text: str, told: str) -> None:
    assert in_words_of_app(text) == told


def test_only_the_advice_is_translated() -> None:
    finding = {"advice": "Correct nodeSelector.", "evidence": ["nodeSelector: a=b"], "title": "t"}
    msg = "ERROR Deployment a: t\n  nodeSelector: a=b\n  advice: Correct nodeSelector.\nRolled back."
    made = translate({"msg": msg, "findings": [finding], "changed": True})
    assert made["msg"] == msg.replace("advice: Correct nodeSelector", "advice: Correct node_selector")
    assert made["findings"] == [dict(finding, advice="Correct node_selector.")] and made["changed"]
    assert translate({"changed": False}) == {"changed": False}
