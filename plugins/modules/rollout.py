#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll a Deployment, StatefulSet or DaemonSet on or back, wait for it, and say why it does not finish."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll a Deployment, StatefulSet or DaemonSet on or back, wait for it, and explain it
version_added: 0.1.0
description:
  - Does what C(kubectl rollout), C(kubectl set image) and C(kubectl scale) do, as tasks that can be repeated, with check mode and diff.
  - Waits until the workload is ready with its new pods only. What can never become ready ends the wait at once. The failure then says which container of
    which pod fails, why, with its log, and what to do.
  - A StatefulSet that waits for a pod of a revision that is no longer wanted is freed from it. That is what otherwise keeps it from ever going back.
  - Changes one workload as it is in the cluster. What manifests or a release say of it is not changed, so that their next run sets it again; fields that
    this collection applied before stay its own, so that this run meets no conflict. A restart, and a pause, outlive it.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
attributes:
  check_mode:
    support: full
    details: The API server is asked for a dry run of the change. Nothing is waited for, except with O(action=status), which changes nothing.
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
options:
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet]
    default: Deployment
  name:
    description: Name of the workload.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    default: default
  action:
    description:
      - V(status) waits for the rollout that is under way and says how it stands; V(history) lists the revisions that there are.
      - V(undo) goes back to O(revision). Where that is what the workload has already, nothing is changed. The controller gives a revision that is gone back
        to a new number; the old one is still understood, so that the task can be run again.
      - V(restart) replaces all pods, every time that it is run.
      - V(pause) lets changes of a Deployment gather, V(resume) rolls them.
      - V(set_image) gives containers other images, V(scale) sets the number of pods.
    type: str
    choices: [status, history, undo, restart, pause, resume, set_image, scale]
    default: status
  revision:
    description:
      - Number of the revision to go back to with O(action=undo). V(0) is the one before the current one, so that a second run goes forth again; name a
        number where the task is to be repeated.
      - With O(action=history), the revision whose pod template is returned.
    type: int
    default: 0
  images:
    description: Images for O(action=set_image) by the name of their container or init container. Containers that are not named keep theirs.
    type: dict
  replicas:
    description: Number of pods for O(action=scale).
    type: int
  change_cause:
    description:
      - What the new revision says of itself in the history (annotation C(kubernetes.io/change-cause)).
      - Without it, O(action=undo) takes what the revision said when it was made, and a new revision says nothing.
    type: str
  wait:
    description:
      - Wait until the workload is ready.
      - V(history) and V(pause) wait for nothing, nor does what is done to a paused Deployment; only V(status) says that it never finishes.
    type: bool
    default: true
  timeout:
    description: Seconds that waiting may take.
    type: int
    default: 300
seealso:
  - module: slipway.kube.manifest
  - name: Deployments
    description: How Deployments are rolled, paused and rolled back.
    link: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
  - name: Forced rollback
    description: Why a StatefulSet stays stuck on a broken pod.
    link: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

EXAMPLES = r"""
- name: Wait for the rollout of a Deployment
  slipway.kube.rollout:
    name: web
    namespace: shop
    timeout: 120

- name: See its revisions
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: history
  register: history

- name: Show them
  ansible.builtin.debug:
    msg: "{{ item.revision }}: {{ item.images.values() | join(', ') }} {{ item.change_cause }}"
  loop: "{{ history.revisions }}"

- name: Give it another image, and wait until all pods run it
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: set_image
    images:
      nginx: nginx:1.22
    change_cause: Update to 1.22

- name: Go back to the first revision
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: undo
    revision: 1

- name: Replace the pods of a StatefulSet, one after the other
  slipway.kube.rollout:
    kind: StatefulSet
    name: database
    namespace: shop
    action: restart
    timeout: 600

- name: Have five pods
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: scale
    replicas: 5
"""

RETURN = r"""
revision:
  description: Number of the current revision, V(0) where its controller has not kept one yet.
  returned: always
  type: int
  sample: 4
revisions:
  description: The revisions that the cluster keeps, the oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    revision:
      description: Its number.
      type: int
    name:
      description: The ReplicaSet or ControllerRevision that keeps it.
      type: str
    images:
      description: The image of every container, by the container's name.
      type: dict
    change_cause:
      description: What it says of itself, from the annotation C(kubernetes.io/change-cause).
      type: str
    created:
      description: When it was first made.
      type: str
    former_revisions:
      description: Numbers that it had before somebody went back to it, known for Deployments only.
      type: list
      elements: int
    current:
      description: Whether the workload has this one.
      type: bool
  sample:
    - revision: 3
      name: web-6d4cf56db6
      images: {nginx: "nginx:1.21"}
      change_cause: ''
      created: '2026-01-01T00:00:00Z'
      former_revisions: [1]
      current: true
template:
  description: The pod template of O(revision).
  returned: with O(action=history) and a O(revision)
  type: dict
images:
  description: The image of every container of the workload, by the container's name.
  returned: always
  type: dict
  sample: {nginx: "nginx:1.21"}
replicas:
  description: How many pods are wanted, of the newest revision, ready, and available.
  returned: always
  type: dict
  sample: {wanted: 3, updated: 3, ready: 3, available: 3}
paused:
  description: Whether the workload is a paused Deployment.
  returned: always
  type: bool
ready:
  description: Whether the workload is ready as far as this was looked at.
  returned: always
  type: bool
waited_for:
  description: The workload, where it was waited for.
  returned: always
  type: list
  elements: str
  sample: [Deployment shop/web]
replaced_pods:
  description: Pods of another revision that held a StatefulSet up and were deleted.
  returned: always
  type: list
  elements: str
  sample: []
findings:
  description: What is wrong with the workload, as M(slipway.kube.health_info) tells it, the cause first.
  returned: always
  type: list
  elements: dict
  sample: []
seconds:
  description: How long looking and changing, and waiting, took.
  returned: always
  type: dict
  sample: {change: 0.2, wait: 6.4}
requests:
  description: How many requests the API server was sent.
  returned: always
  type: int
msg:
  description: What was done, in one sentence; in a failure why it does not finish.
  returned: always
  type: str
  sample: "Deployment shop/web goes back to revision 1 (nginx:1.21); it is ready: 3 of 3 pods."
"""

import time
from typing import Any

from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.objects import Reference
from ..module_utils._rollout.changes import ACTIONS, RolloutError, Wanted, option_problems, paused
from ..module_utils._rollout.history import KINDS
from ..module_utils._rollout.report import result
from ..module_utils._rollout.run import Rollout, RolloutFailed, explained

OPTIONS: dict[str, Any] = dict(
    AUTH_OPTIONS,
    kind=dict(type="str", choices=list(KINDS), default="Deployment"),
    name=dict(type="str", required=True),
    namespace=dict(type="str", default="default"),
    action=dict(type="str", choices=list(ACTIONS), default="status"),
    revision=dict(type="int", default=0),
    images=dict(type="dict"),
    replicas=dict(type="int"),
    change_cause=dict(type="str"),
    wait=dict(type="bool", default=True),
    timeout=dict(type="int", default=300),
)
NO_WAIT = ("history", "pause")


def perform(module: KubeModule, client: Client, wanted: Wanted) -> dict[str, Any]:
    """Do the action, wait as far as that is asked for, and give the module's answer.

    :raises RolloutError: it cannot be done.
    """
    rollout = Rollout(client, wanted, module.check_mode)
    started = time.monotonic()
    answer = rollout.act()
    changed = time.monotonic()
    waits = module.params["wait"] and wanted.action not in NO_WAIT and answer.workload is not None
    if wanted.action != "status" and (module.check_mode or paused(answer.workload or {})):
        waits = False
    failure = ""
    try:
        if waits:
            rollout.wait(changed + module.params["timeout"])
        elif not module.check_mode:
            rollout.settle()
            rollout.look_for_faults()
    except RolloutFailed as error:
        failure, answer.findings = str(error), error.findings
    told = result(wanted, answer, waits, module.check_mode)
    if wanted.action == "history" and wanted.revision and answer.workload is not None:
        told["template"] = rollout.template()
    told["seconds"] = dict(change=round(changed - started, 2), wait=round(time.monotonic() - changed, 2))
    told["requests"] = client.requests
    if failure:
        told.update(failed=True, msg=failure)
    return told


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=OPTIONS, supports_check_mode=True)
    params = module.params
    problems = option_problems(params)
    if problems:
        module.fail_json(msg="\n".join(problems))
    wanted = Wanted(
        params["action"],
        Reference("apps/v1", params["kind"], params["namespace"], params["name"]),
        params["revision"],
        params["images"] or {},
        params["replicas"],
        params["change_cause"] or "",
    )
    told: dict[str, Any] = {}
    try:
        told = perform(module, connect(params, module.get_bin_path, patience=3 if module.check_mode else 20), wanted)
    except ApiError as error:
        module.fail_json(msg=explained(error, wanted.name))
    except (KubeconfigError, RolloutError, Unreachable) as error:
        module.fail_json(msg=str(error))
    for text in told.pop("warnings"):
        module.warn(text)
    if told.pop("failed", False):
        module.fail_json(**told)
    module.exit_json(**told)


if __name__ == "__main__":
    main()
