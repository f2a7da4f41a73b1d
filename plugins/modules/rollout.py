#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage the rollout of a Deployment, StatefulSet or DaemonSet, wait for it, and explain why it fails."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Manage the rollout of a Deployment, StatefulSet or DaemonSet
version_added: 0.1.0
description:
  - Provides C(kubectl rollout), C(kubectl set image) and C(kubectl scale) as idempotent tasks with check mode and diff.
  - Waits until the workload is ready and runs only new pods. If it can never become ready, the wait ends immediately. The failure then names the failing pod
    and container, the reason, the log and the remedy.
  - Deletes a pod of an older revision that blocks a StatefulSet, which would otherwise prevent a rollback, see O(delete_blocking_pods).
  - Changes one live workload. Manifests and releases are not changed, so their next run applies their content again. Fields that this collection applied
    before are returned to it, so that this run has no conflict. A restart and a pause outlive that run.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
attributes:
  check_mode:
    support: full
    details: A dry run of the change is requested from the API server. The module does not wait, except with O(action=status), which changes nothing.
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
    description: Namespace of the workload.
    type: str
    default: default
  action:
    description:
      - V(status) waits for the current rollout and reports its state; V(history) lists the revisions.
      - V(undo) rolls back to O(revision). If the workload already has its pod template, nothing is changed. The controller assigns a new number to a revision
        that is restored; its old number is still accepted, so that the task can be repeated.
      - V(restart) replaces all pods each time the task runs.
      - V(pause) suspends the rollout of changes to a Deployment, V(resume) continues it.
      - V(set_image) sets the images of containers, V(scale) sets the number of pods.
    type: str
    choices: [status, history, undo, restart, pause, resume, set_image, scale]
    default: status
  revision:
    description:
      - Number of the revision to roll back to with O(action=undo). V(0) is the revision before the current one, so a second run reverts the rollback; specify
        a number to make the task idempotent.
      - With O(action=history), the revision whose pod template is returned.
    type: int
    default: 0
  images:
    description: Images for O(action=set_image) by the name of the container or init container. Other containers keep their images.
    type: dict
  replicas:
    description: Number of pods for O(action=scale).
    type: int
  change_cause:
    description:
      - Change cause of the new revision in the history (annotation C(kubernetes.io/change-cause)).
      - If not set, O(action=undo) keeps the change cause of the restored revision, and a new revision has none.
    type: str
  delete_blocking_pods:
    description:
      - With O(action=undo), V(set_image) and V(restart) of a StatefulSet, delete a pod of another revision that does not become ready and blocks the rollout,
        one at a time (L(forced rollback,https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback)).
        The option of the same name of M(slipway.kube.release) describes which pods these are.
      - With V(false), a warning names the pod instead, and the wait ends with the timeout.
    type: bool
    default: true
  wait:
    description:
      - Wait until the workload is ready.
      - V(history) and V(pause) do not wait, nor does any change of a paused Deployment; only V(status) fails because its rollout never finishes.
    type: bool
    default: true
  timeout:
    description: Timeout for waiting, in seconds.
    type: int
    default: 300
seealso:
  - module: slipway.kube.manifest
  - name: Deployments
    description: How Deployments are rolled out, paused and rolled back.
    link: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
  - name: Forced rollback
    description: Why a broken pod blocks a StatefulSet.
    link: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

EXAMPLES = r"""
- name: Wait for the rollout of a Deployment
  slipway.kube.rollout:
    name: web
    namespace: shop
    timeout: 120

- name: List the revisions
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: history
  register: history

- name: Show the revisions
  ansible.builtin.debug:
    msg: "{{ item.revision }}: {{ item.images.values() | join(', ') }} {{ item.change_cause }}"
  loop: "{{ history.revisions }}"

- name: Set another image, and wait until all pods use it
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: set_image
    images:
      nginx: nginx:1.22
    change_cause: Update to 1.22

- name: Roll back to the first revision
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: undo
    revision: 1

- name: Restart the pods of a StatefulSet one after the other
  slipway.kube.rollout:
    kind: StatefulSet
    name: database
    namespace: shop
    action: restart
    timeout: 600

- name: Scale to five pods
  slipway.kube.rollout:
    name: web
    namespace: shop
    action: scale
    replicas: 5
"""

RETURN = r"""
revision:
  description: Number of the current revision, V(0) if its controller has not stored one yet.
  returned: always
  type: int
  sample: 4
revisions:
  description: The revisions that the cluster stores, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    revision:
      description: Number of the revision.
      type: int
    name:
      description: The ReplicaSet or ControllerRevision that stores it.
      type: str
    images:
      description: The image of every container, by the container's name.
      type: dict
    change_cause:
      description: Its change cause, from the annotation C(kubernetes.io/change-cause).
      type: str
    created:
      description: When it was created.
      type: str
    former_revisions:
      description: Numbers that it had before rollbacks to it, known for Deployments only.
      type: list
      elements: int
    current:
      description: Whether this is the current revision.
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
  description: Number of desired, updated, ready and available pods.
  returned: always
  type: dict
  sample: {wanted: 3, updated: 3, ready: 3, available: 3}
paused:
  description: Whether the workload is a paused Deployment.
  returned: always
  type: bool
ready:
  description: Whether the workload was found to be ready.
  returned: always
  type: bool
waited_for:
  description: The workload, if the module waited for it.
  returned: always
  type: list
  elements: str
  sample: [Deployment shop/web]
replaced_pods:
  description: Pods of another revision that blocked a StatefulSet and were deleted.
  returned: always
  type: list
  elements: str
  sample: []
findings:
  description: The faults of the workload, root causes first. The format is that of M(slipway.kube.health_info).
  returned: always
  type: list
  elements: dict
  sample: []
seconds:
  description: Duration of the change and of the wait.
  returned: always
  type: dict
  sample: {change: 0.2, wait: 6.4}
requests:
  description: Number of requests that were sent to the API server.
  returned: always
  type: int
msg:
  description: Summary in one sentence; on failure, why the rollout does not finish.
  returned: always
  type: str
  sample: "Deployment shop/web is rolled back to revision 1 (nginx:1.21); it is ready: 3 of 3 pods ready."
"""

import time
from typing import Any

from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.objects import Reference
from ..module_utils._release.api_errors import explain
from ..module_utils._rollout.changes import ACTIONS, Request, RolloutError, is_paused, option_problems
from ..module_utils._rollout.history import KINDS
from ..module_utils._rollout.report import result
from ..module_utils._rollout.run import Rollout, RolloutFailed

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
    delete_blocking_pods=dict(type="bool", default=True),
    wait=dict(type="bool", default=True),
    timeout=dict(type="int", default=300),
)
NO_WAIT = ("history", "pause")


def perform(module: KubeModule, client: Client, request: Request) -> dict[str, Any]:
    """Perform the action, wait if requested, and build the module's result.

    :raises RolloutError: the action is not possible.
    """
    rollout = Rollout(client, request, module.check_mode)
    started = time.monotonic()
    outcome = rollout.act()
    changed = time.monotonic()
    waits = module.params["wait"] and request.action not in NO_WAIT and outcome.workload is not None
    if request.action != "status" and (module.check_mode or is_paused(outcome.workload or {})):
        waits = False
    failure = ""
    try:
        if waits:
            rollout.wait(changed + module.params["timeout"])
        elif not module.check_mode:
            rollout.settle()
            rollout.diagnose()
    except RolloutFailed as error:
        failure, outcome.findings = str(error), error.findings
    answer = result(request, outcome, waits, module.check_mode)
    if request.action == "history" and request.revision and outcome.workload is not None:
        answer["template"] = rollout.template()
    answer["seconds"] = dict(change=round(changed - started, 2), wait=round(time.monotonic() - changed, 2))
    answer["requests"] = client.requests
    if failure:
        answer.update(failed=True, msg=failure)
    return answer


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=OPTIONS, supports_check_mode=True)
    params = module.params
    problems = option_problems(params)
    if problems:
        module.fail_json(msg="\n".join([f"{problem} [slipway:rollout_options]" for problem in problems]))
    request = Request(
        params["action"],
        Reference("apps/v1", params["kind"], params["namespace"], params["name"]),
        params["revision"],
        params["images"] or {},
        params["replicas"],
        params["change_cause"] or "",
        params["delete_blocking_pods"],
    )
    answer: dict[str, Any] = {}
    try:
        client = connect(params, module.get_bin_path, patience=3 if module.check_mode else 20)
        answer = perform(module, client, request)
    except ApiError as error:
        module.fail_json(msg=explain(error, request.name))
    except (KubeconfigError, RolloutError, Unreachable) as error:
        module.fail_json(msg=str(error))
    for text in answer.pop("warnings"):
        module.warn(text)
    if answer.pop("failed", False):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
