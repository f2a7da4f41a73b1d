# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run: a folder that only its owner reads, beside the inventory, and the page that lists all of them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from ansible.release import __version__ as ansible_version

from .pages import index_html, run_html
from .private import make_folder, write
from .state import Run
from .summary import steps_of, summary_of
from .timeline import timeline_svg

# Ansible reads every file of an inventory folder, except hidden ones.
FOLDER = ".runs"
# It looks at the records, and would displace the oldest one by its own.
UNRECORDED = ("slipway.kube.history",)
NAME = re.compile(r"\d{8}T\d{6}(-\d+)?")
COLLECTION = Path(__file__).parents[3]
PLAYBOOK = re.compile(r"ansible_collections/(\w+)/(\w+)/playbooks/(.+)\.ya?ml$")


def folder_of(inventories: Iterable[str]) -> Path | None:
    """Return the folder of the records of an inventory, or nothing where it is no file or folder."""
    for source in map(Path, inventories):
        if source.is_dir():
            return source / FOLDER
        if source.is_file():
            return source.parent / FOLDER
    return None


def full_name(path: str) -> str:
    """Return the full name of a collection's playbook, and the file name of another one."""
    found = PLAYBOOK.search(path)
    return ".".join([found[1], found[2], *found[3].split("/")]) if found else os.path.basename(path)


def version_of(collection: Path = COLLECTION) -> str:
    """Return the version of the collection, be it built or a checkout."""
    try:
        built = collection / "MANIFEST.json"
        if built.exists():
            return str(json.loads(built.read_text())["collection_info"]["version"])
        return str(yaml.safe_load((collection / "galaxy.yml").read_text())["version"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return "unknown"


def about(playbook: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the summary says about a run when it begins. Extra variables are left out, since they can be secrets.

    :param playbook: Its path.
    :param arguments: Those of ansible-playbook.
    """
    return {
        "name": full_name(playbook),
        "playbook": os.path.realpath(playbook),
        "inventory": [str(one) for one in arguments.get("inventory") or ()],
        "limit": arguments.get("subset"),
        "tags": list(arguments.get("tags") or ()),
        "skip_tags": list(arguments.get("skip_tags") or ()),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"ansible-core": ansible_version, "slipway.kube": version_of()},
    }


def new_record(
    asked: str | None, keep: int, described: Mapping[str, Any], warn: Callable[[str], None]
) -> Record | None:
    """Return a new record, or nothing where none is wanted or possible. The reason matters only where its folder was *asked* for.

    :param described: what :func:`about` returns.
    """
    folder = Path(asked) if asked else folder_of(described["inventory"])
    if folder is None or keep <= 0 or described["name"] in UNRECORDED:
        return None
    try:
        return Record(folder, keep, described, warn)
    except OSError as error:
        if asked:
            warn(f"slipway.kube.progress keeps no record of this run: {error}.")
        return None


class Record:
    """A new folder."""

    def __init__(self, runs: Path, keep: int, described: Mapping[str, Any], warn: Callable[[str], None]) -> None:
        """Create the folder, and remove the oldest records beyond *keep*.

        :raises OSError: it cannot be created, or the folder of the records is somebody else's.
        """
        make_folder(runs)
        if not (runs / ".gitignore").exists():
            write(runs / ".gitignore", "*\n")
        self.path = _new_folder(runs)
        self.page = self.path / "changes.html"
        self.described = described
        self.warn = warn
        self.complete = True
        # Held as long as the run goes on, whatever ends it.
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        prune(runs, keep, self.path)

    def begin(self, run: Run) -> None:
        """List the run as one that has not ended, which it stays if it is killed."""
        self.page = self.path / ("plan.html" if run.check else "changes.html")
        self._write({}, summary_of(run, self.described))

    def end(self, run: Run, result: str = "", whole_log: bool = True) -> None:
        """Write what happened.

        :param result: How the run came out, if it does not know it itself.
        :param whole_log: Whether the log has everything.
        """
        summary, steps = {**summary_of(run, self.described, result), "log_complete": whole_log}, steps_of(run)
        files = {
            f"{self.page.stem}.json": _dump({"check": run.check, "steps": steps}),
            self.page.name: run_html(summary, steps),
            "timeline.svg": timeline_svg(run),
        }
        self._write(files, summary)
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # workers may have a copy of the descriptor
        os.close(self._lock)

    def _write(self, files: Mapping[str, str], summary: Mapping[str, Any]) -> None:
        """Write files, the summary and the list of runs. A full disk does not end a run."""
        try:
            for name, text in files.items():
                write(self.path / name, text)
            write(self.path / "summary.json", _dump(summary))
            write(self.path.parent / "index.html", index_html(summaries(self.path.parent)))
        except OSError as error:
            self.complete = False
            self.warn(f"slipway.kube.progress cannot write the record of this run, which is not complete: {error}.")


def _new_folder(runs: Path) -> Path:
    name = time.strftime("%Y%m%dT%H%M%S")
    for _attempt in range(100):  # other runs may begin in the same second
        last = [path.name for path in records(runs) if path.name.startswith(name)][-1:]
        number = int(last[0][len(name) + 1 :] or 1) + 1 if last else 1
        path = runs / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(mode=0o700)
            return path
        except FileExistsError:
            continue
    raise FileExistsError(f"no name for a record is free in {runs}")


def _dump(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def records(runs: Path) -> list[Path]:
    """Return the folders of the records, the oldest first."""
    found = [path for path in runs.iterdir() if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: [int(part) for part in path.name.replace("T", "").split("-")])


def goes_on(path: Path) -> bool:
    """Return whether the run of a record goes on."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # it was removed
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def prune(runs: Path, keep: int, new: Path) -> None:
    """Remove the oldest records, so that with the *new* one *keep* are left. Runs that go on and other files of the folder are not touched."""
    old = [path for path in records(runs) if path != new]
    for path in old[: max(len(old) + 1 - max(keep, 1), 0)]:
        if not goes_on(path):
            shutil.rmtree(path, ignore_errors=True)  # another run was quicker


def summaries(runs: Path) -> list[dict[str, Any]]:
    """Return the summaries of the records with the names of their folders, the newest first. A damaged one is left out."""
    found = []
    for path in reversed(records(runs)):
        try:
            summary = json.loads((path / "summary.json").read_text())
            one = {**summary, "folder": path.name, "files": sorted(os.listdir(path)), "goes_on": goes_on(path)}
            index_html([one])  # what cannot be shown is damaged
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            continue
        found.append(one)
    return found
