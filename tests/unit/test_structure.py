# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conventions that every part of the collection follows: names, specifications, imports, licences."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
EXAMPLES = sorted(path for path in (ROOT / "inventories").iterdir() if path.is_dir())
PLACEHOLDER = {"type": "dict", "default": {}}  # in a specification: the table is in the defaults only


def load(path: Path) -> Any:
    """Read a YAML file; one that is missing or empty reads as an empty mapping."""
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(ROOT / name for name in names if name and (ROOT / name).is_file())


def specified(role: Path) -> dict[str, dict[str, Any]]:
    """Every option of every entry point of a role, by name."""
    entries = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: option for entry in entries.values() for name, option in (entry.get("options") or {}).items()}


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_specifies_exactly_its_defaults(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml")
    options = specified(role)
    required = {name for name, option in options.items() if option.get("required")}
    assert set(options) - required == set(defaults), "variables in only one of defaults and argument_specs"
    for name, value in defaults.items():
        option = options[name]
        assert option.get("description"), f"{name} is not described"
        if isinstance(value, dict) and {key: option.get(key) for key in PLACEHOLDER} == PLACEHOLDER:
            continue
        assert option.get("default") == value, f"{name}: {option.get('default')!r} is specified, {value!r} is set"


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_is_described_and_depends_on_role_cluster(role: Path) -> None:
    meta = load(role / "meta" / "main.yml")
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"
    assert meta["galaxy_info"]["description"]
    wanted = [] if role.name == "cluster" else [{"role": "slipway.kube.cluster"}]
    assert meta["dependencies"] == wanted


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_variables_begin_with_the_name_of_their_role(role: Path) -> None:
    for name in load(role / "defaults" / "main.yml"):
        own = ("kube_", f"{role.name}_", *["slipway_"] * (role.name == "cluster"))
        assert name.startswith(own), f"{name} begins neither with kube_ nor with the role's name"
    for name in load(role / "vars" / "main.yml"):
        assert name.startswith((f"__{role.name}_", "__kube_")), (
            f"{name} is internal, so it must begin with __{role.name}_"
        )


def test_a_variable_has_one_default() -> None:
    defined_in: dict[str, str] = {}
    for role in ROLES:
        for name in load(role / "defaults" / "main.yml"):
            assert name not in defined_in, f"{name} is set in the defaults of both {defined_in[name]} and {role.name}"
            defined_in[name] = role.name


@pytest.mark.parametrize("inventory", EXAMPLES, ids=lambda path: path.name)
def test_an_example_inventory_sets_only_variables_that_exist(inventory: Path) -> None:
    known = {name for role in ROLES for name in specified(role)}
    for path in inventory.glob("**/*.yml"):
        text = path.read_text()
        if path.parent.name == "group_vars":
            shown = set(re.findall(r"^#? ?(\w+):", text, re.MULTILINE))
        else:
            shown = set(re.findall(r"\b(kube_\w+):", text)) - {"kube_cluster", "kube_control_plane", "kube_worker"}
        unknown = {name for name in shown - known if not name.startswith("ansible_")}
        assert not unknown, f"{path.relative_to(ROOT)} shows {unknown}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_runs_on_python_3_8(module: Path) -> None:
    ast.parse(module.read_text(), feature_version=(3, 8))


def test_what_modules_import_is_python_3_8_too() -> None:
    for path in (ROOT / "plugins" / "module_utils").glob("**/*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        imports = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert "__future__" in imports, f"{path.relative_to(ROOT)}: annotations would be evaluated"


# What each folder of plugins/ may import, beside itself. Folders that are not listed may import everything in module_utils and plugin_utils.
ALLOWED_IMPORTS = {
    "module_utils/_kube": set(),
    "module_utils/_diagnosis": {"_kube"},
    "module_utils/_release": {"_kube", "_diagnosis"},
    "module_utils/_verify": {"_kube", "_diagnosis"},
    "module_utils/_rollout": {"_kube", "_diagnosis", "_release"},
    "module_utils/_host": {"_kube"},
    "module_utils/_kubeadm": {"_kube", "_host"},
    "module_utils/_reset": {"_kube", "_host", "_kubeadm"},
    "module_utils/_upgrade": {"_kube", "_host", "_kubeadm"},
    "module_utils/_scale": {"_kube", "_diagnosis", "_host", "_kubeadm"},
    "module_utils/_lab": {"_kube", "_host"},
    "module_utils/_mirror": {"_kube", "_host"},
}


def folder_of(path: Path) -> str:
    """Return the folder of plugins/ that a file belongs to: module_utils/_host for everything below it."""
    parts = path.relative_to(ROOT / "plugins").parts
    return "/".join(parts[: 2 if parts[0] in ("module_utils", "plugin_utils") and len(parts) > 2 else 1])


@cache
def imports() -> dict[Path, set[Path]]:
    """Return which files of plugins/ each file there imports. Absolute imports of the collection are an error."""
    found: dict[Path, set[Path]] = {}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        found[path] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            absolute = [name for name in names if name.startswith("ansible_collections")]
            assert not absolute, f"{path.relative_to(ROOT)} imports {absolute[0]}: make it relative"
            assert "origin" not in {name.split(".")[0] for name in names}, (
                f"{path.relative_to(ROOT)}: tools are not shipped"
            )
            if isinstance(node, ast.ImportFrom) and node.level:
                base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                for alias in node.names:
                    (target,) = (one for one in (base / f"{alias.name}.py", base.with_suffix(".py")) if one.exists())
                    found[path].add(target)
    return found


def cycle(graph: dict[Any, set[Any]]) -> list[Any]:
    """Return the nodes of a cycle in a graph, nothing if it has none."""
    done: set[Any] = set()

    def visit(node: Any, above: list[Any]) -> list[Any]:
        if node in above:
            return [*above[above.index(node) :], node]
        if node not in done:
            for target in sorted(graph.get(node, ())):
                if found := visit(target, [*above, node]):
                    return found
            done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def test_a_folder_imports_only_what_it_may() -> None:
    wrong = []
    for path, targets in imports().items():
        folder = folder_of(path)
        for target in targets:
            below = folder_of(target)
            if folder.startswith("module_utils"):
                allowed = below == folder or below.removeprefix("module_utils/") in ALLOWED_IMPORTS.get(folder, set())
            else:
                allowed = below == folder or below.startswith(("module_utils", "plugin_utils"))
            if not allowed:
                wrong.append(
                    f"{path.relative_to(ROOT)} imports {target.relative_to(ROOT)}: {folder} may not import {below}"
                )
    assert not wrong, "\n".join(wrong)


def test_no_imports_form_a_cycle() -> None:
    circular_files = [str(path.relative_to(ROOT)) for path in cycle(imports())]
    assert not circular_files, f"circular import: {' -> '.join(circular_files)}"
    folders: dict[str, set[str]] = {}
    for path, targets in imports().items():
        folders.setdefault(folder_of(path), set()).update({folder_of(target) for target in targets} - {folder_of(path)})
    circular_folders = cycle(folders)
    assert not circular_folders, f"circular import between folders: {' -> '.join(circular_folders)}"


def test_every_python_file_names_the_licence() -> None:
    without = [path for path in files() if path.suffix == ".py" and "GPL-3.0-or-later" not in path.read_text()[:600]]
    assert not without


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    elsewhere = re.compile(r"(?<![\w.}/-])/(?:work|Users)/\w")
    for path in files():
        if path.suffix in {".py", ".yml", ".yaml", ".md", ".j2", ".sh", ".toml", ".cfg", ""} and path.name != "COPYING":
            found = elsewhere.search(path.read_text(errors="ignore"))
            assert not found, f"{path.relative_to(ROOT)} names {found and found.group(0)}"


def test_no_advice_needs_a_program_that_a_node_lacks() -> None:
    """kubeadm's packages do not bring crictl (package cri-tools); a node always has ctr, journalctl and /var/log/pods."""
    naming = [path for path in files() if "crictl" in path.read_text(errors="ignore")]
    assert [
        path for path in naming if path.is_relative_to(ROOT / "plugins") or path.is_relative_to(ROOT / "roles")
    ] == []


def test_the_action_group_has_the_modules_that_take_the_options_of_kubernetes_core() -> None:
    (members,) = load(ROOT / "meta" / "runtime.yml")["action_groups"].values()
    taking = {module.stem for module in MODULES if "  - slipway.kube.auth" in module.read_text().splitlines()}
    assert {member for member in members if isinstance(member, str)} == taking


def test_requirements_have_a_lower_bound_and_no_upper_one() -> None:
    galaxy = load(ROOT / "galaxy.yml")
    for bound in [*galaxy["dependencies"].values(), load(ROOT / "meta" / "runtime.yml")["requires_ansible"]]:
        assert re.fullmatch(r">=\d+\.\d+\.\d+", bound)
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line), f"not pinned: {line}"


@pytest.mark.parametrize("page", ["README.md", "docs/reference.md"])
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), f"{page} links to {target}"


def test_the_readme_names_every_role_and_playbook() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in [role.name for role in ROLES] + [path.stem for path in (ROOT / "playbooks").glob("*.yml")]:
        assert re.search(rf"\b{name}\b", readme), f"README.md does not mention {name}"


def sequences() -> dict[str, list[str]]:
    """Return what `molecule test` does in each scenario, step by step."""
    shared = load(ROOT / ".config" / "molecule" / "config.yml")["scenario"]["test_sequence"]
    return {
        path.parent.name: load(path).get("scenario", {}).get("test_sequence", shared)
        for path in sorted((ROOT / "molecule").glob("*/molecule.yml"))
    }


@pytest.mark.parametrize(("name", "sequence"), sequences().items())
def test_a_scenario_destroys_its_hosts_before_and_after(name: str, sequence: list[str]) -> None:
    """After it was killed, Molecule still regards the hosts as created, even those of another checkout, and would create none."""
    assert sequence[:2] == ["destroy", "create"], name
    assert sequence[-1] == "destroy", name
