#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the objects of a manifest to a cluster in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Apply the objects of a manifest to a cluster in one call
version_added: 0.1.0
description:
  - Applies Kubernetes objects with server-side apply; namespaces and CustomResourceDefinitions are applied first.
  - Requests a dry run of every object from the API server before it changes any, so that all refusals are reported in one list and nothing is changed.
  - Reports a change only if the content of an object changes; its status and the metadata that the server maintains are ignored. Values of Secrets are never
    shown.
  - Runs on any host that has a kubeconfig, for example a control plane node, and needs no additional packages there.
  - In check mode, if the kubeconfig does not exist yet, predicts that all objects are created.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.auth
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
options:
  objects:
    description:
      - The objects, for example from P(ansible.builtin.from_yaml_all#filter). Lists are expanded, empty documents are ignored.
    type: list
    elements: raw
    required: true
  state:
    description: Whether the objects should exist with this content, or not exist.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of namespaced objects that do not specify one.
    type: str
    default: default
  force:
    description: Take over fields that another field manager owns. Otherwise such a conflict is reported and nothing is changed.
    type: bool
    default: false
  field_manager:
    description: Field manager that owns the applied fields.
    type: str
    default: slipway.kube
  refuse_when:
    description:
      - Conditions under which the module fails and changes nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: API version of the object.
        type: str
        required: true
      kind:
        description: Kind of the object.
        type: str
        required: true
      namespace:
        description: Namespace of the object, empty for a cluster-scoped object.
        type: str
        default: ''
      name:
        description: Name of the object.
        type: str
        required: true
      fields:
        description:
          - Dotted paths into the object, each with its accepted value or a list of accepted values. The module fails if one differs.
          - If empty, the module fails if the object exists.
        type: dict
        default: {}
      why:
        description: The consequence and the remedy, which are reported after the object and the evidence.
        type: str
        required: true
  wait:
    description:
      - Wait until the workloads among the objects are ready, or, with O(state=absent), until the objects are gone.
      - If the timeout expires or a pod can never start, the failure names the pod, the container and the reason.
      - An object with the annotation C(slipway.kube/wait=false), such as a long batch Job or a paused Deployment, is not waited for.
    type: bool
    default: false
  wait_timeout:
    description: Timeout in seconds.
    type: int
    default: 300
  kubeconfig:
    description:
      - Path of a kubeconfig on the host where the module runs (several paths separated by C(:) are merged as kubectl does), or a kubeconfig as a mapping.
      - Can also be given as E(K8S_AUTH_KUBECONFIG).
    type: raw
    default: /etc/kubernetes/admin.conf
seealso:
  - name: Server-Side Apply
    description: How fields are owned and merged.
    link: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

EXAMPLES = r"""
- name: Apply a manifest
  slipway.kube.manifest:
    objects: "{{ lookup('ansible.builtin.file', 'web.yml') | ansible.builtin.from_yaml_all | list }}"
    wait: true

- name: Create a namespace
  slipway.kube.manifest:
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: web

- name: Delete the namespace
  slipway.kube.manifest:
    state: absent
    wait: true
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: web
"""

RETURN = r"""
changes:
  description:
    - The same for a person. The first line counts the actions, and each further one is an object with what becomes of it and, if it changes, the fields that
      change. Values are shown for numbers, images and the like only.
  returned: success
  type: list
  elements: str
  sample:
    - create 1, change 1, delete 1, unchanged 4
    - 'ConfigMap shop/shop-env-8b2f: create'
    - 'Deployment shop/shop: change (spec.template.spec.containers[shop].image shop:1.4 -> shop:1.5, spec.replicas 2 -> 3)'
    - 'Ingress shop/old: delete'
objects:
  description: The objects and the action taken for each; in check mode the action that would be taken.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: API version.
      type: str
    kind:
      description: Kind.
      type: str
    namespace:
      description: Namespace, empty for an object of the whole cluster.
      type: str
    name:
      description: Name.
      type: str
    action:
      description: V(create), V(change), V(delete), V(none), or V(replace) for an object that was already being deleted.
      type: str
  sample:
    - {api_version: v1, kind: Namespace, namespace: '', name: web, action: create}
msg:
  description: Summary in one sentence.
  returned: always
  type: str
  sample: 38 objects, 2 changed.
waited_for:
  description: The workloads that are ready.
  returned: with O(wait=true)
  type: list
  elements: str
  sample: [DaemonSet kube-system/calico-node]
"""

import os
import time
from functools import partial
from typing import Any, Sequence

from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import ADMIN, AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.objects import BadObject, flatten
from ..module_utils._release import manifest
from ..module_utils._release.changes import sentences
from ..module_utils._release.errors import OperationFailed, ReleaseError
from ..module_utils._release.planned import PlannedObject
from ..module_utils._release.report import count_actions

RULE: dict[str, Any] = dict(
    api_version=dict(type="str", required=True),
    kind=dict(type="str", required=True),
    namespace=dict(type="str", default=""),
    name=dict(type="str", required=True),
    fields=dict(type="dict", default={}),
    why=dict(type="str", required=True),
)
OPTIONS: dict[str, Any] = dict(
    objects=dict(type="list", elements="raw", required=True),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    namespace=dict(type="str", default="default"),
    force=dict(type="bool", default=False),
    field_manager=dict(type="str", default="slipway.kube"),
    refuse_when=dict(type="list", elements="dict", default=[], options=RULE),
    wait=dict(type="bool", default=False),
    wait_timeout=dict(type="int", default=300),
    **dict(AUTH_OPTIONS, kubeconfig=dict(AUTH_OPTIONS["kubeconfig"], default=ADMIN)),
)


def summary(planned: Sequence[PlannedObject], check_mode: bool) -> str:
    """Summarize in one sentence what was done, or would be done."""
    done = count_actions([one.action for one in planned])
    would = "would be: " if check_mode and done else ""
    return f"{len(planned)} object{'' if len(planned) == 1 else 's'}, {would}{done or 'nothing to do'}."


def converge(module: KubeModule, contents: list[dict[str, Any]], client: Client) -> dict[str, Any]:
    """Reconcile the objects, and return what was done."""
    options = module.params
    deadline = time.monotonic() + options["wait_timeout"]
    present, namespace, manager = options["state"] == "present", options["namespace"], options["field_manager"]
    try:
        desired = manifest.read_desired(client, contents, namespace, skip_unknown=not present)
    except Unreachable as error:
        if module.check_mode:
            module.warn(f"The live state is unknown, so the prediction assumes an empty cluster: {error}")
            return predict(contents, present)
        raise
    refused = manifest.refusals(client, desired.kinds, options["refuse_when"])
    if refused:
        raise ReleaseError("\n".join(refused))
    if not present:
        planned, lives = manifest.plan_deletion(client, desired)
        if not module.check_mode:
            manifest.delete(client, desired, lives, deadline, options["wait"])
        return report(planned, summary(planned, module.check_mode))
    planned = manifest.plan_apply(client, desired, namespace, manager, options["force"])
    result = report(planned, summary(planned, module.check_mode))
    if not module.check_mode:
        manifest.apply(client, desired, planned, manager, deadline)
        if options["wait"]:
            result["waited_for"] = manifest.wait_for_workloads(client, desired, deadline)
    return result


def predict(contents: list[dict[str, Any]], present: bool) -> dict[str, Any]:
    """Predict the changes in a cluster that does not exist yet."""
    if not present:
        return dict(changed=False, objects=[], msg="The cluster does not exist yet: nothing to delete.")
    text = f"The cluster does not exist yet: all {len(contents)} objects would be created."
    return report(manifest.predict_creation(contents), text)


def report(planned: Sequence[PlannedObject], message: str) -> dict[str, Any]:
    """Build the module's result."""
    moved = [one for one in planned if one.action != "none"]
    return dict(
        changed=bool(moved),
        msg=message,
        changes=sentences(planned),
        objects=[one.as_dict() for one in planned],
        diff=[one.diff for one in moved],
    )


def main() -> None:
    """Run the module."""
    # Objects can contain Secrets, so the call is neither logged on the host nor repeated in its result.
    module = KubeModule(argument_spec=OPTIONS, supports_check_mode=True)
    quiet = dict(
        module_args={key: value for key, value in module.params.items() if key not in ("objects", "kubeconfig")}
    )
    if module.params["host"] and module.params["kubeconfig"] == ADMIN:
        module.params["kubeconfig"] = None  # an explicit server overrides the default kubeconfig
    kubeconfig = module.params["kubeconfig"]
    try:
        contents = flatten(module.params["objects"])
        if module.check_mode and isinstance(kubeconfig, str) and not os.path.exists(kubeconfig):
            result = predict(contents, module.params["state"] == "present")
        else:
            find = partial(module.get_bin_path, opt_dirs=["/usr/local/bin"])
            client = connect(module.params, find, patience=3 if module.check_mode else 60)
            result = converge(module, contents, client)
    except (ApiError, BadObject, KubeconfigError, OperationFailed, ReleaseError, Unreachable) as error:
        module.fail_json(msg=str(error), invocation=quiet)
    module.exit_json(invocation=quiet, **result)


if __name__ == "__main__":
    main()
