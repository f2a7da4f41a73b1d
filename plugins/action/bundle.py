# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect, verify, pack and unpack a bundle on the control node, and show the progress."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.bundle import archives, build, pack, requirements
from ..plugin_utils.bundle import index as index_file
from ..plugin_utils.bundle import steps as build_plan
from ..plugin_utils.bundle.catalog import DEFAULT_NETWORK_PLUGINS, NETWORK_PLUGINS
from ..plugin_utils.bundle.executors import BundleExecutor
from ..plugin_utils.bundle.fetch import Source
from ..plugin_utils.bundle.files import sha256_of
from ..plugin_utils.bundle.names import BundleError
from ..plugin_utils.bundle.process import Runner, end_with_parent
from ..plugin_utils.bundle.progress import Progress
from ..plugin_utils.bundle.request import BundleRequest, carry_over, describe
from ..plugin_utils.bundle.upstream import check_addresses

display = Display()

ARGUMENTS = {
    "state": {"choices": ["present", "planned", "verified", "packed", "unpacked", "absent"], "default": "present"},
    "path": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "archive": {"type": "path"},
    "architecture": {"choices": list(build_plan.ARCHITECTURES)},
    "kubernetes_versions": {"type": "list", "elements": "str"},
    "component_versions": {"type": "dict"},
    "image_archives": {"type": "list", "elements": "raw", "default": []},
    "manifests": {"type": "dict", "default": {}},
    "package_formats": {"type": "list", "elements": "str", "choices": list(build_plan.FORMATS), "default": ["deb"]},
    "network_plugins": {
        "type": "list",
        "elements": "str",
        "choices": list(NETWORK_PLUGINS),
        "default": list(DEFAULT_NETWORK_PLUGINS),
    },
    "flannel_cni_plugin": {"type": "bool", "default": True},
    "addons": {"type": "list", "elements": "str", "default": []},
    "addon_paths": {"type": "list", "elements": "str", "default": []},
    "images": {"type": "list", "elements": "str", "default": []},
    "upstream": {"type": "dict", "default": {}},
    "registries": {"type": "dict", "default": {}},
    "ca": {"type": "path", "default": ""},
    "programs": {"type": "list", "elements": "str", "default": []},
    "program_versions": {"type": "dict", "default": {}},
    "prune": {"type": "bool", "default": False},
}
REQUIRED_IF = [
    *[("state", state, ["kubernetes_versions", "component_versions"]) for state in ("present", "planned")],
    *[("state", state, ["archive"]) for state in ("packed", "unpacked")],
]


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
        options.update(
            {name: os.path.abspath(options[name]) for name in ("path", "cache", "archive", "ca") if options[name]}
        )
        os.umask(0o022)  # a web server must be able to read the bundle
        self.progress = Progress(lambda text: display.display(text.removesuffix("\n"), newline=text.endswith("\n")))
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
            title = "The bundle cannot be collected on this machine [slipway:bundle_requirements]:"
            raise BundleError("\n".join([title, *(f"- {problem}" for problem in problems)]))
        if found.interrupted:
            display.display("An earlier run was interrupted. Resuming it.")
        for path, what in found.broken.items():
            display.warning(f"{path} {what}. It will be fetched again.")
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
            shutil.rmtree(Path(options["cache"]) / "work", ignore_errors=True)
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
        took = f", collected in {seconds:.0f} s" if seconds else ""
        display.display(f"{path} contains Kubernetes {versions}: {counts}, {size} MB{took}.")
        available = build_plan.image_names(found.steps)
        plugin = next(step.inputs["values"] for step in found.steps if step.kind == "vars")["kube_network_plugin"]
        for step in found.steps:
            missing = [name for name in step.hints.get("images", ()) if name not in available]
            if missing:
                display.display(
                    f"The bundle contains {step.inputs['target']} but not its images ({', '.join(missing)}). Clusters will use {plugin}."
                )

    # --- shared by the states -------------------------------------------------------------------------------------
    @staticmethod
    def _missing(executor: BundleExecutor, found: build.Inspection) -> requirements.Missing:
        return requirements.check(found.pending.steps, executor.root, executor.source)

    def _inspect(self, options: dict[str, Any]) -> tuple[BundleExecutor, BundleRequest, build.Inspection]:
        """Read everything that determines the result, and compare it with the existing bundle."""
        cache = Path(options["cache"])
        executor = BundleExecutor(
            root=Path(options["path"]),
            work=cache / "work",
            secret=cache / "keys" / "bundle.secret.asc",
            run=self.runner,
            source=Source(self.runner, options["ca"]),
            dump=_dump,
        )
        request = BundleRequest(
            architecture=options["architecture"] or requirements.architecture(),
            kubernetes_versions=[str(version) for version in options["kubernetes_versions"]],
            table={str(minor): dict(row) for minor, row in options["component_versions"].items()},
            archives=[archive for entry in options["image_archives"] for archive in archives.read_entry(entry)],
            manifests=[archives.read_manifest(target, path) for target, path in options["manifests"].items()],
            programs={name: str(options["program_versions"].get(name, "")) for name in options["programs"]},
            images=options["images"],
            package_formats=options["package_formats"],
            network_plugins=options["network_plugins"],
            flannel_cni_plugin=options["flannel_cni_plugin"],
            addons=options["addons"],
            addon_paths=options["addon_paths"],
            upstream=check_addresses(options["upstream"]),
            registries=options["registries"],
            ca=options["ca"],
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


def _dump(values: Any) -> str:
    head = "# With these variables, the roles use this bundle. Set kube_mirror_url to the URL that serves it.\n"
    return head + "---\n" + yaml.safe_dump(values, sort_keys=False, width=160)
