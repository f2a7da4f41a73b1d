# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate a page for every role and plugin from its documentation, and a schema of all variables; with --check, only report what is out of date."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from error_catalogue import errors_page
from variables_schema import variables_schema

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
COLLECTION = "slipway.kube"
# As in the map of the README; a role that is not listed comes last.
ROLE_ORDER = (
    "cluster inventory preflight swap kernel containerd kubernetes etcd keepalived control_plane network worker addons"
    " verify upgrade node scale backup restore certificates reset health history bundle mirror lab"
)
KINDS = {
    "module": "modules",
    "filter": "filters",
    "callback": "callbacks",
    "inventory": "inventories",
}


MARKUP = {"B": r"**\1**", "I": r"*\1*", "U": r"<\1>", "L": r"[\1](\2)", "HORIZONTALLINE": "---"}
MARKUP.update(dict.fromkeys(("C", "E", "M", "O", "P", "RV", "V"), r"`\1`"))


def prose(text: str | list[str] | None, separator: str = "\n\n") -> str:
    """Convert Ansible markup, a paragraph per item, to Markdown."""
    words = separator.join(str(paragraph).strip() for paragraph in ([text] if isinstance(text, str) else text or []))
    words = re.sub(r"\b(O|RV)\(ignore:", r"\1(", words)
    words = re.sub(r"\b(?:O|RV)\(([\w.]+)#\w+:([^)]*)\)", r"`\2` of `\1`", words)
    for macro, form in MARKUP.items():
        arguments = (
            r"\(([^,)]*),\s*([^)]*)\)"
            if macro == "L"
            else ""
            if macro == "HORIZONTALLINE"
            else r"\(((?:\\.|[^)\\])*)\)"
        )
        words = re.sub(rf"\b{macro}{arguments}", form, words)
    return words


def cell(text: str) -> str:
    """Return *text* as one cell of a table."""
    return text.replace("\n", " ").replace("|", "\\|")


def literal(value: Any) -> str:
    """Return a default in YAML flow style, or a reference if it is long."""
    text = value if isinstance(value, str) else json.dumps(value)
    if value is None:
        return ""
    return "a table, see below" if len(text) > 120 else f"`{text}`" if text else '`""`'


def rows(options: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a table row per option; suboptions are prefixed with the name of their parent."""
    for name, option in options.items():
        if name.startswith("_"):
            continue  # internal: set by the action plugin of the module
        kind = option.get("type", "str")
        if kind == "list":
            kind = f"list of {option.get('elements', 'raw')}"
        words = prose(option.get("description"), " ")
        if option.get("choices"):
            words += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
        if option.get("aliases"):
            words += " Aliases: " + ", ".join(f"`{alias}`" for alias in option["aliases"]) + "."
        value = "required" if option.get("required") else literal(option.get("default"))
        yield f"| `{prefix}{name}` | {kind} | {cell(value)} | {cell(words)} |"
        below = option.get("options") or option.get("suboptions") or option.get("contains")
        if isinstance(below, dict):
            yield from rows(below, f"{prefix}{name}{'[]' if option.get('type') == 'list' else ''}.")


def table(options: dict[str, Any], first: str, third: str) -> str:
    """Return the table of *options*, with the headings of its first and third column."""
    return "\n".join([f"| {first} | Type | {third} | What it is |", "|---|---|---|---|", *rows(options)])


def long_defaults(options: dict[str, Any]) -> Iterator[str]:
    """Yield the defaults that do not fit into a table as YAML blocks (JSON is YAML)."""
    for name, option in options.items():
        value = option.get("default")
        if value is not None and literal(value).startswith("a table"):
            text = value if isinstance(value, str) else json.dumps(value, indent=2)
            yield f"Default of `{name}`:\n\n```yaml\n{text}\n```"


def role_page(name: str, role: dict[str, Any]) -> str:
    """Return the page of a role, with a section per entry point."""
    parts = [f"# Role {name}"]
    for entry, specification in sorted(role["entry_points"].items(), key=lambda item: item[0] != "main"):
        if entry != "main":
            parts.append(f"## Entry point {entry}")
        parts += [f"**{prose(specification['short_description'])}.**", prose(specification.get("description"))]
        options = specification.get("options") or {}
        if options:
            parts += [table(options, "Variable", "Default"), *long_defaults(options)]
    return "\n\n".join(part for part in parts if part) + "\n"


def plugin_page(kind: str, name: str, plugin: dict[str, Any]) -> str:
    """Return the page of a module or another plugin."""
    doc = plugin["doc"]
    parts = [f"# {kind.capitalize()} {name}", f"**{prose(doc['short_description'])}.**", prose(doc.get("description"))]
    if doc.get("options"):
        parts += ["## Options", table(doc["options"], "Option", "Default")]
    for note in doc.get("notes") or []:
        parts.append("- " + prose(note))
    if plugin.get("examples"):
        parts += ["## Examples", f"```yaml\n{plugin['examples'].strip()}\n```"]
    if plugin.get("return"):
        parts += ["## What it returns", table(plugin["return"], "Key", "Example").replace("| Example |", "| |", 1)]
    return "\n\n".join(part for part in parts if part) + "\n"


def addons_page() -> str:
    """Return the page of the add-ons: what each is, and its settings."""
    parts = [
        "# Add-ons",
        "Selected with `kube_addons` or `kube_addons_set`; settings are in `kube_addons_settings`, by the name of the add-on"
        " ([role cluster](roles/cluster.md)). [Role addons](roles/addons.md) deploys them.",
    ]
    for path in sorted((ROOT / "roles" / "addons" / "addons").glob("*/addon.yml")):
        addon = yaml.safe_load(path.read_text())
        sets = ", ".join(f"`{name}`" for name in addon.get("sets") or [])
        parts += [
            f"## {addon['title']}",
            f"`{path.parent.name}`{f', in the set {sets}' if sets else ''}. {prose(addon['description'])}",
        ]
        if addon.get("settings"):
            parts.append(table(addon["settings"], "Setting", "Default"))
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """Return the text of every page by its path, from the output of `ansible-doc` for the collection."""
    command = ["ansible-doc", "--metadata-dump", "--no-fail-on-errors", COLLECTION]
    dump = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)["all"]
    result: dict[Path, str] = {}
    index = [
        "# Reference",
        "Generated from the documentation of the roles and plugins by `make docs`.",
        "## Roles, in the order of a run",
    ]
    order = ROLE_ORDER.split()
    roles = {name.rpartition(".")[2]: role for name, role in dump["role"].items() if "entry_points" in role}
    lost = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()} - set(roles)
    if lost:
        sys.exit(
            f"ansible-doc cannot read meta/argument_specs.yml of the roles {', '.join(sorted(lost))}: is it valid YAML?"
        )
    links = []
    for name in sorted(roles, key=lambda role: (order.index(role) if role in order else len(order), role)):
        result[DOCS / "roles" / f"{name}.md"] = role_page(name, roles[name])
        links.append(f"- [{name}](roles/{name}.md): {prose(roles[name]['entry_points']['main']['short_description'])}")
    index.append("\n".join(links))
    for kind, folder in KINDS.items():
        links = []
        for name, plugin in sorted(dump.get(kind, {}).items()):
            if kind == "filter" and "No documentation available" in plugin.get("error", ""):
                continue  # a filter without documentation is internal to the roles
            if "doc" not in plugin:
                raise SystemExit(f"{kind} {name} cannot be documented: {plugin}")
            short = name.rpartition(".")[2]
            result[DOCS / folder / f"{short}.md"] = plugin_page(kind, short, plugin)
            links.append(f"- [{short}]({folder}/{short}.md): {prose(plugin['doc']['short_description'])}")
        if links:
            index += [f"## {folder.capitalize()}", "\n".join(links)]
    listed = "\n".join(str(page.relative_to(DOCS).with_suffix("")) for page in result)
    index.append(f"```{{toctree}}\n:hidden:\n\n{listed}\n```")  # for the site
    result[DOCS / "addons.md"] = addons_page()
    result[DOCS / "errors.md"] = errors_page()
    schema = variables_schema(roles, lambda text: prose(text, " ").replace("`", "").replace("*", ""))
    result[DOCS / "group_vars.schema.json"] = json.dumps(schema, indent=1) + "\n"
    result[DOCS / "reference.md"] = "\n\n".join(index) + "\n"
    return result


def main() -> None:
    """Write the pages, or compare them with those that exist."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a page is out of date")
    check = parser.parse_args().check
    wanted = pages()
    there = {page for folder in ("roles", *KINDS.values()) for page in (DOCS / folder).glob("*.md")}
    stale = [page for page, text in wanted.items() if not page.exists() or page.read_text() != text]
    left_over = sorted(there - set(wanted))
    if check and (stale or left_over):
        names = ", ".join(str(page.relative_to(ROOT)) for page in stale + left_over)
        sys.exit(f"Out of date: {names}. Run `make docs`.")
    for page in [] if check else stale:
        page.parent.mkdir(exist_ok=True)
        page.write_text(wanted[page])
    for page in [] if check else left_over:
        page.unlink()
    print(f"{len(wanted)} pages, {'all current' if check else f'{len(stale)} written, {len(left_over)} removed'}")


if __name__ == "__main__":
    main()
