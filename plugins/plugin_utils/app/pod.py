# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template of an application's pods: containers, volumes, ServiceAccount, security context and scheduling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._kube.objects import Object
from .configuration import Configuration
from .containers import Containers, seccomp, security_context
from .objects import NAME_LABEL, PART_LABEL, api_fields, manifest, selector
from .spec import SIDE_BY_SIDE, Spec

HOSTNAME = "kubernetes.io/hostname"
# Volumes with these access modes are mounted on one node (or by one pod) only.
ONE_NODE = ("ReadWriteOnce", "ReadWriteOncePod")


def template(spec: Spec, configuration: Configuration, account: Mapping[str, Any]) -> Object:
    """Return the template of the application's own pods.

    :param account: the fields of a pod for its ServiceAccount (see :func:`access.account_of`).
    """
    containers = Containers(spec, configuration)
    pod: Object = dict(account)
    init = [containers.make(name, container, f"init.{name}") for name, container in spec["init"].items()]
    # A native sidecar starts before the application, ends after it and does not keep a Job from completing
    # (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
    sidecars = [
        {**containers.make(name, container, f"sidecars.{name}"), "restartPolicy": "Always"}
        for name, container in spec["sidecars"].items()
    ]
    if sidecars or init:
        pod["initContainers"] = sidecars + init
    pod["containers"] = [containers.make(spec["name"], spec, "")] + [
        containers.make(name, container, f"containers.{name}") for name, container in spec["containers"].items()
    ]
    volumes = _volumes(spec, configuration) + containers.volumes
    if volumes:
        pod["volumes"] = volumes
    pod["securityContext"] = _pod_security_context(spec["security"])
    pod |= _scheduling(spec, spec["kind"])
    pod |= api_fields(spec, "termination_grace_period_seconds")
    if spec["kind"] in ("Job", "CronJob"):
        pod["restartPolicy"] = spec["job"]["restart_policy"]
    return {"metadata": _template_metadata(spec, "app"), "spec": pod}


def hook_template(
    spec: Spec, configuration: Configuration, account: Mapping[str, Any], name: str, path: str, hook: Mapping[str, Any]
) -> Object:
    """Return the template of a hook's pod; what the hook leaves out is inherited from the main container."""
    fields: dict[str, Any] = dict(hook)
    family = f"{spec['name']}-{name}"
    inheritable = ("env", "secret_env", "config_files", "secret_files")
    if hook["inherit"]:
        for field in inheritable:
            fields[field] = {**spec[field], **hook[field]}
        for field, other in (("env", "secret_env"), ("secret_env", "env")):
            # A variable that the hook sets in one of the two replaces an inherited one in the other.
            fields[field] = {
                key: value for key, value in fields[field].items() if key not in hook[other] or key in hook[field]
            }
        fields["env_from"] = spec["env_from"] + hook["env_from"]
        fields["working_dir"] = hook["working_dir"] or (spec["working_dir"] if not hook["image"] else None)
        fields["image_pull_policy"] = hook["image_pull_policy"] or spec["image_pull_policy"]
        if not any(hook[field] for field in inheritable):
            family = spec["name"]  # the application's own ConfigMaps and Secrets are used
    containers = Containers(spec, configuration)
    container = containers.make(name, fields, path, family)
    if not hook["security"]:
        container["securityContext"] = security_context(None, spec["security"], main=True)
    pod: Object = {**account, "containers": [container]}
    mounted = [volume for volume in _volumes(spec, configuration) if volume["name"] in (fields.get("mounts") or {})]
    if mounted or containers.volumes:
        pod["volumes"] = mounted + containers.volumes
    pod["securityContext"] = _pod_security_context(spec["security"])
    pod |= _scheduling({**spec, "spread": False, "anti_affinity": None}, "Job")
    pod["restartPolicy"] = "Never"
    return {"metadata": _template_metadata(spec, "hook"), "spec": pod}


def _template_metadata(spec: Spec, part: str) -> Object:
    result: Object = {"labels": {**spec["labels"], **spec["pod_labels"], NAME_LABEL: spec["name"], PART_LABEL: part}}
    if spec["pod_annotations"] and part == "app":
        result["annotations"] = dict(spec["pod_annotations"])
    return result


def _pod_security_context(security: Mapping[str, Any]) -> Object:
    """Return the C(securityContext) of a pod: that of its profile and the runtime's seccomp profile, except for what is opted out of."""
    root = security["run_as_user"] == 0 or security["privileged"]
    if security["profile"] == "baseline" and security["run_as_user"] is None:
        root = True  # whether it is, the image says
    non_root = security["run_as_non_root"] if security["run_as_non_root"] is not None else not root
    sysctls = [{"name": name, "value": value} for name, value in (security["sysctls"] or {}).items()]
    return {
        "runAsNonRoot": bool(non_root),
        **api_fields(security, "run_as_user", "run_as_group", "fs_group", "fs_group_change_policy"),
        **api_fields(supplemental_groups=security["supplemental_groups"] or None, sysctls=sysctls or None),
        "seccompProfile": seccomp(security["seccomp"]),
    }


def _scheduling(spec: Spec, kind: str) -> Object:
    """Return the fields of a pod for the scheduler and the network."""
    dns_policy = spec["dns_policy"]
    if spec["host_network"] and not dns_policy:
        dns_policy = "ClusterFirstWithHostNet"  # otherwise a pod in the host's network cannot resolve Services
    aliases = [{"ip": ip, "hostnames": names} for ip, names in (spec["host_aliases"] or {}).items()]
    return api_fields(
        priority_class_name=spec["priority_class"],
        runtime_class_name=spec["runtime_class"],
        scheduler_name=spec["scheduler"],
        host_network=spec["host_network"],
        dns_policy=dns_policy,
        dns_config=spec["dns_config"],
        host_aliases=aliases or None,
        node_selector=dict(spec["node_selector"]) or None,
        tolerations=[api_fields(toleration) for toleration in spec["tolerations"]] or None,
        affinity=_affinity(spec) or None,
        topology_spread_constraints=_spread(spec, kind) or None,
    )


def _affinity(spec: Spec) -> Object:
    result: Object = dict(spec["affinity"] or {})
    if spec["anti_affinity"]:
        term: Object = {"labelSelector": {"matchLabels": selector(spec)}, "topologyKey": HOSTNAME}
        if spec["strategy"]["type"] in SIDE_BY_SIDE:
            term["matchLabelKeys"] = ["pod-template-hash"]  # pods of the version that is replaced do not count
        apart = dict(result.get("podAntiAffinity") or {})
        if spec["anti_affinity"] == "preferred":
            field, entry = "preferredDuringSchedulingIgnoredDuringExecution", dict(weight=100, podAffinityTerm=term)
        else:
            field, entry = "requiredDuringSchedulingIgnoredDuringExecution", term
        apart[field] = list(apart.get(field) or []) + [entry]
        result["podAntiAffinity"] = apart
    return result


def _spread(spec: Spec, kind: str) -> list[Object]:
    """Return the topology spread constraints, by default over hostnames.

    A workload with one replica has them too, so that scaling it up does not replace the first pod.
    """
    rules = spec["spread"]
    if rules is None and kind in ("Deployment", "StatefulSet"):
        rules = [{"topology_key": HOSTNAME, "max_skew": 1, "when_unsatisfiable": "ScheduleAnyway"}]
    common: Object = {"labelSelector": {"matchLabels": selector(spec)}}
    if kind == "Deployment":
        common["matchLabelKeys"] = ["pod-template-hash"]  # pods of the previous revision do not count
    return [api_fields(rule) | common for rule in rules or []]


def claims(spec: Spec, of_stateful_set: bool) -> list[Object]:
    """Return the PersistentVolumeClaims of the volumes that have a size.

    :param of_stateful_set: return templates, from which each pod of a StatefulSet gets claims.
    """
    found = []
    for name, volume in spec["volumes"].items():
        if volume["size"] is not None:
            claim = manifest(spec, "PersistentVolumeClaim", claim_name(spec, name), spec=_claim_spec(volume))
            if of_stateful_set:
                claim["metadata"] = {"name": name, "labels": selector(spec)}
            found.append(claim)
    return found


def claim_name(spec: Spec, volume: str) -> str:
    """Return the name of the claim for a volume, unless the workload is a StatefulSet."""
    return f"{spec['name']}-{volume}"


def _claim_spec(volume: Mapping[str, Any]) -> Object:
    result: Object = {"accessModes": [volume["mode"]], "resources": {"requests": {"storage": volume["size"]}}}
    if volume["class"] is not None:
        result["storageClassName"] = volume["class"]
    if volume["selector"]:
        result["selector"] = {"matchLabels": dict(volume["selector"])}
    return result | api_fields(volume, "volume_name")


def _volumes(spec: Spec, configuration: Configuration) -> list[Object]:
    """Return the volumes of a pod, without those that a StatefulSet's claim templates make."""
    return [
        {"name": name, **_source(spec, configuration, name, volume)}
        for name, volume in spec["volumes"].items()
        if volume["size"] is None or spec["kind"] != "StatefulSet"
    ]


def _source(spec: Spec, configuration: Configuration, name: str, volume: Mapping[str, Any]) -> Object:
    if volume["size"] is not None or volume["claim"]:
        return {"persistentVolumeClaim": {"claimName": volume["claim"] or claim_name(spec, name)}}
    if volume["config_map"]:
        return {"configMap": {"name": configuration.name_of("ConfigMap", volume["config_map"])}}
    if volume["secret"]:
        return {"secret": {"secretName": configuration.name_of("Secret", volume["secret"])}}
    for field, source in (("empty_dir", "emptyDir"), ("host_path", "hostPath"), ("nfs", "nfs")):
        if volume[field] is not None:
            return {source: api_fields(volume[field])}
    return dict(volume["source"])


def shared_claims(spec: Spec) -> list[str]:
    """Return the volumes that the old and new pods of a Deployment cannot both mount when they run on different nodes."""
    return [
        name for name, volume in spec["volumes"].items() if volume["size"] is not None and volume["mode"] in ONE_NODE
    ]
