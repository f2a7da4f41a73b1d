#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a set of manifests as one thing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Deploy a set of manifests as one thing
version_added: 0.1.0
description:
  - Makes a named set of objects the state of the cluster. Applies what differs with the server's own apply, waits until all of it is ready, and deletes what
    an earlier revision had and this one no longer has.
  - Asks the API server for a dry run of every object that differs before it changes one, so that what the server would refuse is told in one list with
    nothing changed.
  - When it does not become ready, the failure says which container of which pod fails, why, with the lines of its log, and the last good revision, with its
    configuration and its Secrets, is put in place again.
  - Keeps revisions in the release's namespace as Secrets of the type C(slipway.kube/release); M(slipway.kube.release_info) shows them.
  - A run that is killed anywhere is finished by the next one. Of two runs at once, one waits for the other.
  - Whether something changed comes from the content of the objects; status and the server's bookkeeping do not count. Values of Secrets are never shown;
    the keys that changed are named.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
  - slipway.kube.sources
attributes:
  check_mode:
    support: full
    details:
      - The API server is asked for a dry run of every object. Objects whose namespace or definition comes with the same release cannot be asked for; they are
        held against the server's schema.
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
      - Namespace of the release. Its records live there, and those of its objects that name no namespace and live in one.
    type: str
    default: default
  create_namespace:
    description: Create O(namespace) where it is missing. It is never deleted with the release.
    type: bool
    default: false
  state:
    description:
      - V(present) makes the objects be there, and takes away what the release had before and has no more.
      - V(absent) takes away everything that the release owns, and its revisions.
    type: str
    choices: [present, absent]
    default: present
  force_conflicts:
    description:
      - Take over fields that another field manager has set to something else, and objects of another release. Otherwise both are explained and nothing is
        changed.
      - The replicas that an autoscaler of the same release has set are never a conflict; they are left to it.
    type: bool
    default: false
  take_over:
    description:
      - Field managers whose objects are taken over as a whole, such as V(kubectl-client-side-apply) or V(helm). What they have set and the release does not
        contain goes.
    type: list
    elements: str
    default: []
  replace:
    description:
      - What to do where fields differ that cannot be changed. V(never) names them and changes nothing. V(immutable) deletes the object and makes it anew.
      - Claims, volumes, namespaces and definitions are never replaced, because what they hold would be deleted.
    type: str
    choices: [never, immutable]
    default: never
  prune:
    description:
      - Delete what earlier revisions contain and this one does not, after everything else has succeeded. An object that is not marked as this release's own
        stays, and so does one with the annotation C(slipway.kube/keep=true) or C(helm.sh/resource-policy=keep).
      - A CustomResourceDefinition stays while there are objects of its kind.
      - Of objects with the same annotation C(slipway.kube/version-of), the newest five stay.
    type: bool
    default: true
  prune_kinds:
    description:
      - Kinds that are deleted only when they are named here, V(PersistentVolumeClaim) and V(Namespace). This holds for O(state=absent) too.
    type: list
    elements: str
    choices: [PersistentVolumeClaim, Namespace]
    default: []
  wait:
    description:
      - Wait until everything is ready, or, with O(state=absent), until it is gone.
      - Waiting ends at once when it is of no use, as with an image that does not exist; what may pass gets its time.
      - Where nothing is to be changed, the state of what is there is still looked at.
      - With V(false), a revision counts as good as soon as it is applied.
    type: bool
    default: true
  timeout:
    description: Seconds that the run may take as a whole. The way back has the same time once more.
    type: int
    default: 600
  on_failure:
    description:
      - V(rollback) puts the last good revision in place again, and deletes what only the failed one brought. The task fails all the same.
      - V(keep) leaves everything as it is.
    type: str
    choices: [rollback, keep]
    default: rollback
  history:
    description: How many revisions to keep. The one that is in place is always kept.
    type: int
    default: 10
  lock_timeout:
    description: Seconds to wait for another run that works on the same release.
    type: int
    default: 120
  pause_after:
    description:
      - Seconds after which a call answers what it has seen so far (RV(ignore:finished=false)) and expects to be made again with the same O(run_id).
      - The action plugin does that, to show progress; V(0) stays to the end.
    type: int
    default: 0
  run_id:
    description: What stands for one run over several calls. The action plugin sets it.
    type: str
  payload:
    description: The objects and hooks, packed. The action plugin sets it.
    type: str
  chart_view:
    description:
      - Answer only which version of Kubernetes the cluster has and which API versions it serves. Nothing is changed.
      - The action plugin asks this before it renders O(helm).
    type: bool
    default: false
notes:
  - Applies in stages (namespaces and definitions; accounts, roles and classes; configuration and services; workloads; ingresses, autoscalers, webhooks and
    custom resources), with many objects at once inside a stage. Everything is applied before anything is waited for.
  - A hook is known by its content. It runs once, and again when it changes; one that failed runs again with the next run. When a hook fails, the release stops
    and goes back.
  - Python's standard library is enough where the module runs.
seealso:
  - module: slipway.kube.app
  - module: slipway.kube.release_info
  - name: Server-Side Apply
    description: The rules by which fields are owned and merged.
    link: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

EXAMPLES = r"""
- name: Deploy a folder of manifests
  slipway.kube.release:
    name: guestbook
    namespace: guestbook
    create_namespace: true
    files: [manifests/]

- name: See what would change
  slipway.kube.release:
    name: guestbook
    namespace: guestbook
    files: [manifests/]
  check_mode: true
  diff: true

- name: Deploy templates, and leave what failed in place to look at it
  slipway.kube.release:
    name: shop
    namespace: shop
    templates: [shop.yml.j2]
    on_failure: keep
    timeout: 300

- name: Take over what kubectl apply has made so far
  slipway.kube.release:
    name: shop
    namespace: shop
    files: [shop.yml]
    take_over: [kubectl-client-side-apply]

- name: Take it away, its data included
  slipway.kube.release:
    name: shop
    namespace: shop
    state: absent
    prune_kinds: [PersistentVolumeClaim]
"""

RETURN = r"""
revision:
  description: The revision that this run worked on.
  returned: with O(state=present)
  type: int
  sample: 4
status:
  description: What became of it, V(deployed), V(failed) or V(rolled-back); V(pending) while it is on its way.
  returned: with O(state=present)
  type: str
  sample: deployed
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
      description: V(create), V(change), V(replace), V(delete), V(run) for a hook, or V(none).
      type: str
  sample:
    - {api_version: apps/v1, kind: Deployment, namespace: web, name: web, action: change}
schema_only:
  description: The objects for which no dry run could be asked, because their namespace or kind comes with the same release.
  returned: in check mode
  type: list
  elements: str
  sample: [ConfigMap shop/settings]
pruned:
  description: The objects that were deleted, because the release no longer contains them.
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
  description: Why it is not ready, root causes first. The same form as those of M(slipway.kube.health_info).
  returned: always
  type: list
  elements: dict
rolled_back_to:
  description: The revision that was put in place again.
  returned: when a revision failed and the way back succeeded
  type: int
  sample: 3
finished:
  description: Whether the run is at its end.
  returned: always
  type: bool
progress:
  description: What was seen on the way.
  returned: always
  type: list
  elements: str
seconds:
  description: Time spent, by phase.
  returned: always
  type: dict
  sample: {plan: 0.2, apply: 0.3, wait: 4.1, all: 4.7}
requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
  sample: 31
msg:
  description: What was done, in one sentence. On failure the story, which fault on which object, the evidence and what to do.
  returned: always
  type: str
  sample: "Release web in namespace web is at revision 4: 6 objects, 1 changed."
"""

from typing import Any

from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._release.chart_view import chart_view
from ..module_utils._release.engine import Engine
from ..module_utils._release.errors import LockLost, ReleaseError
from ..module_utils._release.settings import OPTIONS, read_settings
from ..module_utils._release.source_options import SOURCE_OPTIONS
from ..module_utils._release.uninstall import Absence

THREADS = 16  # requests at once: enough to keep an API server busy, few enough to stay within its fairness


def converge(module: KubeModule) -> dict[str, Any]:
    """Bring the release to what is wanted."""
    asked = module.params["chart_view"]
    settings = None if asked else read_settings(module.params)
    client = connect(
        module.params, module.get_bin_path, threads=THREADS, patience=3 if module.check_mode else 20, timeout=60
    )
    if settings is None:
        return chart_view(client)
    work = Engine if settings.state == "present" else Absence
    return work(client, settings, module.check_mode).run()


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=dict(AUTH_OPTIONS, **SOURCE_OPTIONS, **OPTIONS), supports_check_mode=True)
    quiet = dict(module_args={name: module.params[name] for name in ("name", "namespace", "state")})
    try:
        result = converge(module)
    except ReleaseError as error:
        module.fail_json(msg=str(error), problems=str(error).split("\n"), finished=True, invocation=quiet)
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
