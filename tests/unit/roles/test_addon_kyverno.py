# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on kyverno, and the changes of its published manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from harness.addon_templates import named, objects_of, render

KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"


def patches(*addons: str, **settings: Any) -> list[dict[str, Any]]:
    return render("kyverno", "patches.yml.j2", addons, settings)


def test_by_default_it_has_no_policy() -> None:
    assert objects_of("kyverno") == []


@pytest.mark.parametrize(("level", "rules"), [("baseline", 12), ("restricted", 19)])
def test_a_level_is_one_policy_that_warns_at_first(level: str, rules: int) -> None:
    spec = named(objects_of("kyverno", pod_security=level), "ValidatingPolicy", f"pod-security-{level}")["spec"]
    assert spec["validationActions"] == ["Audit", "Warn"] and spec["failurePolicy"] == "Fail"
    assert len(spec["validations"]) == len({one["message"] for one in spec["validations"]}) == rules
    privileged = "variables.containers.all(c, !c.?securityContext.?privileged.orValue(false))"
    assert privileged in {one["expression"] for one in spec["validations"]}
    assert not [one for one in spec["validations"] if "OF" in one["expression"]]


def test_a_level_can_be_enforced() -> None:
    settings = {"pod_security": "restricted", "pod_security_action": "enforce", "failure_policy": "Ignore"}
    spec = named(objects_of("kyverno", **settings), "ValidatingPolicy", "pod-security-restricted")["spec"]
    assert spec["validationActions"] == ["Deny"] and spec["failurePolicy"] == "Ignore"


def test_signed_images() -> None:
    spec = named(
        objects_of("kyverno", verify_images=[{"images": ["registry.example.com/*"], "keys": [KEY, KEY]}]),
        "ImageValidatingPolicy",
        "signed-images-1",
    )["spec"]
    assert spec["matchImageReferences"] == [{"glob": "registry.example.com/*"}]
    assert [one["cosign"]["key"]["data"] for one in spec["attestors"]] == [KEY, KEY]
    assert spec["attestors"][0]["cosign"]["ctlog"] == {"insecureIgnoreTlog": True, "insecureIgnoreSCT": True}
    assert "verifyImageSignatures(image, [attestors.key1, attestors.key2])" in spec["validations"][0]["expression"]
    assert spec["validationActions"] == ["Deny"]


def test_images_without_a_key_are_refused() -> None:
    with pytest.raises(InputError, match="missing required arguments: keys found in verify_images"):
        objects_of("kyverno", verify_images=[{"images": ["registry.example.com/*"]}])


def test_it_is_never_asked_about_the_namespaces_of_addons() -> None:
    made = patches("network_policy", "metallb", exclude_namespaces=["legacy"])
    text = named(made, "ConfigMap", "kyverno")["data"]["webhooks"]
    by_name, by_release = json.loads(text)["namespaceSelector"]["matchExpressions"]
    assert {"kube-system", "kyverno", "legacy"} <= set(by_name["values"]) and by_name["operator"] == "NotIn"
    assert by_release["key"] == "slipway.kube/release"
    assert by_release["values"] == ["addon-kyverno", "addon-network-policy", "addon-metallb"]


def test_controllers_that_are_not_selected_get_no_permission() -> None:
    left_out = {(one["kind"], one["metadata"]["name"]) for one in patches(controllers=["reports"]) if "$patch" in one}
    assert ("Deployment", "kyverno-background-controller") in left_out
    assert ("ClusterRoleBinding", "kyverno:background-controller") in left_out
    assert ("Service", "kyverno-cleanup-controller") in left_out
    assert not {name for _kind, name in left_out if "reports" in name}


def test_reports_are_only_written_if_somebody_collects_them() -> None:
    def arguments(**settings: Any) -> list[str]:
        found = named(patches(**settings), "Deployment", "kyverno-admission-controller")
        return list(found["spec"]["template"]["spec"]["containers"][0]["args"])

    assert "--admissionReports=false" in arguments()
    assert "--admissionReports=true" in arguments(controllers=["reports"])


def test_a_ca_is_mounted_beside_the_usual_ones() -> None:
    found = named(patches(registry_ca=KEY), "Deployment", "kyverno-admission-controller")["spec"]["template"]["spec"]
    assert found["containers"][0]["env"] == [{"name": "SSL_CERT_DIR", "value": "/etc/kyverno/ca"}]
    assert named(objects_of("kyverno", registry_ca=KEY), "ConfigMap", "registry-ca")["data"] == {"ca.crt": KEY}


def test_a_policy_is_ready_without_the_controller_that_reports_existing_objects() -> None:
    for controllers, reported in (([], False), (["reports"], True)):
        (policy,) = objects_of("kyverno", pod_security="baseline", controllers=controllers)
        assert policy["spec"]["evaluation"] == {"background": {"enabled": reported}}
