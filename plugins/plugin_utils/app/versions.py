# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two versions of the pods side by side, told apart by a hash of their template; the Service C(NAME-preview) selects the new one.

Strategy BlueGreen: each version is a Deployment of its own. All pods of a new version start beside those of the old one. The Service is
applied last, when they are ready and the hooks behind the deployment have succeeded, and the old Deployment is deleted after that.

Strategy Canary: a second, small Deployment tries a new version behind the same Service. The main Deployment is changed when the canary
has been ready for a while and the hooks behind the deployment have succeeded (see C(module_utils/_release/canary.py)).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from ...module_utils._kube.objects import Object
from ...module_utils._release.canary import OBSERVE, OF, PERCENT
from ...module_utils._release.ownership import APPLIED_LAST
from ...module_utils._release.settings import CANARY
from .configuration import digest
from .objects import CANARY_LABEL, VERSION_LABEL, manifest
from .serving import service_name
from .spec import BLUE_GREEN, Spec

DEFAULT_PERCENT, DEFAULT_OBSERVE = 20, 30


def separate(spec: Spec, objects: list[Object], hooks: dict[str, list[Object]]) -> None:
    """Tell the versions of the pods apart.

    :param objects: the objects of the application, after the overrides of the user; they are changed and completed.
    :param hooks: the hooks by C(pre) and C(post); those that check the version are changed, and the canary is added.
    """
    main = next(one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == spec["name"])
    version = {VERSION_LABEL: digest(main["spec"]["template"], 8)}
    main["spec"]["template"]["metadata"]["labels"].update(version)
    for content in hooks["post"]:
        # A hook runs once for its content: this check runs for each version.
        content["metadata"]["annotations"] = {**content["metadata"].get("annotations", {}), **version}
    name = service_name(spec)
    service = next(one for one in objects if one["kind"] == "Service" and one["metadata"]["name"] == name)
    objects.append(_preview(spec, service, version))
    if spec["strategy"]["type"] == BLUE_GREEN:
        _switch(main, service, version)
    else:
        hooks[CANARY] = [_canary(spec, main)]


def observation(spec: Spec) -> int:
    """Return for how many seconds a canary is observed."""
    observe = spec["strategy"]["observe"]
    return DEFAULT_OBSERVE if observe is None else int(observe)


def _preview(spec: Spec, service: Object, version: Mapping[str, str]) -> Object:
    selected = {**service["spec"]["selector"], **version}
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in service["spec"]["ports"]]
    body = {"type": "ClusterIP", "selector": selected, "ports": copy.deepcopy(ports)}
    return manifest(spec, "Service", f"{service_name(spec)}-preview", spec=body)


def _switch(main: Object, service: Object, version: Mapping[str, str]) -> None:
    """Make the Deployment that of a version, and the Service one that is switched to it."""
    main["metadata"]["name"] += "-" + version[VERSION_LABEL]
    for labels in (main["metadata"]["labels"], main["spec"]["selector"]["matchLabels"]):
        labels.update(version)
    service["spec"]["selector"].update(version)
    _annotate(service, dict([APPLIED_LAST]))


def _canary(spec: Spec, main: Object) -> Object:
    strategy = spec["strategy"]
    percent = strategy["percent"]
    canary = copy.deepcopy(main)
    canary["metadata"]["name"] += "-canary"
    inside = canary["spec"]
    # The labels of the main Deployment's pods stay, so that its Service selects these pods too. Each Deployment has its own
    # ReplicaSets, so that none takes a pod of the other.
    for labels in (
        canary["metadata"]["labels"],
        inside["selector"]["matchLabels"],
        inside["template"]["metadata"]["labels"],
    ):
        labels[CANARY_LABEL] = "true"
    inside["replicas"] = 1  # the release takes a share of the pods that there are
    about = {
        OF: main["metadata"]["name"],
        PERCENT: str(DEFAULT_PERCENT if percent is None else percent),
        OBSERVE: str(observation(spec)),
    }
    _annotate(canary, about)
    return canary


def _annotate(content: Object, annotations: Mapping[str, str]) -> None:
    content["metadata"]["annotations"] = {**content["metadata"].get("annotations", {}), **annotations}
