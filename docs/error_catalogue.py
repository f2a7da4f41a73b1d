# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of all codes that messages carry as C([slipway:NAME]): what each means is in docs/errors, where it is raised is found in the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("preflight", "changes", "cluster", "workloads", "releases", "tools", "failures")
CODE = re.compile(r"\[slipway:([a-z_]+)\]")
CHECKS, DIAGNOSIS = ROOT / "plugins/plugin_utils/preflight", ROOT / "plugins/module_utils/_diagnosis"

Raised = dict[str, set[Path]]


def sections() -> dict[str, dict[str, Any]]:
    """Return the sections of the catalogue: ``title``, ``about`` and ``codes`` of each."""
    return {name: yaml.safe_load((ROOT / "docs/errors" / f"{name}.yml").read_text()) for name in SECTIONS}


def checks() -> tuple[Raised, dict[str, list[str]]]:
    """Return where each preflight check is, and what its functions say that they require."""
    raised: Raised = defaultdict(set)
    required: dict[str, list[str]] = defaultdict(list)
    for path in sorted(CHECKS.glob("*.py")):
        for function in ast.parse(path.read_text()).body:
            for decorator in function.decorator_list if isinstance(function, ast.FunctionDef) else ():
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("CHECKS.host", "CHECKS.cluster"):
                    name = ast.literal_eval(decorator.args[0])
                    raised[name].add(path)
                    required[name].append(" ".join((ast.get_docstring(function) or "").split("\n\n")[0].split()))
    return raised, required


def messages() -> Raised:
    """Return the files that have each code in a message of their own."""
    raised: Raised = defaultdict(set)
    for folder in ("plugins", "roles", "playbooks"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yml", ".j2"):
                for code in CODE.findall(path.read_text()):
                    raised[code].add(path)
    return raised


def names_of_diagnosis() -> Raised:
    """Return the files of the diagnosis that have each text that may be a fault: names also reach a finding through tables."""
    named: Raised = defaultdict(set)
    for path in sorted(DIAGNOSIS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+", node.value):
                named[node.value].add(path)
    return named


def errors_page() -> str:
    """Return the page of all codes."""
    check_files, required = checks()
    in_messages, named = messages(), names_of_diagnosis()
    parts = [
        "# Errors",
        "Refusals, findings and failures carry a code in brackets: `[slipway:swap]`. Codes are stable, so that they can be searched for, in logs"
        " (`grep -o '\\[slipway:[a-z_]*\\]'`) as well as here. The message itself has the host or object, the evidence and the remedy of the case.",
    ]
    for name, section in sections().items():
        parts += [f"## {section['title']}", section["about"].strip()]
        for code, text in section["codes"].items():
            own = check_files if name == "preflight" else named if name in ("cluster", "workloads") else {}
            where = sorted(str(path.relative_to(ROOT)) for path in own.get(code, set()) | in_messages.get(code, set()))
            parts.append(f"### {code}")
            parts.append(text.get("means") or f"Required: {' '.join(required[code])}")
            parts.append(
                "\n".join(
                    [
                        f"- **Why it matters:** {text['why']}",
                        f"- **What to do:** {text['do']}",
                        f"- **Raised in:** {', '.join(f'`{path}`' for path in where)}",
                    ]
                )
            )
    return "\n\n".join(parts) + "\n"
