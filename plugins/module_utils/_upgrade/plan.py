# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an upgrade: the core of the module upgrade_plan.

What moves on each node follows from what runs there, so that the plan after an interruption is what is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from .._kube.versions import minor_of, parse_version, versions_between
from .._kubeadm.removal import cordoned_by
from . import refusals
from .observed import Observed, observe

Host = Mapping[str, Any]
RESUMED = "the steps that an interrupted run left"


@dataclass
class Wanted:
    """The desired state.

    :param components: wanted versions of ``etcd`` and ``coredns``.
    :param batch: number of workers that are upgraded at the same time.
    :param force: whether pods without a controller are evicted.
    :param table: the variable kube_versions, which has a version of each minor that the upgrade goes through.
    :param through: versions that precede those of the table.
    """

    version: str
    components: Mapping[str, str] = field(default_factory=dict)
    cluster: str = "kubernetes"
    batch: int = 1
    force: bool = False
    snapshot_dir: str = ""
    table: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    through: Sequence[str] = ()


@dataclass
class NodePlan:
    """What happens on one node.

    :ivar moves: (what, from, to) of each part that changes.
    :ivar pods: pods that move when the node is drained.
    :ivar resumes: whether an earlier run began.
    """

    name: str
    host: str
    control_plane: bool
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    pods: list[str] = field(default_factory=list)
    resumes: bool = False
    stays_cordoned: bool = False

    @property
    def needed(self) -> bool:
        """Whether anything is to be done on this node."""
        return bool(self.moves) or self.resumes

    def as_dict(self) -> dict[str, Any]:
        """Return the plan of the node as data."""
        moves = [{"what": what, "from": have, "to": to} for what, have, to in self.moves]
        kept = ("name", "host", "control_plane", "pods", "resumes", "stays_cordoned", "needed")
        return {**{key: getattr(self, key) for key in kept}, "moves": moves}


@dataclass
class Step:
    """A version that the upgrade goes through: kubeadm upgrades control planes, and the files of all nodes. Kubelets keep their version.

    The control plane may not skip a minor, and neither may the files of a node: kubeadm of one minor removes the flags of the kubelet that the
    next one no longer has. A kubelet may be three minors older than the API server, so that each node is drained only once.

    :ivar nodes: those on which something is to be done.
    :ivar left_out: names of nodes that must go through this version together with a control plane and are not in the run.
    """

    version: str
    nodes: list[NodePlan] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def older(have: str, wanted: str) -> bool:
    """Return whether a version is known and older than the wanted one."""
    return bool(have and wanted) and parse_version(have) < parse_version(wanted)


def plan_node(host: Host, node: Mapping[str, Any], wanted: Wanted) -> NodePlan:
    """Return what moves on a node, without its pods."""
    have = {
        "kubeadm": host["kubeadm"],
        **{name: value for name, value in host["components"].items() if name != "etcd"},
        "kubelet": refusals.running_version(host, node),
    }
    moves = [(name, value, wanted.version) for name, value in have.items() if value != wanted.version]
    etcd, aim = host["components"].get("etcd", ""), str(wanted.components.get("etcd", ""))
    if older(etcd, aim):
        moves.append(("etcd", etcd, aim))
    if older(host["containerd"], host["containerd_wanted"]):
        moves.append(("containerd", host["containerd"], host["containerd_wanted"]))
    return NodePlan(
        host["name"],
        host["host"],
        host["control_plane"],
        moves,
        resumes=refusals.is_begun(host, node),
        stays_cordoned=bool(node.get("spec", {}).get("unschedulable")) and not cordoned_by(node),
    )


def begun_version(host: Host) -> str:
    """Return the version of a ``kubeadm upgrade`` that has not ended on a host; empty if there is none."""
    return str(host.get("interrupted") or "").rpartition(" ")[2]


def is_behind(host: Host, node: Mapping[str, Any], minor: str, newest: str) -> bool:
    """Return whether a worker has not gone through a minor. kubeadm of one that the control planes are not past may not have ended on it.

    :param newest: version of the newest control plane. Where one is past this minor, the package of kubeadm tells how far the worker is.
    """
    kubelet = refusals.running_version(host, node)
    unsure = not older(minor, minor_of(newest)) or older(minor_of(host["kubeadm"] or kubelet), minor)
    return not host["components"] and older(minor_of(kubelet), minor) and unsure


def plan_step(step: Step, host: Host, node: Mapping[str, Any], wanted: Wanted, newest: str) -> NodePlan:
    """Return what happens on a node on the way to the version of a step.

    :param newest: version of the newest control plane.
    """
    version, minor = step.version, minor_of(step.version)
    interrupted = minor_of(begun_version(host)) == minor
    components = {name: have for name, have in host["components"].items() if name != "etcd"}
    moves = [(name, have, version) for name, have in components.items() if older(have, version)]
    if not interrupted and not any(older(minor_of(have), minor) for have in components.values()):
        moves = []  # a patch that this control plane need not go through
    found = NodePlan(host["name"], host["host"], host["control_plane"])
    if moves or interrupted or is_behind(host, node, minor, newest):
        etcd, aim = host["components"].get("etcd", ""), str((wanted.table.get(minor) or {}).get("etcd") or "")
        kubeadm = [("kubeadm", host["kubeadm"], version)] if host["kubeadm"] != version else []
        found.moves = kubeadm + moves + ([("etcd", etcd, aim)] if older(etcd, aim) else [])
        found.resumes = interrupted or not found.moves
    return found


def moved(host: Host, node: NodePlan, version: str) -> Host:
    """Return a host as it is after a step."""
    components = {**host["components"], **{what: to for what, _have, to in node.moves if what in host["components"]}}
    left = "" if minor_of(begun_version(host)) == minor_of(version) else host.get("interrupted")
    return {
        **host,
        "kubeadm": version if node.needed else host["kubeadm"],
        "components": components,
        "interrupted": left,
    }


def plan_steps(
    wanted: Wanted, hosts: list[Host], seen: Observed
) -> tuple[list[Step], list[Host], dict[str, list[str]]]:
    """Return the versions that the upgrade goes through, the hosts as they are after them, and the workers behind a minor of which none is known."""
    planes = [value for host in hosts for name, value in host["components"].items() if name != "etcd"] + [seen.cluster]
    kubelets = [refusals.running_version(host, seen.nodes.get(host["name"], {})) for host in hosts]
    known = [value for value in planes + kubelets if parse_version(value)]
    steps: list[Step] = []
    unknown: dict[str, list[str]] = {}
    lowest, cluster = min(known, key=parse_version, default=""), seen.cluster
    for minor, version in versions_between(lowest, wanted.version, wanted.table, wanted.through).items():
        newest = max([value for value in planes if parse_version(value)], key=parse_version, default="")
        behind = [host for host in hosts if is_behind(host, seen.nodes.get(host["name"], {}), minor, newest)]
        # Preflight asks for the version of the table: a later patch only where an interrupted run went through it.
        begun = [begun_version(host) for host in hosts]
        begun += [host["kubeadm"] for host in behind]
        if not version or any(older(minor_of(value), minor) for value in planes):
            begun += planes
        step = Step(max([version, *(value for value in begun if minor_of(value) == minor)], key=parse_version))
        if not parse_version(step.version):
            unknown[minor] = [host["name"] for host in behind if host["in_run"]]
            continue
        nodes = [plan_step(step, host, seen.nodes.get(host["name"], {}), wanted, newest) for host in hosts]
        if older(minor_of(cluster), minor) and not any(node.needed and node.control_plane for node in nodes):
            nodes[0].resumes = True  # the last phases of kubeadm upgrade apply are missing
        step.nodes = [node for node, host in zip(nodes, hosts) if node.needed and host["in_run"]]
        if any(node.needed and node.control_plane for node in nodes):  # otherwise workers may follow in a later run
            step.left_out = [node.name for node, host in zip(nodes, hosts) if node.needed and not host["in_run"]]
        if step.nodes or step.left_out:
            steps.append(step)
            hosts = [moved(host, node, step.version) for host, node in zip(hosts, nodes)]
            cluster = max(cluster, step.version, key=parse_version)
    return steps, hosts, unknown


def refuse(
    wanted: Wanted,
    hosts: list[Host],
    moving: list[Host],
    steps: list[Step],
    unknown: Mapping[str, list[str]],
    seen: Observed,
) -> list[str]:
    """Return every reason not to begin, in one list."""
    return [
        *refusals.check_versions(wanted.version, hosts, seen, wanted.table, wanted.through, unknown),
        *refusals.check_left_out({step.version: step.left_out for step in steps if step.left_out}),
        *refusals.check_order(wanted.version, hosts, moving, seen),
        *refusals.check_members(hosts, seen),
        *refusals.check_control_planes(hosts, seen),
        *refusals.check_apis(wanted.version, seen),
        *refusals.check_webhooks(seen),
        *refusals.check_drain(moving, seen, wanted.force),
        *refusals.check_disks(moving),
    ]


def plan(wanted: Wanted, hosts: Iterable[Host], seen: Observed) -> dict[str, Any]:
    """Return the plan: ``through``, ``nodes`` in their order, ``addons``, ``snapshot``, ``refused``, ``needed``, ``changes`` and ``text`` (lines)."""
    hosts = sorted(hosts, key=lambda host: not host["control_plane"])
    steps, then, unknown = plan_steps(wanted, hosts, seen)
    nodes = [plan_node(host, seen.nodes.get(host["name"], {}), wanted) for host in then if host["in_run"]]
    moving = [host for host in then if any(node.needed and node.name == host["name"] for node in nodes)]
    for node in nodes:
        node.pods = refusals.evictable(seen, node.name) if node.needed else []
    aims = {"kube-proxy": wanted.version, "CoreDNS": str(wanted.components.get("coredns", ""))}
    addons = [(name, have, aims[name]) for name, have in seen.addons.items() if older(have, aims[name])]
    needed = bool(moving) or bool(addons) or seen.cluster != wanted.version
    if needed and not moving and nodes:  # the last phases of kubeadm upgrade apply are missing
        nodes[0].resumes = True
    changing = [node for step in steps for node in step.nodes] + [node for node in nodes if node.needed]
    result = {
        "version": wanted.version,
        "cluster_version": seen.cluster,
        "through": [{"version": step.version, "nodes": [node.as_dict() for node in step.nodes]} for step in steps],
        "nodes": [node.as_dict() for node in nodes],
        "addons": [{"what": what, "from": have, "to": to} for what, have, to in addons],
        "snapshot": needed
        and not is_saved(wanted, hosts, steps, seen)
        and any(node.control_plane for node in changing),
        "refused": refuse(wanted, hosts, moving, steps, unknown, seen) if needed else [],
        "needed": needed,
    }
    return {
        **result,
        "changes": list_changes(steps, nodes, result),
        "text": describe(wanted, steps, nodes, result, seen),
    }


def is_saved(wanted: Wanted, hosts: Iterable[Host], steps: Iterable[Step], seen: Observed) -> bool:
    """Return whether an interrupted run has saved its snapshot of etcd: one of the state in between has less worth."""
    aims = (wanted.version, *(step.version for step in steps))
    named = any(name.endswith(f"-before-{wanted.version}.db") for name in seen.snapshots)
    for host in hosts:
        planes = [value for name, value in host["components"].items() if name != "etcd"]
        kubelet = refusals.running_version(host, seen.nodes.get(host["name"], {}))
        if wanted.version in host["components"].values() or str(host.get("interrupted") or "").endswith(
            tuple(f" {aim}" for aim in aims)
        ):
            return True
        if named and any(older(kubelet, value) for value in planes):
            return True
    return False


def list_changes(steps: Iterable[Step], nodes: list[NodePlan], result: Mapping[str, Any]) -> list[str]:
    """Return what the upgrade does, a sentence per step and in this order."""
    changes = ["snapshot of etcd saved"] if result["snapshot"] else []
    changes += [f"node {node.name}: {show_moves(node.moves) or RESUMED}" for step in steps for node in step.nodes]
    changes += [f"node {node.name}: {show_moves(node.moves) or RESUMED}" for node in nodes if node.needed]
    return changes + [f"add-on {one['what']}: {one['from']} -> {one['to']}" for one in result["addons"]]


def show_moves(moves: Iterable[tuple[str, str, str]]) -> str:
    """Return moves as text, those between the same versions together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for what, have, to in moves:
        groups.setdefault((have or "not installed", to), []).append(what)
    return "; ".join(f"{', '.join(names)} {have} -> {to}" for (have, to), names in groups.items())


def _describe_moves(number: int, node: NodePlan) -> str:
    role = "control plane" if node.control_plane else "worker"
    return f"  {number}. {node.name} ({role}): {show_moves(node.moves) or RESUMED}"


def _describe_node(number: int, node: NodePlan) -> list[str]:
    lines = [_describe_moves(number, node)]
    moving = (
        f"{len(node.pods)} pods move to other nodes ({', '.join(node.pods[:5])}{', ...' if len(node.pods) > 5 else ''})"
    )
    end = "it stays cordoned, as an administrator left it" if node.stays_cordoned else "pods may run on it again"
    lines.append(f"     {moving if node.pods else 'no pod moves'} before its kubelet is restarted; afterwards {end}")
    if node.resumes:
        lines.append("     an earlier run began with this node; this one continues")
    return lines


def _describe_steps(steps: Iterable[Step]) -> list[str]:
    lines, number = [], 1
    for step in (step for step in steps if step.nodes):
        lines.append(f"  Through {step.version}, with kubeadm only: kubelets keep their version, and no pod moves")
        for node in step.nodes:
            lines.append(_describe_moves(number, node))
            number += 1
    return lines


def describe(
    wanted: Wanted, steps: list[Step], nodes: list[NodePlan], result: Mapping[str, Any], seen: Observed
) -> list[str]:
    """Return the plan as lines, for somebody who decides whether the upgrade begins."""
    if not result["needed"]:
        return [
            f"Cluster '{wanted.cluster}' runs Kubernetes {wanted.version} on all nodes of this run. Nothing is to be done."
        ]
    through = f", through {', '.join(step.version for step in steps)}" if steps else ""
    lines = [f"Upgrade of cluster '{wanted.cluster}' from Kubernetes {seen.cluster} to {wanted.version}{through}"]
    if result["snapshot"]:
        lines.append(f"  Before: a snapshot of etcd in {wanted.snapshot_dir} on the first control plane")
    needed, earlier = [node for node in nodes if node.needed], _describe_steps(steps)
    lines += [*earlier, f"  To {wanted.version}"] if earlier else []
    for number, node in enumerate(needed, sum(len(step.nodes) for step in steps) + 1):
        lines += _describe_node(number, node)
    workers = sum(not node.control_plane for node in needed)
    lines.append(
        f"  Order: control planes one at a time, then {workers} worker{'' if workers == 1 else 's'}, {wanted.batch} at a time; the first failure stops the run"
    )
    addons = show_moves((one["what"], one["from"], one["to"]) for one in result["addons"])
    lines.append(f"  With the last control plane: {addons or 'nothing'}. At the end: pod network, verification")
    if needed and len(seen.nodes) == 1:
        lines.append("  Note: there is no second node, so pods that are evicted wait until this one is upgraded")
    ends = min(seen.certificates.values(), default=0.0)
    if 0 < ends < 30 * 86400:
        lines.append(
            f"  Note: a certificate ends in {ends / 86400:.0f} days; kubeadm renews those of the control planes in this upgrade"
        )
    if result["refused"]:
        lines += ["Refused, nothing was changed:", *(f"  - {reason}" for reason in result["refused"])]
    return lines


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the result of the module: it changes nothing, and reports in check mode whether the upgrade would.

    :raises HostError: the cluster was not set up by kubeadm.
    """
    wanted = Wanted(
        params["version"],
        params["components"],
        params["cluster"],
        params["batch"],
        params["force"],
        params["snapshot_dir"],
        params["table"],
        params["through"],
    )
    result = plan(wanted, params["hosts"], observe(params))
    return {**result, "changed": check_mode and result["needed"]}
