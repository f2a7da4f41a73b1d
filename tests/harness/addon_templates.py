# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that the template of an add-on yields, without a playbook."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import jinja2
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry, selection

VERSIONS = yaml.safe_load((registry.OWN.parents[1] / "cluster" / "defaults" / "main.yml").read_text())["kube_versions"]


def render(
    name: str, file: str, addons: tuple[str, ...], settings: dict[str, Any], dns: str = "10.96.0.10"
) -> list[dict[str, Any]]:
    """Return the objects of a template of the add-on.

    :param addons: the other add-ons that are selected.
    :param dns: the address of the cluster DNS.
    :raises InputError: the settings are not valid.
    """
    row = {key: str(value) for key, value in next(iter(VERSIONS.values())).items()}
    (one,) = selection.select(registry.load(), [name], {name: settings}, row)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
    environment.filters.update(
        to_json=json.dumps,
        hash=lambda text, kind: hashlib.new(kind, text.encode()).hexdigest(),
        regex_replace=lambda text, pattern, new: re.sub(pattern, new, text),
    )
    template = environment.from_string((one.addon.folder / file).read_text())
    names = [name, *addons]
    text = template.render(
        addon=one.as_dict(),
        addons=names,
        __addons_names=names,
        __addons_dns_address=dns,
        private=settings,
        kube_cluster_name="kube",
        kube_dns_domain="cluster.local",
    )
    return [content for content in yaml.safe_load_all(text) if content]


def objects_of(name: str, *addons: str, **settings: Any) -> list[dict[str, Any]]:
    """Return the objects of the add-on with these settings."""
    return render(name, "objects.yml.j2", addons, settings)


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the object of this kind and name."""
    (found,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found
