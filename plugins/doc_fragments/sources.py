# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for the sources of the objects of a release."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.sources."""

    DOCUMENTATION = r"""
options:
  manifests:
    description:
      - Objects as mappings, lists of them, or YAML text with any number of documents.
    type: list
    elements: raw
  files:
    description:
      - Files on the control node, folders (all C(.yaml), C(.yml) and C(.json) files below them, sorted by name), or patterns.
      - Relative paths are searched like those of M(ansible.builtin.copy), in C(files) of the role and in the folder of the playbook.
      - Files may be encrypted with Ansible Vault.
    type: list
    elements: path
  templates:
    description:
      - Jinja templates on the control node, each a path like those of O(files), or a mapping with C(path) and C(variables).
      - Templates can use the variables of the task; C(variables) take precedence over them. An error names the file and the line.
    type: list
    elements: raw
  kustomize:
    description:
      - Folder with a C(kustomization.yaml) on the control node, rendered there by C(kustomize) or C(kubectl kustomize).
    type: path
  helm:
    description:
      - A Helm chart, rendered by C(helm template) on the control node. The revisions are recorded by this release, not by Helm.
      - C(pre-install) and C(post-install) hooks run before and after a release of which no revision is deployed yet, C(pre-upgrade) and C(post-upgrade)
        hooks when one is; the chart also sees which of the two it is (C(.Release.IsUpgrade)). C(pre-rollback) and C(post-rollback) hooks run when a
        failed revision is rolled back, C(pre-delete) and C(post-delete) hooks with O(state=absent), each time. Jobs are deleted as
        C(helm.sh/hook-delete-policy) says (C(hook-succeeded), C(hook-failed)). Tests are left out.
      - Values are passed to helm through its standard input, so that other processes cannot read them.
      - The chart is rendered twice. Fields that differ, such as passwords and certificates that it generates, are applied when an object is created and
        keep the value that the cluster has afterwards (RV(ignore:generated) lists them); a rollback keeps it, too. A warning names those that are more than a
        generated value, such as a file with a password or a checksum in an annotation, because later changes have no effect there. A hook that differs
        runs with each run, which is a warning, and a chart whose names of objects differ is refused.
      - The notes of the chart (C(NOTES.txt)) are returned as RV(ignore:notes), without the values of its Secrets and without values of the chart whose key
        suggests that they are secret.
    type: dict
    suboptions:
      chart:
        description:
          - Folder or archive of a chart, its name in O(helm.repository), or an C(oci://) address.
        type: str
        required: true
      release_name:
        description: Name of the release that the chart sees; by default O(name).
        type: str
      repository:
        description: URL of a chart repository.
        type: str
      version:
        description: Version of a chart from a repository or a registry.
        type: str
      username:
        description:
          - User of the repository or of the registry, together with O(helm.password). By default a chart from a registry is pulled with the
            credentials of C(helm registry login) or C(docker login) of this user.
          - The password is no argument of helm, and neither in the stored revisions, in messages, nor in a file that other users can read. Both are sent to
            the host of the repository only. Keep the password in a variable that is encrypted with Ansible Vault.
          - With O(helm.repository), the user is an argument of helm, and helm 3.7.0 or later is required, which reads the password from its standard input.
        type: str
      password:
        description: Password or token of O(helm.username).
        type: str
      registry_config:
        description:
          - File on the control node with the credentials of registries, as C(helm registry login) and C(docker login) write it (C(config.json)), for a chart
            that begins with C(oci://). It may be encrypted with Ansible Vault.
        type: path
      ca_file:
        description:
          - File on the control node with the certificate authorities of the repository or the registry, if the system does not trust them.
        type: path
      values:
        description: Values for the chart; they take precedence over O(helm.values_files).
        type: dict
      values_files:
        description:
          - Files with values on the control node; later ones take precedence over earlier ones. They may be encrypted with Ansible Vault.
        type: list
        elements: path
      include_crds:
        description: Whether the CustomResourceDefinitions in the folder C(crds) of the chart are part of the release.
        type: bool
        default: true
      lookup:
        description:
          - Let helm query the cluster, so that the function C(lookup) of templates returns its objects (C(helm template --dry-run=server), Helm 3.17 or later).
            Otherwise it returns nothing, as it does in a new cluster.
          - Helm runs on the control node, so the task must run there, too (C(delegate_to=localhost)). It uses the cluster and the credentials of the task, and
            needs the permission to read all objects of the chart.
          - The chart sees the version and the APIs of the cluster only; a chart that contains objects of a kind that it defines itself cannot be rendered
            before the cluster serves that kind.
        type: bool
        default: false
      api_versions:
        description:
          - API versions, with or without a kind (C(monitoring.coreos.com/v1/ServiceMonitor)), that the chart sees in addition to those that the cluster
            serves and those that this release defines. With O(helm.kube_version), they are added to the defaults of helm.
        type: list
        elements: str
      kube_version:
        description:
          - Version of Kubernetes that the chart sees. By default, the chart sees the version of the cluster and the API versions that it serves.
          - If set, the cluster is not queried, and the rendered objects depend on the options only.
        type: str
      binary_path:
        description: Path of helm on the control node; by default it is searched in E(PATH).
        type: path
notes:
  - The sources are read on the control node. Only the objects are sent to the host where the module runs, and none of their values is logged or shown.
  - A Job with the annotation C(slipway.kube/hook) is a hook. V(pre) and V(post) hooks run before and after a release, V(pre-rollback) and V(post-rollback)
    hooks of the revision that is restored run with each rollback, V(pre-delete) and V(post-delete) hooks with O(state=absent). C(slipway.kube/hook-after) lists
    the hooks that must complete before it, separated by commas.
"""
