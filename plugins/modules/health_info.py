#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnose a cluster: faults, their causes and remedies."""

from __future__ import annotations

DOCUMENTATION = r"""
module: health_info
short_description: Diagnose a cluster, some namespaces or a release
version_added: 0.1.0
description:
  - Examines a whole cluster, some namespaces or one release, and returns every fault with its evidence, the chain of its consequences,
    advice and severity.
  - Root causes come first. A fault that is only a consequence is reported with its cause, and the same fault of several objects once.
  - Checks images, container crashes, memory, probes, configuration, volumes, scheduling, quotas, admission, webhooks, Services, Ingresses,
    NetworkPolicies, PersistentVolumeClaims, autoscalers, disruption budgets, Jobs, deletions that do not complete, DNS, nodes, certificates, CA bundles,
    etcd and version skew.
  - Lists are read in chunks. Of Secrets and ConfigMaps only the names are read, except for the DNS domain in the configuration of CoreDNS.
  - Values in logs that look like secrets are masked.
  - Changes nothing. If a Service targets a port that no container declares, the port is tested once through the API server.
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
    description: Examine only these namespaces. If neither this nor O(release) is set, the whole cluster with its nodes and control plane is examined.
    type: list
    elements: str
    default: []
  release:
    description:
      - Examine only the objects of this release of M(slipway.kube.release) or M(slipway.kube.app) in O(release_namespace).
      - Mutually exclusive with O(namespaces).
    type: str
  release_namespace:
    description: Namespace of O(release).
    type: str
    default: default
  severity:
    description:
      - The lowest severity to return. V(error) means that something does not work, V(warning) that it may stop working or does not always work,
        V(info) is for information.
    type: str
    choices: [error, warning, info]
    default: info
  logs:
    description: Return the last lines of the logs of containers that terminated or are not ready.
    type: bool
    default: true
  exclude:
    description: Checks to skip.
    type: list
    elements: str
    choices: [nodes, workloads, jobs, cron_jobs, services, ingresses, policies, claims, autoscalers, budgets, webhooks, api_services, deletions,
      control_plane, dns, backup, ports]
    default: []
  etcd_endpoints:
    description:
      - URLs of the members of an external etcd, each of which is asked. The module must run on a control plane then, with the client certificate of its API
        server. A stacked etcd is judged by its pods.
    type: list
    elements: str
    default: []
requirements:
  - PyYAML or kubectl, to read a kubeconfig
seealso:
  - module: slipway.kube.release
  - module: slipway.kube.cluster_verify
"""

EXAMPLES = r"""
- name: Examine the cluster
  slipway.kube.health_info:
  register: health

- name: Show the faults and what to do about them
  ansible.builtin.debug:
    msg: "{{ item.object.kind }} {{ item.object.name }}: {{ item.title }}. {{ item.advice }}"
  loop: "{{ health.findings }}"

- name: Fail if something in namespace shop does not work
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
  description: The faults, the most important first.
  returned: success
  type: list
  elements: dict
  contains:
    fault:
      description: Identifier of the fault, for example V(image_not_found) or V(service_selects_nothing).
      type: str
    severity:
      description: V(error), V(warning) or V(info).
      type: str
    object:
      description: The object at fault, as api_version, kind, namespace and name. For a fault of pods, the workload that owns them.
      type: dict
    title:
      description: What is wrong, in one sentence.
      type: str
    evidence:
      description: What the cluster reports, verbatim.
      type: list
      elements: str
    causes:
      description: The chain from the visible symptom to this fault, each entry a consequence of the next one.
      type: list
      elements: str
    advice:
      description: How to resolve the fault.
      type: str
    container:
      description: Name of the container, for a fault of a container.
      type: str
    hopeless:
      description: Whether the fault cannot resolve itself, so that waiting does not help.
      type: bool
    count:
      description: Number of objects with this fault.
      type: int
    others:
      description: Further objects that have this fault or are affected by it.
      type: list
      elements: str
    logs:
      description: The last lines of the container's log.
      type: list
      elements: str
    pods:
      description: The pods with this fault, as NAMESPACE/NAME.
      type: list
      elements: str
  sample:
    - fault: oom_killed
      severity: error
      object: {api_version: apps/v1, kind: Deployment, namespace: shop, name: web}
      title: 'container app: is OOMKilled because it exceeds its memory limit of 64Mi'
      evidence: ['pod shop/web-55f965b846-9d75t on w1, container app: terminated with exit code 137 (OOMKilled), 3 restarts']
      causes:
        - 'Service shop/web: it has no ready endpoints: none of its 2 pods is ready'
        - 'Deployment shop/web: container app: is OOMKilled because it exceeds its memory limit of 64Mi'
      advice: Raise resources.limits.memory above 64Mi, or reduce the memory usage of the program.
      container: app
      hopeless: true
      count: 1
      others: [Service shop/web]
      logs: []
      pods: [shop/web-55f965b846-9d75t]
summary:
  description: Numbers of findings by severity, and of objects by kind. C(pods_healthy) counts the healthy pods, which are Ready without restarts or completed.
  returned: success
  type: dict
  sample: {error: 1, warning: 0, info: 0, nodes: 3, pods: 40, pods_healthy: 38}
nodes:
  description: The nodes, control plane nodes first, if they may be read.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: cp1, ready: true, roles: [control-plane], version: 1.37.2, address: 10.0.0.11, schedulable: true, pods: 9}
unchecked:
  description: What could not be checked, and why.
  returned: success
  type: dict
  sample: {DNS lookup: '10.244.0.3 is unreachable from here (timed out); CoreDNS reports that it is ready'}
requests:
  description: Number of requests sent to the API server.
  returned: success
  type: int
seconds:
  description: Duration of the examination in seconds.
  returned: success
  type: float
server:
  description: URL of the API server.
  returned: success
  type: str
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "1 error, 2 infos; 38 of 40 pods are healthy."
"""

import time
from typing import Any

from ..module_utils._diagnosis.health import ALL_CHECKS, Health, NotFound, examine
from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kubeadm.etcd import read_statuses

OPTIONS: dict[str, Any] = dict(
    namespaces=dict(type="list", elements="str", default=[]),
    release=dict(type="str"),
    release_namespace=dict(type="str", default="default"),
    severity=dict(type="str", choices=["error", "warning", "info"], default="info"),
    logs=dict(type="bool", default=True),
    exclude=dict(type="list", elements="str", choices=list(ALL_CHECKS), default=[]),
    etcd_endpoints=dict(type="list", elements="str", default=[]),
)
PATIENCE = 5  # seconds for which a request that fails temporarily is retried


def answer(health: Health, client: Client, seconds: float) -> dict[str, Any]:
    """Return the result of the module."""
    return dict(
        changed=False,
        findings=[finding.as_dict() for finding in health.findings],
        summary=health.summary,
        nodes=health.nodes,
        unchecked=health.unseen,
        requests=client.requests,
        seconds=round(seconds, 2),
        server=client.credentials.server,
        msg=health.verdict,
    )


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=dict(AUTH_OPTIONS, **OPTIONS), supports_check_mode=True)
    options = module.params
    started = time.monotonic()
    if options["namespaces"] and options["release"]:
        module.fail_json(
            msg="namespaces and release are mutually exclusive: a release determines its namespaces. Set only one of them."
            " [slipway:module_options]"
        )
    try:
        client = connect(options, module.get_bin_path, patience=PATIENCE)
        release = (options["release_namespace"], options["release"]) if options["release"] else None
        health = examine(
            client,
            options["namespaces"],
            release,
            options["severity"],
            options["logs"],
            options["exclude"],
            read_statuses(options["etcd_endpoints"]),
        )
    except (ApiError, KubeconfigError, NotFound, Unreachable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer(health, client, time.monotonic() - started))


if __name__ == "__main__":
    main()
