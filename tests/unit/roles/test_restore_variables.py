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
    "node": "cp1",
    "time": "2026-11-29T10:00:00Z",
    "revision": 833,
    "keys": 400,
    "digest": "sha256:0",
}


def problems(archive=None, of="__restore_problems", **variables):
    known = {}
    for path in ("cluster/defaults/main.yml", "restore/defaults/main.yml", "restore/vars/main.yml"):
        known.update(load_variables(ROLES / path))
    known.update({"kube_version": "1.37.2", **variables, "restore_manifest": {**ARCHIVE, **(archive or {})}})
    return Templar(loader=DataLoader(), variables=known).template(trust_as_template(f"{{{{ {of} }}}}"))


def test_an_archive_of_another_cluster_is_refused():
    (found,) = problems({"cluster": "other"})
    assert found.startswith("The archive is of cluster other; kube_cluster_name is kubernetes. Use the inventory")


def test_a_confirmation_of_another_cluster_is_quoted_as_it_was_given():
    inventory = {"groups": {"kube_control_plane": ["cp1"]}, "hostvars": {"cp1": {}}, "restore_archive": "a.tar"}
    (found,) = problems(of="__restore_host_problems", restore_confirm="other", **inventory)
    assert found.startswith(
        'This run has not been confirmed [slipway:restore_unconfirmed], restore_confirm is "other". It would restore'
    )


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
