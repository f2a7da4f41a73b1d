# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive that does not fit the inventory is refused, before a host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"
ARCHIVE = {
    "cluster": "kubernetes",
    "kubernetes": "1.37.2",
    "service_subnet": "10.96.0.0/12",
    "pod_subnet": "192.168.0.0/16",
    "encryption": True,
}


def problems(archive=None, **variables):
    known = {}
    for path in ("cluster/defaults/main.yml", "restore/defaults/main.yml", "restore/vars/main.yml"):
        known.update(load_variables(ROLES / path))
    known.update({"kube_version": "1.37.2", **variables, "restore_manifest": {**ARCHIVE, **(archive or {})}})
    return Templar(loader=DataLoader(), variables=known).template(trust_as_template("{{ __restore_problems }}"))


@pytest.mark.parametrize(
    ("archive", "variables", "refused"),
    [
        ({}, {}, False),
        ({}, {"control_plane_encrypt_secrets": False}, True),
        ({}, {"control_plane_encrypt_secrets": "false"}, True),
        ({"encryption": False}, {"control_plane_encrypt_secrets": False}, False),
        (
            {},
            {
                "control_plane_encrypt_secrets": False,
                "control_plane_api_server_extra_args": {"encryption-provider-config": "/etc/mine.yaml"},
            },
            False,
        ),
    ],
)
def test_encrypted_secrets_are_not_restored_without_a_key(archive, variables, refused):
    found = problems(archive, **variables)
    assert ["control_plane_encrypt_secrets" in problem for problem in found] == ([True] if refused else [])
