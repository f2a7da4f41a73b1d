# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for values of Secrets wherever a run could leave them: output (-vvv, diffs), log, arguments and environment of processes,
temporary files, the host's journal, and every object in the cluster that is no Secret.

    KUBECONFIG=… python tests/canary/run.py [--image IMAGE] [--keep]

Each value is random, so that no other text can be taken for it. Exit status 0: none was found, and the run did what it should.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
NAMES = ("literal", "file", "encoded", "changed", "logged", "chart", "token", "app", "kubeconfig")
# What the run must have said: else it did not come to the place where a value could be shown.
EXPECTED = {
    "a Secret that is not base64": r"Secret encoded: data.key is not base64",
    "a key that comes twice": r"line 6: duplicate key 'a', already in line 5",
    "a Secret that the server refuses": r"data\[.dockerconfigjson\]: Invalid value",
    "an option that is not known": r"did you mean manifests\?",
    "a log with a password": r"unknown command .*\*{8}",
    "the rollback to the last deployed revision": r"[Rr]olled.back",
    "a token that is not known": r"does not accept the owner of the given token",
    "a diff with a changed key": r"\*{8} \(after\)",
}


class Watcher(threading.Thread):
    """Looks at processes and temporary files until it is told to end."""

    def __init__(self, forms: dict[str, bytes], own: set[Path], folders: list[Path]) -> None:
        super().__init__(daemon=True)
        self.forms, self.own, self.folders = forms, own, folders
        self.found: set[str] = set()
        self.looks = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Look again and again. Containers on this machine are no part of it: their applications are given their passwords."""
        here = os.readlink("/proc/self/ns/pid")
        ours: dict[str, bool] = {}
        while not self.over.is_set():
            self.looks += 1
            running = [entry for entry in os.listdir("/proc") if entry.isdigit()]
            for pid in running:
                if pid not in ours:
                    try:
                        ours[pid] = os.readlink(f"/proc/{pid}/ns/pid") == here
                    except OSError:
                        continue
                if ours[pid]:
                    self.check(Path("/proc", pid, "cmdline"), "the arguments of a process")
                    self.check(Path("/proc", pid, "environ"), "the environment of a process")
            for place in self.folders:
                for folder, _folders, names in os.walk(place):
                    for path in (Path(folder, name) for name in names):
                        if path not in self.own:
                            self.check(path, "a temporary file")
            self.over.wait(0.02)

    def check(self, path: Path, what: str) -> None:
        """Note what a file has of the values, packed payloads included."""
        try:
            data = path.read_bytes()[:20_000_000]
        except OSError:
            return
        self.found.update(f"{name} in {what} ({path})" for name in hits(data, self.forms))


def hits(data: bytes, forms: dict[str, bytes]) -> Iterator[str]:
    """Names of the values that are in some bytes, plain, as base64, or packed."""
    texts = [data]
    for packed in re.findall(rb"[A-Za-z0-9+/]{200,}={0,2}", data):
        for unpack in (zlib.decompress, gzip.decompress):
            try:
                texts.append(unpack(base64.b64decode(packed)))
            except (ValueError, OSError, zlib.error, EOFError):
                continue
    for name, form in forms.items():
        if any(form in text for text in texts):
            yield name


def in_cluster(namespace: str, forms: dict[str, bytes]) -> set[str]:
    """Look into every object of the namespace that is no Secret, events and logs aside from the container that writes its own."""
    kinds = subprocess.run(
        ["kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    data = b""
    for kind in kinds:
        if kind != "secrets" and "metrics" not in kind:  # a kind of another test may go away meanwhile
            command = ["kubectl", "get", kind, "--namespace", namespace, "--output", "json"]
            data += subprocess.run(command, capture_output=True, check=False).stdout
    if b'"kind": "Lease"' not in data and b'"kind": "ServiceAccount"' not in data:
        raise SystemExit(f"The namespace {namespace} cannot be looked into.")
    return {f"{name} in an object of the cluster" for name in hits(data, forms)}


def main() -> int:
    """Run the playbook and look."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("--namespace", default="canary")
    parser.add_argument("--keep", action="store_true", help="keep the output for a look")
    options = parser.parse_args()
    values = {name: f"c4n4ry-{name}-{secrets.token_hex(6)}" for name in NAMES}
    forms = {name: value.encode() for name, value in values.items()}
    forms.update({name + " (base64)": base64.b64encode(value.encode()) for name, value in values.items()})
    folder = Path(tempfile.mkdtemp(prefix="canary-"))
    output, log, variables = folder / "output", folder / "log", folder / "variables.yml"
    server = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "canary"}}],
        "clusters": [{"name": "k", "cluster": server}],
        "users": [{"name": "canary", "user": {"token": values["kubeconfig"]}}],
    }
    variables.touch(mode=0o600)
    given = {
        "canary": values,
        "canary_kubeconfig": kubeconfig,
        "canary_namespace": options.namespace,
        "canary_image": options.image,
        "canary_helm": bool(shutil.which("helm")),
        "ansible_python_interpreter": sys.executable,
    }
    variables.write_text(yaml.safe_dump(given))
    temporary = folder / "ansible"
    temporary.mkdir()
    environment = dict(
        os.environ,
        ANSIBLE_LOG_PATH=str(log),
        ANSIBLE_STDOUT_CALLBACK="default",
        ANSIBLE_LOCAL_TEMP=str(temporary / "local"),
        ANSIBLE_REMOTE_TEMP=str(temporary / "remote"),
        TMPDIR=str(temporary),
    )
    watcher = Watcher(forms, {output, log, variables}, [temporary])
    watcher.start()
    started = time.time()
    command = [
        "ansible-playbook",
        "-vvv",
        "--diff",
        "-i",
        "localhost,",
        "-e",
        f"@{variables}",
        str(HERE / "play.yml"),
    ]
    found: set[str] = set()
    for part in (["--skip-tags", "end"], ["--tags", "end"]):
        with output.open("ab") as stream:
            subprocess.run(
                [*command, *part],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                check=False,
                timeout=900,
                cwd=HERE.parents[1],
            )
        found |= in_cluster(options.namespace, forms)
    watcher.over.set()
    watcher.join()
    found |= watcher.found
    said = output.read_text(errors="replace")
    for path, what in ((output, "the output"), (log, "Ansible's log")):
        found.update(f"{name} in {what}" for name in hits(path.read_bytes(), forms))
    journal = subprocess.run(
        [
            "sh",
            "-c",
            f"journalctl --since @{int(started)} 2>/dev/null; cat /var/log/syslog /var/log/messages 2>/dev/null || true",
        ],
        capture_output=True,
        check=False,
    ).stdout
    found.update(f"{name} in the host's journal" for name in hits(journal, forms))
    delete = ["kubectl", "delete", "namespace", options.namespace, "--wait=false", "--ignore-not-found"]
    subprocess.run(delete, check=False, capture_output=True)
    missing = [what for what, sign in EXPECTED.items() if not re.search(sign, said)]
    print(
        json.dumps(
            {"found": sorted(found), "not reached": missing, "looks": watcher.looks, "characters": len(said)}, indent=1
        )
    )
    if options.keep:
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if found or missing else 0


if __name__ == "__main__":
    sys.exit(main())
