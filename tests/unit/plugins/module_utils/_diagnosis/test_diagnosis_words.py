# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of kubelets, runtimes and programs mean, beyond those that are recorded."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.exits import explain_exit
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.sandboxes import explain_sandbox

from .conftest import deployment, event, findings_of, node, pod

CGROUP = (
    'error setting cgroup config for procHooks process: failed to write "200000": write '
    "/sys/fs/cgroup/cpu/kubepods.slice/x.scope/cpu.cfs_quota_us: "
)


@pytest.mark.parametrize(
    ("probe", "answer", "advice"),
    [
        (
            {"httpGet": {"port": 8443}},
            'Get "http://10.1.2.3:8443/": malformed HTTP response "\\x15\\x03"',
            "Set scheme: HTTPS",
        ),
        (
            {"httpGet": {"port": 8443}},
            "HTTP probe failed with statuscode: 400",
            "Set scheme: HTTPS",
        ),
        ({"httpGet": {"port": 80, "host": "shop.example"}}, "context deadline exceeded", "Remove host (shop.example)"),
        (
            {"httpGet": {"port": 80, "host": "shop.example"}},
            "HTTP probe failed with statuscode: 404",
            "Correct the path",
        ),
        (
            {"grpc": {"port": 9000}},
            "error: this server does not implement the grpc health protocol",
            "add the health service",
        ),
        ({"tcpSocket": {"port": 80}}, "dial tcp 10.1.2.3:80: connect: connection refused", "on 127.0.0.1 only"),
    ],
)
def test_what_a_failed_probe_says(probe: dict[str, Any], answer: str, advice: str) -> None:
    unready = pod(state={"ready": False}, container={"readinessProbe": {**probe, "periodSeconds": 2}})
    unready["status"]["phase"] = "Running"
    said = event("Pod", "web-1-a", "Unhealthy", f"Readiness probe failed: {answer}", count=40)
    found = next(one for one in findings_of({**deployment(0), "Pod": [unready], "Event": [said], "Node": [node()]}))
    assert found.fault == "readiness_fails" and advice in found.advice, found


def test_the_host_of_a_probe_is_right_where_the_pod_uses_the_network_of_its_node() -> None:
    probe = {"httpGet": {"port": 2381, "host": "127.0.0.1"}, "periodSeconds": 2}  # as kubeadm writes it for etcd
    unready = pod(state={"ready": False}, container={"readinessProbe": probe}, spec={"hostNetwork": True})
    unready["status"]["phase"] = "Running"
    said = "Readiness probe failed: dial tcp 127.0.0.1:2381: connect: connection refused"
    lists = {**deployment(0), "Pod": [unready], "Event": [event("Pod", "web-1-a", "Unhealthy", said, count=40)]}
    found = next(one for one in findings_of({**lists, "Node": [node()]}))
    assert "Remove host" not in found.advice and "No process listens on port 2381" in found.advice


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("container init was OOM-killed (memory limit too low?)", "the memory limit of the pod is too low"),
        ("failed to create user namespace: idmap mounts are not supported", "cannot run the pod in a user namespace"),
        (CGROUP + "invalid argument", "the cgroup of node w1 refuses the resources of the pod"),
        (
            'plugin type="flannel" failed (add): open /run/flannel/subnet.env: no such file',
            "the pod network could not be set up",
        ),
    ],
)
def test_what_a_failed_sandbox_says(message: str, title: str) -> None:
    assert title in explain_sandbox(message, "w1").title


@pytest.mark.parametrize(
    ("message", "fault", "title"),
    [
        (CGROUP + "invalid argument", "start_fails", "the cgroup of the node refuses"),
        (CGROUP + "permission denied", "start_fails", "the cgroup of the node refuses"),
        ("container init was OOM-killed (memory limit too low?)", "oom_killed", "its memory limit of 4Mi is too low"),
        (
            'error mounting "/v" to rootfs at "/etc/app/cache": create mountpoint: mkdirat /etc/app/cache: read-only file system',
            "mount_fails",
            "cannot be mounted at /etc/app/cache, because its directory would be created in a volume",
        ),
        ('exec: "sh -c ls": executable file not found in $PATH', "bad_command", "are one word"),
        ('exec: "/run.sh": stat /run.sh: no such file or directory', "bad_command", "a script whose interpreter"),
        ('exec: "run": executable file not found in $PATH', "bad_command", "command run was not found in the image"),
    ],
)
def test_what_a_failed_start_says(message: str, fault: str, title: str) -> None:
    ended = {"exitCode": 128, "reason": "StartError", "message": message}
    found = explain_exit(ended, {"resources": {"limits": {"memory": "4Mi"}}}, 0)
    assert found.fault == fault and title in found.title and found.advice
