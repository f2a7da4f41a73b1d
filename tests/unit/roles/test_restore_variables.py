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
    known.update(
        {
            "kube_version": "1.37.2",
            "groups": {},
            "hostvars": {},
            **variables,
            "restore_manifest": {**ARCHIVE, **(archive or {})},
        }
    )
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


GROUPS = {"kube_control_plane": ["cp1", "cp2"], "kube_etcd": ["etcd1", "etcd2"]}


def host(name, member=True, ca="sha256:ca", **other):
    cluster = {
        "member": member,
        "ca_hash": ca,
        "role": "etcd" if "etcd" in name and member else "",
        "etcd_data": member,
    }
    record = {"operation": other.get("operation", ""), "restored": other.get("restored", "")}
    return {"inventory_hostname": name, "kube_host": {"cluster": cluster, "record": record}}


def external(of, **hosts):
    known = {name: host(name) for names in GROUPS.values() for name in names} | hosts
    archive = {"external_etcd": True, "ca_hash": "sha256:ca", "digest": "sha256:1"}
    return problems(archive, of, groups=GROUPS, hostvars=known, restore_archive="a.tar", restore_confirm="kubernetes")


def test_control_planes_of_the_cluster_are_kept_when_only_its_external_etcd_is_restored():
    assert external("__restore_kept") == ["cp1", "cp2"] and external("__restore_host_problems") == []
    fresh = host("cp1", member=False, ca="")
    assert external("__restore_kept", cp1=fresh) == ["cp2"] and external("__restore_target", cp1=fresh) == "cp2"
    interrupted = host("cp1", operation="restore")
    assert external("__restore_kept", cp1=interrupted, cp2=fresh | {"inventory_hostname": "cp2"}) == []
    assert external("__restore_target", cp1=interrupted, cp2=fresh) == "cp1"
    (found,) = external("__restore_host_problems", cp2=host("cp2", ca="sha256:other"))
    assert "A cluster exists on cp2" in found


def test_members_of_etcd_that_run_are_named_and_none_may_be_unknown():
    assert external("__restore_loss") == "the data of etcd on etcd1, etcd2"
    assert external("__restore_loss", etcd1=host("etcd1", member=False)) == "the data of etcd on etcd2"
    (found,) = external("__restore_host_problems", etcd2={"inventory_hostname": "etcd2"})
    assert found.startswith("etcd2 could not be inspected") and "[slipway:etcd_hosts]" in found


def test_an_etcd_that_was_restored_from_the_archive_is_left_as_it_is():
    done = host("etcd1", restored="sha256:1")
    assert external("__restore_etcd_done", etcd1=done) is True and external("__restore_loss", etcd1=done) == ""
    assert external("__restore_etcd_done", etcd1=host("etcd1", restored="sha256:1", operation="restore")) is False
    assert external("__restore_etcd_done", etcd1=host("etcd1", member=False, restored="sha256:1")) is False
    plane = host("cp1", restored="sha256:1")
    assert external("__restore_done", etcd1=done, cp1=plane) is True
    assert external("__restore_done", cp1=plane) is False


@pytest.mark.parametrize(
    ("archived", "groups", "refused"),
    [(True, GROUPS, False), (False, {}, False), (True, {}, True), (False, GROUPS, True)],
)
def test_an_archive_of_another_kind_of_etcd_is_refused(archived, groups, refused):
    found = [one for one in problems({"external_etcd": archived}, groups=groups) if "archive_of_other_etcd" in one]
    assert len(found) == refused
