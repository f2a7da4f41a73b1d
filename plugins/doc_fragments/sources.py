# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say where the objects of a release come from."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.sources."""

    DOCUMENTATION = r"""
options:
  manifests:
    description:
      - Objects as mappings, lists of such, or YAML text with any number of documents.
    type: list
    elements: raw
  files:
    description:
      - Files on the control node, folders (every C(.yaml), C(.yml) and C(.json) below them, in the order of their names), or patterns.
      - Relative paths are looked up as M(ansible.builtin.copy) does, in C(files) of the role and beside the playbook.
      - Files may be encrypted with Ansible Vault.
    type: list
    elements: path
  templates:
    description:
      - Jinja templates on the control node, each a path as in O(files) (every file of a folder is a template), or a mapping with C(path) and C(variables).
      - The variables of the task can be used, and C(variables) before them. An error names the file and the line.
    type: list
    elements: raw
  kustomize:
    description:
      - Folder with a C(kustomization.yaml) on the control node. C(kubectl kustomize) or C(kustomize) renders it there.
    type: path
  helm:
    description:
      - A Helm chart, rendered by C(helm template) on the control node. Helm keeps no record of it; this release does.
      - Hooks before an installation or an upgrade become hooks before this release, hooks after these become hooks after it. Tests and hooks of deletion
        and rollback are left out.
      - Values go to helm through its standard input, so that no other process sees them.
      - What a chart makes up at random (passwords, certificates) is another one with every run. Give such values, or Secrets of your own.
    type: dict
    suboptions:
      chart:
        description:
          - Folder or archive of a chart, or its name in O(helm.repository), or an C(oci://) address.
        type: str
        required: true
      release_name:
        description: What the chart sees as its release; O(name) when not given.
        type: str
      repository:
        description: URL of a chart repository.
        type: str
      version:
        description: Version of a chart that comes from a repository.
        type: str
      values:
        description: Values for the chart; they go before those of O(helm.values_files).
        type: dict
      values_files:
        description:
          - Files with values on the control node, later ones before earlier ones. They may be encrypted with Ansible Vault.
        type: list
        elements: path
      include_crds:
        description: Whether the definitions in the chart's folder C(crds) belong to the release.
        type: bool
        default: true
      api_versions:
        description:
          - API versions, or versions with a kind such as C(monitoring.coreos.com/v1/ServiceMonitor), that the chart shall see as served besides those that
            the cluster serves and those that this release defines. With O(helm.kube_version), besides those that helm knows.
        type: list
        elements: str
      kube_version:
        description:
          - Version of Kubernetes that the chart shall see. When not given, the cluster is asked for its version and for the API versions that it serves.
          - With it, the cluster is not asked, and what the chart gives depends on the options alone.
        type: str
      binary_path:
        description: Path of helm on the control node; looked up in E(PATH) when not given.
        type: path
notes:
  - The sources are read on the control node. Only objects reach the host where the module runs, packed, and no value of them is logged or shown.
  - A Job with the annotation C(slipway.kube/hook) (V(pre) or V(post)) is a hook. C(slipway.kube/hook-after) names the hooks that must have ended before it,
    with commas between them.
"""
