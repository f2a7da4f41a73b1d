# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, check, pack and unpack a bundle on the control node, and show how far it is."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.bundle import archives, build, golang, pack, requirements
from ..plugin_utils.bundle import index as indexes
from ..plugin_utils.bundle import steps as planning
from ..plugin_utils.bundle.errors import BundleError
from ..plugin_utils.bundle.executors import Workshop
from ..plugin_utils.bundle.files import sha256_of
from ..plugin_utils.bundle.process import Runner, end_with_parent
from ..plugin_utils.bundle.request import Archive, Want, carry_over, describe
from ..plugin_utils.bundle.staleness import Step
from ..plugin_utils.bundle.upstream import Manifest

display = Display()

FILES = Path(__file__).resolve().parents[2] / "roles" / "bundle" / "files"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
ARGUMENTS = {
    "state": {"choices": ["present", "planned", "verified", "packed", "unpacked", "absent"], "default": "present"},
    "path": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "archive": {"type": "path"},
    "origin": {"choices": list(planning.ORIGINS), "default": "go_modules"},
    "architecture": {"choices": list(planning.ARCHITECTURES)},
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
    """Lines such as ``[ 3/14] building etcd 3.6.8 (3 programs) ... 19 s``."""

    def __init__(self) -> None:
        self.began = 0.0
        self.line_is_open = False

    def start(self, number: int, total: int, step: Step) -> None:
        width = len(str(total))
        self.began, self.line_is_open = time.monotonic(), True
        display.display(f"[{number:{width}d}/{total}] {step.title} ... ", newline=False)

    def close(self) -> None:
        if self.line_is_open:
            display.display("")
            self.line_is_open = False

    def say(self, text: str) -> None:
        self.close()
        display.display(f"        {text} ({time.monotonic() - self.began:.0f} s)")

    def done(self, step: Step, seconds: float) -> None:
        display.display(f"{seconds:.0f} s" if self.line_is_open else f"        {step.title} ... {seconds:.0f} s")
        self.line_is_open = False


class ActionModule(ActionBase):
    """Everything happens on the control node; no host is touched."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENTS, required_if=REQUIRED_IF)
        options = json.loads(json.dumps(options))  # plain values, without Ansible's tags
        end_with_parent()  # Ansible's worker: a playbook that is killed leaves no work going on behind the next one's back
        options.update({name: os.path.abspath(options[name]) for name in ("path", "cache", "archive") if options[name]})
        os.umask(0o022)  # a web server reads the bundle
        self.progress = Progress()
        self.runner = Runner(self.progress.say)
        try:
            cache = Path(options["cache"])
            if options["state"] in ("planned", "verified") or self._task.check_mode:
                result.update(getattr(self, f"_{options['state']}")(options))
            else:
                with build.alone(cache / "bundle.lock"):
                    result.update(getattr(self, f"_{options['state']}")(options))
        except BundleError as error:
            self.progress.close()
            raise AnsibleActionFail(str(error)) from None  # the cause is in the text
        return result

    # --- states ---------------------------------------------------------------------------------------------------
    def _present(self, options: dict[str, Any]) -> dict[str, Any]:
        shop, want, seen = self._look(options)
        if self._task.check_mode:
            return self._told(options, seen, seen.plan.changes, [])
        missing = requirements.check(seen.plan.steps, shop.root, shop.locks, _machine(), self.runner)
        if missing.problems:
            raise BundleError(
                "\n".join(["The bundle cannot be made here:", *(f"- {problem}" for problem in missing.problems)])
            )
        if seen.unfinished:
            display.display("An earlier run was ended: going on from there.")
        for path, what in seen.broken.items():
            display.warning(f"{path} {what}: it is made again.")
        report = build.make(seen, shop, describe(want), self.progress.start, self.progress.done)
        seen.index = report.index
        self._sum_up(options["path"], seen, sum(seconds for _title, seconds in report.done))
        return self._told(
            options, seen, report.changed, [{"title": title, "seconds": seconds} for title, seconds in report.done]
        )

    def _planned(self, options: dict[str, Any]) -> dict[str, Any]:
        shop, _want, seen = self._look(options)
        missing = requirements.check(seen.plan.steps, shop.root, shop.locks, _machine(), self.runner)
        told = self._told(options, seen, False, [])
        return {**told, "missing_packages": missing.packages, "problems": missing.problems}

    def _verified(self, options: dict[str, Any]) -> dict[str, Any]:
        root = Path(options["path"])
        index, broken = build.verify(root)
        if broken:
            raise BundleError(
                "\n".join(
                    [
                        f"The bundle in {root} is not whole:",
                        *(f"- {line}" for line in broken),
                        "Run slipway.kube.bundle again: it makes what is missing.",
                    ]
                )
            )
        return {
            "changed": False,
            "path": str(root),
            "items": [vars(item) for item in index.all_items()],
            "files": len(index.files),
        }

    def _packed(self, options: dict[str, Any]) -> dict[str, Any]:
        root, archive = Path(options["path"]), Path(options["archive"])
        changed = pack.would_pack(root, archive) if self._task.check_mode else pack.pack(root, archive, self.runner)
        there = archive.is_file() and not (changed and self._task.check_mode)
        return {
            "changed": changed,
            "archive": str(archive),
            "digest": sha256_of(archive) if there else "",
            "size": archive.stat().st_size if there else 0,
        }

    def _unpacked(self, options: dict[str, Any]) -> dict[str, Any]:
        archive, root = Path(options["archive"]), Path(options["path"])
        changed = pack.would_unpack(archive, root) if self._task.check_mode else pack.unpack(archive, root, self.runner)
        return {"changed": changed, "path": str(root)}

    def _absent(self, options: dict[str, Any]) -> dict[str, Any]:
        changed = build.remove(Path(options["path"]), only_look=self._task.check_mode)
        if not self._task.check_mode:
            for folder in ("work", "layers"):
                shutil.rmtree(Path(options["cache"]) / folder, ignore_errors=True)
        return {"changed": changed, "path": options["path"]}

    def _sum_up(self, path: str, seen: build.Look, seconds: float) -> None:
        """What a person wants to know of the bundle that is there now."""
        items = seen.index.all_items()
        kinds = [
            (kind, sum(item.kind == kind for item in items)) for kind in ("package", "image", "program", "manifest")
        ]
        counts = ", ".join(f"{number} {kind}{'s' if number != 1 else ''}" for kind, number in kinds if number)
        versions = ", ".join(seen.index.kubernetes_versions)
        took = f", made in {seconds:.0f} s" if seconds else ""
        display.display(f"{path} holds Kubernetes {versions}: {counts}, {_megabytes(seen)} MB{took}.")
        for step in seen.steps:
            missing = [name for name in step.hints.get("images", ()) if name not in planning.image_names(seen.steps)]
            if missing:
                display.display(
                    f"{step.inputs['target']} is there, its images are not ({', '.join(missing)}): clusters get flannel."
                )

    # --- what the states share ------------------------------------------------------------------------------------
    def _look(self, options: dict[str, Any]) -> tuple[Workshop, Want, build.Look]:
        """Read everything that decides the result, and compare it with what is there."""
        cache = Path(options["cache"])
        shop = Workshop(
            root=Path(options["path"]),
            work=cache / "work",
            layers=cache / "layers",
            locks=FILES / "go",
            sources=FILES,
            secret=cache / "keys" / "bundle.secret.asc",
            run=self.runner,
            dump=_dump,
        )
        want = Want(
            origin=options["origin"],
            architecture=options["architecture"] or _machine(),
            kubernetes_versions=[str(version) for version in options["kubernetes_versions"]],
            table={str(minor): dict(row) for minor, row in options["component_versions"].items()},
            debian=options["debian_release"],
            debian_sources=options["debian_sources"],
            archives=[archive for entry in options["image_archives"] for archive in _archives(entry)],
            manifests=[_manifest(target, path) for target, path in options["manifests"].items()],
            locks=golang.read_locks(FILES / "go"),
            texts={
                path.name: path.read_text(encoding="utf-8") for path in FILES.iterdir() if path.suffix in (".c", ".sh")
            },
            upstream=options["upstream"],
            programs={name: str(options["program_versions"].get(name, "")) for name in options["programs"]},
            debian_images=options["debian_images"],
        )
        index = indexes.load(shop.root)
        if not options["prune"]:
            carry_over(want, index)
        return shop, want, build.look(planning.steps_of(want), index, shop)

    def _told(
        self, options: dict[str, Any], seen: build.Look, changed: bool, done: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """What every run on a bundle returns."""
        values = next(step.inputs["values"] for step in seen.steps if step.kind == "vars")
        before = "".join(f"{item.name} {item.version} {item.digest}\n" for item in seen.index.all_items())
        told = {
            "changed": changed,
            "path": options["path"],
            "vars_file": os.path.join(options["path"], "vars.yml"),
            "steps": [
                {"title": step.title, "reason": seen.plan.reasons.get(step.key, "needed by a later step")}
                for step in seen.plan.steps
            ],
            "removed": seen.plan.remove,
            "broken": [f"{path} {what}" for path, what in seen.broken.items()],
            "done": done,
            "items": [vars(item) for item in seen.index.all_items()],
            "size": sum(record.size for record in seen.index.files.values()),
            "network_plugin": values["kube_network_plugin"],
        }
        if self._task.diff and self._task.check_mode and changed:
            todo = "".join(
                f"to do: {step.title} ({seen.plan.reasons.get(step.key, 'needed by a later step')})\n"
                for step in seen.plan.steps
            )
            todo += "".join(f"to remove: {path}\n" for path in seen.plan.remove)
            told["diff"] = {
                "before_header": options["path"],
                "after_header": options["path"],
                "before": before,
                "after": before + todo,
            }
        return told


def _megabytes(seen: build.Look) -> int:
    """Size of the bundle on disk: what several images share counts once."""
    return sum({record.digest: record.size for record in seen.index.files.values()}.values()) // 1_000_000


def _machine() -> str:
    """This machine's architecture, Go's name.

    :raises BundleError: it is one that no bundle is made on.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        raise BundleError(
            f"This machine is {machine}: a bundle is made on {' or '.join(MACHINES)}; set bundle_architecture."
        )
    return MACHINES[machine]


def _dump(values: Any) -> str:
    head = "# Makes the roles use this bundle. Set kube_mirror_url to the address that serves it.\n"
    return head + "---\n" + yaml.safe_dump(values, sort_keys=False, width=160)


def _archives(entry: Any) -> list[Archive]:
    """A path, or ``{path: …, name: …}``.

    :raises BundleError: it is neither, or no image archive.
    """
    if isinstance(entry, str):
        return archives.read_archive(Path(entry).expanduser())
    if isinstance(entry, dict) and entry.get("path") and set(entry) <= {"path", "name"}:
        return archives.read_archive(Path(entry["path"]).expanduser(), entry.get("name", ""))
    raise BundleError(f"bundle_image_archives holds {entry!r}: an entry is a path, or a dictionary with path and name.")


def _manifest(target: str, path: str) -> Manifest:
    """A manifest that the site brings, with the images that it names.

    :raises BundleError: it cannot be read or is no YAML.
    """
    where = Path(path).expanduser()
    try:
        images = archives.images_in(
            list(yaml.load_all(where.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        )
        return Manifest(target, str(where), sha256_of(where), tuple(images))
    except OSError as error:
        raise BundleError(
            f"The manifest {where} cannot be read ({error.strerror}): correct bundle_manifests."
        ) from error
    except yaml.YAMLError as error:
        raise BundleError(
            f"The manifest {where} is no YAML ({error}): bring the file as upstream publishes it."
        ) from error
