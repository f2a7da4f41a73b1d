# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base image's name, and what is kept of it."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import image

NAME = "slipway-lab:bookworm-0123456789ab"
TAR = "slipway-lab-bookworm-0123456789ab.tar"
OLD = "slipway-lab:bookworm-aaaaaaaaaaaa"


def digest(**changed):
    recipe = {
        "suite": "bookworm",
        "architecture": "x86_64",
        "packages": ["sudo", "python3"],
        "files": {"customize": b"#!/bin/sh\n"},
    }
    return image.recipe_hash(**dict(recipe, **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"suite": "trixie"},
        {"architecture": "aarch64"},
        {"packages": ["sudo"]},
        {"files": {"customize": b"#!/bin/bash\n"}},
        {"files": {}},
    ],
)
def test_another_recipe_is_another_image(changed):
    assert digest(**changed) != digest()


def test_the_order_of_packages_plays_no_role():
    assert digest(packages=["python3", "sudo", "sudo"]) == digest()


@pytest.mark.parametrize(
    ("images", "cached", "wanted"),
    [
        ([], [], {"images": [NAME], "archives": [TAR]}),  # made for both
        ([], [TAR], {"images": [NAME], "archives": [TAR]}),  # imported from the cache
        ([NAME], [], {"images": [NAME], "archives": []}),  # nothing to do
        (
            [OLD, NAME],
            [TAR, "slipway-lab-old.tar", TAR + ".part"],
            {"images": [NAME], "archives": [TAR]},
        ),  # leftovers go
    ],
)
def test_one_image_is_kept(images, cached, wanted):
    want, have = image.changes(NAME, images, cached, True)
    assert want == wanted
    assert have == {"images": sorted(images), "archives": sorted(cached)}


def test_absent_leaves_none():
    want, have = image.changes(NAME, [NAME], [TAR], False)
    assert want == {"images": [], "archives": []} != have
    assert image.changes(NAME, [], [], False)[0] == image.changes(NAME, [], [], False)[1]


def test_only_base_images_are_taken_for_archives(tmp_path):
    for name in (TAR, TAR + ".part", "bundle.tar", "slipway-lab-notes.txt"):
        (tmp_path / name).touch()
    assert image.archives(str(tmp_path), image.REPOSITORY) == [TAR, TAR + ".part"]
    assert image.archives(str(tmp_path / "none"), image.REPOSITORY) == []


def test_the_call_of_mmdebstrap():
    command = image.build_command(
        "/usr/bin/mmdebstrap",
        "bookworm",
        ["sudo", "curl"],
        "/it's here/customize",
        "/c/x.tar.part",
        "http://mirror/debian",
        "/t/apt.conf",
    )
    assert command[0] == "/usr/bin/mmdebstrap" and command[-3:] == ["bookworm", "/c/x.tar.part", "http://mirror/debian"]
    assert "--include=curl,sudo" in command and "--aptopt=/t/apt.conf" in command
    # The file's name ends in .part: the format must be told.
    assert "--format=tar" in command
    hook = next(word for word in command if word.startswith("--customize-hook=")).partition("=")[2]
    assert shlex.split(hook) == ["sh", "/it's here/customize", "$1"]
    assert image.build_command("mmdebstrap", "bookworm", ["sudo"], "/h", "/x.tar", "", "")[-1] == "/x.tar"


DISK = "slipway-disk-bookworm-0123456789ab"


@pytest.mark.parametrize(
    ("cached", "used", "present", "wanted"),
    [
        ([], set(), True, [DISK]),
        ([DISK], {DISK}, True, [DISK]),
        (["slipway-disk-old", DISK + ".part"], set(), True, [DISK]),  # leftovers go
        (
            ["slipway-disk-old"],
            {"slipway-disk-old"},
            True,
            [DISK, "slipway-disk-old"],
        ),  # another lab's machines boot it
        ([DISK], set(), False, []),
        ([DISK], {DISK}, False, [DISK]),
    ],
)
def test_disks_are_kept_while_machines_are_copies_of_them(cached, used, present, wanted):
    assert image.disk_changes(DISK, cached, used, present) == (wanted, sorted(cached))


def test_only_disks_are_taken_for_disks(tmp_path):
    for name in (DISK, DISK + ".part", TAR, "bundle"):
        (tmp_path / name).mkdir()
    assert list(image.disks(str(tmp_path))) == [DISK, DISK + ".part"]
    assert image.disks(str(tmp_path / "none")) == {}


def test_disks_of_another_release_are_left_alone(tmp_path):
    for name in (DISK, "slipway-disk-trixie-0123456789ab"):
        (tmp_path / name).mkdir()
    assert list(image.disks(str(tmp_path), "trixie")) == ["slipway-disk-trixie-0123456789ab"]


def test_a_disk_is_made_as_a_folder():
    assert "--format=directory" in image.build_command("m", "bookworm", ["x"], "hook", "target", "", "", "directory")
