# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a large release costs the machine that runs it: CPU time and requests, against a small API server in Python.

CPU time is independent of what else the machine does; a cluster adds the time in which it answers.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.objects import application
from harness.api_server import serving
from harness.playbook import ROOT

NOTHING = "- {hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.ping: }]}\n"
DEPLOY = """- hosts: localhost
  gather_facts: false
  tasks:
    - slipway.kube.release: {host: "{{ bench_url }}", name: part, files: ["{{ bench_manifest }}"], timeout: 900}
      register: bench_release
    - ansible.builtin.debug: {msg: "requests={{ bench_release.requests }} changed={{ bench_release.changed }}"}
"""


def measure(count: int, folder: Path) -> dict[str, Any]:
    """Deploy so many objects: first, again, and with one changed; return CPU seconds and requests, and what Ansible needs by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "scale.yml"
    objects = application(count, "default", "registry.k8s.io/pause:3.10")
    found: dict[str, Any] = {"objects": count, "ansible": _play(folder, NOTHING, {})["cpu"]}
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        values = {"bench_url": f"http://127.0.0.1:{here.recv()}", "bench_manifest": str(manifest)}
        for name in ("first", "again", "one changed"):
            if name == "one changed":
                objects[0]["data"]["setting"] = "another value"
            manifest.write_text(yaml.safe_dump_all(objects))
            found[name] = _play(folder, DEPLOY, values)
            if found[name]["changed"] == (name == "again"):
                sys.exit(f"scale, {name}: changed is {found[name]['changed']}")
    finally:
        server.terminate()
        server.join()
    return found


def _serve(pipe: Any) -> None:
    with serving() as server:
        pipe.send(server.server_port)
        pipe.poll(None)


def _play(folder: Path, book: str, values: dict[str, str]) -> dict[str, Any]:
    path = folder / "scale-playbook.yml"
    path.write_text(book)
    command = ["ansible-playbook", str(path), "--extra-vars", json.dumps(values)]
    before = _spent()
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    told = re.search(r"requests=(\d+) changed=(\w+)", done.stdout)
    answer: dict[str, Any] = {"cpu": _spent() - before}
    return {**answer, "requests": int(told[1]), "changed": told[2] == "True"} if told else answer


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
