# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build, verify, pack and unpack a bundle on the control node, and show the progress."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.bundle import archives, build, golang, pack, requirements
from ..plugin_utils.bundle import index as index_file
from ..plugin_utils.bundle import steps as build_plan
from ..plugin_utils.bundle.executors import StepExecutor
from ..plugin_utils.bundle.files import sha256_of
from ..plugin_utils.bundle.names import BundleError
from ..plugin_utils.bundle.process import Runner, end_with_parent
from ..plugin_utils.bundle.request import ArchivedImage, BundleRequest, carry_over, describe
from ..plugin_utils.bundle.staleness import BuildStep
from ..plugin_utils.bundle.upstream import BundledManifest

display = Display()

FILES = Path(__file__).resolve().parents[2] / "roles" / "bundle" / "files"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
ARGUMENTS = {
    "state": {"choices": ["present", "planned", "verified", "packed", "unpacked", "absent"], "default": "present"},
    "path": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "archive": {"type": "path"},
    "origin": {"choices": list(build_plan.ORIGINS), "default": "go_modules"},
    "architecture": {"choices": list(build_plan.ARCHITECTURES)},
    "kubernetes_versions": {"type": "list", "elements": "str"},
    "component_versions": {"type": "dict"},
    "image_archives": {"type": "list", "elements": "raw", "default": []},
    "manifests": {"type": "dict", "default": {}},
    "debian_release": {"type": "str", "default": "12 bookworm"},
    "debian_sources": {"type": "list", "elements": "str", "default": []},
    "upstream": {"type": "dict", "default": {}},
    "programs": {"type": "list", "elements": "str", "default": []},
    "program_versions": {"type": "dict", "default": {}},
    "debian_images": {"type": "list", "elements": "str", "default": []},
    "prune": {"type": "bool", "default": False},
}
REQUIRED_IF = [
    *[("state", state, ["kubernetes_versions", "component_versions"]) for state in ("present", "planned")],
    *[("state", state, ["archive"]) for state in ("packed", "unpacked")],
]


class Progress:
    """Shows lines such as ``[ 3/14] building etcd 3.6.8 (3 programs) ... 19 s``."""

    def __init__(self) -> None:
        self.began = 0.0
        self.line_is_open = False

    def start(self, number: int, total: int, step: BuildStep) -> None:
        """Begin the line of a step."""
        width = len(str(total))
        self.began, self.line_is_open = time.monotonic(), True
        display.display(f"[{number:{width}d}/{total}] {step.title} ... ", newline=False)

    def close(self) -> None:
        """End the current line."""
        if self.line_is_open:
            display.display("")
            self.line_is_open = False

    def report(self, text: str) -> None:
        """Show a line of text below the current step."""
        self.close()
        display.display(f"        {text} ({time.monotonic() - self.began:.0f} s)")

    def done(self, step: BuildStep, seconds: float) -> None:
        """Show the duration of a step."""
        display.display(f"{seconds:.0f} s" if self.line_is_open else f"        {step.title} ... {seconds:.0f} s")
        self.line_is_open = False


class ActionModule(ActionBase):
    """Runs on the control node only; hosts are not touched."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENTS, required_if=REQUIRED_IF)
        options = json.loads(json.dumps(options))  # plain values, without Ansible's data tags
        end_with_parent()  # the parent is Ansible's worker: when the playbook is killed, the build stops
        options.update({name: os.path.abspath(options[name]) for name in ("path", "cache", "archive") if options[name]})
        os.umask(0o022)  # a web server must be able to read the bundle
        self.progress = Progress()
        self.runner = Runner(self.progress.report)
        try:
            cache = Path(options["cache"])
            if options["state"] in ("planned", "verified") or self._task.check_mode:
                result.update(getattr(self, f"_{options['state']}")(options))
            else:
                with build.exclusive(cache / "bundle.lock"):
                    result.update(getattr(self, f"_{options['state']}")(options))
        except BundleError as error:
            self.progress.close()
            raise AnsibleActionFail(str(error)) from None  # the message contains the cause
        return result

    # --- states ---------------------------------------------------------------------------------------------------
    def _present(self, options: dict[str, Any]) -> dict[str, Any]:
        executor, request, found = self._inspect(options)
        if self._task.check_mode:
            return self._result(options, found, found.pending.changes, [])
        problems = self._missing(executor, found).problems
        if problems:
            raise BundleError(
                "\n".join(["The bundle cannot be built on this machine:", *(f"- {problem}" for problem in problems)])
            )
        if found.interrupted:
            display.display("An earlier run was interrupted. Resuming it.")
        for path, what in found.broken.items():
            display.warning(f"{path} {what}. It will be rebuilt.")
        result = build.build(found, executor, describe(request), self.progress.start, self.progress.done)
        found.index = result.index
        self._summarize(options["path"], found, sum(seconds for _title, seconds in result.done))
        done = [{"title": title, "seconds": seconds} for title, seconds in result.done]
        return self._result(options, found, result.changed, done)

    def _planned(self, options: dict[str, Any]) -> dict[str, Any]:
        executor, _request, found = self._inspect(options)
        missing = self._missing(executor, found)
        result = self._result(options, found, False, [])
        return {**result, "missing_packages": missing.packages, "problems": missing.problems}

    def _verified(self, options: dict[str, Any]) -> dict[str, Any]:
        root = Path(options["path"])
        index, broken = build.verify(root)
        if broken:
            problems = [f"- {line}" for line in broken]
            raise BundleError(
                "\n".join([f"The bundle in {root} has missing or corrupt files:", *problems, pack.REPAIR])
            )
        items = [vars(item) for item in index.all_items()]
        return {"changed": False, "path": str(root), "contents": items, "files": len(index.files)}

    def _packed(self, options: dict[str, Any]) -> dict[str, Any]:
        root, archive = Path(options["path"]), Path(options["archive"])
        changed = pack.would_pack(root, archive) if self._task.check_mode else pack.pack(root, archive, self.runner)
        current = archive.is_file() and not (changed and self._task.check_mode)
        return {
            "changed": changed,
            "archive": str(archive),
            "digest": sha256_of(archive) if current else "",
            "size": archive.stat().st_size if current else 0,
        }

    def _unpacked(self, options: dict[str, Any]) -> dict[str, Any]:
        archive, root = Path(options["archive"]), Path(options["path"])
        changed = pack.would_unpack(archive, root) if self._task.check_mode else pack.unpack(archive, root, self.runner)
        return {"changed": changed, "path": str(root)}

    def _absent(self, options: dict[str, Any]) -> dict[str, Any]:
        changed = build.remove(Path(options["path"]), dry_run=self._task.check_mode)
        if not self._task.check_mode:
            for folder in ("work", "layers"):
                shutil.rmtree(Path(options["cache"]) / folder, ignore_errors=True)
        return {"changed": changed, "path": options["path"]}

    def _summarize(self, path: str, found: build.Inspection, seconds: float) -> None:
        """Show what the bundle contains."""
        items = found.index.all_items()
        kinds = Counter(item.kind for item in items)
        counts = ", ".join(
            f"{kinds[kind]} {kind}{'s' if kinds[kind] != 1 else ''}"
            for kind in ("package", "image", "program", "manifest")
            if kinds[kind]
        )
        versions = ", ".join(found.index.kubernetes_versions)
        # A file that several images share is stored once.
        size = sum({entry.digest: entry.size for entry in found.index.files.values()}.values()) // 1_000_000
        took = f", built in {seconds:.0f} s" if seconds else ""
        display.display(f"{path} contains Kubernetes {versions}: {counts}, {size} MB{took}.")
        available = build_plan.image_names(found.steps)
        for step in found.steps:
            missing = [name for name in step.hints.get("images", ()) if name not in available]
            if missing:
                display.display(
                    f"The bundle contains {step.inputs['target']} but not its images ({', '.join(missing)}). Clusters will use flannel."
                )

    # --- shared by the states -------------------------------------------------------------------------------------
    def _missing(self, executor: StepExecutor, found: build.Inspection) -> requirements.Missing:
        return requirements.check(found.pending.steps, executor.root, executor.locks, _machine(), self.runner)

    def _inspect(self, options: dict[str, Any]) -> tuple[StepExecutor, BundleRequest, build.Inspection]:
        """Read everything that determines the result, and compare it with the existing bundle."""
        cache = Path(options["cache"])
        executor = StepExecutor(
            root=Path(options["path"]),
            work=cache / "work",
            layers=cache / "layers",
            locks=FILES / "go",
            sources=FILES,
            secret=cache / "keys" / "bundle.secret.asc",
            run=self.runner,
            dump=_dump,
        )
        sources = [path for path in FILES.iterdir() if path.suffix in (".c", ".sh")]
        request = BundleRequest(
            origin=options["origin"],
            architecture=options["architecture"] or _machine(),
            kubernetes_versions=[str(version) for version in options["kubernetes_versions"]],
            table={str(minor): dict(row) for minor, row in options["component_versions"].items()},
            debian=options["debian_release"],
            debian_sources=options["debian_sources"],
            archives=[archive for entry in options["image_archives"] for archive in _archives(entry)],
            manifests=[_manifest(target, path) for target, path in options["manifests"].items()],
            locks=golang.read_locks(FILES / "go"),
            texts={path.name: path.read_text(encoding="utf-8") for path in sources},
            upstream=options["upstream"],
            programs={name: str(options["program_versions"].get(name, "")) for name in options["programs"]},
            debian_images=options["debian_images"],
        )
        index = index_file.load(executor.root)
        if not options["prune"]:
            carry_over(request, index)
        return executor, request, build.inspect(build_plan.steps_of(request), index, executor)

    def _result(
        self, options: dict[str, Any], found: build.Inspection, changed: bool, done: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the values that every run on a bundle returns."""
        values = next(step.inputs["values"] for step in found.steps if step.kind == "vars")
        steps = [{"title": step.title, "reason": found.pending.reason(step)} for step in found.pending.steps]
        result = {
            "changed": changed,
            "path": options["path"],
            "vars_file": os.path.join(options["path"], "vars.yml"),
            "steps": steps,
            "removed": found.pending.remove,
            "broken": [f"{path} {what}" for path, what in found.broken.items()],
            "done": done,
            "contents": [vars(item) for item in found.index.all_items()],
            "size": sum(entry.size for entry in found.index.files.values()),
            "network_plugin": values["kube_network_plugin"],
        }
        if self._task.diff and self._task.check_mode and changed:
            before = "".join(f"{item.name} {item.version} {item.digest}\n" for item in found.index.all_items())
            todo = "".join(f"to do: {step['title']} ({step['reason']})\n" for step in steps)
            todo += "".join(f"to remove: {path}\n" for path in found.pending.remove)
            headers = {"before_header": options["path"], "after_header": options["path"]}
            result["diff"] = {**headers, "before": before, "after": before + todo}
        return result


def _machine() -> str:
    """Return the architecture of this machine, as Go names it.

    :raises BundleError: bundles cannot be built on it.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        raise BundleError(
            f"The architecture of this machine is {machine}, but a bundle can only be built on {' or '.join(MACHINES)}."
        )
    return MACHINES[machine]


def _dump(values: Any) -> str:
    head = "# With these variables, the roles use this bundle. Set kube_mirror_url to the URL that serves it.\n"
    return head + "---\n" + yaml.safe_dump(values, sort_keys=False, width=160)


def _archives(entry: Any) -> list[ArchivedImage]:
    """Read an image archive.

    :param entry: a path, or ``{path: …, name: …}``.
    :raises BundleError: the entry is neither, or the file is not an image archive.
    """
    if isinstance(entry, str):
        return archives.read_archive(Path(entry).expanduser())
    if isinstance(entry, dict) and entry.get("path") and set(entry) <= {"path", "name"}:
        return archives.read_archive(Path(entry["path"]).expanduser(), entry.get("name", ""))
    raise BundleError(
        f"bundle_image_archives contains {entry!r}: an entry must be a path, or a dictionary with path and name."
    )


def _manifest(target: str, path: str) -> BundledManifest:
    """Read a manifest that the user supplies, and find the images that it uses.

    :raises BundleError: the file cannot be read or is not valid YAML.
    """
    where = Path(path).expanduser()
    try:
        images = archives.images_in(
            list(yaml.load_all(where.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        )
        return BundledManifest(target, str(where), sha256_of(where), tuple(images))
    except OSError as error:
        raise BundleError(
            f"The manifest {where} cannot be read ({error.strerror}). Correct bundle_manifests."
        ) from error
    except yaml.YAMLError as error:
        raise BundleError(
            f"The manifest {where} is not valid YAML ({error}). Supply the file as published upstream."
        ) from error
