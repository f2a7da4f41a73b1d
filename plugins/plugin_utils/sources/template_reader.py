# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render Jinja templates with Ansible's templar; an error names the line, which the templar itself does not report."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from ...module_utils._kube.objects import MASK
from ..errors import InputError

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts every template

    def trust_as_template(value: str) -> str:
        """Return the text."""
        return value


# The defaults of ansible.builtin.template.
OVERRIDES = {"trim_blocks": True, "lstrip_blocks": False}
# Only parses templates; Ansible's own environment is private since ansible-core 2.19.
SYNTAX = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], trim_blocks=True)
# A longer template is not searched for the line of an error.
MOST_LINES = 3000


def render(action: Any, task_vars: Mapping[str, Any], path: str, text: str, variables: Mapping[str, Any]) -> Any:
    """Render a template.

    :param action: the action plugin, whose templar and search path are used.
    :param path: of the template, for messages and for what it includes.
    :param variables: take precedence over those of the task.
    :returns: the text, or the value of a template that is one expression.
    :raises InputError: the template is invalid or fails; the message names the line, and no value.
    """
    places = [os.path.dirname(path), *(task_vars.get("ansible_search_path") or []), action._loader.get_basedir()]
    search = [place for base in places for place in (os.path.join(base, "templates"), base)]
    known = dict(task_vars, **_about(path))
    if "ansible_managed" in task_vars:
        known["ansible_managed"] = task_vars["ansible_managed"]
    known.update(variables)
    templar = action._templar.copy_with_new_env(searchpath=search, available_variables=known)

    def attempt(part: str) -> Any:
        if hasattr(templar, "evaluate_expression"):
            return templar.template(trust_as_template(part), escape_backslashes=False, overrides=OVERRIDES)
        return templar.do_template(part, escape_backslashes=False, overrides=OVERRIDES)

    try:
        return attempt(text)
    except Exception as error:  # a filter or a lookup can raise anything
        place, message = explain(error, text, attempt)
        raise InputError(f"{path}, {place}: {message.rstrip('.')}.") from None


def _about(path: str) -> dict[str, Any]:
    """Return the variables of every template (C(ansible_managed), C(template_path) ...)."""
    try:
        from ansible.template import generate_ansible_template_vars

        return generate_ansible_template_vars(path, fullpath=path)
    except Exception:  # not part of Ansible's public API; manifests hardly need it
        return {"template_path": path, "ansible_managed": "Ansible managed"}


def explain(error: BaseException, text: str, attempt: Callable[[str], Any]) -> tuple[str, str]:
    """Return where and why a template fails, without any value.

    :param attempt: renders a text; it is called with the beginning of the template, to find the line.
    :returns: the place ("line 3") and the message.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, jinja2.TemplateSyntaxError) and one.lineno:
            inside = f" of {one.name}" if one.name and one.name not in ("<template>", "<unknown>") else ""
            return f"line {one.lineno}{inside}", f"template error: {_first_line(one.message or 'syntax')}"
    missing = next((one for one in chain if isinstance(one, jinja2.TemplateNotFound)), None)
    message = f"the included template {missing.name} does not exist" if missing else _reason(chain, text)
    first, last = _lines(text, attempt)
    if first != last:
        hits = [line for line in _suspects(text, message) if first <= line <= last]
        if hits:
            first = last = hits[0]
    place = f"line {first}" if first == last else f"in lines {first} to {last}"
    return place, f"template error: {message}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or getattr(error, "orig_exc", None) or error.__context__


def _reason(chain: list[BaseException], text: str) -> str:
    message = str(getattr(chain[0], "message", None) or chain[0]) or type(chain[0]).__name__
    # ansible-core before 2.19 starts with the one and repeats the whole template after the other.
    message = _first_line(message.replace("template error while templating string: ", "").partition(". String: ")[0])
    # What a filter quotes can be a value, unless it is part of the template.
    return re.sub(
        r"'[^']*'|\"[^\"]*\"", lambda match: match.group() if _known(match.group()[1:-1], text) else MASK, message
    )


def _known(quoted: str, text: str) -> bool:
    return (
        quoted in text
        or re.fullmatch(r"(ansible|community|kubernetes)\.[\w.]+|int|str|dict|list|bool|float|NoneType", quoted)
        is not None
    )


def _first_line(message: str) -> str:
    return " ".join((message.splitlines() or [""])[0].split())


def _lines(text: str, attempt: Callable[[str], Any]) -> tuple[int, int]:
    """Find the first lines with which the template fails, by rendering its beginning up to lines where no block is open."""
    lines = text.splitlines(keepends=True)
    if len(lines) > MOST_LINES:
        return 1, len(lines)

    def whole(count: int) -> bool:
        try:
            SYNTAX.parse("".join(lines[:count]))
        except jinja2.TemplateSyntaxError:
            return False
        return True

    def fails(count: int) -> bool:
        try:
            attempt("".join(lines[:count]))
        except Exception:
            return True
        return False

    cuts = [count for count in range(1, len(lines)) if whole(count)] + [len(lines)]
    low, high = 0, len(cuts) - 1
    while low < high:
        middle = (low + high) // 2
        if fails(cuts[middle]):
            high = middle
        else:
            low = middle + 1
    return (cuts[low - 1] + 1 if low else 1), cuts[low]


def _suspects(text: str, message: str) -> list[int]:
    """Return the lines in which the template uses what the message names."""
    try:
        tree = SYNTAX.parse(text)
    except jinja2.TemplateSyntaxError:
        return []
    words = set(re.findall(r"[A-Za-z_][\w.]*", message))
    words |= {word.rpartition(".")[2] for word in words}
    found = [node.lineno for node in tree.find_all(nodes.Name) if node.name in words]
    found += [node.lineno for node in tree.find_all(nodes.Getattr) if node.attr in words]
    found += [node.lineno for node in tree.find_all(nodes.Filter) if node.name.rpartition(".")[2] in words]
    found += [
        node.lineno
        for node in tree.find_all(nodes.Getitem)
        if isinstance(node.arg, nodes.Const) and str(node.arg.value) in words
    ]
    return sorted(found)
