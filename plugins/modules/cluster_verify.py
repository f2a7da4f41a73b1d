#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a cluster by its status, and its network with test pods on every node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verify
short_description: Verify a cluster with test pods on every node
version_added: 0.1.0
description:
  - Waits until all nodes, API servers and system pods are ready, and explains those that are not.
  - With O(mode=full), it also runs test pods on every node, in the namespace C(slipway-verify), and tests connections from pod to pod without
    address translation, from node to pod, to a ClusterIP, to short and full DNS names and to a NodePort on every node, and load balancing over
    all replicas.
  - Where Calico or kube-network-policies runs, it also tests that packets to the pods of up to 12 nodes pass or are denied as policies say
    (default deny, labels of pods and namespaces, C(ipBlock), DNS). That takes about 6 seconds in a cluster of any size (O(network_policy)).
  - The test objects are removed in any case. Leftovers of an interrupted run are removed at the start.
  - Makes no permanent changes, so it never reports a change. In check mode it checks the status once, creates no pods and never fails.
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
    description:
      - V(light) checks the status of nodes, API servers and system pods. V(full) also tests the network with test pods.
      - With V(network_policy), of the network only the enforcement of NetworkPolicy is tested, on every node and whatever the pod network claims.
    type: str
    choices: [light, full, network_policy]
    default: full
  image:
    description: Image of agnhost, a test program of Kubernetes. Required unless O(mode=light).
    type: str
  nodes:
    description: Names of the nodes that must be in the cluster. Other nodes are verified as well.
    type: list
    elements: str
    default: []
  namespaces:
    description: Namespaces of the system pods. Namespaces that do not exist are ignored.
    type: list
    elements: str
    default: [kube-system, kube-flannel, calico-system, calico-apiserver, tigera-operator]
  network_policy:
    description:
      - Whether packets that NetworkPolicies deny and let pass are tested with O(mode=full). V(auto) tests that where Calico or kube-network-policies runs.
      - Other pod networks, such as Cilium, have settings that restrict what they enforce, so they are tested with V(true) only.
    type: str
    choices: [auto, "true", "false"]
    default: auto
  dns_domain:
    description: DNS domain of the cluster.
    type: str
    default: cluster.local
  host_port:
    description: TCP port on the nodes for the test pods on the host network. It must be free on every node.
    type: int
    default: 28080
  timeout:
    description: Seconds to wait in total until nodes and pods are ready.
    type: int
    default: 300
  grace:
    description:
      - Seconds for which a pod must appear unable to become ready, for example because its container exits repeatedly, before waiting for it ends.
    type: int
    default: 30
  network_timeout:
    description: Seconds for which a network test that fails is repeated.
    type: int
    default: 20
  cleanup_timeout:
    description: Seconds to wait until the test pods have been removed.
    type: int
    default: 90
  kubeconfig:
    description: Path of a kubeconfig on the host where the module runs. That host must be a control plane.
    type: path
    default: /etc/kubernetes/admin.conf
requirements:
  - kubectl, to read the kubeconfig
"""

EXAMPLES = r"""
- name: Verify the cluster with test pods
  slipway.kube.cluster_verify:
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1

- name: Verify the status only
  slipway.kube.cluster_verify:
    mode: light
    nodes: [cp1, w1, w2]
"""

RETURN = r"""
results:
  description: The tests, in order.
  returned: always
  type: list
  elements: dict
  contains:
    test:
      description: Name of the test.
      type: str
    ok:
      description: Whether the test passed.
      type: bool
    evidence:
      description: What was observed. For a failed test, the problems and the remedy.
      type: str
    seconds:
      description: Duration in seconds, including waiting.
      type: float
  sample:
    - {test: pod to pod, ok: true, evidence: '6 pairs, without address translation', seconds: 0.2}
nodes:
  description: The nodes of the cluster, control planes first.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: cp1, ready: true, roles: [control-plane], version: 1.37.2, address: 10.0.0.11, schedulable: true}
network:
  description: The pod network, and whether it enforces NetworkPolicy (null if that is unknown).
  returned: always
  type: dict
  sample: {name: Calico, network_policy: true}
endpoint:
  description: URL of the API server in the kubeconfig.
  returned: when the cluster exists
  type: str
  sample: https://10.0.0.11:6443
msg:
  description: A summary of the result. On failure, with the tests that failed and why.
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
from ..module_utils._verify.verifier import NamespaceInUse, Times, Verifier

OPTIONS: dict[str, Any] = dict(
    mode=dict(type="str", choices=["light", "full", "network_policy"], default="full"),
    image=dict(type="str"),
    nodes=dict(type="list", elements="str", default=[]),
    namespaces=dict(
        type="list",
        elements="str",
        default=["kube-system", "kube-flannel", "calico-system", "calico-apiserver", "tigera-operator"],
    ),
    network_policy=dict(type="str", choices=["auto", "true", "false"], default="auto"),
    dns_domain=dict(type="str", default="cluster.local"),
    host_port=dict(type="int", default=28080),
    timeout=dict(type="int", default=300),
    grace=dict(type="int", default=30),
    network_timeout=dict(type="int", default=20),
    cleanup_timeout=dict(type="int", default=90),
    kubeconfig=dict(type="path", default="/etc/kubernetes/admin.conf"),
)


def verify(module: AnsibleModule, kubectl: str) -> None:
    """Verify the cluster and exit the module."""
    options = module.params
    started = time.monotonic()
    patience = 3 if module.check_mode else 60
    client = Client(load_credentials(kubectl, options["kubeconfig"]), patience=patience, threads=16)
    timeout = 0 if module.check_mode else options["timeout"]
    times = Times(timeout, options["grace"], options["network_timeout"], options["cleanup_timeout"])
    verifier = Verifier(client, options["nodes"], options["namespaces"], times)
    aborted = ""
    try:
        if options["mode"] == "light" or module.check_mode:
            verifier.light()
        else:
            only_policies = options["mode"] == "network_policy"
            place = (options["image"], options["dns_domain"], options["host_port"])
            verifier.full(*place, only_policies, options["network_policy"])
    except (ApiError, NamespaceInUse, Unreachable) as error:
        aborted = str(error)
    result: dict[str, Any] = dict(
        changed=False,
        results=[one.as_dict() for one in verifier.results],
        nodes=verifier.nodes,
        network=verifier.network,
        endpoint=client.credentials.server,
    )
    failed = [one for one in result["results"] if not one["ok"]]
    if module.check_mode:
        module.exit_json(
            msg="\n".join(
                ["Check mode: the status was checked once, and no test pods were created."] + results_text(failed)
            ),
            **result,
        )
    if failed or aborted:
        lines = [
            f"{len(failed)} of {len(result['results'])} tests failed." if failed else "The verification was aborted."
        ]
        lines[0] += " [slipway:verification_failed]"
        module.fail_json(msg="\n".join(lines + results_text(failed) + ([aborted] if aborted else [])), **result)
    names = ", ".join(one["test"] for one in result["results"])
    passed = f"{len(result['results'])} tests passed in {time.monotonic() - started:.0f} s: {names}."
    module.exit_json(msg=passed, **result)


def main() -> None:
    """Run the module."""
    needed = [("mode", mode, ["image"]) for mode in ("full", "network_policy")]
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, required_if=needed)
    kubectl = module.get_bin_path("kubectl", opt_dirs=["/usr/local/bin"])
    kubeconfig = module.params["kubeconfig"]
    missing = [what for what, there in (("kubectl", kubectl), (kubeconfig, os.path.exists(kubeconfig))) if not there]
    nothing: dict[str, Any] = dict(changed=False, results=[], nodes=[], network={"name": "", "network_policy": None})
    if missing and module.check_mode:
        module.exit_json(msg="The cluster does not exist yet, so there is nothing to verify.", **nothing)
    if missing:
        module.fail_json(
            msg=f"This host has no {' and no '.join(missing)}. Run this on a control plane, or set kubeconfig to another file."
            " [slipway:not_a_control_plane]",
            **nothing,
        )
    try:
        verify(module, kubectl)
    except KubeconfigError as error:
        module.fail_json(msg=str(error), **nothing)


if __name__ == "__main__":
    main()
