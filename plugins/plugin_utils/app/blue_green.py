# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy BlueGreen: each version of the pods is a Deployment of its own, named by a hash of its pod template.

All pods of a new version start beside those of the old one. The Service is applied last, when they are ready and the hooks behind
the deployment have succeeded, and the old Deployment is deleted after that. Until then, the Service C(NAME-preview) selects the new
pods.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from ...module_utils._kube.objects import Object
from ...module_utils._release.ownership import APPLIED_LAST
from .configuration import digest
from .objects import VERSION_LABEL, manifest
from .serving import service_name
from .spec import Spec

TYPE = "BlueGreen"


def separate(spec: Spec, objects: Sequence[Object], hooks: Mapping[str, Sequence[Object]]) -> list[Object]:
    """Name the version of the pods in their Deployment, in the Service and in the hooks that check it.

    :param objects: the objects of the application, after the overrides of the user; they are changed.
    :param hooks: the hooks by C(pre) and C(post); they are changed.
    :returns: the further objects.
    """
    main = next(one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == spec["name"])
    version = {VERSION_LABEL: digest(main["spec"]["template"], 8)}
    main["metadata"]["name"] += "-" + version[VERSION_LABEL]
    for labels in (main["metadata"]["labels"], main["spec"]["selector"]["matchLabels"]):
        labels.update(version)
    main["spec"]["template"]["metadata"]["labels"].update(version)
    for content in hooks["post"]:
        # A hook runs once for its content: this check runs for each version.
        content["metadata"]["annotations"] = {**content["metadata"].get("annotations", {}), **version}
    name = service_name(spec)
    service = next(one for one in objects if one["kind"] == "Service" and one["metadata"]["name"] == name)
    selected = {**service["spec"]["selector"], **version}
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in service["spec"]["ports"]]
    service["spec"]["selector"] = selected
    service["metadata"]["annotations"] = {
        **service["metadata"].get("annotations", {}),
        **dict([APPLIED_LAST]),
    }
    body = {"type": "ClusterIP", "selector": dict(selected), "ports": copy.deepcopy(ports)}
    return [manifest(spec, "Service", f"{name}-preview", spec=body)]
