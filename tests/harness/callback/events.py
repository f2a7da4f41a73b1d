# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes what each task did on each host, a line of JSON each, for tests that compare runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: events
type: aggregate
short_description: What each task did on each host, as lines of JSON
description:
  - Writes to the file that the environment variable E(SLIPWAY_EVENTS) names. For the tests of this collection.
author:
  - slipway.kube authors (@slipway)
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.file = Path(os.environ["SLIPWAY_EVENTS"]).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the run
        self.play = ""

    def write(self, **event: Any) -> None:
        self.file.write(json.dumps({"time": time.time(), **event}) + "\n")
        self.file.flush()  # a run that is killed has written what it did

    def record(self, result: Any, status: str) -> None:
        task, returned = result._task, result._result
        changed = bool(returned.get("changed"))
        diffs = returned.get("diff") or []
        self.write(
            host=result._host.get_name(),
            play=self.play,
            task=task.get_name(),
            path=(task.get_path() or "").rsplit("/kube/", 1)[-1],
            action=task.action,
            status="changed" if status == "ok" and changed else status,
            diff=any(
                part.get("before") != part.get("after") for part in (diffs if isinstance(diffs, list) else [diffs])
            ),
            message=str(returned.get("msg", ""))[:2000],
        )

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.play = play.get_name()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.write(started=task.get_name(), play=self.play)

    def v2_runner_on_ok(self, result: Any) -> None:
        self.record(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.record(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.record(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self.record(result, "skipped")
