# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of apt's source files, in both of their forms (sources.list(5))."""

from __future__ import annotations

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import repositories
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

LIST = """\
# deb https://disabled.test/debian bookworm main
deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main
deb-src https://deb.test/debian bookworm main
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian/ bookworm stable test # Docker
deb https://user:secret@deb.test/flat /
deb
"""
SOURCES = """\
# Added by an operator
Types: deb deb-src
URIs: https://a.test/debian
 https://b.test/debian/
Suites: bookworm bookworm-updates
# a comment between fields
Components: main
Architectures: amd64
signed-by: /usr/share/keyrings/a.gpg

Types: deb-src
URIs: https://c.test
Suites: ./

Enabled: no
Types: deb
URIs: https://d.test
Suites: ./


Types: deb
URIs: https://e.test
Suites: ./
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_one_line_entries():
    _cdrom, docker, flat = repositories.parse_list("/a.list", LIST)
    assert docker == {
        "path": "/a.list",
        "line": 4,
        "url": "https://download.docker.com/linux/debian",
        "suite": "bookworm",
        "components": ["stable", "test"],
        "architectures": ["amd64", "arm64"],
        "signed_by": "/etc/apt/keyrings/docker.asc",
    }
    assert (flat["url"], flat["suite"], flat["components"], flat["signed_by"]) == ("https://deb.test/flat", "/", [], "")


def test_deb822_stanzas():
    entries = repositories.parse_sources("/a.sources", SOURCES)
    assert [(entry["line"], entry["url"], entry["suite"]) for entry in entries] == [
        (2, "https://a.test/debian", "bookworm"),
        (2, "https://a.test/debian", "bookworm-updates"),
        (2, "https://b.test/debian", "bookworm"),
        (2, "https://b.test/debian", "bookworm-updates"),
        (21, "https://e.test", "./"),
    ]
    assert entries[0]["components"] == ["main"]
    assert entries[0]["architectures"] == ["amd64"]
    assert entries[0]["signed_by"] == "/usr/share/keyrings/a.gpg"
    assert entries[-1]["signed_by"] == "a key in the entry"


def test_the_files_that_apt_reads(tmp_path):
    parts = tmp_path / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb https://main.test ./\n")
    (parts / "docker.list").write_text("deb [signed-by=/etc/apt/docker.asc] https://docker.test ./\n")
    (tmp_path / "etc/apt/docker.asc").touch()
    (parts / "k8s.sources").write_text("Types: deb\nURIs: https://k8s.test\nSuites: /\nSigned-By: /etc/apt/k8s.gpg\n")
    (parts / "old.list.save").write_text("deb https://ignored.test ./\n")
    found = repositories.gather_repositories(Files(str(tmp_path)))
    assert [(entry["path"], entry["url"], entry["key_missing"]) for entry in found] == [
        ("/etc/apt/sources.list", "https://main.test", False),
        ("/etc/apt/sources.list.d/docker.list", "https://docker.test", False),
        ("/etc/apt/sources.list.d/k8s.sources", "https://k8s.test", True),
    ]
    assert repositories.gather_repositories(Files(str(tmp_path / "none"))) == []
