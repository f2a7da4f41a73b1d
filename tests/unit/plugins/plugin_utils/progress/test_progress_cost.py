# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event costs with 100 hosts: the benchmark of the callback measures whole runs, this finds what became slow by mistake."""

from __future__ import annotations

import time

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.block import UNICODE, block_lines
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.lines import item_lines, summary_lines
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.results import changes_of, warnings_of
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.state import Run

HOSTS, TASKS = 100, 30
MOST = 0.001  # seconds of CPU time; a fiftieth of it is usual
RESULT = {"changed": True, "changes": ["file /etc/x written", "package y installed: not installed -> 1.2"]}


def test_an_event_costs_less_than_a_millisecond() -> None:
    run = Run("site.yml", [("p", "Prepare")], 0.0)
    run.play_started("p", "Prepare", 0.0)
    began, events = time.process_time(), 0
    for task in range(TASKS):
        run.task_started(f"t{task}", "Install kubeadm, kubelet and kubectl and configure the kubelet")
        for kind in ("start", "end"):
            for host in range(HOSTS):
                now = float(events) / 100
                if kind == "start":
                    run.host_started(f"w{host:02}", f"t{task}", "", now)
                else:
                    outcome = ("changed", "ok", "skipped")[(task + host) % 3]
                    changes = tuple(changes_of(RESULT)) if outcome == "changed" else ()
                    warnings_of(RESULT)
                    run.host_ended(f"w{host:02}", f"t{task}", "", outcome, now, changes)  # type: ignore[arg-type]
                [item_lines(run, item, 79) for item in run.take(now)]
                events += 1
            block_lines(run, now, 80, 24, UNICODE)
    run.finish(100.0)
    assert summary_lines(run, {}, 79)
    assert (time.process_time() - began) / events < MOST
