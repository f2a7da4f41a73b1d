# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables tables that a host must not have: only the named ones go, and only where they exist."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import tables as module
from ansible_collections.slipway.kube.plugins.module_utils._host.netlink import Chain, Table
from ansible_collections.slipway.kube.plugins.module_utils._host.tables import plan_absent_tables, table_names

CHAINS = (Chain("prerouting", True, True, 2), Chain("postrouting", True, True, 5))
POLICIES = Table("inet", "kube-network-policies", 2, CHAINS)
OTHERS = [Table("ip", "kube-proxy", 0, ()), Table("ip", "kube-network-policies", 0, ())]


class Netfilter:
    """Stands where the netlink socket stands."""

    deleted: list[tuple[str, str]] = []

    def __enter__(self) -> Netfilter:
        return self

    def __exit__(self, *_exc: object) -> None:
        pass

    def delete_table(self, family: str, name: str) -> None:
        self.deleted.append((family, name))


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_tables", lambda: [*OTHERS, POLICIES])
    monkeypatch.setattr(module, "Netfilter", Netfilter)
    Netfilter.deleted = []


def test_a_named_table_is_deleted_with_what_it_holds() -> None:
    (step,) = plan_absent_tables(["inet kube-network-policies", "inet gone"])
    assert step.sentence == "nftables table inet kube-network-policies deleted"
    assert step.before == "postrouting\nprerouting" and Netfilter.deleted == []
    step.apply()
    assert Netfilter.deleted == [("inet", "kube-network-policies")]


def test_without_names_the_kernel_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Table]:
        raise AssertionError("asked")

    monkeypatch.setattr(module, "list_tables", fail)
    assert plan_absent_tables([]) == []


def test_the_names_have_their_family() -> None:
    assert table_names() == ["inet kube-network-policies", "ip kube-network-policies", "ip kube-proxy"]
