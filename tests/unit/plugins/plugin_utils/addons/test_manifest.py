# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.addons.manifest import configure
from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError

TEXT = "kind: ConfigMap\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: b}\n"
PUBLISHED = [{"url": "example.com/all.yaml", "sha256": hashlib.sha256(TEXT.encode()).hexdigest()}]


def test_a_patch_changes_an_object_or_leaves_it_out() -> None:
    changed = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "value"}}
    gone = {"kind": "ConfigMap", "metadata": {"name": "b"}, "$patch": "delete"}
    assert configure([TEXT], PUBLISHED, [changed, gone]) == [changed]


def test_what_a_patch_leaves_out_must_exist() -> None:
    gone = {"kind": "ConfigMap", "metadata": {"name": "c"}, "$patch": "delete"}
    with pytest.raises(InputError, match="0 objects ConfigMap c"):
        configure([TEXT], PUBLISHED, [gone])


def test_a_text_of_ansible_is_read() -> None:
    class Encoded(bytes):
        """As what the text of a lookup is encoded to before ansible-core 2.19."""

    class Tagged(str):
        """As Ansible's, a subclass."""

        def encode(self, *arguments: str) -> bytes:
            return Encoded(super().encode(*arguments))

    assert len(configure([Tagged(TEXT)], PUBLISHED, [])) == 2
