# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template of an application's pods: containers, volumes, account, rights, and where the pods run."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._kube.objects import Object
from .configuration import Configuration
from .containers import Containers, present, rights, seccomp
from .spec import Spec

NAME_LABEL = "app.kubernetes.io/name"
MANAGER_LABEL = "app.kubernetes.io/managed-by"
PART_LABEL = "slipway.kube/part"
HOSTNAME = "kubernetes.io/hostname"
# A claim that can be mounted on one node (or by one pod) only.
ONE_NODE = ("ReadWriteOnce", "ReadWriteOncePod")


def labels(spec: Spec) -> dict[str, str]:
    """Give the labels of every object of an application."""
    return dict(spec["labels"], **{NAME_LABEL: spec["name"], MANAGER_LABEL: "slipway.kube"})


def selector(spec: Spec) -> dict[str, str]:
    """Give the labels that tell the application's own pods from others, those of its hooks included. They never change."""
    return {NAME_LABEL: spec["name"], PART_LABEL: "app"}


def metadata(spec: Spec, name: str = "", **more: Any) -> Object:
    """Give the metadata of an object of an application."""
    made: Object = {"name": name or spec["name"], "namespace": spec["namespace"], "labels": labels(spec)}
    if spec["annotations"]:
        made["annotations"] = dict(spec["annotations"])
    made.update(more)
    return made


def template(spec: Spec, configuration: Configuration, account: Mapping[str, Any]) -> Object:
    """Make the template of the application's own pods.

    :param account: fields of a pod that name its account (see :func:`access.account_of`).
    """
    containers = Containers(spec, configuration)
    pod: Object = dict(account)
    init = [containers.make(name, own, f"init.{name}") for name, own in spec["init"].items()]
    # A sidecar of Kubernetes' own kind starts before the application, ends after it and does not keep a Job from completing
    # (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
    init = [
        dict(containers.make(name, own, f"sidecars.{name}"), restartPolicy="Always")
        for name, own in spec["sidecars"].items()
    ] + init
    if init:
        pod["initContainers"] = init
    pod["containers"] = [containers.make(spec["name"], spec, "")] + [
        containers.make(name, own, f"containers.{name}") for name, own in spec["containers"].items()
    ]
    volumes = volumes_of(spec, configuration) + containers.volumes
    if volumes:
        pod["volumes"] = volumes
    pod["securityContext"] = pod_rights(spec["security"])
    pod.update(placement(spec, spec["kind"]))
    pod.update(present(termination_grace_period_seconds=spec["termination_grace_period_seconds"]))
    if spec["kind"] in ("Job", "CronJob"):
        pod["restartPolicy"] = spec["job"]["restart_policy"]
    return {"metadata": _template_metadata(spec, "app"), "spec": pod}


def hook_template(
    spec: Spec, configuration: Configuration, account: Mapping[str, Any], name: str, path: str, hook: Mapping[str, Any]
) -> Object:
    """Make the template of a hook's pod; what the hook does not say is as in the application's own container."""
    own: dict[str, Any] = dict(hook)
    family = f"{spec['name']}-{name}"
    if hook["inherit"]:
        for field in ("env", "secret_env", "config_files", "secret_files"):
            own[field] = dict(spec[field], **hook[field])
        for field in ("env", "secret_env"):
            # What the hook says in one of the two takes the place of the other.
            other = hook["secret_env" if field == "env" else "env"]
            own[field] = {key: value for key, value in own[field].items() if key not in other or key in hook[field]}
        own["env_from"] = spec["env_from"] + hook["env_from"]
        own["working_dir"] = hook["working_dir"] or (spec["working_dir"] if not hook["image"] else None)
        own["image_pull_policy"] = hook["image_pull_policy"] or spec["image_pull_policy"]
        if not any(hook[field] for field in ("env", "secret_env", "config_files", "secret_files")):
            family = spec["name"]  # the very objects of the application serve
    containers = Containers(spec, configuration)
    container = containers.make(name, own, path, family)
    if not hook["security"]:
        container["securityContext"] = rights(None, spec["security"], main=True)
    pod: Object = dict(account)
    pod["containers"] = [container]
    mounted = [volume for volume in volumes_of(spec, configuration) if volume["name"] in (own.get("mounts") or {})]
    if mounted or containers.volumes:
        pod["volumes"] = mounted + containers.volumes
    pod["securityContext"] = pod_rights(spec["security"])
    pod.update(placement(dict(spec, spread=False, anti_affinity=None), "Job"))
    pod["restartPolicy"] = "Never"
    return {"metadata": _template_metadata(spec, "hook"), "spec": pod}


def _template_metadata(spec: Spec, part: str) -> Object:
    made: Object = {
        "labels": dict(spec["labels"], **dict(spec["pod_labels"], **{NAME_LABEL: spec["name"], PART_LABEL: part}))
    }
    if spec["pod_annotations"] and part == "app":
        made["annotations"] = dict(spec["pod_annotations"])
    return made


def pod_rights(security: Mapping[str, Any]) -> Object:
    """Give the C(securityContext) of a pod: not root and the runtime's seccomp profile, less what was opted out of."""
    root = security["run_as_user"] == 0 or security["privileged"]
    non_root = security["run_as_non_root"] if security["run_as_non_root"] is not None else not root
    made: Object = {"runAsNonRoot": bool(non_root)}
    made.update(
        present(
            run_as_user=security["run_as_user"],
            run_as_group=security["run_as_group"],
            fs_group=security["fs_group"],
            fs_group_change_policy=security["fs_group_change_policy"],
            supplemental_groups=security["supplemental_groups"] or None,
        )
    )
    made["seccompProfile"] = seccomp(security["seccomp"])
    if security["sysctls"]:
        made["sysctls"] = [{"name": name, "value": value} for name, value in security["sysctls"].items()]
    return made


def placement(spec: Spec, kind: str) -> Object:
    """Give the fields of a pod that say where it runs and how it sees the network."""
    made = present(
        priority_class_name=spec["priority_class"],
        runtime_class_name=spec["runtime_class"],
        scheduler_name=spec["scheduler"],
        host_network=spec["host_network"],
        dns_policy=spec["dns_policy"],
        dns_config=spec["dns_config"],
    )
    if spec["host_network"] and not spec["dns_policy"]:
        made["dnsPolicy"] = "ClusterFirstWithHostNet"  # otherwise a pod of the host's network knows no Service by name
    if spec["host_aliases"]:
        made["hostAliases"] = [{"ip": ip, "hostnames": names} for ip, names in spec["host_aliases"].items()]
    if spec["node_selector"]:
        made["nodeSelector"] = dict(spec["node_selector"])
    if spec["tolerations"]:
        made["tolerations"] = [present(**toleration) for toleration in spec["tolerations"]]
    affinity = _affinity(spec)
    if affinity:
        made["affinity"] = affinity
    spread = spread_of(spec, kind)
    if spread:
        made["topologySpreadConstraints"] = spread
    return made


def _affinity(spec: Spec) -> Object:
    made: Object = dict(spec["affinity"] or {})
    if spec["anti_affinity"]:
        term: Object = {"labelSelector": {"matchLabels": selector(spec)}, "topologyKey": HOSTNAME}
        apart = dict(made.get("podAntiAffinity") or {})
        if spec["anti_affinity"] == "preferred":
            field, entry = "preferredDuringSchedulingIgnoredDuringExecution", dict(weight=100, podAffinityTerm=term)
        else:
            field, entry = "requiredDuringSchedulingIgnoredDuringExecution", term
        apart[field] = list(apart.get(field) or []) + [entry]
        made["podAntiAffinity"] = apart
    return made


def spread_of(spec: Spec, kind: str) -> list[Object]:
    """Give the rules by which pods are spread: over hostnames, where nothing else is said.

    They are there with one replica too, so that a second one does not replace the first.
    """
    wanted = spec["spread"]
    if wanted is None and kind in ("Deployment", "StatefulSet"):
        wanted = [
            {"topology_key": HOSTNAME, "max_skew": 1, "min_domains": None, "when_unsatisfiable": "ScheduleAnyway"}
        ]
    found: list[Object] = []
    for rule in wanted or []:
        made = present(**rule)
        made["labelSelector"] = {"matchLabels": selector(spec)}
        if kind == "Deployment":
            # Pods of the revision that goes away do not count.
            made["matchLabelKeys"] = ["pod-template-hash"]
        found.append(made)
    return found


def claim_name(spec: Spec, volume: str) -> str:
    """Name the claim of a volume of an application that is no StatefulSet."""
    return f"{spec['name']}-{volume}"


def claim_spec(volume: Mapping[str, Any]) -> Object:
    """Give the content of a PersistentVolumeClaim."""
    made: Object = {"accessModes": [volume["mode"]], "resources": {"requests": {"storage": volume["size"]}}}
    if volume["class"] is not None:
        made["storageClassName"] = volume["class"]
    if volume["selector"]:
        made["selector"] = {"matchLabels": dict(volume["selector"])}
    made.update(present(volume_name=volume["volume_name"]))
    return made


def volumes_of(spec: Spec, configuration: Configuration) -> list[Object]:
    """Give the volumes of a pod; those of a StatefulSet's own claims are not among them."""
    found: list[Object] = []
    for name, volume in spec["volumes"].items():
        if volume["size"] is not None and spec["kind"] == "StatefulSet":
            continue
        found.append(dict({"name": name}, **_source(spec, configuration, name, volume)))
    return found


def _source(spec: Spec, configuration: Configuration, name: str, volume: Mapping[str, Any]) -> Object:
    if volume["size"] is not None or volume["claim"]:
        return {"persistentVolumeClaim": {"claimName": volume["claim"] or claim_name(spec, name)}}
    if volume["empty_dir"] is not None:
        return {"emptyDir": present(**volume["empty_dir"])}
    if volume["host_path"]:
        return {"hostPath": present(**volume["host_path"])}
    if volume["nfs"]:
        return {"nfs": present(**volume["nfs"])}
    if volume["config_map"]:
        return {"configMap": {"name": configuration.name_of("ConfigMap", volume["config_map"])}}
    if volume["secret"]:
        return {"secret": {"secretName": configuration.name_of("Secret", volume["secret"])}}
    return dict(volume["source"])


def shared_claims(spec: Spec) -> list[str]:
    """Name the volumes that a Deployment's old and new pods cannot both have mounted on different nodes."""
    return [
        name for name, volume in spec["volumes"].items() if volume["size"] is not None and volume["mode"] in ONE_NODE
    ]
