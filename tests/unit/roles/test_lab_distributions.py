# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distributions of the lab are the same in the role and in the module that refuses others."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.slipway.kube.plugins.module_utils._lab import layout, machines

LAB = Path(__file__).resolve().parents[3] / "roles" / "lab"
IMAGES = yaml.safe_load((LAB / "vars" / "main.yml").read_text())["__lab_distributions"]


def test_every_distribution_can_be_chosen_and_has_an_image() -> None:
    options = yaml.safe_load((LAB / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert tuple(options["lab_distribution"]["choices"]) == layout.DISTRIBUTIONS == tuple(IMAGES)
    assert all((LAB / "files" / image["recipe"] / "customize").is_file() for image in IMAGES.values())


def test_images_of_one_distribution_are_not_taken_for_those_of_another() -> None:
    names = [image["name"] for image in IMAGES.values()]
    assert not [(one, other) for one in names for other in names if one != other and other.startswith(f"{one}-")]


def test_machines_have_disks_of_their_own_release() -> None:
    suites = [IMAGES[name]["suite"] for name in machines.DEBIAN]
    assert len(set(suites)) == len(suites)
