# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each host was at work in which phase, as an SVG without scripts: pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..reports.page import COLORS
from .state import Phase, Run
from .text import clip, count, duration, names, plain, width

LEFT, RIGHT, TOP = 150, 12, 46  # pixels around the bars
CHART = 838
ROW, BAR = 22, 12
HOSTS = 300  # hosts that are drawn
NAME = 19  # columns of a host's name
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
# Phases take turns; each colour can be told from its neighbours, also by people who see few colours.
STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}.soft{fill:var(--soft)}
.page{fill:var(--card)}.grid{stroke:var(--line)}.lost{fill:var(--error)}
.p0{fill:#2463a8}.p1{fill:#d9822b}.p2{fill:#23856d}.p3{fill:#a8456f}.p4{fill:#6c6f7d}
@media(prefers-color-scheme:dark){.p0{fill:#6ea8e8}.p1{fill:#f0a95c}.p2{fill:#58c9a9}.p3{fill:#e08bb0}.p4{fill:#a5a9b8}}
"""
PALETTE = 5


def timeline_svg(run: Run) -> str:
    """Return the timeline of a run that has ended: a row per host, and below it the phases with their colours."""
    until = run.ended if run.ended is not None else run.started
    total = max(until - run.started, 0.1)
    hosts = list(run.seen)[:HOSTS]
    phases = [phase for phase in run.phases if phase.started is not None]
    bottom = TOP + ROW * len(hosts)
    height = bottom + 34 + 20 * len(phases)
    shown = f"Timeline of {plain(run.name)}: {count(len(phases), 'phase')}, {count(len(run.seen), 'host')}, {duration(total)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + CHART + RIGHT} {height}" role="img" aria-labelledby="t">',
        f'<title id="t">{escape(shown)}</title><style>{(COLORS + STYLE).replace(chr(10), "")}</style>',
        f'<rect class="page" width="100%" height="{height}"/>',
        *_axis(total, bottom),
    ]
    for row, host in enumerate(hosts):
        parts += _row(run, phases, host, TOP + ROW * row, total)
    if len(run.seen) > HOSTS:
        parts.append(f'<text class="soft" x="8" y="{bottom + 14}">and {len(run.seen) - HOSTS} more hosts</text>')
    parts += [line for number, phase in enumerate(phases) for line in _legend(number, phase, bottom + 40 + 20 * number)]
    return "\n".join([*parts, "</svg>", ""])


def _axis(total: float, bottom: int) -> Iterator[str]:
    step = next((tick for tick in TICKS if total / tick <= 8), TICKS[-1])
    for number in range(int(total // step) + 1):
        x = LEFT + CHART * number * step / total
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 10}" y2="{bottom}"/>'
        anchor = "end" if x > LEFT + CHART - 20 else "middle"
        yield f'<text class="soft" x="{x:.1f}" y="{TOP - 18}" text-anchor="{anchor}">{duration(number * step)}</text>'


def _row(run: Run, phases: list[Phase], host: str, top: int, total: float) -> Iterator[str]:
    scale = CHART / total
    lost = run.lost.get(host, "")
    name = clip(plain(host), NAME)
    kind = "lost" if lost else "host"
    yield f'<text class="{kind}" x="8" y="{top + BAR - 1}">{escape(name)}</text>'
    for number, phase in enumerate(phases):
        told = escape(f"{host}: {plain(phase.name)}")
        for since, until in _merged(phase.work.get(host, []), 1 / scale):
            x, wide = LEFT + (since - run.started) * scale, max((until - since) * scale, 1)
            yield (
                f'<rect class="p{number % PALETTE}" x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{BAR}">'
                f"<title>{told}, {duration(until - since)}</title></rect>"
            )
        if lost and phase.lost.get(host) and phase.work.get(host):
            x = LEFT + (phase.work[host][-1][1] - run.started) * scale
            yield f'<text class="lost" x="{min(x + 4, LEFT + CHART - 70):.1f}" y="{top + BAR - 1}">{lost}</text>'


def _merged(spans: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Return spans without gaps that are too small to be seen."""
    merged: list[tuple[float, float]] = []
    for since, until in spans:
        if merged and since - merged[-1][1] <= gap:
            since = merged.pop()[0]
        merged.append((since, until))
    return merged


def _legend(number: int, phase: Phase, y: int) -> Iterator[str]:
    lost = f", {names([f'{host} {why}' for host, why in phase.lost.items()], 3)}" if phase.lost else ""
    text = f"{number + 1}. {plain(phase.name)}: {duration(phase.seconds)}, {count(len(phase.hosts), 'host')}{lost}"
    yield f'<rect class="p{number % PALETTE}" x="8" y="{y - BAR + 2}" width="{BAR}" height="{BAR}"/>'
    yield f'<text x="28" y="{y}">{escape(clip(text, 130) if width(text) > 130 else text)}</text>'
