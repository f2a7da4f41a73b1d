#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name; everything happens on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bundle
short_description: Make, check, pack and unpack a bundle with everything that a cluster is made of
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - A bundle is a folder of static files that any web server can serve as a mirror. It holds a signed apt repository, a
    read-only registry tree under the upstream image names, manifests, C(bundle.json) (every item with version, architecture,
    digest, size and origin) and C(vars.yml), which makes the roles use it.
  - Runs on the control node and shows what it is doing and how far it is. Every finished step is written down. A run that was
    ended is gone on from; a run with nothing to do does nothing. Files are checked by their digests, and what is missing or
    corrupt is named and made again.
options:
  state:
    description:
      - With V(present) the bundle is made or brought up to date.
      - With V(planned) nothing is changed. The result says what V(present) would do, and what it lacks on this machine.
      - With V(verified) every file is compared with its digest; the task fails when one is missing or corrupt, naming it.
      - With V(packed) the bundle is written to one compressed file, with V(unpacked) it is taken from there. Both check digests.
      - With V(absent) the bundle is removed; its signing key stays in the cache folder.
    type: str
    choices: [present, planned, verified, packed, unpacked, absent]
    default: present
  path:
    description: The bundle's folder.
    type: path
    required: true
  cache:
    description: Folder for the signing key, for layers of Debian tools, and for work that is under way.
    type: path
    required: true
  archive:
    description: The one file of O(state=packed) and O(state=unpacked), ending in C(.tar.zst) or C(.tar.gz).
    type: path
  origin:
    description:
      - Where things come from. With V(go_modules), programs are built from Go modules, by the lock files (C(go.mod), C(go.sum))
        that the collection carries, and made into packages and images with the upstream names.
      - With V(upstream), packages and images are fetched from upstream's servers.
    type: str
    choices: [go_modules, upstream]
    default: go_modules
  architecture:
    description: The hosts' architecture; the control node's own when left out.
    type: str
    choices: [amd64, arm64]
  kubernetes_versions:
    description: Kubernetes versions to hold, at most one of each minor. The first is the one that clusters get.
    type: list
    elements: str
  component_versions:
    description: Versions of the other components, a row for each Kubernetes minor; the roles' C(kube_versions).
    type: dict
  image_archives:
    description:
      - Image archives that the site brings. Paths of files as C(docker save) writes them, of OCI archives or of OCI folders.
      - A dictionary with C(path) and C(name) names the image of an archive that does not say it.
    type: list
    elements: raw
    default: []
  manifests:
    description: Manifests that the site brings. Name in the bundle, such as C(calico/v3.32.1/calico.yaml), and path.
    type: dict
    default: {}
  debian_release:
    description: Number and name of the Debian release that the revision of containerd.io names.
    type: str
    default: 12 bookworm
  debian_sources:
    description: Lines of C(sources.list) from which the Debian tools of some images come.
    type: list
    elements: str
    default: []
  programs:
    description:
      - Programs for the control node, in C(bin/linux-ARCHITECTURE) of the bundle. V(kubectl) is the one of the first of O(kubernetes_versions), V(helm)
        and V(kwok) (nodes and pods that only the API knows) are built from Go modules, also with O(origin=upstream).
    type: list
    elements: str
    default: []
  program_versions:
    description: Versions of the programs that are built, by name.
    type: dict
    default: {}
  debian_images:
    description:
      - Images that are made of Debian packages, by name. There is a recipe for PostgreSQL, C(docker.io/library/postgres:15-bookworm); the tag is
        the major version that the Debian release has.
      - With O(origin=upstream) the image of that name is fetched.
    type: list
    elements: str
    default: []
  upstream:
    description: Addresses of O(origin=upstream).
    type: dict
    default: {}
  prune:
    description:
      - Whether Kubernetes versions, programs, images, image archives and manifests that an earlier run took in and this one does not name are removed.
      - By default they stay, for a build takes minutes and an archive may not be at hand any more.
    type: bool
    default: false
notes:
  - Runs on the control node whatever host the task is for.
  - In check mode it says what would be done and changes nothing.
"""

EXAMPLES = r"""
- name: Make a bundle from Go modules
  slipway.kube.bundle:
    path: ~/.cache/slipway/bundle
    cache: ~/.cache/slipway
    kubernetes_versions: [1.36.3]
    component_versions: "{{ kube_versions }}"

- name: Write it to one file
  slipway.kube.bundle:
    state: packed
    path: ~/.cache/slipway/bundle
    cache: ~/.cache/slipway
    archive: /media/stick/slipway-1.36.3.tar.zst
"""

RETURN = r"""
path:
  description: The bundle's folder.
  returned: always
  type: str
  sample: /home/me/.cache/slipway/bundle
vars_file:
  description: The variables file that makes the roles use the bundle.
  returned: when state is present or planned
  type: str
  sample: /home/me/.cache/slipway/bundle/vars.yml
steps:
  description: What was left to do, and why.
  returned: when state is present or planned
  type: list
  elements: dict
  sample: [{"title": "packing kubeadm 1.36.3-1.1", "reason": "not there yet"}]
done:
  description: Steps that were done, with their seconds.
  returned: when state is present
  type: list
  elements: dict
  sample: [{"title": "packing kubeadm 1.36.3-1.1", "seconds": 1.2}]
removed:
  description: Files that nothing asks for any more.
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
items:
  description: Everything in the bundle with name, kind, version, architecture, digest, size (bytes), origin and path.
  returned: when state is present, planned or verified
  type: list
  elements: dict
  sample: [{"name": "kubeadm", "kind": "package", "version": "1.36.3-1.1", "architecture": "amd64", "size": 19000000}]
size:
  description: Size of all files in bytes; a layer that several images share is counted for each.
  returned: when state is present or planned
  type: int
  sample: 380000000
network_plugin:
  description: The pod network that the bundle has images for, V(calico) or V(flannel).
  returned: when state is present or planned
  type: str
  sample: flannel
missing_packages:
  description: Debian packages that the work needs on this machine and that are not installed.
  returned: when state is planned
  type: list
  elements: str
  sample: [mmdebstrap]
problems:
  description: Everything that keeps the work from being done on this machine, with the remedy.
  returned: when state is planned
  type: list
  elements: str
  sample: ["mmdebstrap is not installed: apt-get install mmdebstrap."]
archive:
  description: The one file.
  returned: when state is packed
  type: str
  sample: /media/stick/slipway-1.36.3.tar.zst
digest:
  description: The one file's digest.
  returned: when state is packed
  type: str
  sample: sha256:0b5c…
"""
