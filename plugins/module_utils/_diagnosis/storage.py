# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims that get no volume, and volumes that were lost. Pure functions.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

import json
from typing import Any, Mapping

from .._kube.objects import reference
from .._kube.quantities import amount
from .finding import HOPELESS, SUSPICIOUS, Finding, one_line, shortened
from .scheduling import fault_of
from .view import Object, View, conditions, named

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"
DRIVERS = "csi.volume.kubernetes.io/nodeid"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def claims(view: View) -> list[Finding]:
    """Explain every claim that has no volume; one that waits for its first pod is well."""
    found = []
    for claim in view.all("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        if claim["metadata"].get("deletionTimestamp"):
            continue
        if phase == "Lost":
            found.append(_lost(claim))
        elif phase == "Pending":
            pending = _pending(view, claim)
            if pending is not None:
                found.append(pending)
    return found + _defaults(view) + _volumes(view)


def _lost(claim: Object) -> Finding:
    volume = (claim.get("spec") or {}).get("volumeName") or "?"
    return Finding(
        "pvc_lost",
        "error",
        reference(claim),
        f"its volume {volume} is gone",
        evidence=[f"phase Lost: PersistentVolume {volume} is not there, or belongs to another claim"],
        advice="Restore the PersistentVolume from a backup, or delete the claim and make it anew; its data are with the volume.",
        patience=HOPELESS,
    )


def _pending(view: View, claim: Object) -> Finding | None:
    spec = claim.get("spec") or {}
    wanted = spec.get("storageClassName")
    if wanted is None:
        wanted = (claim["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    events = view.events_of(claim)
    evidence = [f"{event.get('reason')}: {one_line(event.get('message') or '')}" for event in events[-1:]]
    if not view.known("StorageClass"):
        return _finding(claim, "it has no volume", evidence, "See the claim's events.", view) if events else None
    classes = {content["metadata"]["name"]: content for content in view.all("StorageClass")}
    there = f"storage classes in the cluster: {', '.join(sorted(classes)) or 'none'}"
    if wanted is None:
        return _finding(
            claim,
            "it names no storage class, and the cluster has no default one",
            [there] + evidence + _unfit(view, claim, ""),
            f"Set storageClassName, or make a class the default (annotation {DEFAULT_CLASS}).",
            view,
        )
    if wanted == "" or wanted not in classes:
        what = "no volume without a class fits it" if wanted == "" else f"its storage class {wanted} is not there"
        unfit = _unfit(view, claim, wanted)
        if unfit and wanted:
            what = f"no volume of its class {wanted} fits it"
        advice = "Name a class that is there in storageClassName, or make a PersistentVolume that fits (class, size, access mode)."
        return _finding(claim, what, ([there] if wanted else []) + evidence + unfit, advice, view)
    chosen = classes[wanted]
    failed = [event for event in events if event.get("reason") == "ProvisioningFailed"]
    if failed:
        text = one_line(failed[-1].get("message") or "")
        return _finding(
            claim,
            "its volume cannot be made",
            [f"ProvisioningFailed: {text}"],
            f"See the message, and the pods of the provisioner {chosen.get('provisioner')}.",
            view,
        )
    if chosen.get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER and not _wanted_by_a_pod(view, claim):
        return None
    if view.age(claim) < 30:
        return None
    if chosen.get("provisioner") == NO_PROVISIONER:
        title, advice = (
            f"no volume of its class {wanted} fits it, and the class makes none",
            "Make a PersistentVolume that fits (class, size, access mode).",
        )
    else:
        title = f"the provisioner {chosen.get('provisioner')} of its class makes no volume"
        advice = "See that the provisioner's pods run, and their log."
    return _finding(claim, title, [f"storage class {wanted}"] + evidence + _unfit(view, claim, wanted), advice, view)


def _finding(claim: Object, title: str, evidence: list[str], advice: str, view: View) -> Finding:
    return Finding(
        "pvc_pending",
        "error" if view.age(claim) >= 5 else "warning",
        reference(claim),
        title,
        evidence=["phase Pending for %d s" % view.age(claim)] + evidence,
        advice=advice,
        patience=SUSPICIOUS,
    )


def _wanted_by_a_pod(view: View, claim: Object) -> bool:
    """Whether the scheduler says that a pod waits for this claim's volume."""
    name = claim["metadata"]["name"]
    for pod in view.in_namespace(claim["metadata"].get("namespace") or ""):
        scheduled = conditions(pod).get("PodScheduled") or {}
        uses = any(
            (volume.get("persistentVolumeClaim") or {}).get("claimName") == name
            for volume in (pod.get("spec") or {}).get("volumes") or []
        )
        if uses and (scheduled.get("status") == "True" or fault_of(scheduled.get("message") or "").startswith("claim")):
            return True
    return False


def _unfit(view: View, claim: Object, class_name: str) -> list[str]:
    """Say why the free volumes of a class do not fit a claim."""
    lines = []
    for volume in view.all("PersistentVolume"):
        spec = volume.get("spec") or {}
        if (spec.get("storageClassName") or "") != class_name:
            continue
        why = _misfit(claim, volume)
        if why:
            lines.append(f"PersistentVolume {volume['metadata']['name']}: {why}")
    return [shortened(lines, 3)] if lines else []


def _misfit(claim: Object, volume: Object) -> str:
    wants, has = claim.get("spec") or {}, volume.get("spec") or {}
    phase = (volume.get("status") or {}).get("phase")
    owner = has.get("claimRef") or {}
    if phase != "Available":
        return f"{phase}{' (claim {}/{})'.format(owner.get('namespace'), owner.get('name')) if owner else ''}"
    size = ((wants.get("resources") or {}).get("requests") or {}).get("storage")
    room = (has.get("capacity") or {}).get("storage")
    if amount(size) > amount(room):
        return f"{room} is less than {size}"
    lacking = [mode for mode in wants.get("accessModes") or [] if mode not in (has.get("accessModes") or [])]
    if lacking:
        return f"access modes {', '.join(has.get('accessModes') or [])}, not {', '.join(lacking)}"
    if (wants.get("volumeMode") or "Filesystem") != (has.get("volumeMode") or "Filesystem"):
        return f"volumeMode {has.get('volumeMode')}"
    selector: Mapping[str, Any] = (wants.get("selector") or {}).get("matchLabels") or {}
    labels = volume["metadata"].get("labels") or {}
    differing = [key for key, value in selector.items() if labels.get(key) != value]
    return f"its labels differ ({', '.join(differing)})" if differing else ""


def driver_finding(view: View, pod: Object) -> Finding | None:
    """Find the volume of a pod whose storage driver does not run on the pod's node.

    A kubelet lists the drivers that have registered with it in an annotation of its Node (nodeInfoManager of the kubelet's volume manager). Without this,
    nothing is said of it until the kubelet has waited for two minutes.
    """
    namespace, spec = pod["metadata"].get("namespace") or "", pod.get("spec") or {}
    node = view.get("Node", "", spec.get("nodeName") or "")
    if node is None or view.age(pod) < 10:
        return None
    there = drivers_of(node)
    for part in spec.get("volumes") or []:
        name = (part.get("persistentVolumeClaim") or {}).get("claimName") or ""
        claim = view.get("PersistentVolumeClaim", namespace, name) or {}
        volume = view.get("PersistentVolume", "", (claim.get("spec") or {}).get("volumeName") or "") or {}
        driver = ((volume.get("spec") or {}).get("csi") or part.get("csi") or {}).get("driver")
        if not driver or driver in there:
            continue
        what = f"PersistentVolume {volume['metadata']['name']} of claim {name}" if volume else "volume " + part["name"]
        elsewhere = [one["metadata"]["name"] for one in view.all("Node") if driver in drivers_of(one)]
        return Finding(
            "storage_driver_missing",
            "error" if view.age(pod) >= 20 else "warning",
            view.made_by(pod),
            f"storage driver {driver} of its volume does not run on node {node['metadata']['name']}"
            if elsewhere
            else f"storage driver {driver} of its volume runs on no node",
            evidence=[
                f"pod {named(pod)} on {node['metadata']['name']}: {what} is of driver {driver}",
                f"drivers on that node: {', '.join(there) or 'none'}",
            ],
            advice="See the driver's DaemonSet and its pod on that node."
            if elsewhere
            else "Install the storage driver, or correct the driver's name in the volume.",
            pods=[named(pod)],
            patience=SUSPICIOUS,
        )
    return None


def drivers_of(node: Object) -> list[str]:
    """Name the storage drivers that have registered with the kubelet of a node."""
    try:
        return sorted(json.loads((node["metadata"].get("annotations") or {}).get(DRIVERS) or "{}"))
    except ValueError:
        return []


def _defaults(view: View) -> list[Finding]:
    defaults = [
        content
        for content in view.all("StorageClass")
        if (content["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
    ]
    if len(defaults) < 2:
        return []
    names = sorted(content["metadata"]["name"] for content in defaults)
    newest = max(defaults, key=lambda content: content["metadata"].get("creationTimestamp") or "")
    return [
        Finding(
            "storage_two_defaults",
            "warning",
            reference(newest),
            f"{len(names)} storage classes are the default: {', '.join(names)}",
            evidence=[f"claims that name no class get the newest, {newest['metadata']['name']}"],
            advice=f"Take the annotation {DEFAULT_CLASS} off all but one.",
        )
    ]


def _volumes(view: View) -> list[Finding]:
    return [
        Finding(
            "volume_failed",
            "warning",
            reference(volume),
            "it could not be reclaimed",
            evidence=[f"phase Failed: {one_line((volume.get('status') or {}).get('message') or '')}"],
            advice="See the storage, then delete the PersistentVolume.",
        )
        for volume in view.all("PersistentVolume")
        if (volume.get("status") or {}).get("phase") == "Failed"
    ]
