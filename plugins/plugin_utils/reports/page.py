# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all pages share: a self-contained document without scripts, light or dark as the reader prefers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

COLORS = """
:root{--page:#f6f7f9;--card:#fff;--ink:#1c2330;--soft:#5d6778;--line:#dfe3ea;--error:#c62828;--warning:#b26a00;--info:#2463a8;--ok:#2e7d32;--code:#f0f2f5}
@media(prefers-color-scheme:dark){:root{--page:#14181f;--card:#1d232d;--ink:#e8ecf2;--soft:#9aa5b5;--line:#323b49;--error:#ef6b6b;--warning:#e5a93c;--info:#6ea8e8;--ok:#67bb6b;--code:#161b22}}
"""
STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 10px}
.soft{color:var(--soft)}.verdict{font-size:17px;margin:0 0 18px}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:8px}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--line);font-size:14px}td.n,th.n{text-align:right}
.finding{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--info);border-radius:8px;margin:0 0 12px;padding:12px 16px}
.finding.error{border-left-color:var(--error)}.finding.warning{border-left-color:var(--warning)}
.finding h3{font-size:15px;margin:0 0 2px;overflow-wrap:anywhere}
.mark{display:inline-block;font-size:12px;font-weight:600;text-transform:uppercase;letter-spacing:.04em;margin-right:8px}
.error .mark,b.error{color:var(--error)}.warning .mark,b.warning{color:var(--warning)}.info .mark,b.info{color:var(--info)}b.ok{color:var(--ok)}
code,pre{font:13px/1.45 ui-monospace,Consolas,monospace;background:var(--code);border-radius:5px}
code{padding:1px 5px}pre{padding:8px 10px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
details{margin:6px 0}summary{cursor:pointer;color:var(--soft)}
a{color:var(--info)}:focus-visible{outline:2px solid var(--info);outline-offset:2px}
"""


def page(title: str, body: Iterable[str], style: str) -> str:
    """Return a document.

    :param title: HTML.
    :param body: pieces of HTML; empty ones are left out.
    :param style: CSS in addition to that of all pages.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{(COLORS + STYLE + style).replace(chr(10), '')}</style>"
    )
    content = "\n".join(filter(None, body))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>\n{content}\n</main></body></html>\n'


def items(texts: Iterable[str]) -> str:
    """Return texts as items of a list."""
    return "".join(f"<li>{escape(text)}</li>" for text in texts)
