#!/usr/bin/python

# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the revisions of releases, and what differs between two."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Show the revisions of releases, and what differs between two
version_added: 0.1.0
description:
  - Lists releases with their revisions, when each was made and what became of it.
  - With O(revision), names its objects. With O(compare_to) too, says what differs between the two revisions.
  - Values of Secrets are never shown; the keys that differ are named.
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
    description: Name of a release; all when not given.
    type: str
  namespace:
    description: Namespace of the release. Without it, releases of all namespaces are listed.
    type: str
  revision:
    description: Revision whose objects are to be named. Needs O(name) and O(namespace).
    type: int
  compare_to:
    description: Older revision to compare O(revision) with. Without O(revision), the newest one is compared.
    type: int
seealso:
  - module: slipway.kube.release
"""

EXAMPLES = r"""
- name: List all releases
  slipway.kube.release_info:
  register: found

- name: See what the last change of the shop was
  slipway.kube.release_info:
    name: shop
    namespace: shop
    revision: 7
    compare_to: 6
"""

RETURN = r"""
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
      description: What became of it, V(pending), V(deployed), V(failed) or V(rolled-back).
      type: str
    deployed:
      description: The revision that is in place, V(0) where none ever was.
      type: int
    revisions:
      description:
        - All revisions that are kept, oldest first, each with its number, C(status) (as above, or V(superseded) for one that a later one replaced),
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
  description: The objects of O(revision), C(hook) being V(pre) or V(post) for hooks.
  returned: with O(revision) or O(compare_to)
  type: list
  elements: dict
changes:
  description: What differs, each with C(action) V(create), V(change) or V(delete).
  returned: with O(compare_to)
  type: list
  elements: dict
  sample:
    - {api_version: v1, kind: ConfigMap, namespace: shop, name: settings, action: change}
differences:
  description: The contents that differ, as C(before) and C(after). Values of Secrets are masked.
  returned: with O(compare_to)
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import AUTH_OPTIONS, KubeModule, connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._release.errors import ReleaseError
from ..module_utils._release.history import contents, differences, read, releases
from ..module_utils._release.settings import namespace_problem, release_problem

OPTIONS: dict[str, Any] = dict(
    name=dict(type="str"),
    namespace=dict(type="str"),
    revision=dict(type="int"),
    compare_to=dict(type="int"),
)


def show(module: KubeModule) -> dict[str, Any]:
    """Look, and build the module's answer."""
    name, namespace = module.params["name"] or "", module.params["namespace"] or ""
    problems = (release_problem(name) if name else []) + (namespace_problem(namespace) if namespace else [])
    if problems:
        raise ReleaseError(" ".join(problems))
    client = connect(module.params, module.get_bin_path, patience=3)
    revision, older = module.params["revision"], module.params["compare_to"]
    answer: dict[str, Any] = {"changed": False, "releases": releases(client, namespace, name)}
    if revision is None and older is None:
        return answer
    if not name or not namespace:
        raise ReleaseError("A revision belongs to one release. Give its name and namespace too.")
    if revision is None:
        if not answer["releases"]:
            raise ReleaseError(f"There is no release {name} in namespace {namespace}.")
        revision = answer["releases"][0]["revision"]
    record = read(client, namespace, name, revision)
    answer["objects"] = contents(record)
    if older is not None:
        answer["changes"], answer["differences"] = differences(read(client, namespace, name, older), record)
    return answer


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
