# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All facts that the module host_info returns."""

from __future__ import annotations

from typing import Any, Sequence

from .cluster import gather_cluster, gather_kubeconfigs, parse_record
from .cni import gather_cni
from .files import Files
from .kernel import gather_kernel
from .network import gather_network, gather_ports
from .packages import gather_firewall, gather_packages, gather_units
from .proxies import gather_proxies, public, with_proxy
from .reachability import probe_urls
from .reboot import gather_reboot
from .repositories import gather_repositories
from .system import gather_system


def gather_facts(
    ports: list[int],
    urls: list[dict[str, Any]],
    timeout: float,
    record_dir: str,
    files: Files | None = None,
    asked: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the return values of the module host_info, see its RETURN.

    :param ports: TCP ports whose listeners are reported.
    :param urls: URLs to probe, each as in the module's option ``urls``.
    :param timeout: seconds that one answer may take.
    :param record_dir: folder of the host's record.
    :param files: files of the host; None for the real ones.
    :param asked: addresses on which other machines may answer.
    """
    files = files or Files()
    system = gather_system(files)
    installed = gather_packages(files)
    units = gather_units()
    record = parse_record(files.read(record_dir + "/host.json"))
    proxies = gather_proxies(files)
    return dict(
        system,
        kernel=gather_kernel(files),
        firewall=gather_firewall(files, units),
        network=gather_network(files, asked),
        cni=gather_cni(files),
        ports=gather_ports(files, ports),
        packages=installed["packages"],
        held=installed["held"],
        reboot_required=gather_reboot(files),
        repositories=gather_repositories(files),
        units=units,
        cluster=gather_cluster(files, installed["packages"], record),
        kubeconfigs=gather_kubeconfigs(files),
        record=record,
        proxies=public(proxies),
        reach=probe_urls([with_proxy(url, proxies) for url in urls], system["architecture"], timeout),
    )
