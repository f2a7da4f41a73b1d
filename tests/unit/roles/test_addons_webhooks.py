# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks of an add-on that is switched off: gone before its pods, and these cannot make them again."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.slipway.kube.plugins.filter.addons import selected
from ansible_collections.slipway.kube.plugins.plugin_utils.addons.registry import description_problems

TASKS = Path(__file__).resolve().parents[3] / "roles" / "addons" / "tasks"


def test_they_go_before_any_release() -> None:
    names = [task["name"] for task in yaml.safe_load((TASKS / "reconcile.yml").read_text())]
    revoke = names.index("Revoke the permission to create webhooks from add-ons that are no longer selected")
    delete = names.index("Delete the webhooks of the add-ons that are no longer selected")
    assert revoke + 1 == delete < names.index("Remove the add-ons that are no longer selected")


def test_the_filter_says_which_these_are() -> None:
    found = selected([], "none", 2, {}, {})["webhooks"]
    assert found["addon-kyverno"]["labels"] == "webhook.kyverno.io/managed-by=kyverno"
    assert "kyverno:admission-controller" in found["addon-kyverno"]["writers"]


def test_a_description_has_both() -> None:
    given = {"title": "T", "description": "D", "version": "1", "webhooks": {"labels": "app=x"}}
    (problem,) = description_problems("mine", given)
    assert problem.startswith("webhooks: needs labels")
