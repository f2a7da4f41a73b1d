# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions of a package's files are predicted, set, set again after its update, and given back."""

from __future__ import annotations

from ansible_collections.slipway.kube.plugins.module_utils._host.package_modes import mode_of, plan_modes
from ansible_collections.slipway.kube.plugins.module_utils._host.packages import WantedPackage
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import System
from ansible_collections.slipway.kube.plugins.module_utils._reset import files

PATH = "/usr/lib/systemd/system/kubelet.service"
WANTED = [WantedPackage("kubelet", modes={PATH: "0600"}), WantedPackage("kubectl")]


def test_a_file_of_a_package_that_is_not_installed_yet_is_predicted(tmp_path):
    system = System(str(tmp_path))
    assert plan_modes(system, WANTED, installing=False) == []
    (step,) = plan_modes(system, WANTED, installing=True)
    assert step.sentence == f"file {PATH} of package kubelet has mode 0600" and step.remember == []


def test_permissions_are_set_recorded_and_given_back(tmp_path):
    system, record = System(str(tmp_path)), Record("/record")
    unit = tmp_path / PATH[1:]
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    unit.chmod(0o644)
    (step,) = plan_modes(system, WANTED, installing=False)
    for kind, key, value in step.remember:
        record.remember(kind, key, value)
    step.apply()
    assert mode_of(str(unit)) == "0600" and plan_modes(system, WANTED, installing=True) == []
    assert step.paths == [], "the kubelet is not restarted because of it"
    unit.chmod(0o640)  # an update of the package
    (step,) = plan_modes(system, WANTED, installing=False)
    assert [record.remember(*entry) for entry in step.remember] == [False]
    step.apply()

    assert files.plan_modes(system, record, ["kubelet"]) == []
    (back,) = files.plan_modes(system, record, [])
    back.apply()
    assert mode_of(str(unit)) == "0644" and files.plan_modes(system, record, []) == []
    unit.unlink()
    assert files.plan_modes(system, record, []) == []
