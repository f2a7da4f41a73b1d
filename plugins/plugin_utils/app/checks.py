# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no single field shows: fields that do not go together, names that lead nowhere, values that the kind cannot use."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

from . import checks_pod
from .fields import BadApp, Record, join, nearest, one_of
from .hooks import order
from .spec import ELSEWHERE, FIELDS, Spec

LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$")
RESERVED = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by", "slipway.kube/part", "slipway.kube/release")
LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
COUNTED = ("Deployment", "StatefulSet")
JOBS = ("Job", "CronJob")
# Fields that only some kinds have, with those kinds; all others have none of these fields in the API.
ONLY: dict[str, tuple[str, ...]] = {
    "replicas": COUNTED,
    "scaling": COUNTED,
    "spread": ("Deployment", "StatefulSet", "Job", "CronJob"),
    "disruption_budget": COUNTED,
    "min_ready_seconds": LONG_RUNNING,
    "revision_history_limit": LONG_RUNNING,
    "progress_deadline_seconds": ("Deployment",),
    "paused": ("Deployment",),
    "pod_management_policy": ("StatefulSet",),
    "keep_claims": ("StatefulSet",),
    "strategy": LONG_RUNNING,
    "service": LONG_RUNNING,
    "ingress": LONG_RUNNING,
    "probe": LONG_RUNNING,
    "readiness": LONG_RUNNING,
    "job": JOBS,
    "schedule": ("CronJob",),
}
CRON_ONLY = (
    "time_zone",
    "concurrency_policy",
    "starting_deadline_seconds",
    "successful_jobs_history_limit",
    "failed_jobs_history_limit",
)
STRATEGIES = {
    "Deployment": ("RollingUpdate", "Recreate"),
    "StatefulSet": ("RollingUpdate", "OnDelete"),
    "DaemonSet": ("RollingUpdate", "OnDelete"),
}
MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def read(arguments: Mapping[str, Any]) -> Spec:
    """Read the description of an application.

    :param arguments: the fields as the user wrote them.
    :returns: every field, with its default where it was not given.
    :raises BadApp: something is unknown, misspelt, of a wrong type, or does not fit the rest; the message lists all of it.
    """
    problems: list[str] = []
    spec: Spec = Record(FIELDS, elsewhere=ELSEWHERE).read(dict(arguments), "", problems)
    given = {name for name in arguments if arguments[name] is not None}
    if problems:
        # What follows from a value that is wrong is not worth telling.
        raise BadApp(problems)
    problems += _kind(spec, given, arguments)
    problems += _metadata(spec)
    problems += _rollout(spec, given)
    problems += _schedule(spec)
    problems += checks_pod.problems(spec)
    problems += _service(spec)
    problems += _ingress(spec)
    problems += _network(spec)
    problems += _access(spec)
    problems += _hooks(spec)
    if problems:
        raise BadApp(problems)
    return spec


def _kind(spec: Spec, given: set[str], arguments: Mapping[str, Any]) -> Iterator[str]:
    kind = spec["kind"]
    if not spec["image"]:
        yield "image: is required."
    for name, kinds in ONLY.items():
        if name in given and kind not in kinds and spec[name] is not False:
            yield f"{name}: a {kind} has none; {_instead(name, kind, kinds)}."
    if len(spec["name"]) > 52:
        yield f"name: has {len(spec['name'])} characters; 52 are allowed, because the names of pods are made from it."
    if kind == "CronJob" and not spec["schedule"]:
        yield "schedule: is required for a CronJob, for example '*/5 * * * *'."
    if kind == "Job" and isinstance(arguments.get("job"), Mapping):
        for name in CRON_ONLY:
            if arguments["job"].get(name) is not None:
                yield f"job.{name}: only a CronJob has it."
    job = spec["job"]
    if job["completion_mode"] == "Indexed" and job["completions"] is None:
        yield "job.completions: is required with completion_mode: Indexed."
    if job["backoff_limit_per_index"] is not None and job["completion_mode"] != "Indexed":
        yield "job.backoff_limit_per_index: needs completion_mode: Indexed."


def _instead(name: str, kind: str, kinds: tuple[str, ...]) -> str:
    if name in ("probe", "readiness"):
        return "its pods serve nothing, they end (liveness watches over one that hangs)"
    if name == "replicas" and kind == "DaemonSet":
        return "it runs one pod on every node that node_selector and tolerations allow"
    if name == "replicas":
        return "write job.parallelism or job.completions"
    return f"it belongs to a {one_of(kinds)}"


def _metadata(spec: Spec) -> Iterator[str]:
    for field in ("labels", "pod_labels", "node_selector"):
        for key, value in spec[field].items():
            where = join(field, key)
            if key in RESERVED and field != "node_selector":
                yield f"{where}: this label is set by the module, its selectors rest on it; choose another."
            elif not LABEL_KEY.match(key):
                yield f"{where}: is not the key of a label."
            if not LABEL_VALUE.match(value):
                yield (
                    f"{where}: is not the value of a label: at most 63 letters, digits, hyphens, dots and underscores."
                )
    for field in ("annotations", "pod_annotations"):
        for key in spec[field]:
            if not LABEL_KEY.match(key):
                yield f"{join(field, key)}: is not the key of an annotation."


def _rollout(spec: Spec, given: set[str]) -> Iterator[str]:
    kind, strategy = spec["kind"], spec["strategy"]
    chosen = strategy["type"]
    if kind in STRATEGIES and chosen and chosen not in STRATEGIES[kind]:
        yield f"strategy.type: a {kind} takes {one_of(STRATEGIES[kind])}, not {chosen}."
    rolling = ("max_surge", "max_unavailable", "partition")
    if chosen in ("Recreate", "OnDelete"):
        for name in rolling:
            if strategy[name] is not None:
                yield "strategy.{}: belongs to RollingUpdate; {} replaces pods {}.".format(
                    name,
                    chosen,
                    "all at once" if chosen == "Recreate" else "when they are deleted",
                )
    if strategy["partition"] is not None and kind != "StatefulSet":
        yield "strategy.partition: only a StatefulSet has it."
    if strategy["max_surge"] is not None and kind == "StatefulSet":
        yield "strategy.max_surge: a StatefulSet has none; it replaces its pods one after the other."
    zero = [strategy[name] in (0, "0%") for name in ("max_surge", "max_unavailable")]
    if all(zero):
        yield "strategy: max_surge and max_unavailable cannot both be 0, no pod could ever be replaced."
    deadline, ready = spec["progress_deadline_seconds"], spec["min_ready_seconds"]
    if deadline is not None and ready is not None and deadline <= ready:
        yield "progress_deadline_seconds: is %d and must be more than min_ready_seconds (%d)." % (deadline, ready)
    scaling = spec["scaling"]
    if scaling:
        if scaling["min"] > scaling["max"]:
            yield "scaling.min: is %d, more than scaling.max (%d)." % (scaling["min"], scaling["max"])
        if scaling["min"] == 0:
            yield "scaling.min: takes at least 1."
    budget = spec["disruption_budget"]
    if budget and budget["max_unavailable"] is not None and budget["min_available"] is not None:
        yield "disruption_budget: takes max_unavailable or min_available, not both."
    if budget and budget["max_unavailable"] is None and budget["min_available"] is None:
        yield "disruption_budget: needs max_unavailable or min_available."


def _schedule(spec: Spec) -> Iterator[str]:
    text = spec["schedule"]
    if not text or text in MACROS:
        return
    if "TZ=" in text:
        yield "schedule: holds a time zone; write it as job.time_zone."
        return
    parts = text.split()
    if len(parts) != 5:
        yield "schedule: %r has %d parts; it takes minute, hour, day, month and day of the week, or one of %s." % (
            text,
            len(parts),
            ", ".join(MACROS),
        )
        return
    limits = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
    for part, (what, least, most) in zip(parts, limits):
        numbers = [int(number) for item in part.split(",") for number in re.findall(r"\d+", item.partition("/")[0])]
        if not re.match(r"^[\d*,/?a-zA-Z-]+$", part) or any(not least <= number <= most for number in numbers):
            yield "schedule: %r is no %s (%d to %d)." % (part, what, least, most)


def _service(spec: Spec) -> Iterator[str]:
    service = spec["service"]
    ports = dict(checks_pod.ports_of(spec))
    seen: dict[tuple[str, int], str] = {}
    for name, port in ports.items():
        if not port["service"]:
            if port["node_port"]:
                yield f"ports.{name}.node_port: needs service: true."
            continue
        if port["node_port"] and (service is False or service["type"] == "ClusterIP"):
            yield f"ports.{name}.node_port: needs a service of the type NodePort or LoadBalancer."
        key = (port["protocol"], port["port"])
        if key in seen:
            yield "ports.%s: the Service has %s port %d already, as %s." % (name, key[0], key[1], seen[key])
        seen.setdefault(key, name)
    if service is False:
        return
    wanted = any(value for value in service.values()) and service != {}
    serving = [name for name, port in ports.items() if port["service"]]
    if wanted and not serving and spec["kind"] in LONG_RUNNING and not service["headless"]:
        yield "service: there is nothing to serve; name a port: ports: {http: 8080}."
    if service["headless"] and service["type"] not in (None, "ClusterIP"):
        yield "service.headless: a headless Service has the type ClusterIP."
    if service["session_affinity_timeout_seconds"] and service["session_affinity"] == "None":
        yield "service.session_affinity_timeout_seconds: needs session_affinity: ClientIP."
    for name in ("load_balancer_class", "load_balancer_source_ranges"):
        if service[name] and service["type"] != "LoadBalancer":
            yield f"service.{name}: needs the type LoadBalancer."
    external = service["type"] in ("NodePort", "LoadBalancer") or any(port["node_port"] for port in ports.values())
    if service["external_traffic_policy"] and not external:
        yield "service.external_traffic_policy: needs the type NodePort or LoadBalancer."


def _ingress(spec: Spec) -> Iterator[str]:
    ingress = spec["ingress"]
    if not ingress or spec["kind"] not in LONG_RUNNING:
        return
    ports = {name for name, port in checks_pod.ports_of(spec) if port["service"]}
    groups = [("ingress", ingress)] + [("ingress.rules[%d]" % n, rule) for n, rule in enumerate(ingress["rules"])]
    if ingress["rules"] and (ingress["path"] or ingress["paths"] or ingress["host"]):
        yield "ingress: takes host and paths, or rules, not both."
    needs_own = False
    for where, group in groups:
        if group is ingress and ingress["rules"]:
            continue
        if group["paths"] is not None and group["path"] is not None:
            yield f"{where}: takes path or paths, not both."
        for path, target in (group["paths"] or {"": {"service": None, "port": group["port"]}}).items():
            at = join(f"{where}.paths", path) if path else f"{where}.port"
            if target["service"]:
                if target["port"] is None:
                    yield f"{at}.port: is required, a port of the Service {target['service']}."
                continue
            needs_own = True
            if isinstance(target["port"], str) and target["port"] not in ports:
                near = nearest(target["port"], sorted(ports))
                yield "{}: there is no port {}; there are {}.{}".format(
                    at,
                    target["port"],
                    ", ".join(sorted(ports)) or "none",
                    f" Did you mean {near}?" if near else "",
                )
    if needs_own and (not ports or spec["service"] is False):
        yield "ingress: there is no Service that it could lead to; name a port: ports: {http: 8080}."
    tls = ingress["tls"]
    if tls:
        if not (tls["secret"] or tls["issuer"] or tls["cluster_issuer"]):
            yield "ingress.tls: needs secret, issuer or cluster_issuer."
        if tls["issuer"] and tls["cluster_issuer"]:
            yield "ingress.tls: takes issuer or cluster_issuer, not both."
        if not (ingress["host"] or any(rule["host"] for rule in ingress["rules"]) or tls["hosts"]):
            yield "ingress.tls: a certificate is for a host; name one as ingress.host."


def _network(spec: Spec) -> Iterator[str]:
    network = spec["network"]
    if not network:
        return
    if network["allow_from"] is None and network["allow_to"] is None:
        yield "network: needs allow_from or allow_to (an empty list allows nobody)."
    own = {name for name, _port in checks_pod.ports_of(spec)}
    for direction in ("allow_from", "allow_to"):
        for number, peer in enumerate(network[direction] or []):
            where = f"network.{direction}[{number}]"
            pods = [name for name in ("app", "labels", "namespace", "namespace_labels") if peer[name] is not None]
            if not pods and not peer["cidr"]:
                yield f"{where}: names nobody; it takes app, labels, namespace, namespace_labels or cidr."
            if pods and peer["cidr"]:
                yield f"{where}: takes {pods[0]} or cidr, not both; write two entries."
            if peer["app"] is not None and peer["labels"] is not None:
                yield f"{where}: takes app or labels, not both."
            if peer["namespace"] is not None and peer["namespace_labels"] is not None:
                yield f"{where}: takes namespace or namespace_labels, not both."
            if peer["except"] and not peer["cidr"]:
                yield f"{where}.except: needs cidr."
            for place, port in enumerate(peer["ports"]):
                named = isinstance(port["port"], str)
                if named and direction == "allow_from" and port["port"] not in own:
                    yield "%s.ports[%d]: there is no port %s; there are %s." % (
                        where,
                        place,
                        port["port"],
                        ", ".join(sorted(own)) or "none",
                    )
                if port["end_port"] and (named or port["end_port"] < port["port"]):
                    yield "%s.ports[%d].end_port: needs a port number that is not higher." % (where, place)


def _access(spec: Spec) -> Iterator[str]:
    rbac = spec["rbac"] or {"rules": [], "cluster_rules": []}
    for field in ("rules", "cluster_rules"):
        for number, rule in enumerate(rbac[field]):
            where = f"rbac.{field}[{number}]"
            if rule["non_resource_urls"] and field == "rules":
                yield f"{where}.non_resource_urls: belongs into cluster_rules."
            elif not rule["resources"] and not rule["non_resource_urls"]:
                yield f"{where}.resources: is required."
    account = spec["service_account"]
    if account and account["create"] is False and not account["name"]:
        yield "service_account.name: is required with create: false."
    for number, pull in enumerate(spec["pull_secrets"]):
        where = f"pull_secrets[{number}]"
        literal = [name for name in ("registry", "username", "password") if pull[name]]
        if bool(literal) == bool(pull["name"]):
            yield f"{where}: takes name, or registry, username and password."
        elif literal and len(literal) < 3:
            missing = [name for name in ("registry", "username", "password") if not pull[name]]
            yield f"{where}.{missing[0]}: is required."


def _hooks(spec: Spec) -> Iterator[str]:
    for phase in ("pre", "post"):
        hooks = spec["hooks"][phase]
        for name, hook in hooks.items():
            where = f"hooks.{phase}.{name}"
            if not hook["image"] and hook["command"] is None and hook["args"] is None:
                yield f"{where}: needs command or args; without, it would start the application itself."
            length = len(f"{spec['name']}-{name}")
            if length > 54:
                yield "%s: with the application's name it has %d characters; 54 are allowed." % (where, length)
            for other in hook["after"]:
                if other not in hooks:
                    near = nearest(other, list(hooks))
                    hint = f" Did you mean {near}?" if near else ""
                    yield f"{where}.after: there is no hook {other} in hooks.{phase}.{hint}"
        _sorted, cycle = order(hooks)
        if cycle:
            yield f"hooks.{phase}: these wait for each other: {' after '.join(cycle)}."
