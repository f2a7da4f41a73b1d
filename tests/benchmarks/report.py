# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the figures of a benchmark into a page with tables and plots."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

FORKS, CORES = 50, (2, 8)  # of the control node for which many hosts are computed
LIMITS = {"ratio": 1.5, "fresh worker": 45, "first control plane": 60, "host with nothing to do": 8}
# Which plays of the playbook do the work of a phase of the script.
PHASES = {
    "prepared": ["Prepare the hosts"],
    "initialised": ["Create the control plane"],
    "joined": ["Join the workers"],
    "checked": ["Verify the cluster"],
}


def table(head: list[str], rows: Iterable[list[Any]]) -> str:
    """Give a Markdown table."""
    lines: list[list[Any]] = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in line) + " |"
        for line in lines
    )


def ratios(pairs: list[dict[str, Any]]) -> list[float]:
    """Give how many times as long as the script the playbook took, for each pair."""
    return [pair["cluster"]["seconds"] / pair["raw"]["seconds"] for pair in pairs]


def by_phase(pairs: list[dict[str, Any]]) -> list[list[Any]]:
    """Give the median seconds of script and playbook by phase, and what the playbook takes beyond the script's."""
    rows: list[list[Any]] = []
    counted = set()
    for phase, plays in PHASES.items():
        script = median(pair["raw"]["phases"][phase] for pair in pairs)
        playbook = median(sum(pair["cluster"]["phases"].get(play, 0.0) for play in plays) for pair in pairs)
        rows.append([phase, ", ".join(plays), script, playbook, playbook - script])
        counted.update(plays)
    others = [play for play in pairs[0]["cluster"]["phases"] if play not in counted]
    rest = median(sum(pair["cluster"]["phases"].get(play, 0.0) for play in others) for pair in pairs)
    rows.append(["", ", ".join(others), 0.0, rest, rest])
    return rows


def highest(executions: dict[str, dict[str, int]]) -> dict[str, int]:
    """Give the highest number of remote executions on one host of each kind."""
    fresh, unchanged, added = (executions[name] for name in ("fresh", "unchanged", "one added"))
    workers = [host for host in fresh if host.startswith("w")]
    old = [host for host in fresh if host != "services"]
    return {
        "fresh worker": max(fresh[host] for host in workers),
        "first control plane": fresh["cp1"],
        "host with nothing to do": max(unchanged[host] for host in old),
        "host beside an added one": max(added[host] for host in old),
        "added worker": max(count for host, count in added.items() if host not in fresh),
    }


def deployments(found: dict[str, Any]) -> list[str]:
    """Give the part about deploying applications."""
    rows = []
    for size in found["sizes"]:
        base = size["kubectl"]["first"]["all"]
        for tool, turns in size.items():
            if tool != "objects":
                first = turns["first"]
                applied, waited = (first.get(phase, "") for phase in ("apply", "wait"))
                again, changed = (turns[turn]["all"] for turn in ("again", "one changed"))
                rows.append(
                    [size["objects"], tool, applied, waited, first["all"], f"{first['all'] / base:.2f}", again, changed]
                )
    parts = [
        "## Deploying applications",
        "The same ConfigMaps, Services and Deployments (of ten objects six, two and two) with each tool, images already there; seconds. For `release` and "
        "`kubernetes.core` the whole playbook counts, with Ansible's start; `kubernetes.core` is not asked for 500, which takes it about ten minutes.",
        table(["objects", "tool", "apply", "wait", "first run", "of kubectl's", "again", "one changed"], rows),
    ]
    if "health" in found:
        health = found["health"]
        parts.append(
            f"`health_info` over {health['nodes']} nodes and {health['pods']} pods (made by kwok): {health['seconds']:.1f} s, "
            f"{health['memory']:.0f} MB, {health['requests']} requests."
        )
    return parts


def large_release(found: dict[str, Any]) -> list[str]:
    """Describe what a large release costs the machine that runs it."""
    runs = ("first", "again", "one changed")
    return [
        "## A large release",
        f"`release` with {found['objects']} objects from one YAML file, against a small API server in Python; CPU seconds of `ansible-playbook` and its "
        f"modules, without the server. Ansible's own start is {found['ansible']:.1f} of each.",
        table(["run", "CPU seconds", "requests"], [[one, found[one]["cpu"], found[one]["requests"]] for one in runs]),
    ]


def callback(found: dict[str, Any]) -> list[str]:
    """Return the section about the callback."""
    rows = []
    for place in ("pipe", "terminal"):
        of = {name: [pair[name] for pair in found[place]] for name in ("default", "progress")}
        spent = [median(one["callbacks"] for one in of[name]) for name in ("default", "progress")]
        whole = median(one["all"] for one in of["default"])
        ratio = sorted(new["all"] / old["all"] - 1 for old, new in zip(of["default"], of["progress"], strict=True))
        totals = f"{ratio[0] * 100:+.1f} to {ratio[-1] * 100:+.1f} %"
        rows.append([place, whole, *spent, f"{(spent[1] - spent[0]) / whole * 100:+.1f} %", totals])
    return [
        "## The callback progress",
        f"A playbook with {found['tasks']} tasks on {found['hosts']} hosts that are this machine, {len(found['pipe'])} times with the callback and with"
        " Ansible's own in turn; CPU seconds. What callbacks take is measured in Ansible: to load them, at each event, and what redraws the block. At most"
        " 2 % more is wanted. The last column has the totals of all processes, pair by pair, which differ by more than that from run to run.",
        table(
            ["output", "whole run", "of it callback default", "callback progress", "added", "totals of the pairs"], rows
        ),
    ]


def figures_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the table of light hosts; figures of earlier versions have no CPU time."""
    cpu = {f"CPU of Ansible, {turn}": row[f"cpu {turn}"] for turn in ("fresh", "again") if f"cpu {turn}" in row}
    return {
        "hosts": row["hosts"],
        "fresh": row["fresh"],
        "again": row["again"],
        **cpu,
        "executions per host": row["executions"],
    }


def slope(rows: list[dict[str, Any]], name: str) -> tuple[float, float]:
    """Return the least-squares line of a figure over the number of hosts: what it is without a host, and what each adds."""
    hosts, values = ([float(row[key]) for row in rows] for key in ("hosts", name))
    middle, mean = sum(hosts) / len(hosts), sum(values) / len(values)
    each = sum((host - middle) * (value - mean) for host, value in zip(hosts, values))
    each /= sum((host - middle) ** 2 for host in hosts)
    return mean - each * middle, each


def many_hosts(rows: list[dict[str, Any]]) -> list[str]:
    """Compute what hosts of their own would take, whose work does not share the cores of the control node."""
    if len(rows) < 2 or "cpu fresh" not in rows[0]:
        return []
    alone = {turn: rows[0][turn] for turn in ("fresh", "again")}
    lines = {turn: slope(rows, f"cpu {turn}") for turn in alone}
    computed: list[list[Any]] = []
    for count in (10, 100, 1000):
        row: list[Any] = [count]
        for turn, seconds in alone.items():
            cpu = max(0.0, lines[turn][0]) + lines[turn][1] * count
            row += [cpu, *(max(seconds * -(-count // FORKS), cpu / cores) for cores in CORES)]
        computed.append(row)
    head = ["hosts"]
    for turn in alone:
        head += [f"CPU of Ansible, {turn}", *(f"{turn}, {cores} cores" for cores in CORES)]
    return [
        f"Computed for hosts on machines of their own, with `--forks {FORKS}`, seconds: what Ansible computes for each host (the slope of the CPU time "
        "above) on the cores of the control node, or the time of one host for each batch of forks, whichever is longer. Packages are there within the "
        "time of the lab's repositories, and no time on the network counts.",
        table(head, computed),
    ]


def by_second(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of an upgrade with what was answered in each second of it in place of every answer, and the longest pauses."""
    found = {key: figures[key] for key in ("from", "to", "seconds", "plays")}
    end = int(figures["seconds"])
    for name in ("writes", "requests"):
        within = [0.0, *(moment for moment in figures[name] if 0 <= moment <= figures["seconds"]), figures["seconds"]]
        found[name] = [sum(second <= moment < second + 1 for moment in within[1:-1]) for second in range(end)]
        found[f"longest without {name}"] = max(after - before for before, after in pairwise(within))
    found["failed"] = sum(0 <= moment <= figures["seconds"] for moment in figures["failed"])
    return found


def upgrade(found: dict[str, Any], folder: Path) -> list[str]:
    """Describe what clients noticed of an upgrade."""
    writes, requests = sum(found["writes"]), sum(found["requests"])
    return [
        "## An upgrade, as clients see it",
        f"Scenario `upgrade`: one control plane and two workers, from {found['from']} to {found['to']} in {found['seconds']:.0f} s, after a run that "
        "was killed. One client creates ConfigMaps one after another, one asks an application with two pods and a PodDisruptionBudget: "
        f"{writes} writes (none for {found['longest without writes']:.1f} s at most, while the only API server starts anew) and {requests} requests "
        f"(none for {found['longest without requests']:.1f} s at most). Of both, {found['failed']} were refused or broken off; no acknowledged write was lost.",
        f"![writes and requests by second]({plot_upgrade(found, folder).name})",
    ]


def write(results: dict[str, Any], folder: Path) -> str:
    """Write README.md and the plots into *folder*; return the page."""
    parts = [
        "# Benchmarks",
        "Made by `make bench`; the figures are in [results.json](results.json). Lab hosts on one machine, so they share its cores.",
    ]
    if "pairs" in results:
        found = ratios(results["pairs"])
        rows = [
            [n, pair["raw"]["seconds"], pair["cluster"]["seconds"], f"{found[n - 1]:.2f}"]
            for n, pair in enumerate(results["pairs"], 1)
        ]
        parts += [
            "## A first run, against a shell script",
            "One control plane and two workers, from fresh hosts to pods that reach each other; in alternating order, seconds. "
            f"The median ratio is **{median(found):.2f}** (at most {LIMITS['ratio']} is wanted).",
            table(["pair", "script", "playbook", "ratio"], rows),
            "Where the time goes (medians, seconds):",
            table(["phase", "plays", "script", "playbook", "extra"], by_phase(results["pairs"])),
            f"![seconds by phase]({plot_phases(results['pairs'], folder).name})",
            "## Remote executions per host",
            "Every command and transfer over SSH counts (`SSH: EXEC` of `-vvv`).",
            table(
                ["host", "executions", "at most"],
                [
                    [host, n, LIMITS.get(host, LIMITS["host with nothing to do"] if "beside" in host else "")]
                    for host, n in highest(results["executions"]).items()
                ],
            ),
            f"A second run, which changes nothing, takes {results['second_run']:.1f} s.",
        ]
    if "light_hosts" in results:
        parts += [
            "## Many light hosts",
            "Hosts that run systemd and sshd alone; the roles swap, kernel, containerd and kubernetes; seconds.",
            table(
                [*figures_of(results["light_hosts"][0])],
                [[*figures_of(row).values()] for row in results["light_hosts"]],
            ),
            f"![seconds over hosts]({plot_hosts(results['light_hosts'], folder).name})",
            *many_hosts(results["light_hosts"]),
        ]
    if "upgrade" in results:
        parts += upgrade(results["upgrade"], folder)
    if "deployments" in results:
        parts += deployments(results["deployments"])
    if "scale" in results:
        parts += large_release(results["scale"])
    if "callback" in results:
        parts += callback(results["callback"])
    page = "\n\n".join(parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(page)
    return page


def _figure() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "slipway"  # the same figures draw the same file
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(7, 3.5), layout="constrained")


def plot_phases(pairs: list[dict[str, Any]], folder: Path) -> Path:
    """Draw script and playbook as two bars, a part per phase."""
    figure, axes = _figure()
    left = [0.0, 0.0]
    for phase, plays, script, playbook, _extra in by_phase(pairs):
        values = [playbook, script]
        axes.barh(["playbook", "script"], values, left=left, label=phase or str(plays))
        left = [sum(both) for both in zip(left, values)]
    axes.set_xlabel("seconds (medians)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize="small")
    return save(figure, folder / "phases.svg")


def plot_hosts(rows: list[dict[str, Any]], folder: Path) -> Path:
    """Draw the seconds over the number of hosts."""
    figure, axes = _figure()
    for line in ("fresh", "again"):
        axes.plot([row["hosts"] for row in rows], [row[line] for row in rows], marker="o", label=line)
    axes.set(xlabel="hosts", ylabel="seconds", ylim=(0, None))
    axes.legend()
    return save(figure, folder / "hosts.svg")


def plot_upgrade(found: dict[str, Any], folder: Path) -> Path:
    """Draw how many writes and requests were answered in each second, with the plays that last."""
    figure, axes = _figure()
    for name in ("requests", "writes"):
        axes.step(range(len(found[name])), found[name], where="post", label=name, linewidth=0.8)
    ends = [*list(found["plays"].values())[1:], found["seconds"]]
    for (play, began), ended in zip(found["plays"].items(), ends):
        if ended - began > found["seconds"] / 20:
            axes.axvline(began, color="grey", linewidth=0.5)
            axes.text(began, 0.2, play, rotation=90, va="bottom", ha="right", fontsize="x-small")
    axes.set(xlabel="seconds of the upgrade", ylabel="answered in a second", ylim=(0, None))
    axes.legend(loc="lower right")
    return save(figure, folder / "upgrade.svg")


def save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return path
