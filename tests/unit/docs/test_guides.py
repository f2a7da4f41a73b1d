# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides and the README tell a person to type: playbooks, variables and links exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted((DOCS / "guides").glob("*.md"))]
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
