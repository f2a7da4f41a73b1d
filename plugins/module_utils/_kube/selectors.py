# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)."""

from __future__ import annotations

from typing import Any, Iterable, Mapping


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Return whether labels include all of the wanted ones."""
    return all(labels.get(key) == value for key, value in wanted.items())


def expressions_match(labels: Mapping[str, str], rules: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether labels match all C(matchExpressions) of a C(LabelSelector) or of a node selector term."""
    return all(_expression_matches(labels, rule) for rule in rules)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a C(LabelSelector) selects an object with these labels; an empty one selects every object."""
    return has_labels(labels, selector.get("matchLabels") or {}) and expressions_match(
        labels, selector.get("matchExpressions") or ()
    )


def _expression_matches(labels: Mapping[str, str], rule: Mapping[str, Any]) -> bool:
    key, operator, values = rule.get("key") or "", rule.get("operator"), rule.get("values") or []
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    if operator in ("Gt", "Lt"):
        try:
            label, limit = int(labels[key]), int(values[0])
        except (IndexError, KeyError, ValueError):
            return False
        return label > limit if operator == "Gt" else label < limit
    return (key in labels) == (operator == "Exists")
