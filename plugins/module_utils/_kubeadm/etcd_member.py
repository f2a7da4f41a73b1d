# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member of an external etcd, which a kubelet without a cluster runs as a static pod: the core of the module etcd_member.

https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/setup-ha-etcd-with-kubeadm/. The first members begin together. Later ones are
added as learners, which do not vote before they have all data (https://etcd.io/docs/v3.6/learning/design-learner/).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping

from .._host.facts.cluster import etcd_answers, parse_image_version
from .._host.record import Record
from .._host.system import HostError, System
from .._kube.progress import tell
from . import etcd, etcd_certificates, etcd_endpoints, etcd_restore, etcd_user
from .config import check_patches, join_endpoint, merge, render
from .leaving import refuse_quorum
from .run import config_folder, kubelet_lines, run_kubeadm, static_pod_lines, sync_kubeadm_files

MANIFEST = etcd.MEMBER
OPERATION = "etcd"
PEER_PORT = 2380
START, ADD, REPLACE = "start", "add", "replace"
ADD_SECONDS = 30
SETTLED = 15


def peer_url(address: str) -> str:
    """Return the URL at which the other members reach one."""
    return "https://" + join_endpoint(address, PEER_PORT)


def client_url(params: Mapping[str, Any]) -> str:
    """Return the URL at which clients reach the member of this host."""
    return "https://" + join_endpoint(params["node_addresses"][0], etcd.CLIENT_PORT)


def decide(members: Iterable[Mapping[str, Any]], name: str, url: str, has_data: bool) -> tuple[str, Mapping[str, Any]]:
    """Return how a host becomes a member of an etcd that runs, and its entry in the list of members, {} for none.

    :param members: as etcd lists them.
    :param url: its peer URL.
    :param has_data: whether the data of a member are on the host.
    """
    for member in members:
        if url in member.get("peerURLs", []) and member.get("name") in ("", None, name):
            # One that never started has no data to lose. One that did must not come back without them: it would have forgotten its votes.
            return (START if has_data or not member.get("clientURLs") else REPLACE), member
    for member in members:
        if member.get("name") == name or url in member.get("peerURLs", []):
            return REPLACE, member
    return ADD, {}


def initial_cluster(members: Iterable[Mapping[str, Any]], name: str, url: str) -> str:
    """Return the flag ``--initial-cluster`` of a member that joins. A member that never started has no name."""
    pairs = {}
    for member in members:
        for peer in member.get("peerURLs", []):
            pairs[peer] = name if peer == url else member.get("name") or str(member.get("ID"))
    return ",".join(f"{one}={peer}" for peer, one in pairs.items())


def flags_of(manifest: str) -> tuple[str, str]:
    """Return ``--initial-cluster`` and ``--initial-cluster-state`` in a manifest of etcd."""
    found = {}
    for line in manifest.splitlines():
        flag, _equal, value = line.strip().lstrip("- ").strip("\"'").partition("=")
        found[flag] = value
    return found.get("initial-cluster", ""), found.get("initial-cluster-state", "new")


def with_flags(config: Iterable[Mapping[str, Any]], cluster: str, state: str) -> list[dict[str, Any]]:
    """Return the documents of kubeadm with the flags by which a member finds the others."""
    own = [{"name": "initial-cluster", "value": cluster}, {"name": "initial-cluster-state", "value": state}]
    documents = []
    for one in config:
        given = ((one.get("etcd") or {}).get("local") or {}).get("extraArgs") or []
        documents.append(
            merge(one, {"etcd": {"local": {"extraArgs": [*given, *own]}}})
            if one["kind"] == "ClusterConfiguration"
            else dict(one)
        )
    return documents


def find_members(endpoints: Iterable[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the first member that responds, and the members as it lists them.

    :raises EtcdError: none does.
    """
    endpoint, members, problems = etcd.first_to_list(endpoints)
    if endpoint:
        return endpoint, members
    raise etcd.EtcdError(
        f"No member of etcd responds, so this host cannot become one. {' '.join(problems)} Repair a majority of the members first."
        " [slipway:etcd_quorum_lost]"
    )


def _add(endpoint: str, url: str) -> None:
    """Add a learner. etcd refuses it for some seconds after another one was added, and as long as too many members do not respond.

    :raises HostError: it is refused all the time.
    """
    end = time.monotonic() + ADD_SECONDS
    while True:
        try:
            etcd.call(endpoint, "/v3/cluster/member/add", {"peerURLs": [url], "isLearner": True})
            return
        except etcd.EtcdError as error:
            if "unhealthy cluster" not in str(error):
                raise
            if time.monotonic() > end:
                raise HostError(
                    f"etcd accepts no new member, since one that it has does not respond. Evidence: {error} Repair that member, or remove it with"
                    " slipway.kube.node_remove if its host is lost, then run again. [slipway:etcd_member]"
                ) from error
        time.sleep(1)


def _enter(params: Mapping[str, Any], url: str, manifest: Path) -> tuple[str, str, str]:
    """Let the members that run accept this host.

    :returns: ``--initial-cluster`` and its state, and the ID of a member that is a learner.
    :raises HostError: no member responds, or etcd would lose its quorum.
    """
    name, data = params["node_name"], params["etcd_data_dir"]
    endpoint, members = find_members(params["endpoints"])
    action, own = decide(members, name, url, Path(data, etcd_restore.LOG).is_dir())
    if action == REPLACE:
        health = {
            one.get("name") or url: one is not own and not etcd.member_errors((one.get("clientURLs") or [url])[0])
            for one in members
        }
        left = {key: fine for key, fine in health.items() if key != (own.get("name") or url)}
        refused = refuse_quorum(health, left)
        if refused:
            raise HostError(refused[0])
        tell(f"removes the etcd member {name}, which has lost its data")
        etcd.call(endpoint, "/v3/cluster/member/remove", {"ID": own["ID"]})
    if action in (ADD, REPLACE):
        etcd_restore.stop_member(manifest, data)
        tell(f"adds the etcd member {name} as a learner")
        _add(endpoint, url)
        members = etcd.list_members(endpoint)
    own = next((one for one in members if url in one.get("peerURLs", [])), {})
    return initial_cluster(members, name, url), "existing", str(own["ID"]) if own.get("isLearner") else ""


def _promote(params: Mapping[str, Any], member: str) -> str:
    """Let a learner vote, and return why it does not yet, "" if it does."""
    try:
        endpoint, members = find_members(params["endpoints"])
        own = next((one for one in members if str(one["ID"]) == member), {})
        if own.get("isLearner"):
            etcd.call(endpoint, "/v3/cluster/member/promote", {"ID": member})
        return ""
    except etcd.EtcdError as error:  # it has not started, or is not in sync with the leader yet
        return str(error)


def _wait(params: Mapping[str, Any], learner: str, started: float) -> None:
    """Wait until the member of this host votes and etcd is healthy.

    :raises HostError: it is not in time.
    """
    end = time.monotonic() + params["timeout"]
    reason = "it does not answer its health check"
    while True:
        waiting = _promote(params, learner) if learner else ""
        if not waiting and etcd_answers(Path(MANIFEST).read_text()):
            return
        reason = waiting or "it does not answer its health check"
        tell(f"waits for the etcd member {params['node_name']}", reason)
        if time.monotonic() > end:
            lines = " | ".join(filter(None, [static_pod_lines(started), kubelet_lines(started, 3)]))
            raise HostError(
                f"The etcd member of this host is not healthy after {params['timeout']} seconds. Evidence: {reason}; {lines or 'no log'}."
                " Remedy: see 'journalctl -u kubelet' and /var/log/pods/kube-system_etcd-* on it, and whether the hosts of kube_etcd reach each"
                " other at the ports 2379 and 2380, then run again. [slipway:etcd_not_started]"
            )
        time.sleep(1)


def start(params: Mapping[str, Any], check_mode: bool, lock: Any) -> list[str]:
    """Make this host a member of etcd, and return the changes.

    :raises HostError: the other members do not accept it, or it does not become healthy.
    """
    check_patches(params["patches"])
    record, manifest, name = Record.load(params["record_dir"]), Path(MANIFEST), params["node_name"]
    etcd_restore.refuse_interrupted(params, record)
    present = manifest.read_text() if manifest.exists() else ""
    has_data = Path(params["etcd_data_dir"], etcd_restore.LOG).is_dir()
    replaced = bool(params["backup"]) and not etcd_restore.is_done(params, record)
    restoring = bool(params["snapshot"]) and replaced
    if present and record.marked and not record.operation and has_data and not replaced:
        return upgrade(params, check_mode, lock)
    others = (
        f"joins {len(params['endpoints'])} others" if params["endpoints"] else f"is one of {len(params['members'])}"
    )
    changes = [f"etcd member '{name}' {'has the state of the backup' if restoring else others}."]
    if check_mode:
        return changes
    started, url = time.time(), peer_url(params["node_addresses"][0])
    record.mark(params["cluster"])
    record.begin(etcd_restore.OPERATION if restoring else OPERATION)
    if restoring:
        etcd_restore.stop_member(manifest, params["etcd_data_dir"])
    etcd_user.own_data(params["etcd_data_dir"], record, System())
    authority = params["authority"]
    names = etcd_certificates.due(etcd_certificates.MEMBER, authority["certificate"], 0, started)
    if names:
        etcd_certificates.issue(names, authority, params["config"], params, lock)
    etcd_certificates.keep_authority(authority, with_key=True)
    learner = ""
    if restoring:
        etcd_restore.place_data(params)
        cluster, state = f"{name}={url}", "existing"  # so that it never begins anew without its data
    elif params["endpoints"]:
        cluster, state, learner = _enter(params, url, manifest)
    else:
        cluster, state = ",".join(f"{one}={peer_url(where)}" for one, where in params["members"].items()), "new"
        if has_data and flags_of(present) != (cluster, state):
            # of an interrupted run with other members: nothing was written to it
            etcd_restore.stop_member(manifest, params["etcd_data_dir"])
    write_manifest(params, with_flags(params["config"], cluster, state), lock)
    _wait(params, learner, started)
    sync_kubeadm_files()
    record.restored = params["backup"] or record.restored
    record.finish()
    return changes


def write_manifest(params: Mapping[str, Any], config: list[dict[str, Any]], lock: Any) -> None:
    """Let kubeadm write the static pod of etcd."""
    with config_folder(config, params["patches"]) as folder:
        arguments = ["init", "phase", "etcd", "local", "--config", f"{folder}/config.yaml"]
        run_kubeadm(arguments, params["timeout"], lock, params["log"])


def upgrade(params: Mapping[str, Any], check_mode: bool, lock: Any) -> list[str]:
    """Give a member the image of the kubeadm that is installed, if that is asked for, and return the changes.

    :raises HostError: another member is not healthy, or this one is not afterwards.
    """
    present = Path(MANIFEST).read_text()
    running = read_version(present)
    if not params["version"] or running == params["version"]:
        return []
    changes = [f"etcd member '{params['node_name']}': {running} -> {params['version']}"]
    if check_mode:
        return changes
    started = time.time()
    _wait_until_healthy(params["timeout"], lambda: _problems_of_all(params))
    cluster, state = flags_of(present)
    write_manifest(params, with_flags(params["config"], cluster, state), lock)
    _wait_for_version(params)
    _wait(params, "", started)
    return changes


def _problems_of_all(params: Mapping[str, Any]) -> list[str]:
    try:
        return etcd.find_problems(find_members([client_url(params), *params["endpoints"]])[0])
    except etcd.EtcdError as error:
        return [str(error)]


def _problems_of(endpoints: Iterable[str]) -> list[str]:
    statuses = etcd.read_statuses(endpoints)
    return [f"{one['name'] or one['url']}: {problem}" for one in statuses for problem in one["problems"]]


def _wait_until_healthy(timeout: int, find_problems: Callable[[], list[str]]) -> None:
    """Wait until members have been healthy for a while: a kubelet of another version starts its static pods anew some seconds after its start.

    :raises HostError: one is not in time.
    """
    end, since = time.monotonic() + timeout, 0.0
    while True:
        problems = find_problems()
        now = time.monotonic()
        since = 0.0 if problems else since or now
        if since and now - since >= SETTLED:
            return
        tell("waits until the members of etcd are healthy", *problems)
        if now > end and problems:
            raise HostError(
                f"etcd is not healthy, so no member is restarted. Evidence: {'; '.join(problems)}. Repair it, then run again. [slipway:etcd_member]"
            )
        time.sleep(1)


def read_version(manifest: str) -> str:
    """Return the version of etcd in a manifest, without the revision of its image."""
    return parse_image_version(manifest).split("-")[0]


def _wait_for_version(params: Mapping[str, Any]) -> None:
    """Wait until the member of this host runs its new version."""
    end = time.monotonic() + params["timeout"]
    while time.monotonic() < end:
        try:
            found = etcd.call(client_url(params), "/v3/maintenance/status", {}).get("version")
            if found == params["version"]:
                return
        except etcd.EtcdError:
            pass
        tell(f"waits for etcd {params['version']}")
        time.sleep(1)
    raise HostError(
        f"The etcd member of this host does not run version {params['version']} after {params['timeout']} seconds."
        " Remedy: see 'journalctl -u kubelet' on it, then run again. [slipway:etcd_not_started]"
    )


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Do what the state of the module says, and return its result.

    :raises HostError: it fails; the next run goes on from there.
    """
    if not check_mode:
        etcd_certificates.remove_leftovers()  # with the lock of the host, so of no run that works
    if params["state"] == "authority":
        made = etcd_certificates.make_authority(params, check_mode, lock)
        changes, result = made["changes"], {"authority": made["authority"]}
    elif params["state"] == "client":
        changes, result = etcd_certificates.give_client_certificate(params, check_mode, lock), {}
    elif params["state"] == "healthy":
        if not check_mode:
            _wait_until_healthy(params["timeout"], lambda: _problems_of(params["endpoints"]))
        changes, result = [], {}
    elif params["state"] == "stopped":
        changes, result = etcd_restore.stop(params, Path(MANIFEST), check_mode), {}
    elif params["state"] == "used":
        changes, result = etcd_endpoints.use(params, check_mode), {}
    else:
        changes, result = start(params, check_mode, lock), {}
        if changes:
            result["diff"] = {
                "before": "",
                "after": render(params["config"]),
                "after_header": "configuration of kubeadm",
            }
    return {"changed": bool(changes), "changes": changes, **result}
