# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's limits, raised for a lab and put back after it, on a file that stands for the kernel's."""

from __future__ import annotations

import json

import pytest

from ansible_collections.slipway.kube.plugins.modules import lab_limits
from harness.core import patch_module_args


@pytest.fixture
def limits(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lab_limits, "LIMIT", str(tmp_path / "limit"))

    def run(state="present", value=8192, check=False):
        arguments = {
            "state": state,
            "inotify_instances": value,
            "record": str(run.record),
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            lab_limits.main()
        return json.loads(capsys.readouterr().out)

    run.limit, run.record = tmp_path / "limit", tmp_path / "record.json"
    run.limit.write_text("128\n")
    return run


def test_a_low_limit_is_raised_once_and_put_back(limits):
    assert limits()["changed"] and limits.limit.read_text() == "8192"
    assert limits()["changed"] is False
    assert limits("absent")["changed"] and limits.limit.read_text() == "128"
    assert not limits.record.exists()
    assert limits("absent")["changed"] is False


def test_a_limit_that_is_high_enough_is_left_alone(limits):
    limits.limit.write_text("65536\n")
    assert limits()["changed"] is False
    assert limits("absent")["changed"] is False
    assert limits.limit.read_text() == "65536\n"


def test_the_first_value_is_the_one_that_is_put_back(limits):
    limits(value=1024)
    limits(value=2048)
    limits("absent")
    assert limits.limit.read_text() == "128"


def test_a_dry_run_tells_and_touches_nothing(limits):
    result = limits(check=True)
    assert result["changed"] and result["after"] == 8192
    assert limits.limit.read_text() == "128\n" and not limits.record.exists()


def test_without_the_right_to_raise_it_the_command_is_named(limits):
    limits.record.mkdir()
    assert "sysctl -w fs.inotify.max_user_instances=8192" in limits()["msg"]
