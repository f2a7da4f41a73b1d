# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides and the README tell a person to type: playbooks, variables and links exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import error_catalogue
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "index.md", *sorted((DOCS / "guides").glob("*.md"))]
VARIABLES = set(json.loads((DOCS / "group_vars.schema.json").read_text())["properties"])
VARIABLES |= set(re.findall(r"health_\w+", (ROOT / "playbooks" / "health.yml").read_text()))  # the playbook's own
# Options of modules in examples.
VARIABLES |= {"create_namespace", "secret_env"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_playbooks_and_variables_exist(page: Path) -> None:
    text = page.read_text().replace("\\\n", " ")
    playbooks = re.findall(r"ansible-playbook slipway\.kube\.(\w+)", text)
    assert [name for name in playbooks if not (ROOT / "playbooks" / f"{name}.yml").exists()] == []
    blocks = re.findall(
        r"^ {4}(\w+): ", re.sub(r"^```yaml.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    blocks = [name for name in blocks if "_" in name]
    given = re.findall(r"-e '?\{?\"?(\w+)[=\"]", text)
    assert [name for name in given + blocks if name not in VARIABLES] == []


def options_of(module: str) -> set[str]:
    """Return the names in the tables of a module's page."""
    return set(re.findall(r"^\| `(\w+)` \|", (DOCS / "modules" / f"{module}.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_tasks_with_options_that_exist(page: Path) -> None:
    for block in re.findall(r"^```yaml$(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        content = yaml.safe_load(block)
        plays = [one for one in content if "hosts" in one]
        for task in [task for play in plays for task in play["tasks"]] + [one for one in content if "hosts" not in one]:
            for module in [name for name in task if name.startswith("slipway.kube.")]:
                assert set(task[module]) <= options_of(module.rpartition(".")[2]), task


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_the_text_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"slipway\.kube\.([a-z_]+)", text))
    folders = ("playbooks", "roles", *(f"plugins/{kind}" for kind in ("modules", "callback", "filter")))
    assert named <= {path.stem for folder in folders for path in (ROOT / folder).iterdir()}
    codes = {code for section in error_catalogue.sections().values() for code in section["codes"]}
    assert set(error_catalogue.CODE.findall(text)) <= codes
    # The first column of a table on this page has the names of other tools.
    ours = re.sub(r"^\|[^|]+\|", "", text, flags=re.MULTILINE) if page.name == "coming-from.md" else text
    given = re.findall(
        r"`((?:kube|kubernetes|control_plane|containerd|upgrade|node_drain|backup|lab|bundle)_\w+)", ours
    )
    assert [name for name in given if not known(name)] == []


def known(name: str) -> bool:
    """Return whether a variable, group, role or module has a name, or begins with it where the text has an ellipsis or a pattern."""
    others = {"kube_cluster", "kube_control_plane", "kube_worker", "kube_standby", "kube_etcd", "kube_proxy_missing"}
    others |= {path.name for path in (ROOT / "roles").iterdir()} | {
        path.stem for path in (ROOT / "plugins").glob("*/*")
    }
    return name in VARIABLES | others or name.endswith("_") and any(one.startswith(name) for one in VARIABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _hash, heading = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target
