# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain volumes that the kubelet does not mount, from its messages and those of mount.nfs."""

from __future__ import annotations

import re
from typing import NamedTuple

from .._kube.objects import Reference
from .._kube.timestamps import seconds_of
from .containers import missing_object
from .finding import PENDING, SUSPICIOUS, Finding, one_line, pod_finding
from .view import Object, View, claim_names, conditions, message_of, namespace_of, node_name, spec_of

MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")


class Share(NamedTuple):
    """A folder of an NFS server."""

    server: str
    path: str


# What mount and mount.nfs say, with the title and the advice; {node}, {server} and {path} are those of the share.
SHARE_MESSAGES = (
    (
        r"helper program|mount program didn't pass|unknown filesystem type|mount\.nfs4?\S*: (?:command )?not found|executable file not found",
        "mount.nfs is not installed on node {node}",
        "Install the NFS client on every node, nfs-common or nfs-utils in the RHEL family: kernel_extra_packages of role kernel.",
    ),
    (
        r"No such device",
        "the kernel of node {node} has no NFS client",
        "Install the modules nfs and nfsv4 of its kernel, which minimal and cloud kernels lack.",
    ),
    (
        r"access denied|Operation not permitted|Permission denied",
        "the NFS server {server} does not let node {node} mount {path}",
        "Export {path} to the addresses of all nodes on the server (/etc/exports, then exportfs -ra), and check what its log says.",
    ),
    (
        r"No such file or directory|is not a directory|Not a directory",
        "the NFS server {server} has no folder {path} for node {node}",
        "Correct the path of the volume, or create the folder on the server and export it to the nodes (exportfs -v lists what it exports).",
    ),
    (
        r"Failed to resolve|Name or service not known|name resolution|not known",
        "the name of the NFS server {server} is not resolved on node {node}",
        "Nodes do not use the DNS of the cluster: give the address of the server, or a name that the node itself resolves.",
    ),
    (
        r"[Tt]imed out|No route to host|Connection refused|unreachable|not responding|[Hh]ost is down|deadline exceeded",
        "the NFS server {server} does not answer node {node}",
        "Check that it runs, its address, and that firewalls let the node connect to its TCP port 2049.",
    ),
    (
        r"rpc\.statd is not running",
        "node {node} has no rpc.statd, which version 3 of NFS needs for locks",
        "Mount version 4 (mountOptions: [nfsvers=4.1]), or start rpc-statd on the node.",
    ),
    (
        r"requested NFS version|Protocol not supported|Program not registered|incorrect mount option",
        "the NFS server {server} or node {node} does not support the version or an option with which {path} is mounted",
        "Correct mountOptions of the volume, such as nfsvers=4.1, or enable that version on the server.",
    ),
    (
        r"",
        "{path} of the NFS server {server} could not be mounted on node {node}",
        "Read the message, and mount it by hand on the node: mount -t nfs {server}:{path} /mnt.",
    ),
)


def slow_share(view: View, pod: Object) -> Finding | None:
    """Explain a pod that waits for NFS: mount.nfs tries for two minutes to reach a server, and nothing reports it meanwhile."""
    shares, node, age = _shares(view, pod), node_name(pod), view.age(pod)
    # False until the sandbox exists, which is created when all volumes are mounted; again after the node has booted.
    sandbox = conditions(pod).get("PodReadyToStartContainers") or {}
    if sandbox.get("lastTransitionTime"):
        age = min(age, view.now - seconds_of(sandbox["lastTransitionTime"]))
    if not shares or not node or sandbox.get("status") != "False" or age < 20:
        return None
    share = next(iter(shares.values()))
    title = f"{share.path} of the NFS server {share.server} has not been mounted on node {node} for {age:.0f} s"
    advice = f"Check that {share.server} is reached from the node, at TCP port 2049. mount.nfs gives up after two minutes and then says why."
    evidence = "the pod has no sandbox (condition PodReadyToStartContainers), and no event says why"
    return pod_finding(view, pod, "mount_fails", "warning", title, evidence, advice, patience=PENDING)


def _shares(view: View, pod: Object) -> dict[str, Share]:
    """Return the NFS shares of a pod by the names with which the kubelet calls them: those of the volume and of the PersistentVolume."""
    found = {}
    for part in spec_of(pod).get("volumes") or []:
        names, source = [part.get("name") or ""], part.get("nfs")
        claim = (part.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            bound = view.get("PersistentVolumeClaim", namespace_of(pod), claim) or {}
            names.append(spec_of(bound).get("volumeName") or "")
            source = spec_of(view.get("PersistentVolume", "", names[1]) or {}).get("nfs")
        if source:
            found.update(dict.fromkeys(names, Share(str(source.get("server")), str(source.get("path")))))
    return found


def _share_of(view: View, pod: Object, message: str) -> Share | None:
    """Return the NFS share that a message is about."""
    shares = _shares(view, pod)
    told = re.search(r'for volume "([^"]+)"|unmounted volumes=\[([^]]+)', message)
    if told:
        names = [told.group(1)] if told.group(1) else re.split(r"[\s,]+", told.group(2))
        return next((shares[name] for name in names if name in shares), None)
    return next(iter(shares.values()), None) if "nfs" in message.lower() else None


def _explain_share(message: str, share: Share, node: str) -> tuple[str, str]:
    """Return title and advice for a share that is not mounted."""
    # The command before it has the path, and words of its own.
    said = message.rpartition("Output:")[2]
    title, advice = next(row[1:] for row in SHARE_MESSAGES if re.search(row[0], said))
    return title.format(node=node, **share._asdict()), advice.format(node=node, **share._asdict())


# Messages of the kubelet about volumes, with the fault, the title and the advice.
MOUNT_MESSAGES = (
    (
        r"Multi-Attach|already (used|exclusively attached)|volume attachment is being deleted",
        "attach_fails",
        "a ReadWriteOnce volume is attached to another node, where a pod uses it",
        "Delete the old pod first (strategy Recreate), or use a ReadWriteMany volume.",
    ),
    (
        r"^FailedAttachVolume: ",
        "attach_fails",
        "a volume could not be attached to the node",
        "Read the log of the CSI driver's controller.",
    ),
    (
        r"hostPath type check failed",
        "mount_fails",
        "a hostPath does not exist on the node or has another type",
        "Create the path on the node, or correct path and type of the hostPath volume.",
    ),
    (
        r"driver name .* not found in the list of registered CSI drivers",
        "mount_fails",
        "the CSI driver of a volume is not registered on the node",
        "Install the CSI driver, or check its DaemonSet.",
    ),
    (
        r"has volumeMode Block, but is specified in volumeMounts|volumeMode.*volumeDevices",
        "mount_fails",
        "a volume with volumeMode Block is mounted as a file system, or the other way round",
        "Use volumeDevices for a claim with volumeMode Block and volumeMounts for one with volumeMode Filesystem.",
    ),
    (
        r'path "[^"]+" does not exist',
        "mount_fails",
        "the directory of a local volume does not exist on the node",
        "Create the directory on the node, or correct local.path of the PersistentVolume.",
    ),
    (
        r"not a directory|is a directory|file exists",
        "mount_fails",
        "a path in a volume is both a file and a directory",
        "Correct the paths in items of the volume: one must not be below another one.",
    ),
    (
        r"wrong fs type|bad superblock|unknown filesystem type",
        "mount_fails",
        "the file system of a volume is damaged, is not that of fsType, or is unknown on the node",
        "Correct fsType and mountOptions of the volume, check the file system (fsck), or install what the node needs to mount it.",
    ),
    (
        r"(?i)\bnfs\b|mount\.nfs",
        "mount_fails",
        "an NFS share could not be mounted",
        "Check the address and the exports of the NFS server, and that mount.nfs (package nfs-common) is installed on the node.",
    ),
    (r"", "mount_fails", "a volume could not be mounted", "Read the message, and check the volumes of the pod."),
)


def mount_finding(view: View, pod: Object, events: list[Object]) -> Finding:
    """Explain a pod with a volume that is not mounted, from the events that say so."""
    # A timeout does not contain the cause; an earlier event does.
    telling = ([event for event in events if "timed out waiting" not in message_of(event)] or events)[-1]
    message = one_line(message_of(telling))
    fault, about = "mount_fails", ""
    share = _share_of(view, pod, message_of(telling))
    missing = _missing_source(pod, message)
    if missing is not None:
        title, advice, about = missing
    elif share is not None:
        title, advice = _explain_share(message_of(telling), share, node_name(pod))
    else:
        attach = "FailedAttachVolume: " if any(event.get("reason") == "FailedAttachVolume" for event in events) else ""
        fault, title, advice = next(row[1:] for row in MOUNT_MESSAGES if re.search(row[0], attach + message))
    severity = "error" if missing or view.age(pod) >= 15 else "warning"
    evidence = f"{telling.get('reason')}: {message}"
    claims = tuple(Reference("v1", "PersistentVolumeClaim", namespace_of(pod), name) for name in claim_names(pod))
    # A volume is detached from a lost node only after minutes.
    patience = PENDING if fault == "attach_fails" else SUSPICIOUS
    more = {"blames": claims, "about": about, "patience": patience}
    return pod_finding(view, pod, fault, severity, title, evidence, advice, **more)


def _missing_source(pod: Object, message: str) -> tuple[str, str, str] | None:
    """Return title, advice and group if the message names a missing ConfigMap, Secret or key."""
    # "secrets" in the plural is the API's own word, in which a storage driver reports a Secret of its own.
    account = re.search(r'serviceaccounts? "([^"]+)" not found', message)
    if account:
        what = f"ServiceAccount {namespace_of(pod)}/{account.group(1)}"
        title = f"{what} of the pod does not exist any more, so that no token can be mounted"
        return title, f"Create {what} again and then the pod, or correct serviceAccountName.", what
    what = missing_object(message, namespace_of(pod))
    if what and re.search(r"(configmap|secret) \S+ not found", message):
        title = f"{what}, which a volume references, does not exist"
        return title, f"Create {what}, or correct its name in the volumes of the pod.", what
    absent = re.search(r"references non-existent (?:config|secret) key: ([^\s,\]]+)", message)
    if not absent:
        return None
    key, volume = absent.group(1), re.search(r'for volume "([^"]+)"', message)
    source = _source_of(pod, volume.group(1) if volume else "") or "the ConfigMap or Secret"
    title = (
        f"key {key}, which volume {volume.group(1)} references" if volume else f"key {key}, which a volume references"
    )
    return (
        f"{title}, does not exist in {source}",
        f"Add the key {key} to {source}, or correct items of the volume.",
        f"{source} {key}" if volume else "",
    )


def _source_of(pod: Object, name: str) -> str:
    """Return the ConfigMap or Secret of a volume of a pod, empty if it has several or none."""
    for volume in spec_of(pod).get("volumes") or []:
        if volume.get("name") == name and volume.get("configMap"):
            return f"ConfigMap {namespace_of(pod)}/{volume['configMap'].get('name')}"
        if volume.get("name") == name and volume.get("secret"):
            return f"Secret {namespace_of(pod)}/{volume['secret'].get('secretName')}"
    return ""
