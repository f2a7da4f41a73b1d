# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm init needs to begin with the state of a backup: the PKI and the data of etcd.

Steps: https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/#restoring-an-etcd-cluster. Revisions are raised and what
came before is marked as compacted, so that clients that know later revisions than the backup's list everything again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from .._host.system import HostError, coded, sync, write_atomic
from . import archive
from .config import join_endpoint, merge
from .etcd_tools import EtcdToolError, etcd_tools, present_images, run
from .run import config_folder

PEER_PORT = 2380
# More than a cluster writes between a backup and its restore (documentation of etcd, "Restoring with revision bump").
BUMP = 1_000_000_000
# Certificates that kubeadm issues for this host, by the key that signs them. Without that key they are restored too.
ISSUED = {
    "ca.key": ("apiserver", "apiserver-kubelet-client"),
    "front-proxy-ca.key": ("front-proxy-client",),
    "etcd/ca.key": ("apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"),
}
PKI = archive.FILES + "etc/kubernetes/pki/"
# The addon has a configuration in the cluster that its administrator may have changed; the pod of etcd finds its data.
SKIPPED_PHASES = ["addon/coredns"]


def is_external(documents: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether kubeadm's configuration is that of a control plane whose etcd is on other hosts."""
    return any("external" in (document.get("etcd") or {}) for document in documents)


def files_to_write(names: Sequence[str], external: bool = False) -> list[str]:
    """Return which members of an archive are put back: all of the host's files but certificates that kubeadm issues again.

    :param external: the authority of etcd is on its own hosts, of which this one has a client certificate already.
    """
    if external:
        names = [name for name in names if not name.startswith((f"{PKI}etcd/", f"{PKI}apiserver-etcd-client."))]
    issued = {
        f"{PKI}{leaf}{ending}"
        for key, leaves in ISSUED.items()
        if PKI + key in names
        for leaf in leaves
        for ending in (".crt", ".key")
    }
    return sorted(name for name in names if name.startswith(archive.FILES) and name not in issued)


def adjust(documents: Sequence[Mapping[str, Any]], data_dir: str) -> list[dict[str, Any]]:
    """Return the configuration of kubeadm init for a host on which etcd has data already."""
    result = []
    for document in documents:
        if document.get("kind") == "InitConfiguration":
            ignored = list(document.get("nodeRegistration", {}).get("ignorePreflightErrors", []))
            ignored.append(f"DirAvailable-{data_dir.replace('/', '-')}")
            document = merge(document, {"nodeRegistration": {"ignorePreflightErrors": ignored}})
            document["skipPhases"] = [*document.get("skipPhases", []), *SKIPPED_PHASES]
        result.append(dict(document))
    return result


def restore_arguments(snapshot: str, name: str, address: str, data_dir: str) -> list[str]:
    """Return the arguments of etcdutl for the data of the first member, as kubeadm names it."""
    peer = "https://" + join_endpoint(address, PEER_PORT)
    arguments = ["snapshot", "restore", snapshot, f"--data-dir={data_dir}", f"--name={name}"]
    arguments += [f"--initial-cluster={name}={peer}", f"--initial-advertise-peer-urls={peer}"]
    return [*arguments, f"--bump-revision={BUMP}", "--mark-compacted"]


def read_manifest(path: str) -> dict[str, Any]:
    """Verify an archive on this host and return its manifest.

    :raises HostError: it cannot be read, or it is damaged.
    """
    try:
        with open(path, "rb") as stream:
            return archive.read(stream)
    except (OSError, archive.ArchiveError) as error:
        raise HostError(coded(f"{path} cannot be restored: {error}", "archive_unreadable")) from error


def restore_data(
    params: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], snapshot: str, address: str, work: str
) -> None:
    """Make the data of the first member of etcd out of a snapshot. The folder of its data is empty.

    :param params: ``node_name`` and ``etcd_data_dir``.
    :param documents: configuration of kubeadm.
    :param address: at which other members reach it.
    :param work: private folder on the disk of its data.
    :raises EtcdToolError, OSError, StopIteration: it cannot be made.
    """
    with config_folder(list(documents), {}) as folder:
        images = run("kubeadm", "config", "images", "list", "--config", folder + "/config.yaml").split()
        image = next(image for image in images if image.rpartition(":")[0].rpartition("/")[2] == "etcd")
        if image not in present_images():
            run("kubeadm", "config", "images", "pull", "--config", folder + "/config.yaml")
    # Next to its final place, so that an interruption leaves no data that look complete.
    part = os.path.join(work, "etcd")
    with etcd_tools(image) as tools:
        tools.etcdutl(*restore_arguments(snapshot, params["node_name"], address, part))
    data = Path(params["etcd_data_dir"])
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in Path(part).iterdir():
        shutil.move(str(entry), str(data / entry.name))
    sync([folder for folder, _folders, _files in os.walk(data)])


@contextlib.contextmanager
def work_folder(record_dir: str) -> Iterator[str]:
    """Give a folder for the parts of a restore, which is removed at the end.

    :raises HostError: something cannot be restored.
    """
    work = tempfile.mkdtemp(prefix=".restore.", dir=record_dir)
    try:
        yield work
    except (EtcdToolError, archive.ArchiveError, StopIteration, OSError) as error:
        raise HostError(
            f"The backup could not be restored on this host. Evidence: {error}. Remedy: remove the cause and run slipway.kube.restore again."
            " [slipway:restore_failed]"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def prepare(params: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> None:
    """Put back the PKI, the configuration of encryption at rest, and the data of a stacked etcd. The host belongs to no cluster.

    :param params: of the module kubeadm_init.
    :param documents: configuration of kubeadm init.
    :raises HostError: something cannot be restored.
    """
    external = is_external(documents)
    with work_folder(params["record_dir"]) as work:
        manifest = archive.unpack(params["restore"], work)
        for name in files_to_write(list(manifest["files"]), external):
            target = Path("/") / name[len(archive.FILES) :]
            target.parent.mkdir(parents=True, exist_ok=True)
            public = target.suffix in (".crt", ".pub")
            write_atomic(str(target), (Path(work) / name).read_bytes(), 0o644 if public else 0o600)
        address = next(one["localAPIEndpoint"]["advertiseAddress"] for one in documents if "localAPIEndpoint" in one)
        if not external:
            restore_data(params, documents, os.path.join(work, archive.SNAPSHOT), address, work)
