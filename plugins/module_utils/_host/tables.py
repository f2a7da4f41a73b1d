# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables tables that a host must not have."""

from __future__ import annotations

from typing import Collection

from .netlink import Netfilter, Table, list_tables
from .step import Step


def table_names() -> list[str]:
    """Return the sorted names of the host's tables, as "FAMILY NAME"."""
    return sorted(f"{table.family} {table.name}" for table in list_tables())


def deletion(table: Table) -> Step:
    """Return the step that deletes a table."""

    def apply() -> None:
        with Netfilter() as netfilter:
            netfilter.delete_table(table.family, table.name)

    subject = f"nftables table {table.family} {table.name}"
    return Step(subject, f"{subject} deleted", apply, "\n".join(sorted(chain.name for chain in table.chains)))


def plan_absent_tables(names: Collection[str]) -> list[Step]:
    """Return the steps that delete those of the named tables that exist.

    :param names: tables, as "FAMILY NAME".
    """
    return [deletion(table) for table in list_tables() if f"{table.family} {table.name}" in names] if names else []
