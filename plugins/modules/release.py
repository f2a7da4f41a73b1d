#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a set of manifests as a release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Deploy a set of manifests as a release
version_added: 0.1.0
description:
  - Reconciles a named set of objects with the cluster. Applies the objects that differ with server-side apply, waits until all of them are ready, and deletes
    the objects that an earlier revision contained and this one no longer contains.
  - Requests a dry run of every object that differs from the API server before it changes any, so that all refusals are reported in one list and nothing is
    changed.
  - If the release does not become ready, the failure names the failing pod and container, the reason and the relevant log lines, and the release is rolled back
    to the last deployed revision, including its configuration and its Secrets.
  - Stores revisions in the release's namespace as Secrets of type C(slipway.kube/release); M(slipway.kube.release_info) shows them.
  - The next run finishes a run that was killed at any point. If two runs work on the same release, one waits for the other.
  - Reports a change only if the content of an object changes; its status and the metadata that the server maintains are ignored. Values of Secrets are never
    shown; only the keys that changed are named.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
  - slipway.kube.release
  - slipway.kube.sources
attributes:
  check_mode:
    support: full
    details:
      - A dry run of every object is requested from the API server. Objects whose namespace, CustomResourceDefinition, admission webhook or role comes with
        the same release are validated against the schema instead.
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
options:
  name:
    description: Name of the release, unique in its namespace. Up to 53 lower-case letters, digits and C(-).
    type: str
    required: true
  namespace:
    description:
      - Namespace of the release. It contains the stored revisions, and the namespaced objects that do not specify a namespace.
    type: str
    default: default
  revision:
    description:
      - Restore the objects of this stored revision, as a new revision. No objects are specified then. M(slipway.kube.release_info) lists the revisions; only
        one that was deployed can be restored.
      - Its hooks for a rollback run, and those for a release do not run again. What the release contains now and the revision does not is deleted.
    type: int
  create_namespace:
    description: Create O(namespace) if it does not exist. It is not deleted with the release.
    type: bool
    default: false
  state:
    description:
      - V(present) applies the objects, and deletes the objects that the release no longer contains.
      - V(absent) deletes everything that the release owns, and its revisions.
    type: str
    choices: [present, absent]
    default: present
  orphan:
    description:
      - With O(state=absent), leave all objects in the cluster, and delete only what is stored of the release. They belong to no release afterwards, so that
        another one, or another tool, can take them over. Hooks do not run.
    type: bool
    default: false
  delete_hooks:
    description: Whether hooks for the deletion run with O(state=absent). If one before the deletion fails, nothing is deleted.
    type: bool
    default: true
  pause_after:
    description:
      - Seconds after which a module call returns its progress (RV(ignore:finished=false)) and is called again to resume the run.
      - The action plugin uses this to show progress. With V(0), a call runs to the end.
    type: int
    default: 0
  _payload:
    description: Internal. Set by the action plugin.
    type: str
  _run_id:
    description: Internal. Set by the action plugin.
    type: str
  _chart_view:
    description: Internal. Set by the action plugin.
    type: bool
notes:
  - Objects are applied in stages (namespaces and CustomResourceDefinitions; service accounts, roles and classes; configuration, services and custom
    resources whose CustomResourceDefinition is not part of the release; workloads; ingresses, autoscalers, webhooks and the other custom resources), and in
    parallel within a stage. All objects are applied before the module waits for any, unless they are in several O(waves).
  - Kinds that Gatekeeper makes of a ConstraintTemplate, and Crossplane of a CompositeResourceDefinition, may be used in the same release. Their objects come
    last, and are sent again until their kind is served.
  - An object with the annotation C(slipway.kube/apply=last), such as a Service that selects a new version, is applied when everything else is ready and the
    hooks behind the release have succeeded, before objects are deleted. If it does not exist yet, it is applied with the others.
  - A hook is identified by its content. It runs once, and again when it changes; a failed hook runs again with the next run. If a hook fails, the release
    stops and is rolled back. Hooks for a rollback or the deletion run each time.
  - While it waits, the module reads lists, with pauses that grow from a quarter of a second to 5 seconds. For ten Deployments with 500 pods in one namespace,
    these are about 250 requests in the first minute and 150 per minute after five minutes.
  - The module needs only Python's standard library on the host where it runs.
seealso:
  - module: slipway.kube.app
  - module: slipway.kube.release_info
  - name: Server-Side Apply
    description: How fields are owned and merged.
    link: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

EXAMPLES = r"""
- name: Deploy a folder of manifests
  slipway.kube.release:
    name: guestbook
    namespace: guestbook
    create_namespace: true
    files: [manifests/]

- name: Preview the changes
  slipway.kube.release:
    name: guestbook
    namespace: guestbook
    files: [manifests/]
  check_mode: true
  diff: true

- name: Deploy templates, and keep failed objects for inspection
  slipway.kube.release:
    name: shop
    namespace: shop
    templates: [shop.yml.j2]
    on_failure: keep
    timeout: 300

- name: Take over objects that were created with kubectl apply
  slipway.kube.release:
    name: shop
    namespace: shop
    files: [shop.yml]
    take_over: [kubectl-client-side-apply]

- name: Wait until a custom resource says that it is ready, and not for a long import
  slipway.kube.release:
    name: search
    namespace: search
    files: [search/]
    wait_conditions:
      - kind: Elasticsearch
        jsonpath: .status.health
        value: green
    wait_except:
      - kind: Job
        name: import

- name: Leave to others what they set
  slipway.kube.release:
    name: policy
    namespace: policy
    helm:
      chart: charts/policy
    ignore_differences:
      - kind: ValidatingWebhookConfiguration
        fields: [/webhooks/*/clientConfig/caBundle]

- name: Return to an earlier revision
  slipway.kube.release:
    name: shop
    namespace: shop
    revision: 3

- name: Delete the release, including its data
  slipway.kube.release:
    name: shop
    namespace: shop
    state: absent
    prune_kinds: [PersistentVolumeClaim]
"""

RETURN = r"""
name:
  description: Name of the release.
  returned: when the cluster was contacted
  type: str
  sample: web
namespace:
  description: Its namespace.
  returned: when the cluster was contacted
  type: str
  sample: web
revision:
  description: The number of the revision.
  returned: with O(state=present)
  type: int
  sample: 4
status:
  description: Its status, V(deployed), V(failed) or V(rolled-back); V(pending) while the run is in progress.
  returned: with O(state=present)
  type: str
  sample: deployed
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
      description: Namespace, empty for a cluster-scoped object.
      type: str
    name:
      description: Name.
      type: str
    action:
      description: V(create), V(change), V(replace), V(delete), V(run) for a hook, or V(none).
      type: str
  sample:
    - {api_version: apps/v1, kind: Deployment, namespace: web, name: web, action: change}
changes:
  description:
    - The same for a person. The first line counts the actions, and each further one is an object with what becomes of it and, if it changes, the fields that
      change. Values are shown for numbers, images and the like only.
    - In check mode, also what has changed in the cluster since the deployed revision, by object.
  returned: success
  type: list
  elements: str
  sample:
    - create 1, change 1, delete 1, unchanged 4
    - 'ConfigMap shop/shop-env-8b2f: create'
    - 'Deployment shop/shop: change (spec.template.spec.containers[shop].image shop:1.4 -> shop:1.5, spec.replicas 2 -> 3)'
    - 'Ingress shop/old: delete'
drift:
  description:
    - What has changed in the cluster since the deployed revision, apart from what this run would change. It is also a warning, and is returned if
      the run is refused because of it.
    - Of each object C(change) (V(changed), V(deleted) or V(being deleted)), and C(fields) with a JSON pointer, the values of the revision and of the cluster,
      and the field manager that has changed it, as far as the server knows it. Values of Secrets are masked.
  returned: in check mode
  type: list
  elements: dict
  sample:
    - api_version: apps/v1
      kind: Deployment
      namespace: web
      name: web
      change: changed
      fields:
        - {field: /spec/replicas, revision: 2, cluster: 5, manager: kubectl-edit, time: '2026-01-02T03:04:05Z'}
schema_only:
  description: The objects that were only validated against the schema, because what they need comes with the same release.
  returned: in check mode
  type: list
  elements: str
  sample: [ConfigMap shop/settings]
notes:
  description: The notes of the chart, without values of Secrets and secret values of the chart.
  returned: with O(helm), if the chart has notes
  type: str
  sample: "Visit https://shop.example.com"
generated:
  description: The fields that the chart generates again with each rendering; the values that the cluster has are kept.
  returned: with O(helm), if there are any
  type: list
  elements: dict
  sample:
    - {kind: Secret, namespace: "", name: shop, fields: [/stringData/password]}
pruned:
  description: The objects that were deleted because the release no longer contains them.
  returned: success
  type: list
  elements: dict
  sample:
    - {api_version: v1, kind: Service, namespace: web, name: old}
waited_for:
  description: The workloads that are ready.
  returned: success
  type: list
  elements: str
  sample: [Deployment web/web]
findings:
  description: Why the release is not ready, root causes first. The format is that of M(slipway.kube.health_info).
  returned: always
  type: list
  elements: dict
rolled_back_to:
  description: The revision to which the release was rolled back.
  returned: when a revision failed and the rollback succeeded
  type: int
  sample: 3
finished:
  description: Whether the run is finished.
  returned: always
  type: bool
progress:
  description: Progress messages.
  returned: always
  type: list
  elements: str
seconds:
  description: Time spent, by phase.
  returned: always
  type: dict
  sample: {plan: 0.2, apply: 0.3, wait: 4.1, all: 4.7}
requests:
  description: Number of requests that were sent to the API server.
  returned: always
  type: int
  sample: 31
msg:
  description: Summary in one sentence. On failure, the faults, the affected objects, the evidence and the remedies.
  returned: always
  type: str
  sample: "Release web in namespace web is at revision 4: 6 objects, 1 changed."
"""

from typing import Any

from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._release.desired import chart_view
from ..module_utils._release.engine import Engine
from ..module_utils._release.errors import LockLost, ReleaseError
from ..module_utils._release.settings import INTERNAL_OPTIONS, OPTIONS, SOURCE_OPTIONS, read_settings
from ..module_utils._release.uninstall import Uninstall

THREADS = 16  # parallel requests: enough to keep an API server busy, few enough for its priority and fairness limits


def converge(module: KubeModule) -> dict[str, Any]:
    """Reconcile the release."""
    settings = None if module.params["_chart_view"] else read_settings(module.params)
    client = connect(
        module.params, module.get_bin_path, threads=THREADS, patience=3 if module.check_mode else 20, timeout=60
    )
    if settings is None:
        return chart_view(client, module.params["name"], module.params["namespace"])
    operation = Engine if settings.state == "present" else Uninstall
    return operation(client, settings, module.check_mode).run()


def main() -> None:
    """Run the module."""
    spec = dict(AUTH_OPTIONS, **SOURCE_OPTIONS, **OPTIONS, **INTERNAL_OPTIONS)
    module = KubeModule(argument_spec=spec, supports_check_mode=True)
    quiet = dict(module_args={name: module.params[name] for name in ("name", "namespace", "state")})
    try:
        result = converge(module)
    except ReleaseError as error:
        drift = list(error.drift)
        module.fail_json(msg=str(error), problems=str(error).split("\n"), drift=drift, finished=True, invocation=quiet)
    except (LockLost, ApiError, KubeconfigError, Unreachable) as error:
        module.fail_json(msg=str(error), finished=True, invocation=quiet)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    end = module.fail_json if result.get("failed") else module.exit_json
    end(invocation=quiet, **result)


if __name__ == "__main__":
    main()
