# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of Sphinx for `make site`. The source is the whole checkout, so that links mean the same here and in the repository."""

project = "slipway.kube"
root_doc = "docs/index"
include_patterns = ["ARCHITECTURE.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"]
include_patterns += ["docs/**", "examples/README.md"]
# Where no page is; Sphinx would search them, and follow the link to this checkout below .cache.
exclude_patterns = [".*", "inventories", "meta", "molecule", "playbooks", "plugins", "roles", "tests", "tools"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
highlight_language = "none"
html_theme = "furo"  # its fonts are the reader's, so that no page loads anything from elsewhere
html_static_path = ["site"]
html_css_files = ["site.css"]
html_title = project
html_copy_source = False
html_show_sphinx = False
