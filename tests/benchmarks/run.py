# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure ``slipway.kube.cluster`` against a plain shell script on the same lab hosts; write docs/benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import callback, report, scale
from benchmarks.deploy import Bench
from harness.hosts import hosts_of, unready
from harness.origin import programs
from harness.playbook import ROOT, Run, addresses, executions, inventory_of, phases, run

LAB = "bench"
HERE = ROOT / "tests" / "benchmarks"
FOLDER = ROOT / "tests" / "output" / "bench"
RESULTS = ROOT / "docs" / "benchmarks" / "results.json"
CLUSTER = "slipway.kube.cluster"
INVENTORY = inventory_of(LAB)
SUBNET = "10.123.9.0/24"
FORKS = report.FORKS
DISK_OF_LIGHT_HOSTS = 20000  # MiB for all of them: they hold packages, and neither images nor pods


def lab(state: str, workers: int = 2, **more: Any) -> None:
    """Bring the lab of the benchmarks into *state*; *more* are variables of role lab."""
    values = {
        "lab_name": LAB,
        "lab_state": state,
        "lab_workers": workers,
        "lab_subnet": SUBNET,
        "lab_dir": str(INVENTORY.parent),
        **more,
    }
    command = ["ansible-playbook", "slipway.kube.lab", "--extra-vars", json.dumps(values)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The lab cannot be made {state}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def playbook(name: str, *arguments: str, target: str = CLUSTER) -> Run:
    done = run(target, INVENTORY, FOLDER / name, *arguments).succeeded()
    print(f"  {name}: {done.seconds:.1f} s", flush=True)
    return done


def raw(name: str) -> dict[str, Any]:
    """Run the shell script; return its seconds, in all and by phase."""
    facts = FOLDER / "facts"
    run(str(HERE / "facts.yml"), INVENTORY, FOLDER / "facts-run", "--extra-vars", f"facts={facts}").succeeded()
    environment = {**os.environ, **json.loads((facts / "environment.json").read_text())}
    started = time.time()
    done = subprocess.run([str(HERE / "raw-kubeadm.sh")], env=environment, capture_output=True, text=True, check=False)
    seconds = time.time() - started
    if done.returncode:
        sys.exit(f"The shell script failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    print(f"  {name}: {seconds:.1f} s", flush=True)
    marks = [line.split() for line in done.stdout.splitlines() if line.startswith("phase ")]
    spans = {mark[2]: float(mark[1]) - float(before[1]) for before, mark in pairwise(marks)}
    return {"seconds": seconds, "phases": spans}


def sound(what: str) -> None:
    """Refuse to count a result that is no sound cluster."""
    wrong = unready(hosts_of(LAB))
    if wrong:
        sys.exit(f"{what} left no sound cluster: {', '.join(wrong)}")


def pairs(count: int) -> list[dict[str, Any]]:
    """Time both in alternating order, each time on fresh hosts."""
    found = []
    for number in range(count):
        pair: dict[str, Any] = {}
        for side in ("raw", "cluster") if number % 2 == 0 else ("cluster", "raw"):
            lab("reset")
            if side == "raw":
                pair[side] = raw(f"pair {number + 1}, raw script")
            else:
                done = playbook(f"pair {number + 1}, cluster")
                pair[side] = {"seconds": done.seconds, "phases": phases(done.lines, done.started + done.seconds)}
            sound(side)
        found.append(pair)
    return found


def costs() -> dict[str, Any]:
    """Count the remote executions per host, and time the run that has nothing to do."""
    lab("reset")
    counted = {"fresh": executions(playbook("fresh, counted", "-vvv").output, addresses(INVENTORY))}
    second = playbook("second run")
    if second.changed():
        sys.exit("The second run changed something:\n" + "\n".join(second.changed()))
    counted["unchanged"] = executions(playbook("unchanged, counted", "-vvv").output, addresses(INVENTORY))
    lab("present", workers=3)
    counted["one added"] = executions(playbook("one added, counted", "-vvv").output, addresses(INVENTORY))
    sound("adding a host")
    return {"executions": counted, "second_run": second.seconds}


def own_cpu() -> float:
    """Return the CPU seconds of the processes that this one started and awaited: of Ansible, not of the lab's hosts."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def light_hosts(counts: list[int]) -> list[dict[str, Any]]:
    """Time the host roles over so many hosts, fresh and again, and count the executions on each."""
    found = []
    hosts = str(ROOT / "molecule" / "lab" / "prepare_hosts.yml")
    for count in counts:
        lab("absent")
        lab("present", workers=count - 1, lab_disk_needed=DISK_OF_LIGHT_HOSTS)
        row: dict[str, Any] = {"hosts": count}
        for turn in ("fresh", "again"):
            before = own_cpu()
            row[turn] = playbook(f"{count} light hosts, {turn}", f"--forks={FORKS}", target=hosts).seconds
            row[f"cpu {turn}"] = own_cpu() - before
        found.append(row)
    lab("absent")
    lab("present", workers=1, lab_disk_needed=DISK_OF_LIGHT_HOSTS)
    counted = playbook("light hosts, counted", "-vvv", target=hosts)
    per_host = max(executions(counted.output, addresses(INVENTORY)).values())
    return [{**row, "executions": per_host} for row in found]


def deployments(found: dict[str, Any], sizes: list[int], fleet: list[int]) -> None:
    """Time deployments of so many objects, and health_info over a fleet of nodes and pods, into *found*."""
    if sizes:
        lab("reset")
        playbook("cluster to deploy to")
        bench = Bench(LAB, programs())
        kept = [size for size in found.get("sizes", []) if size["objects"] not in sizes]
        for turn, count in enumerate(sizes):
            kept.append(bench.size(count, turn))
            found["sizes"] = sorted(kept, key=lambda size: size["objects"])
    if fleet:
        # As a cluster of that size has them; with the defaults 10,000 pods take ten minutes to come.
        quick = {"kube-api-qps": "300", "kube-api-burst": "600"}
        patient = {**quick, "node-monitor-grace-period": "200s"}  # kwok renews 1,000 leases on the same two cores
        lab("reset")
        playbook(
            "cluster for a fleet",
            "-e",
            json.dumps(
                {
                    "control_plane_controller_manager_extra_args": patient,
                    "control_plane_scheduler_extra_args": quick,
                }
            ),
        )
        found["health"] = Bench(LAB, programs()).health(*fleet)
        print(f"  health_info: {found['health']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs on fresh hosts; 0 keeps the last figures")
    parser.add_argument(
        "--light-hosts",
        type=int,
        nargs="*",
        default=[1, 10, 30, 100],
        help="numbers of light hosts; none keeps the last figures",
    )
    parser.add_argument("--objects", type=int, nargs="*", default=[10, 100, 500], help="sizes of what is deployed")
    parser.add_argument("--fleet", type=int, nargs="*", default=[1000, 10000], help="nodes and pods for health_info")
    parser.add_argument("--scale", type=int, default=2000, help="objects of a large release; 0 keeps the last figures")
    parser.add_argument("--callback", type=int, default=5, help="pairs of runs with and without the callback progress")
    parser.add_argument(
        "--upgrade",
        type=Path,
        help="figures.json of scenario upgrade, in tests/output; without it the last figures are kept",
    )
    wanted = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    needs_lab = bool(wanted.pairs or wanted.light_hosts or wanted.objects or wanted.fleet)
    try:
        if wanted.upgrade:
            results["upgrade"] = report.by_second(json.loads(wanted.upgrade.read_text()))
        if wanted.scale:
            results["scale"] = scale.measure(wanted.scale, FOLDER)
        if wanted.callback:
            results["callback"] = callback.measure(wanted.callback, FOLDER / "callback")
        if needs_lab:
            lab("present")
        if wanted.pairs:
            results["pairs"] = pairs(wanted.pairs)
            results.update(costs())
        if wanted.light_hosts:
            results["light_hosts"] = light_hosts(wanted.light_hosts)
            lab("absent")
            lab("present")
        if wanted.objects or wanted.fleet:
            deployments(results.setdefault("deployments", {}), wanted.objects, wanted.fleet)
    finally:
        if needs_lab:
            lab("absent")
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")  # what was measured before something failed counts
        print(report.write(results, RESULTS.parent))


if __name__ == "__main__":
    main()
