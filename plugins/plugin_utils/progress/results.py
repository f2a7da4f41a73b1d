# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result of a task says to a person: problems, texts shown on purpose, changes. Results come censored by Ansible."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .text import plain

TAIL = 10  # lines of a failed command's output that are quoted
# Conditions by which a task is left out because it needs what a real run does before it.
NEEDS_RUN = re.compile(r"\bnot\s+\(?\s*ansible_check_mode\b|\bansible_check_mode\s+(is\s+false|==\s+[Ff]alse)\b")
INTERNAL = ("changed", "failed", "skipped", "invocation", "warnings", "deprecations", "exception", "results")


def items_of(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the results of a loop's items; that of a task without a loop is its only one."""
    items = result.get("results")
    if isinstance(items, list) and items and all(isinstance(item, Mapping) for item in items):
        return items
    return [result]


def label_of(item: Mapping[str, Any]) -> str:
    """Return the label of a loop's item, nothing where it is no short text. Ansible censors that of a secret."""
    label = item.get("_ansible_item_label", item.get("item"))
    if item.get("_ansible_no_log") or not isinstance(label, (str, int)):
        return ""
    return plain(str(label)).split("\n")[0]


def problem_of(result: Mapping[str, Any]) -> str:
    """Return why a task failed: its message, and the end of its output where it has one. Of a loop: of each failed item."""
    if "censored" in result:
        return str(result["censored"])
    failed = [item for item in items_of(result) if item.get("failed") or item.get("unreachable")]
    texts = []
    for item in failed or [result]:
        label = label_of(item) if item is not result else ""
        texts.append(f"{label}: {_reason(item)}" if label else _reason(item))
    return "\n".join(dict.fromkeys(texts))


def _reason(result: Mapping[str, Any]) -> str:
    if "censored" in result:
        return str(result["censored"])
    message = result.get("msg", "")
    lines = [_text(message)] if message else []
    for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
        output = str(result.get(key) or "").strip().splitlines()
        if output and output[-1].strip() not in str(message):
            lines += [f"  {line}" for line in output[-TAIL:]]
            break
    return "\n".join(lines) or "no message; the log has the whole result"


def _text(value: Any) -> str:
    """Return a value as text: a list of texts as lines, structures as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def shown_of(result: Mapping[str, Any]) -> str:
    """Return what the action debug shows: its message, or a variable with its name."""
    texts: list[str] = []
    if "censored" in result:
        return ""
    for item in items_of(result):
        if item.get("skipped") or "censored" in item:
            continue
        if "msg" in item:
            texts.append(_text(item["msg"]))
            continue
        shown = {
            key: value
            for key, value in item.items()
            if key not in (*INTERNAL, "item", "ansible_loop_var", "ansible_index_var", "ansible_loop")
            and not key.startswith("_ansible")
        }
        texts += [f"{key}: {_text(value)}" for key, value in shown.items()]
    return "\n".join(text for text in texts if text)


def changes_of(result: Mapping[str, Any], failed: bool = False) -> list[str]:
    """Return what a task changed, or would change: sentences of our modules' C(changes), their objects, or the labels of changed items.

    :param failed: whether the task failed; of a loop, items can have changed something before.
    """
    if "censored" in result:
        return []
    items = [item for item in items_of(result) if not failed or (item is not result and item.get("changed"))]
    return list(dict.fromkeys(plain(text) for item in items for text in _changes(item, item is not result)))


def _changes(item: Mapping[str, Any], looped: bool) -> Iterator[str]:
    sentences = item.get("changes")
    if isinstance(sentences, list) and sentences and all(isinstance(one, str) for one in sentences):
        yield from sentences
    elif objects := list(_objects(item)):
        yield from objects
    elif looped and item.get("changed") and (label := label_of(item)):
        yield label


def _objects(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each object of a cluster that release, app and manifest create, change or delete."""
    for key, otherwise in (("objects", "none"), ("pruned", "delete")):
        found = item.get(key)
        for one in found if isinstance(found, list) else ():
            if isinstance(one, Mapping) and {"kind", "name"} <= set(one):
                action = str(one.get("action", otherwise))
                where = "/".join(str(part) for part in (one.get("namespace"), one["name"]) if part)
                if action != "none":
                    yield f"{one['kind']} {where}: {action}"


def unknown_of(result: Mapping[str, Any], skipped: bool) -> str:
    """Return why check mode does not know what a task would do, nothing where it does.

    :param skipped: whether the task was; Ansible says so in the results of a loop's items only.
    """
    if "censored" in result:
        return ""
    for item in items_of(result):
        if not (skipped if item is result else item.get("skipped")):
            continue
        message = str(item.get("msg") or "").partition("\n")[0]
        if "check mode" in message:
            return plain(message)
        if NEEDS_RUN.search(str(item.get("false_condition"))):
            return "runs only outside check mode"
    return ""


def warnings_of(result: Mapping[str, Any]) -> list[str]:
    """Return the warnings of a task. They are texts, or with ansible-core 2.19 and later structures around a text."""
    found = result.get("warnings") if "censored" not in result else None
    warnings = found if isinstance(found, (list, tuple)) else [found] if found else []
    return [str(getattr(getattr(one, "event", None), "msg", None) or one) for one in warnings]
