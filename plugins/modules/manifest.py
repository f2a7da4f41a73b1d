#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the objects of a manifest to a cluster, all in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Apply the objects of a manifest to a cluster, all in one call
version_added: 0.1.0
description:
  - Applies Kubernetes objects with the server's own apply (server-side apply), namespaces and definitions of kinds first.
  - Asks the API server for a dry run of every object before it changes one, so that what the server would refuse is told in one list with nothing changed.
  - Whether something changed comes from the content of the objects; status and the server's bookkeeping do not count. Values of Secrets are never shown.
  - Runs where a kubeconfig is, for example on a control plane, and needs nothing else there.
  - In check mode, where the kubeconfig is not there yet, says that all objects would be created.
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
      - The objects, for example from P(ansible.builtin.from_yaml_all#filter). Lists are opened, empty documents are left out.
    type: list
    elements: raw
    required: true
  state:
    description: Whether the objects are to be there with this content, or not to be there.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the objects that name none and live in one.
    type: str
    default: default
  force:
    description: Take over fields that another field manager owns. Otherwise such a conflict is explained and nothing is changed.
    type: bool
    default: false
  field_manager:
    description: Name under which the API server remembers who set which field.
    type: str
    default: slipway.kube
  refuse_when:
    description:
      - What must not be in the cluster. Where one of these holds, the module says so and changes nothing.
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
        description: Namespace of the object, empty for one of the whole cluster.
        type: str
        default: ''
      name:
        description: Name of the object.
        type: str
        required: true
      fields:
        description:
          - Dotted paths into the object, each with its accepted value or a list of these. The object is refused where one differs.
          - Without any, the object is refused where it is there.
        type: dict
        default: {}
      why:
        description: What follows from it and what to do, told after the object and the evidence.
        type: str
        required: true
  wait:
    description:
      - Wait until the workloads among the objects are ready, or, with O(state=absent), until the objects are gone.
      - Where that takes too long, or a pod cannot start whatever one waits, the failure names the pod, the container and the reason.
    type: bool
    default: false
  wait_timeout:
    description: Seconds that this may take.
    type: int
    default: 300
  kubeconfig:
    description:
      - Path of a kubeconfig on the host where the module runs (several with C(:) between them are merged as kubectl does), or a kubeconfig as a mapping.
      - Can also be given as E(K8S_AUTH_KUBECONFIG).
    type: raw
    default: /etc/kubernetes/admin.conf
seealso:
  - name: Server-Side Apply
    description: The rules by which fields are owned and merged.
    link: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

EXAMPLES = r"""
- name: Apply a manifest
  slipway.kube.manifest:
    objects: "{{ lookup('ansible.builtin.file', 'web.yml') | ansible.builtin.from_yaml_all | list }}"
    wait: true

- name: Have a namespace
  slipway.kube.manifest:
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: web

- name: Take it away again
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
objects:
  description: The objects and what became of each, in check mode what would become of it.
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
      description: V(create), V(change), V(delete) or V(none).
      type: str
  sample:
    - {api_version: v1, kind: Namespace, namespace: '', name: web, action: create}
msg:
  description: What was done, in one sentence.
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

from ..module_utils._diagnosis.wait import NotReady, wait_ready
from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import ADMIN, AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.objects import BadObject, flatten
from ..module_utils._release.manifest import Manifest, ManifestError, Step, creations, refusals

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
VERBS = {"create": "created", "change": "changed", "delete": "deleted"}


def summary(steps: Sequence[Step], check_mode: bool) -> str:
    """Say in one sentence what was done, or would be."""
    counts = {action: sum(step.action == action for step in steps) for action in VERBS}
    done = ", ".join(f"{count} {VERBS[action]}" for action, count in counts.items() if count) or "nothing to do"
    would = "would be: " if check_mode and done != "nothing to do" else ""
    return f"{len(steps)} object{'' if len(steps) == 1 else 's'}, {would}{done}."


def converge(module: KubeModule, contents: list[dict[str, Any]], client: Client) -> dict[str, Any]:
    """Bring the objects to the wanted state, and tell what was done."""
    options = module.params
    deadline = time.monotonic() + options["wait_timeout"]
    present = options["state"] == "present"
    try:
        manifest = Manifest(
            client, contents, options["namespace"], options["field_manager"], options["force"], skip_unknown=not present
        )
    except Unreachable as error:
        if module.check_mode:
            module.warn(f"A dry run cannot know what the cluster has: {error}")
            return predict(contents, present, options["namespace"])
        raise
    refused = refusals(client, manifest.kinds, options["refuse_when"])
    if refused:
        raise ManifestError("\n".join(refused))
    steps = manifest.plan() if present else manifest.plan_absence()
    result = report(steps, summary(steps, module.check_mode))
    if module.check_mode:
        return result
    if present:
        manifest.run(steps, deadline)
        if options["wait"]:
            result["waited_for"] = wait_ready(client, manifest.path, manifest.contents, deadline - time.monotonic())
    else:
        manifest.remove(steps, deadline, options["wait"])
    return result


def predict(contents: list[dict[str, Any]], present: bool, namespace: str) -> dict[str, Any]:
    """Tell what happens in a cluster that is not there yet."""
    if not present:
        return dict(changed=False, objects=[], msg="The cluster is not there yet: nothing to delete.")
    return report(
        creations(contents, namespace), f"The cluster is not there yet: all {len(contents)} objects would be created."
    )


def report(steps: Sequence[Step], message: str) -> dict[str, Any]:
    """Build the module's answer."""
    moved = [step for step in steps if step.action != "none"]
    return dict(
        changed=bool(moved), msg=message, objects=[step.as_dict() for step in steps], diff=[step.diff for step in moved]
    )


def main() -> None:
    """Run the module."""
    # Objects can hold Secrets, so the call is neither logged on the host nor repeated in its answer.
    module = KubeModule(argument_spec=OPTIONS, supports_check_mode=True)
    quiet = dict(
        module_args={key: value for key, value in module.params.items() if key not in ("objects", "kubeconfig")}
    )
    if module.params["host"] and module.params["kubeconfig"] == ADMIN:
        module.params["kubeconfig"] = None  # the default does not stand against a server that is named
    kubeconfig = module.params["kubeconfig"]
    try:
        contents = flatten(module.params["objects"])
        if module.check_mode and isinstance(kubeconfig, str) and not os.path.exists(kubeconfig):
            result = predict(contents, module.params["state"] == "present", module.params["namespace"])
        else:
            find = partial(module.get_bin_path, opt_dirs=["/usr/local/bin"])
            client = connect(module.params, find, patience=3 if module.check_mode else 60)
            result = converge(module, contents, client)
    except (ApiError, BadObject, KubeconfigError, ManifestError, NotReady, Unreachable) as error:
        module.fail_json(msg=str(error), invocation=quiet)
    module.exit_json(invocation=quiet, **result)


if __name__ == "__main__":
    main()
