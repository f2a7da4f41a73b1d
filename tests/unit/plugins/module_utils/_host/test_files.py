# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: whole contents, fetched ones, folders, and what is left over."""

from __future__ import annotations

import hashlib
import os

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.files import (
    WantedFile,
    differences,
    fetch_checked,
    plan_files,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, System

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}
KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"


class Host:
    def __init__(self, root):
        self.root = root
        self.system = System(str(root))
        self.record = Record(str(root / "record"))
        self.fetched = []
        self.answer = KEY

    def fetch(self, url):
        self.fetched.append(url)
        return self.answer

    def plan(self, *items):
        return plan_files(self.system, self.record, [WantedFile(**{**ME, **item}) for item in items], self.fetch)

    def make(self, *items):
        steps = self.plan(*items)
        for step in steps:
            for what in step.remember:
                self.record.remember(*what)
            step.apply()
        return [step.sentence for step in steps]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_file_and_its_parents_are_made_once(host):
    item = {"path": "/etc/a/b/c.conf", "content": "x = 1\n", "mode": "0640"}
    step = host.plan(item)[0]
    assert (step.before, step.after) == ("", "x = 1\n")
    assert [key for _kind, key, _value in step.remember] == ["/etc", "/etc/a", "/etc/a/b", "/etc/a/b/c.conf"]
    assert host.make(item) == ["file /etc/a/b/c.conf written"]
    assert (host.root / "etc/a/b/c.conf").stat().st_mode & 0o777 == 0o640
    assert host.make(item) == []


def test_text_and_mode_differences_are_both_shown(host):
    (host.root / "c.conf").write_text("old\n")
    (host.root / "c.conf").chmod(0o640)
    step = host.plan({"path": "/c.conf", "content": "new\n"})[0]
    assert step.before == f"mode 0640, owner {os.getuid()}:{os.getgid()}\nold\n"
    assert step.after == f"mode 0644, owner {os.getuid()}:{os.getgid()}\nnew\n"
    assert host.record.before["files"] == {}
    assert host.make({"path": "/c.conf", "content": "new\n"}) == ["file /c.conf changed"]
    assert host.record.before["files"]["/c.conf"]["content"] == "old\n"


def test_a_secret_is_named_and_not_shown(host):
    (host.root / "c.conf").write_text("password=old")
    (host.root / "c.conf").chmod(0o600)
    item = WantedFile.from_options(
        {
            "path": "/c.conf",
            "secret_content": "password=new",
            "content": None,
            "owner": ME["owner"],
            "group": ME["group"],
        }
    )
    step = plan_files(host.system, host.record, [item], host.fetch)[0]
    assert step.diff == {
        "before_header": "file /c.conf",
        "after_header": "file /c.conf",
        "before": "<secret>\n",
        "after": "<secret, new>\n",
    }
    assert "password" not in step.sentence
    step.apply()
    assert (host.root / "c.conf").read_text() == "password=new"
    assert (host.root / "c.conf").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_was_there_is_not_shown_by_what_comes_after_it(host):
    (host.root / "c.conf").write_text("password=old")
    (host.root / "c.conf").chmod(0o600)
    for item in ({"path": "/c.conf", "content": "open\n"}, {"path": "/c.conf", "state": "absent"}):
        assert "password" not in str(host.plan(item)[0].diff)
        assert "<secret>" in host.plan(item)[0].before


def test_an_empty_file_is_a_file(host):
    assert host.make({"path": "/empty", "content": ""}) == ["file /empty written"]
    assert host.make({"path": "/empty", "content": ""}) == []


def test_a_link_in_a_files_place_is_replaced(host):
    (host.root / "real").write_text("x\n")
    (host.root / "c.conf").symlink_to("real")
    host.make({"path": "/c.conf", "content": "x\n"})
    assert not (host.root / "c.conf").is_symlink()
    assert host.record.before["files"]["/c.conf"]["target"] == "real"
    assert (host.root / "real").read_text() == "x\n"


def test_a_url_is_fetched_once_and_again_when_it_changes(host):
    item = {"path": "/key.asc", "url": "https://one.test/key", "contains": "BEGIN PGP"}
    assert host.plan(item)[0].after == "(fetched from https://one.test/key)\n"
    assert host.fetched == [], "planning, and so a check run, asks no server"
    host.make(item)
    assert (host.root / "key.asc").read_bytes() == KEY
    assert host.make(item) == []
    assert host.make(dict(item, url="https://two.test/key")) == ["file /key.asc fetched from https://two.test/key"]
    assert host.fetched == ["https://one.test/key", "https://two.test/key"]


def test_the_mode_of_a_fetched_file_is_put_right_without_fetching(host):
    item = {"path": "/key.asc", "url": "https://one.test/key"}
    host.make(item)
    (host.root / "key.asc").chmod(0o600)
    assert host.make(item) == ["file /key.asc changed"]
    assert host.fetched == ["https://one.test/key"]
    assert (host.root / "key.asc").read_bytes() == KEY


def test_a_checksum_decides_where_there_is_one(host):
    good = "sha256:" + hashlib.sha256(KEY).hexdigest()
    (host.root / "key.asc").write_bytes(KEY)
    assert host.plan({"path": "/key.asc", "url": "https://one.test/key", "checksum": good}) == []
    (host.root / "key.asc").write_bytes(b"damaged")
    assert len(host.plan({"path": "/key.asc", "url": "https://one.test/key", "checksum": good})) == 1


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"contains": "BEGIN PGP"}, "no 'BEGIN PGP' in it. Evidence: it starts with '<html>log in"),
        ({"checksum": "sha256:00"}, "not sha256:00"),
    ],
)
def test_what_is_not_the_file_is_refused(item, message):
    with pytest.raises(HostError, match=message):
        fetch_checked(
            WantedFile(path="/key.asc", url="https://one.test/key", **item), lambda url: b"<html>log in</html>"
        )


def test_a_directory_is_made_and_its_mode_kept(host):
    item = {"path": "/a/certs.d", "state": "directory"}
    assert host.make(item) == ["directory /a/certs.d created"]
    (host.root / "a/certs.d").chmod(0o700)
    assert host.make(item) == ["directory /a/certs.d given its mode and owner"]
    assert host.make(item) == []


@pytest.mark.parametrize(("there", "item"), [("directory", {"content": ""}), ("file", {"state": "directory"})])
def test_something_else_in_the_place_is_refused(host, there, item):
    (host.root / "x").mkdir() if there == "directory" else (host.root / "x").write_text("")
    with pytest.raises(HostError, match=r"/x should be a .* and is a .*\. Remove or rename"):
        host.plan({"path": "/x", **item})


def test_absent_removes_and_remembers(host):
    (host.root / "old").write_text("text\n")
    step = host.plan({"path": "/old", "state": "absent"})[0]
    assert (step.before, step.after) == ("text\n", "")
    assert host.make({"path": "/old", "state": "absent"}) == ["file /old removed"]
    assert host.make({"path": "/old", "state": "absent"}) == []
    assert host.record.before["files"]["/old"]["content"] == "text\n"


def test_an_unknown_owner_is_named(host):
    with pytest.raises(HostError, match="should belong to nobody-such:root"):
        host.plan({"path": "/x", "content": "", "owner": "nobody-such", "group": "root"})


CERTS = {"path": "/certs.d", "state": "directory", "purge": True}
ONE = {"path": "/certs.d/one/hosts.toml", "content": "1\n"}
TWO = {"path": "/certs.d/two/hosts.toml", "content": "2\n"}


def test_what_an_earlier_run_put_there_goes_and_what_others_put_there_stays(host):
    host.make(CERTS, ONE, TWO)
    (host.root / "certs.d/site").mkdir()
    (host.root / "certs.d/site/hosts.toml").write_text("theirs\n")
    assert host.make(CERTS, ONE) == [
        "file /certs.d/two/hosts.toml removed, no longer wanted",
        "directory /certs.d/two removed, no longer wanted",
    ]
    assert sorted(os.listdir(host.root / "certs.d")) == ["one", "site"]
    assert host.make(CERTS, ONE) == []
    (host.root / "certs.d/two").mkdir()
    (host.root / "certs.d/two/hosts.toml").write_text("now theirs\n")
    assert host.make(CERTS, ONE) == [], "what we gave up is no longer ours"


def test_a_file_that_was_there_before_comes_back(host):
    (host.root / "certs.d/one").mkdir(parents=True)
    (host.root / "certs.d/one/hosts.toml").write_text("theirs\n")
    host.make(CERTS, ONE)
    assert host.make(CERTS) == ["file /certs.d/one/hosts.toml restored to its original content"]
    assert (host.root / "certs.d/one/hosts.toml").read_text() == "theirs\n"
    assert host.make(CERTS) == []


def test_a_folder_with_a_foreign_file_in_it_stays(host):
    host.make(CERTS, ONE)
    (host.root / "certs.d/one/ca.crt").write_text("theirs")
    assert host.make(CERTS) == ["file /certs.d/one/hosts.toml removed, no longer wanted"]
    assert os.listdir(host.root / "certs.d/one") == ["ca.crt"]
    assert host.make(CERTS) == []


def test_differences_of_equal_files_are_none():
    have = {"state": "file", "content": "x", "mode": "0644", "uid": 0, "gid": 0}
    assert differences(WantedFile(path="/x"), have, "x", 0, 0) is None
    assert differences(WantedFile(path="/x"), have, None, 0, 0) is None
