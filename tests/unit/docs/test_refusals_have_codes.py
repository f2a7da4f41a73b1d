# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a person reads as the reason why a run stopped has a code: every place where the plugins raise an error is looked at."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import error_catalogue
import pytest

PLUGINS = error_catalogue.ROOT / "plugins"
# Errors that a person reads as they are.
TOLD = {
    *("AnsibleActionFail", "AnsibleFilterError", "AnsibleParserError", "ArchiveError", "BackupError", "BundleError"),
    *("CannotRestore", "ConfigError", "EtcdError", "EtcdToolError", "FormError", "HostError"),
    *(
        "KubeadmError",
        "KubeconfigRefused",
        "LastMember",
        "LockLost",
        "NamespaceInUse",
        "NetworkError",
        "NotFound",
        "OperationFailed",
    ),
    *("NothingReset", "OffsiteError", "ReleaseError", "RolloutError", "UnreadableRevision", "fail_json"),
}
# Errors whose message gets its code in one place, and that place.
CODED_ONCE = {
    "InputError": ("action/release.py", "action/app.py", "filter/addons.py"),
    "KubeconfigError": ("module_utils/_kube/kubeconfig.py",),
    "RolloutFailed": ("module_utils/_rollout/run.py",),
    "Unreachable": ("module_utils/_kube/failures.py",),
    "UnhealthyUnit": ("module_utils/_host/unit_health.py",),
    "_put_back": ("module_utils/_host/layer.py",),
    "EngineError": ("modules/lab_image.py",),
}
# Errors that become the evidence in the message of another one, or end a program that Ansible does not run.
INTERNAL = {
    *("BadObject", "BadPatch", "BadPath", "ConstructorError", "FetchError", "OSError", "Pause", "PermissionError"),
    *("AssertionError", "FileExistsError", "RequestError", "RuntimeError", "SystemExit", "TarError", "ValueError"),
    *("_NoYaml", "_api_error", "_unsupported", "login_required", "not_ready"),
}
# Filters that got something else than the result of a module of this collection, which is a mistake in a playbook of one's own.
MISTAKES = ("is not a result of slipway.kube.", "is not a valid severity", "is not a valid operation")
# Messages that end with the code of what they pass on.
PASSED_ON = ("pack.REPAIR", "No backup was taken. {error}{code}", "{unfinished}", "No member of etcd responds. {")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def defined(path: Path) -> dict[str, str]:
    """Return the source of the constants and functions of a module by their name, with those that it imports from others of the collection."""
    found = {}
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            file = path.parents[node.level - 1].joinpath(*(node.module or "").split(".")).with_suffix(".py")
            for one in node.names if file.exists() else ():
                found[one.asname or one.name] = defined(file).get(one.name, "")
        elif isinstance(node, ast.Assign):
            found |= {target.id: ast.unparse(node.value) for target in node.targets if isinstance(target, ast.Name)}
    found |= {node.name: ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)}
    return found


def raised(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield the name and the call of each error that is raised in a file, and of each failed module."""
    for node in ast.walk(parsed(path)):
        call = node.exc if isinstance(node, ast.Raise) else node
        if isinstance(call, ast.Call) and (
            isinstance(node, ast.Raise) or ast.unparse(call.func).endswith(".fail_json")
        ):
            yield ast.unparse(call.func).rpartition(".")[2], call


def without_code(path: Path, folder: Path = PLUGINS) -> list[str]:
    """Return the errors of a file that are told to a person and have no code."""
    found = []
    for name, call in raised(path):
        if name in INTERNAL or name in CODED_ONCE:
            continue
        text = ast.unparse(call)
        names = [one.id for one in ast.walk(call) if isinstance(one, ast.Name)]
        # Of the constants that are part of the message, and of the functions that make parts of it.
        behind = text + "".join(defined(path).get(one, "") for one in names)
        # Without words of its own, an error passes on another one.
        own = [one.value for one in ast.walk(call) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if any(re.search(r"\w{3,} \w", words) for words in own) and not re.search(r"\[slipway:|coded\(", behind):
            found.append(f"{path.relative_to(folder)}:{call.lineno}: {text[:160]}")
    return [line for line in found if not any(words in line for words in MISTAKES + PASSED_ON)]


def test_every_message_that_a_person_reads_has_a_code() -> None:
    assert [line for path in sorted(PLUGINS.rglob("*.py")) for line in without_code(path)] == []


def test_every_sort_of_error_is_known() -> None:
    """A new one is told to a person, gets its code in one place, or is the evidence of another one."""
    names = {name for path in PLUGINS.rglob("*.py") for name, _call in raised(path)} - {"kind"}
    assert names == TOLD | set(CODED_ONCE) | INTERNAL


def test_the_places_that_add_a_code_do() -> None:
    for places in CODED_ONCE.values():
        assert all(
            "slipway:" in (PLUGINS / place).read_text() or "coded(" in (PLUGINS / place).read_text() for place in places
        )


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ('raise HostError(f"{name} is broken. Repair it.")', 1),
        ('module.fail_json(msg="This cannot be done.")', 1),
        ('raise HostError(f"{name} is broken. Repair it. [slipway:swap]")', 0),
        ("raise HostError(str(error))", 0),
        ("raise ValueError('a list is expected')", 0),
    ],
)
def test_a_message_without_a_code_is_found(tmp_path: Path, line: str, times: int) -> None:
    (tmp_path / "one.py").write_text(f"{line}\n")
    assert len(without_code(tmp_path / "one.py", tmp_path)) == times
