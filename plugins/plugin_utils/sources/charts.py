# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Helm chart in a folder: its notes, and the fields that it makes anew with each rendering."""

from __future__ import annotations

import base64
import os
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...module_utils._kube.objects import mapping
from ...module_utils._kube.redaction import Redactor
from ..errors import InputError
from ..hooks import annotations_of
from . import yaml_reader

NOTES = os.path.join("templates", "NOTES.txt")
MARK = "slipway.kube/notes"
# helm template leaves the notes out, so that one more template shows them. As a test it is no object that helm checks.
NOTES_TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: slipway-kube-notes
  annotations: {{helm.sh/hook: test, {mark}: ""}}
data:
  notes: {{{{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}}}
"""
# Keys of values that are secret, or that only name a Secret or a key of it.
SECRET_KEY = re.compile(r"pass(wd|word|phrase|$)|pwd|secret|token|credential|(api|access|private)_?-?key|key$", re.I)
NAMES_A_SECRET = re.compile(
    r"existing|name$|ref$|enabled|create|annotations|labels|(user|pass(wd|word|phrase)?|topology|partition|sort)_?-?key$"
    r"|^(secret|token)_?-?keys$|^key$|(port|ttl|expir\w*|type|provider|path|scheme)$",
    re.I,
)
# What a chart generates there is used as a whole, or belongs to something else that is generated.
GENERATED_VALUE = re.compile(r"/(data|stringData)(/|$)|.*/caBundle")
PEM = re.compile(r"-----BEGIN.*?-----END[^\n]*", re.S)
CLOCK = re.compile(rb"\{\{[^}]*\bnow\b")
Document = tuple[Any, str]


def unpacked(chart: str, folder: str) -> str:
    """Return the folder of a chart, unpacked from its archive or copied where a template is added to it.

    :param chart: a folder or an archive.
    :param folder: where to put it.
    :raises InputError: it is not a valid archive of a chart.
    """
    if os.path.isdir(chart):
        if not os.path.isfile(os.path.join(chart, NOTES)):
            return chart
        place = os.path.join(folder, os.path.basename(os.path.normpath(chart)))
        shutil.copytree(chart, place, ignore=shutil.ignore_patterns(".git"), ignore_dangling_symlinks=True)
    else:
        try:
            with tarfile.open(chart) as archive:
                for member in archive:
                    _unpack(archive, member, folder)
        except (tarfile.TarError, OSError) as error:
            raise InputError(f"helm.chart {chart}: the archive cannot be unpacked: {error}") from None
        names = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, "Chart.yaml"))]
        if len(names) != 1:
            raise InputError(f"helm.chart {chart}: the archive does not contain one folder with a Chart.yaml.")
        place = os.path.join(folder, names[0])
    if os.path.isfile(os.path.join(place, NOTES)):
        with open(os.path.join(place, "templates", "slipway-kube-notes.yaml"), "w", encoding="utf-8") as file:
            file.write(NOTES_TEMPLATE.format(mark=MARK))
    return place


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: str) -> None:
    """Write a regular file of an archive; like helm, leave out links. Python 3.11.3 and earlier have no filter for this.

    :raises tarfile.TarError: its place is not below the folder.
    """
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts:
        raise tarfile.TarError(f"{member.name} is not a path below the chart.")
    content = archive.extractfile(member) if member.isreg() else None
    if content is not None:
        path = os.path.join(folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            shutil.copyfileobj(content, file)


def reads_the_clock(chart: str) -> bool:
    """Return whether a template of a chart, or of a chart in it, uses the time."""
    for place, _folders, names in os.walk(chart):
        for name in names if f"{os.sep}templates" in place else []:
            with open(os.path.join(place, name), "rb") as file:
                if CLOCK.search(file.read()):
                    return True
    return False


def separate_notes(documents: Sequence[Document]) -> tuple[list[Document], str]:
    """Separate the notes from the documents of a chart."""
    notes = ""
    kept = []
    for content, origin in documents:
        if isinstance(content, Mapping) and MARK in annotations_of(content):
            notes = str((content.get("data") or {}).get("notes") or "").strip()
        else:
            kept.append((content, origin))
    return kept, notes


def without_secrets(notes: str, values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the notes without the values of a chart whose key suggests that they are secret.

    :param names: words that are never secret.
    """
    secrets = set(_secret_values(values, False)) - set(names)
    return Redactor(values=[*secrets, *(base64.b64encode(one.encode()).decode() for one in secrets)]).text(notes)


def default_values(chart: str) -> dict[str, Any]:
    """Return the default values of a chart; none if helm reads them and this reader does not."""
    path = os.path.join(chart, "values.yaml")
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            documents = yaml_reader.read(file.read(), path)
    except InputError:
        return {}
    return dict(mapping(documents[0].content)) if documents else {}


def _secret_values(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            named = NAMES_A_SECRET.search(str(key))
            yield from _secret_values(below, not named and (secret or bool(SECRET_KEY.search(str(key)))))
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from _secret_values(below, secret)
    elif secret and isinstance(value, (str, int)) and not isinstance(value, bool):
        yield str(value)


def entry_identity(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the kind, the namespace and the name of an entry that :func:`made_anew` returns."""
    return (entry["kind"], entry["namespace"], entry["name"])


def kept_visibly(
    entries: Sequence[Mapping[str, Any]], first: Sequence[Document], second: Sequence[Document]
) -> list[str]:
    """Name the fields that a chart makes anew and that are more than a generated value: checksums, and texts that contain one.

    :param entries: what :func:`made_anew` returns of two renderings.
    """
    found = []
    documents = [{_identity(content): content for content, _origin in some} for some in (first, second)]
    for entry in entries:
        secret = entry["kind"] == "Secret"
        one, other = (some.get(entry_identity(entry)) for some in documents)
        fields = [
            field
            for field in entry["fields"]
            if not GENERATED_VALUE.match(field)
            or not (secret or "/caBundle" in field)
            or (secret and _share_lines(_text(one, field), _text(other, field)))
        ]
        if fields:
            found.append(f"{entry['kind']} {entry['name']} ({', '.join(fields)})")
    return found


def _text(content: Any, pointer: str) -> str:
    """Return the text of a field of a Secret, decoded; empty if it is no text."""
    section, key = pointer.split("/")[1], pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    text = str(mapping(mapping(content).get(section)).get(key) or "")
    try:
        return text if section == "stringData" else base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _share_lines(one: str, other: str) -> bool:
    """Return whether two texts have a line in common, other than those of keys and certificates."""
    lines = [{line for line in PEM.sub("", text).splitlines() if line.strip()} for text in (one, other)]
    return bool(lines[0] & lines[1])


def made_anew(first: Sequence[Document], second: Sequence[Document], chart: str) -> list[dict[str, Any]]:
    """Compare two renderings of a chart.

    :returns: the fields that differ, as entries of the option C(ignore_differences).
    :raises InputError: names of objects differ, so that a release could not find them again.
    """
    entries, problems = [], []
    if len(first) != len(second):
        problems.append(f"{chart}: it renders {len(first)} objects once and {len(second)} objects the next time.")
    for (one, origin), (other, _origin) in zip(first, second, strict=False):
        mine, theirs = _identity(one), _identity(other)
        if mine != theirs:
            problems.append(
                f"{origin}: {' '.join(filter(None, mine))} has another name with each rendering ({' '.join(filter(None, theirs))}), so a "
                "release could not find it again. Set its name with a value of the chart."
            )
            continue
        fields = list(_differences(one, other, ""))
        if fields:
            entry = {"kind": mine[0], "namespace": mine[1], "name": mine[2], "fields": fields}
            entries.append(entry)
    if problems:
        raise InputError(*problems)
    return entries


def _identity(content: Any) -> tuple[str, str, str]:
    if not isinstance(content, Mapping):
        return ("", "", "")
    metadata = mapping(content.get("metadata"))
    return (str(content.get("kind") or ""), str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def _differences(one: Any, other: Any, pointer: str) -> Iterator[str]:
    """Return the JSON pointers of the values in which two structures differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            below = pointer + "/" + str(key).replace("~", "~0").replace("/", "~1")
            if key in one and key in other:
                yield from _differences(one[key], other[key], below)
            else:
                yield below
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, theirs, f"{pointer}/{number}")
    elif one != other:
        yield pointer
