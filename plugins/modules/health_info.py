#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what is wrong in a cluster, why, and what to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_info
short_description: Say what is wrong in a cluster, why, and what to do
version_added: 0.1.0
description:
  - Looks at a whole cluster, at some namespaces, or at one release, and names every fault with its evidence, the chain of what follows from it,
    advice and severity.
  - Root causes come first. What only follows from another fault is told with it, and the same fault of several objects once.
  - Images, crashes, memory, probes, configuration, volumes, scheduling, quotas, admission, webhooks, Services, Ingresses, policies, claims, autoscalers,
    disruption budgets, Jobs, deletions that do not end, DNS, nodes, certificates, etcd and versions are looked at.
  - Reads lists page by page. Of Secrets and ConfigMaps only the names are read, but for the domain in CoreDNS' own.
  - Values that look like secrets are masked in the logs that are shown.
  - Changes nothing. A port of a pod that a Service leads to and no container declares is asked once through the API server.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.auth
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: posix
options:
  namespaces:
    description: Look at these namespaces only. Without any, and without O(release), the whole cluster is looked at, with nodes and control plane.
    type: list
    elements: str
    default: []
  release:
    description:
      - Look at the objects of this release of M(slipway.kube.release) or M(slipway.kube.app) only; O(release_namespace) says where it is.
      - Not together with O(namespaces).
    type: str
  release_namespace:
    description: Namespace of O(release).
    type: str
    default: default
  severity:
    description: Leave out what is less severe. V(error) does not work, V(warning) will not or not always, V(info) is good to know.
    type: str
    choices: [error, warning, info]
    default: info
  logs:
    description: Read the last lines of containers that ended or are not ready.
    type: bool
    default: true
  exclude:
    description: What is not looked at.
    type: list
    elements: str
    choices: [nodes, workloads, jobs, cron_jobs, services, ingresses, policies, claims, autoscalers, budgets, webhooks, api_services, deletions,
      control_plane, dns, ports]
    default: []
requirements:
  - PyYAML or kubectl, where a kubeconfig is read
seealso:
  - module: slipway.kube.release
  - module: slipway.kube.cluster_verify
"""

EXAMPLES = r"""
- name: Examine the cluster
  slipway.kube.health_info:
  register: health

- name: Tell it
  ansible.builtin.debug:
    msg: "{{ health | slipway.kube.health_text }}"

- name: Fail where something in the shop does not work
  slipway.kube.health_info:
    namespaces: [shop]
    severity: error
  register: shop
  failed_when: shop.findings | length > 0

- name: Examine one release
  slipway.kube.health_info:
    release: shop
    release_namespace: shop
"""

RETURN = r"""
findings:
  description: What is wrong, the first to be read first.
  returned: success
  type: list
  elements: dict
  contains:
    fault:
      description: What it is, for programs, for example V(image_not_found) or V(service_selects_nothing).
      type: str
    severity:
      description: V(error), V(warning) or V(info).
      type: str
    object:
      description: The object whose fault it is, as api_version, kind, namespace and name. Of pods, the workload that makes them.
      type: dict
    title:
      description: What is wrong, in one sentence.
      type: str
    evidence:
      description: What the cluster says.
      type: list
      elements: str
    causes:
      description: The chain from what people notice to this fault, each the consequence of the next.
      type: list
      elements: str
    advice:
      description: What to do.
      type: str
    container:
      description: The container, where it is one.
      type: str
    hopeless:
      description: Whether waiting will not help.
      type: bool
    count:
      description: How many objects have this fault.
      type: int
    others:
      description: Further objects that have this fault or suffer from it.
      type: list
      elements: str
    logs:
      description: The last lines of the container.
      type: list
      elements: str
    pods:
      description: The pods that have it, as NAMESPACE/NAME.
      type: list
      elements: str
  sample:
    - fault: oom_killed
      severity: error
      object: {api_version: apps/v1, kind: Deployment, namespace: shop, name: web}
      title: 'container app: it is killed because it needs more memory than its limit of 64Mi'
      evidence: ['pod shop/web-55f965b846-9d75t on w1, container app: ended with exit code 137 (OOMKilled), 3 restarts']
      causes:
        - 'Service shop/web: it has no ready endpoints: none of its 2 pods is ready'
        - 'Deployment shop/web: container app: it is killed because it needs more memory than its limit of 64Mi'
      advice: Raise resources.limits.memory above 64Mi, or let the program use less.
      container: app
      hopeless: true
      count: 1
      others: [Service shop/web]
      logs: []
      pods: [shop/web-55f965b846-9d75t]
summary:
  description: Numbers of findings by severity, and of what was looked at.
  returned: success
  type: dict
  sample: {error: 1, warning: 0, info: 0, nodes: 3, pods: 40, pods_well: 38}
nodes:
  description: The nodes, control planes first, where the whole cluster was looked at or nodes may be read.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: cp1, ready: true, roles: [control-plane], version: 1.36.3, address: 10.0.0.11, schedulable: true, pods: 9}
not_looked_at:
  description: What could not be looked at, and why.
  returned: success
  type: dict
  sample: {lookup of a name: 10.244.0.3 is not reached from here on UDP 53 (timed out); CoreDNS says of itself that it is ready}
requests:
  description: How many requests were sent to the API server.
  returned: success
  type: int
seconds:
  description: How long it took.
  returned: success
  type: float
server:
  description: Address of the API server that was asked.
  returned: success
  type: str
msg:
  description: The outcome in one sentence.
  returned: always
  type: str
  sample: "1 error, 0 warnings, 2 infos; 38 of 40 pods are well."
"""

import time
from typing import Any

from ..module_utils._diagnosis.health import ALL_CHECKS, Health, NoSuch, examine
from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError

OPTIONS: dict[str, Any] = dict(
    namespaces=dict(type="list", elements="str", default=[]),
    release=dict(type="str"),
    release_namespace=dict(type="str", default="default"),
    severity=dict(type="str", choices=["error", "warning", "info"], default="info"),
    logs=dict(type="bool", default=True),
    exclude=dict(type="list", elements="str", choices=list(ALL_CHECKS), default=[]),
)
PATIENCE = 5  # seconds for which a request that fails in passing is repeated


def answer(health: Health, client: Client, seconds: float) -> dict[str, Any]:
    """Build the module's answer."""
    counts = health.summary
    said = ", ".join(
        "%d %s%s" % (counts[one], one, "" if counts[one] == 1 else "s") for one in ("error", "warning", "info")
    )
    return dict(
        changed=False,
        findings=[finding.as_dict() for finding in health.findings],
        summary=counts,
        nodes=health.nodes,
        not_looked_at=health.unseen,
        requests=client.requests,
        seconds=round(seconds, 2),
        server=client.credentials.server,
        msg="%s; %d of %d pods are well." % (said, counts["pods_well"], counts["pods"]),
    )


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=dict(AUTH_OPTIONS, **OPTIONS), supports_check_mode=True)
    options = module.params
    started = time.monotonic()
    if options["namespaces"] and options["release"]:
        module.fail_json(
            msg="namespaces and release cannot go together: a release knows its own namespaces. Leave one out."
        )
    try:
        client = connect(options, module.get_bin_path, patience=PATIENCE)
        release = (options["release_namespace"], options["release"]) if options["release"] else None
        health = examine(
            client, options["namespaces"], release, options["severity"], options["logs"], options["exclude"]
        )
    except (ApiError, KubeconfigError, NoSuch, Unreachable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer(health, client, time.monotonic() - started))


if __name__ == "__main__":
    main()
