# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks across fields: conflicting fields, references to nothing, and fields that a kind of workload does not support."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...module_utils._kube.objects import RELEASE
from ..errors import InputError
from ..hooks import sort
from . import checks_pod
from .fields import join, one_of, unknown_name
from .objects import CANARY_LABEL, MANAGER_LABEL, NAME_LABEL, PART_LABEL, VERSION_LABEL
from .pod import shared_claims
from .spec import APPLICATION, BLUE_GREEN, CANARY, CRON_JOB_FIELDS, SIDE_BY_SIDE, Spec, ports_of

LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$")
RESERVED = (NAME_LABEL, MANAGER_LABEL, PART_LABEL, VERSION_LABEL, CANARY_LABEL, RELEASE)
LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
REPLICATED = ("Deployment", "StatefulSet")
JOBS = ("Job", "CronJob")
# Fields that only some kinds support.
SUPPORTED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("replicas", "scaling", "disruption_budget"), REPLICATED),
    "spread": REPLICATED + JOBS,
    **dict.fromkeys(("min_ready_seconds", "revision_history_limit", "strategy"), LONG_RUNNING),
    **dict.fromkeys(("service", "ingress", "route", "probe", "readiness"), LONG_RUNNING),
    **dict.fromkeys(("progress_deadline_seconds", "paused"), ("Deployment",)),
    **dict.fromkeys(("pod_management_policy", "keep_claims"), ("StatefulSet",)),
    "job": JOBS,
    "schedule": ("CronJob",),
}
STRATEGIES = {
    "Deployment": ("RollingUpdate", "Recreate", *SIDE_BY_SIDE),
    "StatefulSet": ("RollingUpdate", "OnDelete"),
    "DaemonSet": ("RollingUpdate", "OnDelete"),
}
MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
INSTEAD_OF_ROLLING = {
    "Recreate": "replaces all pods at the same time",
    "OnDelete": "replaces pods when they are deleted",
    BLUE_GREEN: "starts all new pods while the old ones keep running",
}
NAME_A_PORT = "Define one, for example ports: {http: 8080}."


def read(arguments: Mapping[str, Any]) -> Spec:
    """Read the description of an application.

    :param arguments: the fields as the user wrote them.
    :returns: every field, with its default where it is not set.
    :raises InputError: a field is unknown, has the wrong type or conflicts with others; the message lists all problems.
    """
    problems: list[str] = []
    spec: Spec = APPLICATION.read(dict(arguments), "", problems)
    if problems:
        # Problems that follow from an invalid value would only distract.
        raise InputError(*problems)
    given = {name for name in arguments if arguments[name] is not None}
    problems += _kind(spec, given, arguments)
    problems += _metadata(spec)
    problems += _update(spec)
    problems += _side_by_side(spec)
    problems += _replicas(spec)
    problems += _schedule(spec)
    problems += checks_pod.problems(spec)
    problems += _service(spec)
    problems += _ingress(spec)
    problems += _route(spec)
    problems += _network(spec)
    problems += _access(spec)
    problems += _hooks(spec)
    if problems:
        raise InputError(*problems)
    return spec


def _kind(spec: Spec, given: set[str], arguments: Mapping[str, Any]) -> Iterator[str]:
    kind = spec["kind"]
    if not spec["image"]:
        yield "image: is required."
    for name, kinds in SUPPORTED_BY.items():
        if name in given and kind not in kinds and spec[name] is not False:
            yield f"{name}: is not supported by a {kind}{_instead(name, kind, kinds)}."
    if len(spec["name"]) > 52:
        yield f"name: has {len(spec['name'])} characters; at most 52 are allowed, because the names of pods are derived from it."
    if kind == "CronJob" and not spec["schedule"]:
        yield "schedule: is required for a CronJob, for example '*/5 * * * *'."
    if kind == "Job" and isinstance(arguments.get("job"), Mapping):
        for name in CRON_JOB_FIELDS:
            if arguments["job"].get(name) is not None:
                yield f"job.{name}: is supported only by a CronJob."
    job = spec["job"]
    if job["completion_mode"] == "Indexed" and job["completions"] is None:
        yield "job.completions: is required with completion_mode: Indexed."
    if job["backoff_limit_per_index"] is not None and job["completion_mode"] != "Indexed":
        yield "job.backoff_limit_per_index: requires completion_mode: Indexed."


def _instead(name: str, kind: str, kinds: tuple[str, ...]) -> str:
    if name in ("probe", "readiness"):
        return (
            ", because its pods run to completion and serve no requests. Use liveness to restart a container that hangs"
        )
    if name == "replicas" and kind == "DaemonSet":
        return ", which runs one pod on every node that node_selector and tolerations allow"
    if name == "replicas":
        return ". Use job.parallelism or job.completions"
    return f", only by a {one_of(kinds)}"


def _metadata(spec: Spec) -> Iterator[str]:
    for field in ("labels", "pod_labels", "node_selector"):
        for key, value in spec[field].items():
            where = join(field, key)
            if key in RESERVED and field != "node_selector":
                yield f"{where}: is reserved; the module sets this label and its selectors depend on it."
            elif not LABEL_KEY.match(key):
                yield f"{where}: is not a valid label key."
            if not LABEL_VALUE.match(value):
                yield f"{where}: the value is not a valid label value (at most 63 letters, digits, hyphens, dots and underscores)."
    for field in ("annotations", "pod_annotations"):
        for key in spec[field]:
            if not LABEL_KEY.match(key):
                yield f"{join(field, key)}: is not a valid annotation key."


def _update(spec: Spec) -> Iterator[str]:
    kind, strategy = spec["kind"], spec["strategy"]
    chosen = strategy["type"]
    if kind in STRATEGIES and chosen and chosen not in STRATEGIES[kind]:
        yield f"strategy.type: a {kind} supports {one_of(STRATEGIES[kind])}, not {chosen}."
    how = INSTEAD_OF_ROLLING.get(chosen or "")
    if how:
        for name in ("max_surge", "max_unavailable", "partition"):
            if strategy[name] is not None:
                yield f"strategy.{name}: is supported only by RollingUpdate; {chosen} {how}."
    for name in ("percent", "observe"):
        if strategy[name] is not None and chosen != CANARY:
            yield f"strategy.{name}: is supported only by Canary."
    if strategy["partition"] is not None and kind != "StatefulSet":
        yield "strategy.partition: is supported only by a StatefulSet."
    if strategy["max_surge"] is not None and kind == "StatefulSet":
        yield "strategy.max_surge: is not supported by a StatefulSet, which replaces its pods one after another."
    if strategy["max_surge"] in (0, "0%") and strategy["max_unavailable"] in (0, "0%"):
        yield "strategy: max_surge and max_unavailable cannot both be 0, because no pod could be replaced."
    deadline, ready = spec["progress_deadline_seconds"], spec["min_ready_seconds"]
    if deadline is not None and ready is not None and deadline <= ready:
        yield f"progress_deadline_seconds: must be greater than min_ready_seconds ({ready}), not {deadline}."


def _side_by_side(spec: Spec) -> Iterator[str]:
    """Check strategies by which two versions of the pods run at the same time."""
    chosen = spec["strategy"]["type"]
    if chosen not in SIDE_BY_SIDE or spec["kind"] != "Deployment":
        return
    ports = ports_of(spec)
    if spec["service"] is False or not any(port["service"] for _name, port in ports):
        what = {BLUE_GREEN: "switches the Service", CANARY: "shares the requests of the Service"}[chosen]
        yield f"strategy.type: {chosen} {what}, so it requires one with a port. {NAME_A_PORT}"
    unsupported = {
        "paused": "a paused Deployment starts no pods",
        "host_network": "two versions on one node would use the same ports",
    }
    if chosen == BLUE_GREEN:
        unsupported["scaling"] = "the pods of a new version would begin with one"
    for name, why in unsupported.items():
        if spec[name]:
            yield f"{name}: is not supported with strategy: {chosen}, because {why}."
    for name, port in ports:
        if port["host_port"]:
            yield f"ports.{name}.host_port: is not supported with strategy: {chosen}, because {unsupported['host_network']}."
    for name in shared_claims(spec):
        yield (
            f"volumes.{name}: only one node can mount it, so the pods of two versions cannot run side by side (strategy: {chosen}). "
            "Use mode: ReadWriteMany or another strategy."
        )


def _replicas(spec: Spec) -> Iterator[str]:
    scaling = spec["scaling"]
    if scaling and scaling["min"] > scaling["max"]:
        yield f"scaling.min: {scaling['min']} is greater than scaling.max ({scaling['max']})."
    if scaling and scaling["min"] == 0:
        yield "scaling.min: must be at least 1."
    budget = spec["disruption_budget"]
    if budget:
        yield from checks_pod.exactly_one("disruption_budget", budget, ("max_unavailable", "min_available"))


def _schedule(spec: Spec) -> Iterator[str]:
    text = spec["schedule"]
    if not text or text in MACROS:
        return
    if "TZ=" in text:
        yield "schedule: must not contain a time zone. Use job.time_zone."
        return
    limits = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
    parts = text.split()
    if len(parts) != len(limits):
        names = ", ".join(name for name, _least, _most in limits)
        yield (
            f"schedule: {text!r} has {len(parts)} fields. A schedule has five ({names}), or is one of {', '.join(MACROS)}."
        )
        return
    for part, (name, least, most) in zip(parts, limits, strict=True):
        numbers = [int(number) for item in part.split(",") for number in re.findall(r"\d+", item.partition("/")[0])]
        if not re.match(r"^[\d*,/?a-zA-Z-]+$", part) or any(not least <= number <= most for number in numbers):
            yield f"schedule: {part!r} is not a valid {name} ({least} to {most})."


def _service(spec: Spec) -> Iterator[str]:
    service = spec["service"]
    ports = dict(ports_of(spec))
    seen: dict[tuple[str, int], str] = {}
    for name, port in ports.items():
        if not port["service"]:
            if port["node_port"]:
                yield f"ports.{name}.node_port: requires service: true."
            continue
        if port["node_port"] and (service is False or service["type"] == "ClusterIP"):
            yield f"ports.{name}.node_port: requires a Service of type NodePort or LoadBalancer."
        key = (port["protocol"], port["port"])
        if key in seen:
            yield f"ports.{name}: {key[0]} port {key[1]} of the Service is already used by {seen[key]}."
        seen.setdefault(key, name)
    if service is False:
        return
    serving = any(port["service"] for port in ports.values())
    if any(service.values()) and not serving and spec["kind"] in LONG_RUNNING and not service["headless"]:
        yield f"service: requires a port. {NAME_A_PORT}"
    if service["headless"] and service["type"] not in (None, "ClusterIP"):
        yield "service.headless: requires the type ClusterIP."
    if service["session_affinity_timeout_seconds"] and service["session_affinity"] == "None":
        yield "service.session_affinity_timeout_seconds: requires session_affinity: ClientIP."
    for name in ("load_balancer_class", "load_balancer_source_ranges"):
        if service[name] and service["type"] != "LoadBalancer":
            yield f"service.{name}: requires the type LoadBalancer."
    external = service["type"] in ("NodePort", "LoadBalancer") or any(port["node_port"] for port in ports.values())
    if service["external_traffic_policy"] and not external:
        yield "service.external_traffic_policy: requires the type NodePort or LoadBalancer."


def _ingress(spec: Spec) -> Iterator[str]:
    ingress = spec["ingress"]
    if not ingress or spec["kind"] not in LONG_RUNNING:
        return
    if ingress["rules"] and (ingress["path"] or ingress["paths"] or ingress["host"]):
        yield "ingress: rules cannot be combined with host, path and paths."
    ports = sorted({name for name, port in ports_of(spec) if port["service"]})
    groups = [(f"ingress.rules[{index}]", rule) for index, rule in enumerate(ingress["rules"])]
    needs_own = False
    for where, group in groups or [("ingress", ingress)]:
        if group["paths"] is not None and group["path"] is not None:
            yield f"{where}: path and paths cannot be combined."
        for path, target in (group["paths"] or {"": {"service": None, "port": group["port"]}}).items():
            at = join(f"{where}.paths", path) if path else f"{where}.port"
            if target["service"]:
                if target["port"] is None:
                    yield f"{at}.port: is required, as a port of the Service {target['service']}."
                continue
            needs_own = True
            if isinstance(target["port"], str) and target["port"] not in ports:
                yield unknown_name(at, "port", target["port"], ports)
    if needs_own and (not ports or spec["service"] is False):
        yield f"ingress: requires a Service with a port. {NAME_A_PORT}"
    tls = ingress["tls"]
    if tls:
        if not (tls["secret"] or tls["issuer"] or tls["cluster_issuer"]):
            yield "ingress.tls: requires secret, issuer or cluster_issuer."
        if tls["issuer"] and tls["cluster_issuer"]:
            yield "ingress.tls: issuer and cluster_issuer cannot be combined."
        if not (ingress["host"] or any(rule["host"] for rule in ingress["rules"]) or tls["hosts"]):
            yield "ingress.tls: requires a host. Set ingress.host."


def _route(spec: Spec) -> Iterator[str]:
    if not spec["route"] or spec["kind"] not in LONG_RUNNING:
        return
    ports = {name: port["port"] for name, port in ports_of(spec) if port["service"]}
    rules = spec["route"]["rules"]
    if (not ports or spec["service"] is False) and (not rules or not all(rule["service"] for rule in rules)):
        yield f"route: requires a Service with a port. {NAME_A_PORT}"
        return
    for index, rule in enumerate(rules):
        port, at = rule["port"], f"route.rules[{index}].port"
        if rule["service"]:
            if not isinstance(port, int):
                yield f"{at}: must be the number of a port of the Service {rule['service']}."
        elif isinstance(port, str) and port not in ports:
            yield unknown_name(at, "port", port, sorted(ports))
        elif isinstance(port, int) and port not in ports.values():
            yield f"{at}: the Service has no port {port} (available: {', '.join(map(str, sorted(ports.values())))})."


def _network(spec: Spec) -> Iterator[str]:
    network = spec["network"]
    if not network:
        return
    if network["allow_from"] is None and network["allow_to"] is None:
        yield "network: requires allow_from or allow_to (an empty list denies all traffic)."
    ports = sorted({name for name, _port in ports_of(spec)})
    for direction in ("allow_from", "allow_to"):
        for index, peer in enumerate(network[direction] or []):
            where = f"network.{direction}[{index}]"
            pods = [name for name in ("app", "labels", "namespace", "namespace_labels") if peer[name] is not None]
            if not pods and not peer["cidr"]:
                yield f"{where}: requires app, labels, namespace, namespace_labels or cidr."
            if pods and peer["cidr"]:
                yield f"{where}: {pods[0]} and cidr cannot be combined. Use two entries."
            for first, second in (("app", "labels"), ("namespace", "namespace_labels")):
                if first in pods and second in pods:
                    yield f"{where}: {first} and {second} cannot be combined."
            if peer["except"] and not peer["cidr"]:
                yield f"{where}.except: requires cidr."
            for place, port in enumerate(peer["ports"]):
                named = isinstance(port["port"], str)
                if named and direction == "allow_from" and port["port"] not in ports:
                    yield unknown_name(f"{where}.ports[{place}]", "port", port["port"], ports)
                if port["end_port"] and (named or port["end_port"] < port["port"]):
                    yield f"{where}.ports[{place}].end_port: requires a numeric port that is not greater."


def _access(spec: Spec) -> Iterator[str]:
    rbac = spec["rbac"] or {"rules": [], "cluster_rules": []}
    for field in ("rules", "cluster_rules"):
        for index, rule in enumerate(rbac[field]):
            where = f"rbac.{field}[{index}]"
            if rule["non_resource_urls"] and field == "rules":
                yield f"{where}.non_resource_urls: is supported only in cluster_rules."
            elif not rule["resources"] and not rule["non_resource_urls"]:
                yield f"{where}.resources: is required."
    account = spec["service_account"]
    if account and account["create"] is False and not account["name"]:
        yield "service_account.name: is required with create: false."
    literal = ("registry", "username", "password")
    for index, pull in enumerate(spec["pull_secrets"]):
        where = f"pull_secrets[{index}]"
        missing = [name for name in literal if not pull[name]]
        if (len(missing) < len(literal)) == bool(pull["name"]):
            yield f"{where}: requires either name, or registry, username and password."
        elif not pull["name"] and missing:
            yield f"{where}.{missing[0]}: is required."


def _hooks(spec: Spec) -> Iterator[str]:
    for phase in ("pre", "post"):
        hooks = spec["hooks"][phase]
        for name, hook in hooks.items():
            where = f"hooks.{phase}.{name}"
            if not hook["image"] and hook["command"] is None and hook["args"] is None:
                yield f"{where}: requires command or args; without them it would start the application itself."
            length = len(f"{spec['name']}-{name}")
            if length > 54:
                yield f"{where}: the name has {length} characters, including the name of the application; at most 54 are allowed."
            for other in hook["after"]:
                if other not in hooks:
                    yield unknown_name(f"{where}.after", "hook", other, list(hooks))
        try:
            in_order(hooks)
        except InputError as cycle:
            yield f"hooks.{phase}: hooks wait for each other: {cycle}."


def in_order(hooks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sort the hooks of one phase so that each follows those that it names in C(after).

    :raises InputError: hooks wait for each other.
    """
    return sort(list(hooks), str, lambda name: [other for other in hooks[name]["after"] if other in hooks])
