# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints: what the inventory had and has no more goes, what others set stays."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import labels
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.config import CONTROL_PLANE_TAINT

GPU = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}


def node(have=None, taints=None, notes=None):
    return {
        "metadata": {"name": "w1", "resourceVersion": "7", "labels": have or {}, "annotations": notes or {}},
        "spec": {"taints": taints or []},
    }


def apply(node, patch):
    """What the API server does with a JSON merge patch of a node."""
    for part in ("labels", "annotations"):
        for key, value in patch.get("metadata", {}).get(part, {}).items():
            if value is None:
                node["metadata"][part].pop(key, None)
            else:
                node["metadata"][part][key] = value
    node["spec"].update(patch.get("spec", {}))
    return node


def test_nothing_is_done_where_nothing_is_wanted_and_nothing_was():
    assert labels.node_patch(node({"kubernetes.io/hostname": "w1"}, [NOT_READY]), {}, []) == ({}, [])


def test_a_label_is_set_noted_and_then_left_alone():
    have = node({"kubernetes.io/hostname": "w1"})
    patch, said = labels.node_patch(have, {"disktype": "ssd"}, [])
    assert patch["metadata"]["labels"] == {"disktype": "ssd"} and "label disktype=ssd" in said
    assert patch["metadata"]["resourceVersion"] == "7"
    assert labels.node_patch(apply(have, patch), {"disktype": "ssd"}, []) == ({}, [])


def test_a_label_that_left_the_inventory_leaves_the_node_and_others_stay():
    have = node({"disktype": "ssd", "zone": "a"}, notes={labels.MANAGED_LABELS: "disktype"})
    patch, said = labels.node_patch(have, {}, [])
    assert patch["metadata"]["labels"] == {"disktype": None}
    assert "label disktype removed" in said
    assert apply(have, patch)["metadata"] == {
        "name": "w1",
        "resourceVersion": "7",
        "labels": {"zone": "a"},
        "annotations": {},
    }


def test_a_changed_value_is_told_with_the_old_one():
    _patch, said = labels.node_patch(
        node({"disktype": "hdd"}, notes={labels.MANAGED_LABELS: "disktype"}), {"disktype": "ssd"}, []
    )
    assert said == ["label disktype=ssd (was hdd)"]


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (1, "1"), ("x", "x")])
def test_values_are_text_as_kubernetes_wants(value, text):
    assert labels.node_patch(node(), {"a": value}, [])[0]["metadata"]["labels"] == {"a": text}


def test_taints_of_controllers_stay_as_they_are():
    have = node(taints=[NOT_READY])
    patch, _said = labels.node_patch(have, {}, [GPU])
    assert patch["spec"]["taints"] == [NOT_READY, GPU]
    after = apply(have, patch)
    assert labels.node_patch(after, {}, [GPU]) == ({}, [])
    patch, said = labels.node_patch(after, {}, [])
    assert patch["spec"]["taints"] == [NOT_READY] and "taint dedicated=gpu:NoSchedule removed" in said


def test_a_taint_s_new_value_replaces_the_old():
    have = node(taints=[GPU], notes={labels.MANAGED_TAINTS: "dedicated:NoSchedule"})
    patch, said = labels.node_patch(have, {}, [dict(GPU, value="cpu")])
    assert patch["spec"]["taints"] == [dict(GPU, value="cpu")]
    assert said == ["taint dedicated=cpu:NoSchedule (was dedicated=gpu:NoSchedule)"]


def test_the_same_key_with_another_effect_is_another_taint():
    have = node(taints=[GPU])
    patch, _said = labels.node_patch(have, {}, [dict(GPU, effect="NoExecute")])
    assert len(patch["spec"]["taints"]) == 2


def test_the_control_plane_s_taint_is_ours_without_a_note():
    owned = [labels.taint_key(CONTROL_PLANE_TAINT)]
    have = node(taints=[CONTROL_PLANE_TAINT])
    assert labels.node_patch(have, {}, [CONTROL_PLANE_TAINT], owned) == ({}, [])
    patch, said = labels.node_patch(have, {}, [], owned)
    assert patch["spec"]["taints"] == [] and said == ["taint node-role.kubernetes.io/control-plane:NoSchedule removed"]
    back, _said = labels.node_patch(apply(have, patch), {}, [CONTROL_PLANE_TAINT], owned)
    assert back["spec"]["taints"] == [CONTROL_PLANE_TAINT]


def test_a_worker_s_control_plane_taint_set_by_hand_is_left_alone():
    assert labels.node_patch(node(taints=[CONTROL_PLANE_TAINT]), {}, []) == ({}, [])


def test_a_summary_tells_what_a_person_asks():
    have = node({"node-role.kubernetes.io/control-plane": ""}, [GPU])
    have["status"] = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"kubeletVersion": "v1.36.3"},
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "w1"}],
    }
    assert labels.summarize(have) == {
        "ready": True,
        "version": "v1.36.3",
        "roles": ["control-plane"],
        "addresses": ["192.0.2.1"],
        "unschedulable": False,
        "taints": ["dedicated=gpu:NoSchedule"],
    }
