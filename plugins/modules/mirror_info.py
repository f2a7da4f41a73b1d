#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_info
short_description: Check that a web server serves a bundle correctly
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Sends the requests of containerd and apt to a web server that serves a bundle, from the host on which the module runs.
  - Returns the rule, the URL, the evidence and the remedy for each problem.
  - Does not fail if there are problems; the caller decides.
options:
  url:
    description: URL of the root of the bundle.
    type: str
    required: true
  everything:
    description: Whether to compare the digests of all files. By default, only the size of files of more than 1 MiB is checked.
    type: bool
    default: false
  ca:
    description: File with CA certificates for an HTTPS mirror. If empty, the CA certificates of the host are used.
    type: str
    default: ""
  timeout:
    description: Timeout of a request in seconds.
    type: int
    default: 10
attributes:
  check_mode:
    description: The module only reads.
    support: full
"""

EXAMPLES = r"""
- name: Check the mirror
  slipway.kube.mirror_info:
    url: http://10.123.0.2
  register: mirror
"""

RETURN = r"""
problems:
  description: The problems, in the order in which they were found.
  returned: always
  type: list
  elements: dict
  contains:
    part:
      description: The violated rule - down, api, index, missing, media_type, digest, size or fallback.
      type: str
    url:
      description: The requested URL.
      type: str
    evidence:
      description: What the server returned.
      type: str
    remedy:
      description: How to fix the problem.
      type: str
messages:
  description: The problems, one sentence each.
  returned: always
  type: list
  elements: str
checked:
  description: The number of manifests and other files that were requested, and of bytes that were compared by digest.
  returned: always
  type: dict
bundle:
  description: The description of the bundle (architecture, kubernetes_versions).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._mirror.probe import Mirror, probe, sentence


def main() -> None:
    """Check the mirror."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "everything": {"type": "bool", "default": False},
            "ca": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params
    found = probe(Mirror(params["url"], params["timeout"], params["ca"]), params["everything"])
    module.exit_json(changed=False, messages=[sentence(each) for each in found["problems"]], **found)


if __name__ == "__main__":
    main()
