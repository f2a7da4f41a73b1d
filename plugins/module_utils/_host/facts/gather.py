# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole look at a host that the module host_info brings back."""

from __future__ import annotations

from typing import Any

from .cluster import look_at_cluster, look_at_kubeconfigs, parse_record
from .kernel import look_at_kernel
from .network import look_at_network, look_at_ports
from .packages import look_at_firewall, look_at_packages, look_at_units
from .reachability import look_at_reach
from .system import Files, look_at_system


def look(
    ports: list[int],
    urls: list[dict[str, Any]],
    timeout: float,
    record_dir: str,
    urls_for_members: bool = True,
    files: Files | None = None,
) -> dict[str, Any]:
    """Everything that the module host_info returns, see its RETURN.

    :param ports: TCP ports of which to say who listens.
    :param urls: what to reach, each as the module's option ``urls``.
    :param timeout: seconds for one answer.
    :param record_dir: folder of this collection's record.
    :param urls_for_members: whether a host that is in a cluster tries the URLs, too.
    :param files: where to read; the host's own files when None.
    """
    files = files or Files()
    system = look_at_system(files)
    installed = look_at_packages(files)
    units = look_at_units()
    record = parse_record(files.read(record_dir + "/host.json"))
    cluster = look_at_cluster(files, installed["packages"], record)
    fitting = [url for url in urls if url.get("family") in (None, "", system["os"]["family"])]
    if cluster["member"] and not urls_for_members:
        fitting = []
    return dict(
        system,
        kernel=look_at_kernel(files),
        firewall=look_at_firewall(files, units),
        network=look_at_network(files),
        ports=look_at_ports(files, ports),
        packages=installed["packages"],
        held=installed["held"],
        units=units,
        cluster=cluster,
        kubeconfigs=look_at_kubeconfigs(files),
        record=record,
        reach=look_at_reach(fitting, system["architecture"], timeout),
    )
