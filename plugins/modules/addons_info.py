#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show which add-ons a cluster has, and who installed them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: addons_info
short_description: Show which add-ons a cluster has and who installed them
version_added: 0.1.0
description:
  - Lists the releases in a namespace, and the installations of add-ons that belong to none of them, for example those of Helm or kubectl.
  - Also returns the default StorageClasses, the persistent volumes of provisioners, the nodes, the pod network, and the addresses of the cluster DNS.
  - The role C(addons) decides with it what it deploys, removes and refuses.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: posix
options:
  namespace:
    description: Namespace of the releases of add-ons.
    type: str
    default: kube-system
  addons:
    description: The add-ons to look for.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the add-on.
        type: str
        required: true
      release:
        description: Name of its release.
        type: str
        required: true
      signs:
        description: Objects by which an installation is recognized, each with C(api_version), C(kind), C(name) and, unless cluster-scoped, C(namespace).
        type: list
        elements: dict
        default: []
  groups:
    description: API groups whose objects are listed.
    type: list
    elements: str
    default: []
  daemon_sets:
    description: Names of DaemonSets in O(namespace) whose pods are listed, also after the DaemonSets were deleted.
    type: list
    elements: str
    default: []
seealso:
  - module: slipway.kube.release
"""

EXAMPLES = r"""
- name: Look for a metrics-server
  slipway.kube.addons_info:
    addons:
      - name: metrics_server
        release: addon-metrics-server
        signs:
          - {api_version: apps/v1, kind: Deployment, namespace: kube-system, name: metrics-server}
  register: found
"""

RETURN = r"""
releases:
  description: Names of the releases in O(namespace).
  returned: success
  type: list
  elements: str
  sample: [addon-metrics-server]
foreign:
  description: Objects of O(addons) that do not belong to the release of their add-on.
  returned: success
  type: list
  elements: dict
  contains:
    addon: {description: Name of the add-on., type: str}
    object: {description: The object., type: str, sample: Deployment kube-system/metrics-server}
    owner: {description: Who installed it., type: str, sample: Helm release metrics-server in namespace kube-system}
    managers: {description: The field managers of its content., type: list, elements: str}
default_classes:
  description: The default StorageClasses, and the release that each belongs to, empty if it belongs to none.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: local-path, release: addon-local-path-storage}
volumes:
  description: The persistent volumes that a provisioner has made, and the release to which the namespace of their claim belongs, if any and if they go with it.
  returned: success
  type: list
  elements: dict
  sample:
    - {provisioner: rancher.io/local-path, claim: shop/data-postgres-0, release: ""}
resources:
  description: Objects of O(groups) that belong to no release in O(namespace), by API group.
  returned: success
  type: dict
  sample: {gateway.networking.k8s.io: [HTTPRoute shop/web]}
nodes:
  description: The nodes, those without a taint that keeps pods away first.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: w1, address: 10.0.0.21, schedulable: true}
pods:
  description: The pods of O(daemon_sets), each with its node, and whether that node is ready.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: kube-network-policies-7xk2p, node: w1, ready: true}
network:
  description: The pod network (empty if it is none of the known ones), and whether it enforces NetworkPolicy by itself.
  returned: success
  type: dict
  sample: {name: Flannel, network_policy: false}
dns:
  description: The addresses of the cluster DNS, empty if there is none.
  returned: success
  type: list
  elements: str
  sample: [10.96.0.10]
"""

from typing import Any

from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._release.survey import survey

ADDON: dict[str, Any] = dict(
    name=dict(type="str", required=True),
    release=dict(type="str", required=True),
    signs=dict(type="list", elements="dict", default=[]),
)
OPTIONS: dict[str, Any] = dict(
    namespace=dict(type="str", default="kube-system"),
    addons=dict(type="list", elements="dict", default=[], options=ADDON),
    groups=dict(type="list", elements="str", default=[]),
    daemon_sets=dict(type="list", elements="str", default=[]),
)


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=dict(AUTH_OPTIONS, **OPTIONS), supports_check_mode=True)
    try:
        client = connect(module.params, module.get_bin_path, patience=20)
        options = (module.params[name] for name in ("namespace", "addons", "groups", "daemon_sets"))
        answer = survey(client, *options)
    except (ApiError, KubeconfigError, Unreachable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
