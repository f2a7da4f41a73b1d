#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a cluster: look at what runs, and let real pods on every node ask each other."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verify
short_description: Verify a cluster with real pods on every node
version_added: 0.1.0
description:
  - Waits until all nodes, API servers and system pods are ready, and says of those that are not which they are and why.
  - With O(mode=full) then puts pods on every node into a namespace of their own, C(slipway-verify), and lets them ask each other - pod to pod
    without address translation, node to pod, by ClusterIP, by DNS names short and full, by NodePort on every node, and spread over replicas.
  - What was put into the cluster is taken away again whatever happens; leftovers of an interrupted run are removed at the start.
  - Changes nothing that stays, so it never reports a change. In check mode it looks once, tries no pods and never fails.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
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
  mode:
    description: V(light) looks; V(full) also tries the network with real pods.
    type: str
    choices: [light, full]
    default: full
  image:
    description: Image of agnhost, the test program of Kubernetes. Required with O(mode=full).
    type: str
  nodes:
    description: Names of the nodes that must be there. Further nodes are verified too.
    type: list
    elements: str
    default: []
  namespaces:
    description: Namespaces of the system's own pods; those that are not there do not count.
    type: list
    elements: str
    default: [kube-system, kube-flannel, calico-system, calico-apiserver, tigera-operator]
  dns_domain:
    description: DNS domain of the cluster.
    type: str
    default: cluster.local
  host_port:
    description: TCP port that is free on every node for the time of the test.
    type: int
    default: 28080
  timeout:
    description: Seconds for which the module waits in all until nodes and pods are ready.
    type: int
    default: 300
  kubeconfig:
    description: Path of the kubeconfig on the host where the module runs, a control plane.
    type: path
    default: /etc/kubernetes/admin.conf
requirements:
  - kubectl, which reads the kubeconfig
"""

EXAMPLES = r"""
- name: Verify the cluster with real pods
  slipway.kube.cluster_verify:
    image: registry.k8s.io/e2e-test-images/agnhost:2.63.0

- name: Look only
  slipway.kube.cluster_verify:
    mode: light
    nodes: [cp1, w1, w2]
"""

RETURN = r"""
results:
  description: What was verified, in order.
  returned: always
  type: list
  elements: dict
  contains:
    test:
      description: What was verified.
      type: str
    ok:
      description: Whether it is as it should be.
      type: bool
    evidence:
      description: What was seen.
      type: str
    seconds:
      description: How long it took, waiting included.
      type: float
  sample:
    - {test: pod to pod, ok: true, evidence: '6 pairs, each seen with its own address', seconds: 0.2}
nodes:
  description: The nodes, control planes first.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: cp1, ready: true, roles: [control-plane], version: 1.36.3, address: 10.0.0.11, schedulable: true}
network:
  description: The pod network that was found, and whether it enforces NetworkPolicy (null where that is not known).
  returned: always
  type: dict
  sample: {name: Calico, network_policy: true}
endpoint:
  description: Address of the API server that the kubeconfig names.
  returned: where there is a cluster
  type: str
  sample: https://10.0.0.11:6443
msg:
  description: The outcome in one sentence; on failure with what failed and why.
  returned: always
  type: str
  sample: "3 tests passed in 2 s: nodes, API servers, system pods."
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kube.api import ApiError, Client, Unreachable, load_credentials
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._verify.summary import results_text
from ..module_utils._verify.verifier import Foreign, Verifier

OPTIONS: dict[str, Any] = dict(
    mode=dict(type="str", choices=["light", "full"], default="full"),
    image=dict(type="str"),
    nodes=dict(type="list", elements="str", default=[]),
    namespaces=dict(
        type="list",
        elements="str",
        default=["kube-system", "kube-flannel", "calico-system", "calico-apiserver", "tigera-operator"],
    ),
    dns_domain=dict(type="str", default="cluster.local"),
    host_port=dict(type="int", default=28080),
    timeout=dict(type="int", default=300),
    kubeconfig=dict(type="path", default="/etc/kubernetes/admin.conf"),
)


def verify(module: AnsibleModule, kubectl: str) -> None:
    """Verify, and end the module."""
    options = module.params
    started = time.monotonic()
    patience = 3 if module.check_mode else 60
    client = Client(load_credentials(kubectl, options["kubeconfig"]), patience=patience, threads=16)
    verifier = Verifier(client, options["nodes"], options["namespaces"], options["timeout"])
    refusal = ""
    try:
        if options["mode"] == "light" or module.check_mode:
            verifier.light(wait=not module.check_mode)
        else:
            verifier.full(options["image"], options["dns_domain"], options["host_port"])
    except (ApiError, Foreign, Unreachable) as error:
        refusal = str(error)
    result: dict[str, Any] = dict(
        changed=False,
        results=[one.as_dict() for one in verifier.results],
        nodes=verifier.nodes,
        network=verifier.network,
        endpoint=client.credentials.server,
    )
    failed = [one for one in result["results"] if not one["ok"]]
    if module.check_mode:
        module.exit_json(msg="\n".join(["A dry run looks once and tries no pods."] + results_text(failed)), **result)
    if failed or refusal:
        count = (
            f"{len(failed)} of {len(result['results'])} tests failed."
            if failed
            else "The cluster could not be verified."
        )
        module.fail_json(msg="\n".join([count] + results_text(failed) + ([refusal] if refusal else [])), **result)
    names = ", ".join(one["test"] for one in result["results"])
    module.exit_json(
        msg="%d tests passed in %d s: %s." % (len(result["results"]), time.monotonic() - started, names), **result
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, required_if=[("mode", "full", ["image"])])
    kubectl = module.get_bin_path("kubectl", opt_dirs=["/usr/local/bin"])
    kubeconfig = module.params["kubeconfig"]
    missing = [what for what, there in (("kubectl", kubectl), (kubeconfig, os.path.exists(kubeconfig))) if not there]
    nothing: dict[str, Any] = dict(changed=False, results=[], nodes=[], network={"name": "", "network_policy": None})
    if missing and module.check_mode:
        module.exit_json(msg="The cluster is not there yet: nothing to verify.", **nothing)
    if missing:
        module.fail_json(
            msg="This host has no {}. Run this on a control plane, or name another kubeconfig.".format(
                " and no ".join(missing)
            ),
            **nothing,
        )
    try:
        verify(module, kubectl)
    except KubeconfigError as error:
        module.fail_json(msg=str(error), **nothing)


if __name__ == "__main__":
    main()
