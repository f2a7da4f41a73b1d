# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as a person wants to see it: phases, what each host does, problems, and at the end what changed."""

from __future__ import annotations

DOCUMENTATION = """
name: progress
type: stdout
short_description: Phases, what each host does, problems, and at the end what changed
version_added: 0.1.0
description:
  - Shows a run by its phases, which are the plays of a playbook. Works with any playbook.
  - On a terminal, a block at the end of the output shows the current phase, the current task of each host (grouped where there are many
    hosts), which hosts the others wait for, and how long this took in earlier runs of the same playbook with the same inventory. Where a module
    of this collection works for long, it reports every two seconds what it does or waits for, which takes one more request to the host. Problems,
    warnings, and what tasks show with M(ansible.builtin.debug) stay above it.
  - Where standard output is not a terminal, prints the same as plain lines without control codes.
  - At the end, prints what changed on which hosts, the duration, the slowest tasks, and the path of the log.
  - In check mode, prints the plan instead, which lists by phase what would change on each host, with C(--diff) also the diffs, and the tasks that
    check mode leaves out, so that what they would do is known only in a real run.
  - Where the inventory is a file or a folder that can be written, each run leaves a record, which is a folder in C(.runs) next to the file or in
    the folder. It contains C(changes.html) and C(changes.json), in check mode C(plan.html) and C(plan.json), further C(timeline.svg),
    C(summary.json) and the log as C(log.txt). C(.runs/index.html) shows what the runs
    have learned about the cluster (health, certificates, the last backup, nodes, releases), and lists all records. Everything is readable by the
    owner only, and Git ignores it. The name begins with a dot because Ansible reads all other files in the folder of an inventory as parts of
    that inventory. In a record, values that look like secrets and the data of Secrets are masked, except in the log, which contains what Ansible
    prints. Extra variables are not recorded.
  - With C(-v) and more, the output is that of the callback P(ansible.builtin.default#callback).
  - The log contains the complete output, as the default callback prints it, with the same secrets left out (C(no_log)). Deprecation warnings are
    only in the log. If the log cannot be written, the output is that of the default callback.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  runs_dir:
    description: Folder of the records, of which the user must be the owner. By default, C(.runs) next to the inventory, or in it if it is a folder.
    type: path
    env:
      - name: SLIPWAY_KUBE_PROGRESS_RUNS_DIR
    ini:
      - section: callback_slipway_progress
        key: runs_dir
  runs_keep:
    description: Number of records that are kept. The oldest ones are removed, except those of runs that are still in progress. With V(0), runs leave no record.
    type: int
    default: 50
    env:
      - name: SLIPWAY_KUBE_PROGRESS_RUNS_KEEP
    ini:
      - section: callback_slipway_progress
        key: runs_keep
  log_dir:
    description: Folder of the logs of runs that leave no record, readable by their owner only.
    type: path
    default: ~/.local/state/slipway.kube/logs
    env:
      - name: SLIPWAY_KUBE_PROGRESS_LOG_DIR
    ini:
      - section: callback_slipway_progress
        key: log_dir
  log_keep:
    description: Number of logs that are kept in this folder. The oldest ones are removed.
    type: int
    default: 20
    env:
      - name: SLIPWAY_KUBE_PROGRESS_LOG_KEEP
    ini:
      - section: callback_slipway_progress
        key: log_keep
  live:
    description: Redraw a block in place if standard output is a terminal. Otherwise, print lines only.
    type: bool
    default: true
    env:
      - name: SLIPWAY_KUBE_PROGRESS_LIVE
    ini:
      - section: callback_slipway_progress
        key: live
  history:
    description: File with the durations of earlier runs. It contains digests and seconds only.
    type: path
    default: ~/.cache/slipway.kube/progress.json
    env:
      - name: SLIPWAY_KUBE_PROGRESS_HISTORY
    ini:
      - section: callback_slipway_progress
        key: history
notes:
  - A program that asks on the terminal itself, as ssh does about an unknown host key, is overwritten by the block. Add the keys to
    C(known_hosts) beforehand, or set O(live) to V(false).
requirements:
  - set as stdout in configuration
"""

import atexit
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.color import stringc
from ansible.utils.display import Display

from ..plugin_utils.progress import feed, history
from ..plugin_utils.progress.block import ASCII, UNICODE, block_lines
from ..plugin_utils.progress.learned import learned_of, merged
from ..plugin_utils.progress.lines import item_lines, path_lines, start_lines, stopped_lines, summary_lines
from ..plugin_utils.progress.log import RunLog, log_in
from ..plugin_utils.progress.record import Record, about, new_record
from ..plugin_utils.progress.results import changes_of, items_of, problem_of, shown_of, unknown_of, warnings_of
from ..plugin_utils.progress.screen import Screen, quiet_copy
from ..plugin_utils.progress.state import Message, Outcome, Run
from ..plugin_utils.progress.tasks import is_for_all, is_rescued, name_of, parts
from ..plugin_utils.progress.text import Line

# Hosts of a play that is for nobody on purpose, as playbooks name them where the inventory has no such group.
NOBODY = ["!all"]
COLORS = {
    "title": "COLOR_HIGHLIGHT",
    "changed": "COLOR_CHANGED",
    "problem": "COLOR_ERROR",
    "warning": "COLOR_WARN",
    "minor": "COLOR_VERBOSE",
}


def paint(line: Line) -> str:
    """Return a line in the colours that Ansible is configured to use, if any."""
    return stringc(line.text, getattr(C, COLORS[line.style])) if line.style and line.text else line.text


def near(path: Path) -> str:
    """Return a path as a person at this place would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


class CallbackModule(Default):
    """Everything goes to the log as the default callback prints it; the screen shows the state of the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "slipway.kube.progress"

    def __init__(self) -> None:
        """Begin as the default callback; the start of a playbook decides about more."""
        super().__init__()
        self._real: Any = Display()
        self._run: Run | None = None
        self._screen: Screen | None = None
        self._log: RunLog | None = None
        self._record: Record | None = None
        self._shown = False  # by its phases
        self._kind = ""
        self._digests: list[str] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Open the log, and show the run by its phases unless a verbosity asks for all output."""
        name = str(playbook._file_name)
        if self._open_log(name):
            self._shown = self._real.verbosity == 0
            self._screen = Screen(
                self._real, sys.stdout, self._shown and self._is_live(), self._frame, paint, self._tick, self._write
            )
            if self._shown:
                self._display = quiet_copy(self._real, self._write)
            if self._screen.live:
                feed.open_channel()
            self._begin(name, playbook.get_plays())
            self._screen.start()
        super().v2_playbook_on_start(playbook)

    def _open_log(self, playbook: str) -> bool:
        first = self._log is None
        try:
            asked, keep = self.get_option("runs_dir"), self.get_option("runs_keep")
            self._record = new_record(asked, keep, about(playbook, context.CLIARGS), self._real.warning)
            if self._record:
                self._log = RunLog(self._record.path / "log.txt")
            else:
                self._log = log_in(Path(self.get_option("log_dir")), playbook, self.get_option("log_keep"))
        except OSError as error:
            self._real.warning(
                f"slipway.kube.progress cannot write its log, so all output is shown. {error}. Set"
                " SLIPWAY_KUBE_PROGRESS_LOG_DIR to a folder that you can write."
            )
            return False
        if first:
            atexit.register(self._close, os.getpid())
        return True

    def _is_live(self) -> bool:
        """Return whether a block can be redrawn: a terminal that can move its cursor, and nobody who asks questions."""
        asks = C.config.get_config_value("ENABLE_TASK_DEBUGGER")
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
        return bool(self.get_option("live") and terminal and not asks)

    def _begin(self, name: str, plays: list[Any]) -> None:
        titles = [(str(play._uuid), play.get_name().strip()) for play in plays]
        self._run = run = Run(os.path.basename(name), titles, time.monotonic(), bool(context.CLIARGS.get("check")))
        asked = [str(context.CLIARGS.get(key)) for key in ("inventory", "subset", "tags", "skip_tags", "check")]
        self._kind = history.digest(os.path.realpath(name), os.getcwd(), *asked)
        self._digests = history.phase_names(title for _key, title in titles)
        known = history.load(Path(self.get_option("history")))
        for phase, seconds in zip(run.phases, history.estimates(known, self._kind, self._digests), strict=True):
            phase.estimate = seconds
        if self._record:
            self._record.begin(run)
        self._show(start_lines(run, history.expected(run)))

    def _write(self, text: str) -> None:
        if self._log:
            self._log.write(text)

    def _show(self, lines: list[Line]) -> None:
        if self._screen and self._shown:
            self._screen.show(lines)

    def _frame(self, columns: int, rows: int) -> list[Line]:
        glyphs = UNICODE if (sys.stdout.encoding or "").lower().startswith("utf") else ASCII
        return block_lines(self._run, time.monotonic(), columns, rows, glyphs) if self._run else []

    def _tick(self) -> None:
        """Show what is complete; the lock of the screen is held."""
        if not self._run or not self._screen or self._screen.asking:
            return
        for host, task, said in feed.receive():
            self._run.host_says(host, task, said)
            self._screen.changed = True
        if items := self._run.take(time.monotonic()):
            columns = self._screen.columns
            self._show([line for item in items for line in item_lines(self._run, item, columns)])

    @contextmanager
    def _event(self) -> Iterator[tuple[Run | None, float]]:
        """Give the state and the time of an event, nothing where everything is shown. Afterwards, show what is complete."""
        if self._run is None or self._screen is None:
            yield None, 0.0
            return
        with self._screen.lock:
            yield self._run, time.monotonic()
            self._screen.changed = True
            self._tick()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a phase, or pass over that of a part which this inventory does not have."""
        super().v2_playbook_on_play_start(play)
        with self._event() as (run, now):
            if run:
                begin = run.leave_out if list(play.hosts) == NOBODY else run.play_started
                begin(str(play._uuid), play.get_name().strip(), now)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """End a phase without hosts."""
        super().v2_playbook_on_no_hosts_matched()
        self._end_phase()

    def v2_playbook_on_vars_prompt(self, *arguments: Any, **options: Any) -> None:
        """End the phase before that which asks."""
        super().v2_playbook_on_vars_prompt(*arguments, **options)
        self._end_phase()

    def _end_phase(self) -> None:
        with self._event() as (run, now):
            if run:
                run.end_phase(now)

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        """Begin a task or a handler."""
        super()._task_start(task, prefix)
        with self._event() as (run, _now):
            if run:
                run.task_started(task._uuid, name_of(task))
        if self._screen and getattr(task, "debugger", None):
            self._screen.settle()  # the debugger asks

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Begin a task on a host."""
        super().v2_runner_on_start(host, task)
        with self._event() as (run, now):
            if run:
                run.host_started(host.get_name(), task._uuid, run.tasks.get(task._uuid) or name_of(task), now)

    def v2_runner_retry(self, result: Any) -> None:
        """Say which attempt a host is at."""
        super().v2_runner_retry(result)
        host, _task, data = parts(result)
        with self._event() as (run, _now):
            if run:
                run.host_waits(host, f"attempt {data.get('attempts', 0) + 1} of {data.get('retries', 0)}")

    def v2_runner_on_async_poll(self, result: Any) -> None:
        """Say that a host waits for a job."""
        super().v2_runner_on_async_poll(result)
        with self._event() as (run, _now):
            if run:
                run.host_waits(parts(result)[0], "asynchronous job")

    def v2_runner_on_ok(self, result: Any) -> None:
        """End a task on a host."""
        changed = parts(result)[2].get("changed")
        self._ended(result, "changed" if changed else "ok")
        super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """End a task that a host skips."""
        self._ended(result, "skipped")
        super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """End a task that failed on a host."""
        rescued = not ignore_errors and is_rescued(parts(result)[1])
        self._ended(result, "ignored" if ignore_errors else "rescued" if rescued else "failed")
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """End a task on a host that cannot be reached."""
        ignored = getattr(parts(result)[1], "ignore_unreachable", False)
        self._ended(result, "ignored" if ignored else "unreachable")
        super().v2_runner_on_unreachable(result)

    def v2_on_file_diff(self, result: Any) -> None:
        """Keep a diff for the plan, or show it."""
        super().v2_on_file_diff(result)
        host, task, data = parts(result)
        with self._event() as (run, now):
            if run:
                found = [item["diff"] for item in items_of(data) if item.get("diff") and item.get("changed")]
                if text := "".join(self._get_diff(diff) for diff in found):
                    run.diff(host, task._uuid, name_of(task), text, now)

    def _handle_exception(self, result: Any, use_stderr: bool = False) -> None:
        """Leave out the error of a censored result, whose message ansible-core 2.19 and later print in spite of C(no_log)."""
        if "censored" in result:
            result.pop("exception", None)
        super()._handle_exception(result, use_stderr)

    def _handle_warnings(self, res: Any) -> None:
        """Leave out the warnings of a censored result, too."""
        if "censored" in res:
            res.pop("warnings", None)
        super()._handle_warnings(res)

    def _ended(self, result: Any, outcome: Outcome) -> None:
        """Record a result, before the default callback removes parts of it."""
        with self._event() as (run, now):
            if run is None:
                return
            host, task, data = parts(result)
            name = run.tasks.get(task._uuid) or name_of(task)
            unknown = unknown_of(data, outcome == "skipped") if run.check else ""
            if outcome == "skipped" and "warnings" not in data:  # most events of most runs
                run.host_ended(host, task._uuid, name, outcome, now, (), unknown)
                return
            failed = outcome in ("failed", "ignored", "rescued", "unreachable")
            shown = shown_of(data) if outcome in ("ok", "changed") and task.action in C._ACTION_DEBUG else ""
            changes = tuple(changes_of(data, failed) or [shown] * bool(shown))
            # Where one host is not reached, Ansible stops the others, of which it says nothing.
            for_all = failed and outcome != "unreachable" and is_for_all(task)
            run.host_ended(host, task._uuid, name, outcome, now, changes, unknown, for_all)
            if not failed:
                action = str(getattr(task, "resolved_action", None) or task.action)
                for item in items_of(data):
                    run.learned = merged(run.learned, learned_of(action, host, item, run.check))
            for text in warnings_of(data):
                run.message("warning", host, name, text, now)
            if failed and outcome != "ignored":
                run.message(outcome, "" if for_all else host, name, problem_of(data), now)
            elif shown:
                run.message("shown", host, name, shown, now)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show what changed, and keep how long the phases took."""
        super().v2_playbook_on_stats(stats)
        if self._run and self._screen:
            with self._event():
                self._run.finish(time.monotonic())
            if not self._run.lost:
                self._keep(self._run)
            if self._record:
                self._record.end(self._run, whole_log=self._whole_log)
            with self._screen.lock:
                self._show(summary_lines(self._run, self._paths, self._screen.columns))
            self._run = None
        self._end()

    def _keep(self, run: Run) -> None:
        path = Path(self.get_option("history"))
        history.save(path, history.remembered(history.load(path), self._kind, self._digests, run))

    @property
    def _paths(self) -> dict[str, str]:
        """The files that are named at the end; what the disk had no room for is not named as if it was there."""
        record = {"Record": near(self._record.page)} if self._record and self._record.complete else {}
        title = "Whole output" if self._whole_log else "Output, not complete"
        return {**record, title: near(self._log.path) if self._log else ""}

    @property
    def _whole_log(self) -> bool:
        return self._log is None or self._log.complete

    def _end(self) -> None:
        """Give the screen back; with a verbosity, the path of the log is still to be said."""
        if self._screen:
            self._screen.stop()
            feed.close_channel()
            if not self._shown:
                for title, path in self._paths.items():
                    self._real.display(f"{title}: {path}", screen_only=True)
        self._screen = None
        self._display = self._real

    def _close(self, process: int) -> None:
        """Clean up after a run that was interrupted."""
        if self._screen and os.getpid() == process:
            run, self._run = self._run, None
            if run:
                now, columns = time.monotonic(), self._screen.columns
                stopped = stopped_lines(run, now, columns)
                run.finish(now)
                if self._record:
                    self._record.end(run, "stopped", self._whole_log)
                # What failed just before is still held back.
                held = [item for item in run.take(now) if isinstance(item, Message)]
                lines = [line for item in held for line in item_lines(run, item, columns)]
                self._show([*lines, *stopped, *path_lines(self._paths)])
            self._end()
