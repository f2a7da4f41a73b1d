#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bundle
short_description: Collect, verify, pack and unpack a bundle of everything a cluster needs
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - A bundle is a folder of static files that any web server can serve as a mirror. It contains package repositories, a read-only
    registry tree with the upstream image names, manifests, C(bundle.json) (every item with version, architecture, digest, size and
    origin) and C(vars.yml), the variables with which the roles use the bundle.
  - Everything is fetched from upstream's addresses. Packages are verified against the signed index of their repository, programs against
    their published SHA-256 digest. What upstream lacks is reported in one list before anything is fetched.
  - Runs on the control node and shows its progress. Every completed step is recorded, so an interrupted run resumes. The module is
    idempotent. Files are verified by their digests; missing or corrupt files are reported and
    fetched again.
attributes:
  check_mode:
    description: Returns what would be done, and changes nothing.
    support: full
  diff_mode:
    description: In check mode, shows the steps of V(present) that would be done.
    support: partial
options:
  state:
    description:
      - V(present) collects the bundle or brings it up to date.
      - V(planned) changes nothing. It returns what V(present) would do, and what this machine lacks for it.
      - V(verified) compares every file with its digest, and fails with a list of the missing or corrupt files.
      - V(packed) writes the bundle to one compressed file, and V(unpacked) extracts it. Both verify all digests.
      - V(absent) removes the bundle; its signing key is kept in the cache folder.
    type: str
    choices: [present, planned, verified, packed, unpacked, absent]
    default: present
  path:
    description: Folder of the bundle.
    type: path
    required: true
  cache:
    description: Folder for the signing key and for work in progress.
    type: path
    required: true
  archive:
    description: The compressed file of O(state=packed) and O(state=unpacked). The name must end in C(.tar.zst) or C(.tar.gz).
    type: path
  architecture:
    description: Architecture of the hosts. Defaults to that of the control node.
    type: str
    choices: [amd64, arm64]
  kubernetes_versions:
    description: Kubernetes versions, at most one of each minor version. The first one is the default for clusters.
    type: list
    elements: str
  component_versions:
    description: Versions of the other components, one row for each Kubernetes minor version; the C(kube_versions) of the roles.
    type: dict
  image_archives:
    description:
      - Image archives to add, also in place of images from their registries. Each is the path of a file written by C(docker save), of an
        OCI archive, or of an OCI folder.
      - A dictionary with C(path) and C(name) sets the image name of an archive that does not contain one.
    type: list
    elements: raw
    default: []
  manifests:
    description: Manifests to add, as a dictionary of the name in the bundle, such as C(calico/v3.32.1/calico.yaml), and the path of the file.
    type: dict
    default: {}
  package_formats:
    description: Formats of the packages, V(deb) for the Debian family and V(rpm) for the RHEL family. V(rpm) requires C(createrepo_c).
    type: list
    elements: str
    choices: [deb, rpm]
    default: [deb]
  network_plugins:
    description: Pod networks whose images and manifests are collected.
    type: list
    elements: str
    choices: [calico, flannel, cilium]
    default: [calico, flannel]
  flannel_cni_plugin:
    description: Whether to collect the image of Flannel's CNI plugin.
    type: bool
    default: true
  addons:
    description: Names of the add-ons whose images and published manifests are collected.
    type: list
    elements: str
    default: []
  addon_paths:
    description: Folders with add-ons of the user.
    type: list
    elements: str
    default: []
  images:
    description: Names of additional images, such as C(docker.io/library/postgres:15-bookworm).
    type: list
    elements: str
    default: []
  programs:
    description:
      - Programs for the control node, stored in C(bin/linux-ARCHITECTURE) of the bundle. V(kubectl) has the version of the first of
        O(kubernetes_versions). V(helm) renders charts, V(kwok) simulates nodes and pods, V(cosign) signs images.
    type: list
    elements: str
    default: []
  program_versions:
    description: Versions of the programs other than V(kubectl), by name.
    type: dict
    default: {}
  upstream:
    description:
      - Addresses that differ from upstream's; the names are those of the variable C(bundle_upstream) of role C(bundle).
    type: dict
    default: {}
  registries:
    description: "Addresses to copy images from instead of their registries, such as C({registry.k8s.io: 10.0.0.2:5000/registry.k8s.io})."
    type: dict
    default: {}
  ca:
    description: A file with CA certificates to trust in addition to those of the control node.
    type: path
    default: ""
  prune:
    description:
      - Whether to remove Kubernetes versions, programs, images, image archives and manifests that an earlier run added and this one does
        not list.
      - By default they are kept, because an archive may no longer be available.
    type: bool
    default: false
notes:
  - Runs on the control node, regardless of the host of the task.
  - In check mode, returns what would be done and changes nothing.
"""

EXAMPLES = r"""
- name: Collect a bundle from upstream
  slipway.kube.bundle:
    path: ~/.cache/slipway/bundle
    cache: ~/.cache/slipway
    kubernetes_versions: [1.37.2]
    component_versions: "{{ kube_versions }}"

- name: Pack the bundle into one file
  slipway.kube.bundle:
    state: packed
    path: ~/.cache/slipway/bundle
    cache: ~/.cache/slipway
    archive: /media/stick/slipway-1.37.2.tar.zst
"""

RETURN = r"""
path:
  description: Folder of the bundle.
  returned: always
  type: str
  sample: /home/me/.cache/slipway/bundle
vars_file:
  description: The variables file that makes the roles use the bundle.
  returned: when state is present or planned
  type: str
  sample: /home/me/.cache/slipway/bundle/vars.yml
steps:
  description: The pending steps, and the reason for each.
  returned: when state is present or planned
  type: list
  elements: dict
  sample: [{"title": "fetching kubeadm 1.37.2 (deb)", "reason": "does not exist yet"}]
done:
  description: The completed steps, with their duration in seconds.
  returned: when state is present
  type: list
  elements: dict
  sample: [{"title": "fetching kubeadm 1.37.2 (deb)", "seconds": 1.2}]
removed:
  description: Obsolete files.
  returned: when state is present or planned
  type: list
  elements: str
  sample: [deb/kubernetes/v1.35/kubeadm_1.35.4-1.1_amd64.deb]
broken:
  description: Files that were missing or corrupt.
  returned: when state is present or planned
  type: list
  elements: str
  sample: ["deb/key.asc is missing"]
contents:
  description: Everything in the bundle, with name, kind, version, architecture, digest, size (bytes), origin and path.
  returned: when state is present, planned or verified
  type: list
  elements: dict
  sample: [{"name": "kubeadm", "kind": "package", "version": "1.37.2-1.1", "architecture": "amd64", "size": 19000000}]
size:
  description: Size of all files in bytes. A layer that several images share is counted for each of them.
  returned: when state is present or planned
  type: int
  sample: 380000000
network_plugin:
  description: The pod network for which the bundle contains images, V(calico), V(cilium) or V(flannel).
  returned: when state is present or planned
  type: str
  sample: flannel
missing_packages:
  description: Debian packages that the pending steps require on this machine and that are not installed.
  returned: when state is planned
  type: list
  elements: str
  sample: [skopeo]
problems:
  description: Everything that prevents the pending steps on this machine, with the remedy.
  returned: when state is planned
  type: list
  elements: str
  sample: ["skopeo is not installed: apt-get install skopeo."]
archive:
  description: The compressed file.
  returned: when state is packed
  type: str
  sample: /media/stick/slipway-1.37.2.tar.zst
digest:
  description: Digest of the compressed file.
  returned: when state is packed
  type: str
  sample: sha256:0b5c…
"""
