#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the revisions of releases, and the differences between two of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Show the revisions of releases, and the differences between two of them
version_added: 0.1.0
description:
  - Lists releases with their revisions, and the creation time and status of each.
  - With O(drift), also returns what has changed in the cluster since.
  - With O(revision), lists its objects. With O(compare_to), also returns the differences between the two revisions.
  - Values of Secrets are never shown; only the keys that differ are named.
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
  name:
    description: Name of a release. If not set, all releases are listed.
    type: str
  namespace:
    description: Namespace of the release. If not set, releases in all namespaces are listed.
    type: str
  revision:
    description: Revision whose objects are listed. Requires O(name) and O(namespace).
    type: int
  compare_to:
    description: Older revision to compare O(revision) with. If O(revision) is not set, the newest revision is compared.
    type: int
  drift:
    description:
      - Return what has changed in the cluster since the deployed revision, field by field. Requires O(name) and O(namespace).
      - The API server is asked for a dry run of the objects that differ, which requires the permission to patch them. Fields in the option
        C(ignore_differences) of the release and replicas that an autoscaler has set are no drift.
    type: bool
    default: false
seealso:
  - module: slipway.kube.release
"""

EXAMPLES = r"""
- name: List all releases
  slipway.kube.release_info:
  register: found

- name: Show the last change of a release
  slipway.kube.release_info:
    name: shop
    namespace: shop
    revision: 7
    compare_to: 6

- name: Fail if the release was changed in the cluster
  slipway.kube.release_info:
    name: shop
    namespace: shop
    drift: true
  register: found
  failed_when: found.drift
"""

RETURN = r"""
drift:
  description:
    - What has changed in the cluster since the deployed revision.
    - Of each object C(change) (V(changed), V(deleted) or V(being deleted)), and C(fields) with a JSON pointer, the values of the revision and of the cluster,
      and the field manager that has changed it, as far as the server knows it. Values of Secrets are masked.
  returned: with O(drift)
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
releases:
  description: The releases.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name.
      type: str
    namespace:
      description: Namespace.
      type: str
    revision:
      description: The newest revision.
      type: int
    status:
      description: Status of the newest revision, V(pending), V(deployed), V(failed) or V(rolled-back).
      type: str
    deployed:
      description: The deployed revision, V(0) if there is none.
      type: int
    revisions:
      description:
        - All stored revisions, oldest first, each with its number, C(status) (as above, or V(superseded) if a later revision replaced it),
          C(created), C(finished) and C(message).
      type: list
      elements: dict
  sample:
    - name: shop
      namespace: shop
      revision: 2
      status: deployed
      deployed: 2
      revisions:
        - {revision: 1, status: superseded, created: '2026-01-01T10:00:00Z', finished: '2026-01-01T10:00:09Z', message: ''}
        - {revision: 2, status: deployed, created: '2026-01-02T10:00:00Z', finished: '2026-01-02T10:00:07Z', message: ''}
objects:
  description:
    - The objects of O(revision). For hooks, C(hook) says when they run, such as V(pre) or V(post-delete); V(canary) is the Deployment that tries a
      new version.
  returned: with O(revision) or O(compare_to)
  type: list
  elements: dict
changes:
  description: The objects that differ, each with C(action) V(create), V(change) or V(delete).
  returned: with O(compare_to)
  type: list
  elements: dict
  sample:
    - {api_version: v1, kind: ConfigMap, namespace: shop, name: settings, action: change}
differences:
  description: The differing content as C(before) and C(after). Values of Secrets are masked.
  returned: with O(compare_to)
  type: list
  elements: dict
"""

from typing import Any, Mapping

from ..module_utils._kube.api import ApiError, Client, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.redaction import Redactor
from ..module_utils._release.desired import discover
from ..module_utils._release.drift import Drift, find_drift
from ..module_utils._release.errors import ReleaseError
from ..module_utils._release.history import contents, differences, read_revision, releases
from ..module_utils._release.revision import DEPLOYED, ROLLED_BACK
from ..module_utils._release.settings import Settings, namespace_problem, release_problem

OPTIONS: dict[str, Any] = dict(
    name=dict(type="str"),
    namespace=dict(type="str"),
    revision=dict(type="int"),
    compare_to=dict(type="int"),
    drift=dict(type="bool", default=False),
)


def show(module: KubeModule) -> dict[str, Any]:
    """Build the module's result."""
    name, namespace = module.params["name"] or "", module.params["namespace"] or ""
    problems = (release_problem(name) if name else []) + (namespace_problem(namespace) if namespace else [])
    if problems:
        raise ReleaseError(f"{' '.join(problems)} [slipway:release_options]")
    client = connect(module.params, module.get_bin_path, patience=3)
    revision, older = module.params["revision"], module.params["compare_to"]
    answer: dict[str, Any] = {"changed": False, "releases": releases(client, namespace, name)}
    if revision is None and older is None and not module.params["drift"]:
        return answer
    if not name or not namespace:
        raise ReleaseError("revision, compare_to and drift require name and namespace. [slipway:release_options]")
    if not answer["releases"]:
        raise ReleaseError(f"Release {name} does not exist in namespace {namespace}. [slipway:revision_missing]")
    if module.params["drift"]:
        answer["drift"] = drift_since(client, namespace, name, answer["releases"][0])
    if revision is None and older is None:
        return answer
    if revision is None:
        revision = answer["releases"][0]["revision"]
    found = read_revision(client, namespace, name, revision)
    answer["objects"] = contents(found)
    if older is not None:
        answer["changes"], answer["differences"] = differences(read_revision(client, namespace, name, older), found)
    return answer


def drift_since(client: Client, namespace: str, name: str, release: Mapping[str, Any]) -> Drift:
    """Return what has changed since the deployed revision, without values of its Secrets.

    :raises ReleaseError: the newest revision is unfinished, so that the cluster has the objects of none.
    """
    if release["status"] not in (DEPLOYED, ROLLED_BACK) or not release["deployed"]:
        raise ReleaseError(
            f"Revision {release['revision']} of release {name} in namespace {namespace} has the status {release['status']}, so there is no "
            "deployed revision with which the cluster can be compared. Deploy the release again."
            " [slipway:revision_missing]"
        )
    deployed = read_revision(client, namespace, name, release["deployed"])
    found = find_drift(client, Settings(name, namespace), discover(client), deployed)
    drift: Drift = Redactor(deployed.all).clean(found)
    return drift


def main() -> None:
    """Run the module."""
    module = KubeModule(argument_spec=dict(AUTH_OPTIONS, **OPTIONS), supports_check_mode=True)
    try:
        answer = show(module)
    except (ApiError, KubeconfigError, ReleaseError, Unreachable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
