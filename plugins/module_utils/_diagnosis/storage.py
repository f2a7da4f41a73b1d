# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain PersistentVolumeClaims that are not bound, and lost or failed volumes.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

import json

from .._kube.objects import reference
from .._kube.quantities import amount
from .finding import HOPELESS, PENDING, Finding, one_line, pod_finding, shortened
from .scheduling import fault_of
from .view import (
    Object,
    View,
    annotations_of,
    claim_names,
    conditions,
    labels_of,
    message_of,
    name_of,
    namespace_of,
    node_name,
    spec_of,
    status_of,
)

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"
DRIVERS = "csi.volume.kubernetes.io/nodeid"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def claims(view: View) -> list[Finding]:
    """Explain all claims without a volume, except those that wait for their first consumer."""
    found: list[Finding | None] = []
    for claim in view.alive("PersistentVolumeClaim"):
        phase = status_of(claim).get("phase")
        if phase == "Lost":
            found.append(_lost(claim))
        elif phase == "Pending":
            found.append(_pending(view, claim))
    return [one for one in found if one is not None] + _defaults(view) + _volumes(view)


def _lost(claim: Object) -> Finding:
    volume = spec_of(claim).get("volumeName") or "?"
    return Finding(
        "pvc_lost",
        "error",
        reference(claim),
        f"PersistentVolume {volume} of the claim no longer exists",
        evidence=[f"phase Lost: PersistentVolume {volume} does not exist or is bound to another claim"],
        advice="Restore the PersistentVolume from a backup, or delete the claim and create it again. The data was on the lost volume.",
        patience=HOPELESS,
    )


def _pending(view: View, claim: Object) -> Finding | None:
    class_name = spec_of(claim).get("storageClassName")
    if class_name is None:
        class_name = annotations_of(claim).get("volume.beta.kubernetes.io/storage-class")
    events = view.events_of(claim)
    evidence = [f"{event.get('reason')}: {one_line(message_of(event))}" for event in events[-1:]]
    if not view.known("StorageClass"):
        check = f"Check the events of the claim: kubectl -n {namespace_of(claim)} describe pvc {name_of(claim)}."
        return _finding(view, claim, "the claim is not bound to a volume", evidence, check) if events else None
    classes = {name_of(content): content for content in view.all("StorageClass")}
    existing = f"storage classes in the cluster: {', '.join(sorted(classes)) or 'none'}"
    unfit = _unfit(view, claim, class_name or "")
    if class_name is None:
        title = "the claim has no storageClassName, and the cluster has no default storage class"
        advice = f"Set storageClassName, or mark a storage class as the default (annotation {DEFAULT_CLASS}: 'true')."
        return _finding(view, claim, title, [existing, *evidence, *unfit], advice)
    if class_name not in classes:
        title = f"storage class {class_name} does not exist"
        if not class_name:
            title = "no PersistentVolume without a storage class matches the claim"
        elif unfit:
            title = f"no PersistentVolume of class {class_name} matches the claim"
        advice = (
            "Set storageClassName to an existing storage class, "
            "or create a PersistentVolume that matches the claim (class, capacity, access modes)."
        )
        return _finding(view, claim, title, [*([existing] if class_name else []), *evidence, *unfit], advice)
    provisioner = classes[class_name].get("provisioner")
    failed = [event for event in events if event.get("reason") == "ProvisioningFailed"]
    if failed:
        reason = f"ProvisioningFailed: {one_line(message_of(failed[-1]))}"
        advice = f"Read the message, and check the pods of the provisioner {provisioner}."
        return _finding(view, claim, "the volume could not be provisioned", [reason], advice)
    late_binding = classes[class_name].get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER
    if (late_binding and not _has_consumer(view, claim)) or view.age(claim) < 30:
        return None
    if provisioner == NO_PROVISIONER:
        title = f"no PersistentVolume of class {class_name} matches the claim, and the class has no provisioner"
        advice = "Create a PersistentVolume that matches the claim (class, capacity, access modes)."
    else:
        title = f"the provisioner {provisioner} of the storage class has not created a volume"
        advice = "Check that the pods of the provisioner are running, and read their log."
    return _finding(view, claim, title, [f"storage class {class_name}", *evidence, *unfit], advice)


def _finding(view: View, claim: Object, title: str, evidence: list[str], advice: str) -> Finding:
    return Finding(
        "pvc_pending",
        "error" if view.age(claim) >= 5 else "warning",
        reference(claim),
        title,
        evidence=[f"phase Pending for {view.age(claim):.0f} s", *evidence],
        advice=advice,
        patience=PENDING,
    )


def _has_consumer(view: View, claim: Object) -> bool:
    """Return whether a scheduled pod uses a claim, or one that the scheduler rejects because of it."""
    for pod in view.in_namespace(namespace_of(claim)):
        if name_of(claim) in claim_names(pod):
            scheduled = conditions(pod).get("PodScheduled") or {}
            if scheduled.get("status") == "True" or fault_of(message_of(scheduled)).startswith("claim"):
                return True
    return False


def _unfit(view: View, claim: Object, class_name: str) -> list[str]:
    """Return why the PersistentVolumes of a class do not match a claim, as evidence."""
    lines = []
    for volume in view.all("PersistentVolume"):
        if (spec_of(volume).get("storageClassName") or "") == class_name:
            why = _misfit(claim, volume)
            if why:
                lines.append(f"PersistentVolume {name_of(volume)}: {why}")
    return [shortened(lines, 3)] if lines else []


def _misfit(claim: Object, volume: Object) -> str:
    wanted, offered = spec_of(claim), spec_of(volume)
    phase = status_of(volume).get("phase")
    if phase != "Available":
        owner = offered.get("claimRef") or {}
        return f"phase {phase}" + (f" (claim {owner.get('namespace')}/{owner.get('name')})" if owner else "")
    size = ((wanted.get("resources") or {}).get("requests") or {}).get("storage")
    capacity = (offered.get("capacity") or {}).get("storage")
    if amount(size) > amount(capacity):
        return f"capacity {capacity} is less than the requested {size}"
    modes = offered.get("accessModes") or []
    lacking = [mode for mode in wanted.get("accessModes") or [] if mode not in modes]
    if lacking:
        return f"access modes {', '.join(modes)}, not {', '.join(lacking)}"
    if (wanted.get("volumeMode") or "Filesystem") != (offered.get("volumeMode") or "Filesystem"):
        return f"volumeMode {offered.get('volumeMode')}"
    selector = (wanted.get("selector") or {}).get("matchLabels") or {}
    differing = [key for key, value in selector.items() if labels_of(volume).get(key) != value]
    return f"labels do not match the selector ({', '.join(differing)})" if differing else ""


def driver_finding(view: View, pod: Object) -> Finding | None:
    """Return a finding if the CSI driver of a pod's volume is not registered on the pod's node.

    A kubelet lists its registered drivers in an annotation of the Node (C(nodeInfoManager) of the volume manager). The kubelet itself
    reports a missing driver only after two minutes.
    """
    node = view.get("Node", "", node_name(pod))
    if node is None or view.age(pod) < 10:
        return None
    registered = drivers_of(node)
    for part in spec_of(pod).get("volumes") or []:
        name = (part.get("persistentVolumeClaim") or {}).get("claimName") or ""
        claim = view.get("PersistentVolumeClaim", namespace_of(pod), name) or {}
        volume = view.get("PersistentVolume", "", spec_of(claim).get("volumeName") or "") or {}
        driver = (spec_of(volume).get("csi") or part.get("csi") or {}).get("driver")
        if not driver or driver in registered:
            continue
        what = f"PersistentVolume {name_of(volume)} of claim {name}" if volume else f"volume {part['name']}"
        if any(driver in drivers_of(one) for one in view.all("Node")):
            title = f"CSI driver {driver} of the volume is not registered on node {name_of(node)}"
            advice = f"Check the DaemonSet of the CSI driver and its pod on node {name_of(node)}."
        else:
            title = f"CSI driver {driver} of the volume is not registered on any node"
            advice = "Install the CSI driver, or correct its name in the volume."
        severity = "error" if view.age(pod) >= 20 else "warning"
        evidence = f"{what} requires driver {driver}"
        finding = pod_finding(view, pod, "storage_driver_missing", severity, title, evidence, advice)
        finding.evidence.append(f"CSI drivers on node {name_of(node)}: {', '.join(registered) or 'none'}")
        return finding
    return None


def drivers_of(node: Object) -> list[str]:
    """Return the names of the CSI drivers that are registered with the kubelet of a node."""
    try:
        return sorted(json.loads(annotations_of(node).get(DRIVERS) or "{}"))
    except ValueError:
        return []


def _defaults(view: View) -> list[Finding]:
    defaults = [one for one in view.all("StorageClass") if annotations_of(one).get(DEFAULT_CLASS) == "true"]
    if len(defaults) < 2:
        return []
    newest = max(defaults, key=lambda content: content["metadata"].get("creationTimestamp") or "")
    return [
        Finding(
            "storage_two_defaults",
            "warning",
            reference(newest),
            f"{len(defaults)} storage classes are marked as the default: {', '.join(sorted(map(name_of, defaults)))}",
            evidence=[f"claims without storageClassName use the newest one, {name_of(newest)}"],
            advice=f"Remove the annotation {DEFAULT_CLASS} from all but one of them.",
        )
    ]


def _volumes(view: View) -> list[Finding]:
    return [
        Finding(
            "volume_failed",
            "warning",
            reference(volume),
            "the volume could not be reclaimed",
            evidence=[f"phase Failed: {one_line(message_of(status_of(volume)))}"],
            advice=f"Check the storage system, then delete the volume: kubectl delete pv {name_of(volume)}.",
        )
        for volume in view.all("PersistentVolume")
        if status_of(volume).get("phase") == "Failed"
    ]
