#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_info
short_description: Which part of a mirror's contract a web server breaks
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Asks a web server that serves a bundle for what containerd and apt will ask it, from the host on which the module runs.
  - Says for each thing that is wrong which part of the contract it breaks, where, what was seen, and what to do.
  - Never fails for what it finds; the caller judges.
options:
  url:
    description: URL of the bundle's root.
    type: str
    required: true
  everything:
    description: Fetch every file and compare its digest, also those of more than 1 MiB, which are otherwise judged by their size.
    type: bool
    default: false
  ca:
    description: File of certificates that vouch for the server, for an HTTPS mirror. Empty for the host's own.
    type: str
    default: ""
  timeout:
    description: Seconds after which a request without an answer counts as none.
    type: int
    default: 10
attributes:
  check_mode:
    description: Only asks.
    support: full
"""

EXAMPLES = r"""
- name: See whether the mirror serves all that it should
  slipway.kube.mirror_info:
    url: http://10.123.0.2
  register: mirror
"""

RETURN = r"""
problems:
  description: What is wrong, in the order in which it was found.
  returned: always
  type: list
  elements: dict
  contains:
    part:
      description: Part of the contract - down, api, index, missing, media_type, digest, size or fallback.
      type: str
    url:
      description: What was asked for.
      type: str
    evidence:
      description: What was seen.
      type: str
    remedy:
      description: What to do.
      type: str
messages:
  description: The same, one sentence each.
  returned: always
  type: list
  elements: str
checked:
  description: How many manifests and other files were asked for, and how many bytes were compared by digest.
  returned: always
  type: dict
bundle:
  description: What the bundle says of itself (origin, architecture, kubernetes_versions).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._mirror.probe import Mirror, probe, sentence


def main() -> None:
    """Probe, and answer."""
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
