# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are not on the line of their name are masked in a record, too."""

from __future__ import annotations

import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import Redactor
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.masking import without_blocks
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.summary import masked

HIDDEN = ("correcthorse", "Y29ycmVjdA==", "c2VjcmV0", "batterystaple")
# The same object in several texts: what is secret, what is not.
TEXTS = {
    "the kind after the data": " apiVersion: v1\n data:\n-  password: c2VjcmV0\n+  password: Y29ycmVjdA==\n"
    "+  user: Y29ycmVjdA==\n kind: Secret\n type: kept\n",
    "the kind before the data": "--- before\n+++ after\n@@ -1,3 +1,3 @@\n"
    " kind: Secret\n metadata: {name: kept}\n stringData:\n-  url: batterystaple\n+  url: correcthorse\n",
    "a list": "+items:\n+- kind: Secret\n+  data:\n+    a: c2VjcmV0\n+- data:\n"
    "+    a: c2VjcmV0\n+  kind: Secret\n+- kind: ConfigMap\n+  data:\n+    a: kept\n",
    "the kind is outside of the part": "@@ -9,2 +9,2 @@\n data:\n-  tls.key: c2VjcmV0\n+  tls.key: Y29ycmVjdA==\n   mode: kept\n",
    "json": '+{\n+    "data": {\n+        "password": "Y29ycmVjdA==",\n+        "x": "c2VjcmV0"\n+    },\n+    "kind": "Secret",\n+    "type": "kept"\n+}\n',
    "one line": '+{"apiVersion":"v1","data":{"x":"c2VjcmV0"},"kind":"Secret","metadata":{"name":"kept"}}\n',
    "an annotation": '+    last-applied-configuration: "{\\"data\\":{\\"x\\":\\"c2VjcmV0\\"},\\"kind\\":\\"Secret\\",\\"name\\":\\"kept\\"}"\n',
    "flow style": "+kind: Secret\n+data: {x: c2VjcmV0}\n+type: kept\n",
    "a block in the data": "+kind: Secret\n+stringData:\n+  config: |\n+    correcthorse\n+\n+    - batterystaple\n+type: kept\n",
    "a block of a secret": " env:\n-  db_password: |-\n-    batterystaple\n+  db_password: |-\n+    correcthorse\n+    c2VjcmV0\n   mode: kept\n",
    "a variable of a container": " - name: DB_PASSWORD\n-  value: correcthorse\n+  value: batterystaple horse\n - name: MODE\n   value: kept\n",
    "a value that goes on": "+- name: DB_PASSWORD\n+  value: aaa\n+    correcthorse\n+- name: MODE\n+  value: kept\n",
    "a variable in flow style": "+env: [{name: DB_PASSWORD, value: correct horse correcthorse}, {name: MODE, value: kept}]\n",
    "a variable in json on one line": '+{"env":[{"name":"API_TOKEN","value":"a \\" correcthorse"},{"name":"MODE","value":"kept"}]}\n',
    "in an annotation": '+  x: "{\\"env\\":[{\\"name\\":\\"TOKEN\\",\\"value\\":\\"correcthorse\\"},{\\"name\\":\\"M\\",\\"value\\":\\"kept\\"}]}"\n',
    "its value first": "-- value: correcthorse\n+- value: 'batterystaple'\n   name: API_TOKEN\n - value: kept\n   name: MODE\n",
    "a variable in json": '+{\n+  "name": "DB_PASSWORD",\n+  "value": "correcthorse"\n+},\n+{\n+  "name": "MODE",\n+  "value": "kept"\n+}\n',
    "a variable of several lines": "+- name: TLS_PRIVATE_KEY\n+  value: |\n+    correcthorse\n+    batterystaple\n+- name: MODE\n+  value: kept\n",
    "a part that begins in the data": "@@ -4,3 +4,3 @@\n   a: bm90IGhlcmU=\n-  b: batterystaple\n+  b: correcthorse\n"
    " kind: Secret\n metadata:\n   name: kept\n",
    "a part that begins in the data, with its type": "@@ -4,3 +4,3 @@\n-  b: correcthorse\n+  b: batterystaple\n type: Opaque\n---\n kept: kept\n",
    "a part that begins in a value": "@@ -4,3 +4,3 @@\n-    Y29ycmVjdA==\n+    c2VjcmV0\n   mode: kept\n",
    "a part of which nothing else is known": "@@ -7 +7 @@\n-  a: Y29ycmVjdA==\n+  a: c2VjcmV0\n   mode: kept\n",
    "json that begins in the data": '@@ -4,3 +4,3 @@\n-        "b": "correcthorse",\n+        "b": "batterystaple",\n'
    '     },\n     "kind": "Secret",\n     "x": "kept"\n',
    "flow style on one line": "+- {kind: Secret, stringData: {user: 'a } correcthorse', other: batterystaple}, metadata: {name: kept}}\n",
    "flow style with braces in a value": '+{"kind":"Secret","stringData":{"a":"{\\"b\\": \\"correcthorse\\"}","c":"batterystaple"},'
    '"metadata":{"name":"kept"}}\n',
    "an annotation with braces in a value": '+  "last": "{\\"kind\\":\\"Secret\\",\\"stringData\\":{\\"a\\":\\"a \\\\\\"}\\\\\\" correcthorse\\",'
    '\\"c\\":\\"batterystaple\\"},\\"type\\":\\"kept\\"}"\n',
    "flow style that goes on": "+kind: Secret\n+stringData: {a: correcthorse,\n+  b: batterystaple}\n+type: kept\n",
    "several words": "-db_password: correct battery batterystaple\n+db_password: correct horse correcthorse  # new\n mode: kept\n",
    "several words in a configuration": "-  password = a batterystaple\n+  password = a correcthorse\n   mode = kept\n",
    "a block that is removed without indentation": "-token: >\n-  correcthorse\n+mode: kept\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_secret_is_masked_and_nothing_else(text: str) -> None:
    found = masked(text, diff=True)
    assert [value for value in HIDDEN if value in found] == [], found
    assert "kept" in found and "********" in found
    assert found.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "+kind: ConfigMap\n+data:\n+  LOG_LEVEL: INFO\n+  x: Y29ycmVjdA==\n",
        "@@ -1 +1 @@\n data:\n   LOG_LEVEL: INFO\n   port: '8080'\n   mode: production\n   on: 'true'\n",
        "+description: |\n+  a text\n+  of two lines\n",
        "+- name: DB_PASSWORD\n+  valueFrom:\n+    secretKeyRef:\n+      name: db\n",
        "+metadata:\n+  name: db-password\n+  namespace: shop\n+- name: MODE\n+  value: one\n",
        "+spec:\n+  data:\n+  - a\n+  kind: Secretary\n",
        "@@ -4,3 +4,3 @@\n-  a: aGVsbG8=\n+  a: Y29ycmVjdA==\n kind: ConfigMap\n metadata:\n   name: x\n",
        "@@ -4,3 +4,3 @@\n-      imagePullPolicy: IfNotPresent\n+      imagePullPolicy: Always\n       terminationMessagePath: File\n       name: registry2\n",
        "@@ -4,3 +4,3 @@\n-  type: Recreate\n+  type: RollingUpdate\n   app: frontend\n   hash: 5d41402abc4b2a76\n",
        "@@ -1,3 +1,3 @@\n-a: Y29ycmVjdA==\n+a: c2VjcmV0\n b: kept\n",
        "+metadata: {name: x, labels: {kind: Secret}}\n+spec: {data: [a]}\n",
        "+the secret of success is a long sentence: work hard\n",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text, diff=True) == text


def test_a_message_is_no_diff() -> None:
    text = "items:\n- password: |\n    correcthorse\n  name: kept\n- kind: Secret\n  data:\n    x: c2VjcmV0\n  name: kept\n"
    found = masked(text)
    assert "correcthorse" not in found and "c2VjcmV0" not in found
    assert found.count("kept") == 2


UNITS = [
    "{",
    "data: {",
    "data: {'",
    '"data":{"',
    '\\"',
    "kind: Secret, data: {",
    '\\\\\\"',
    "a b ",
    "password: a ",
    "x.",
    "password",
    "-password",
    "--token-",
    "a-token ",
    "password ",
    "eyJ-",
    "eyJabcdefghijk.",
    "bearer ",
    "a://b:c",
    "name: a, value: ",
    "name: password, value: '",
    "A",
    "0a",
    "value:  x  ",
]


def seconds(lines: list[str], diff: bool) -> float:
    """Return the CPU time that it takes to mask lines."""
    started = time.process_time()
    Redactor().log_lines(without_blocks(lines, diff))
    return time.process_time() - started


@pytest.mark.parametrize("unit", [*UNITS, "value: x" + " " * 20000 + "y"])
def test_long_lines_take_no_long_time(unit: str) -> None:
    text = (unit * (20000 // len(unit) + 1))[:20000]
    assert seconds(["@@ -1 +1 @@", f"+  {text}", f"+  x: {text}", "+name: password", f"+value: {text}"], True) < 1
    assert seconds(["data:", f"  x: {text}", text], False) < 1


@pytest.mark.parametrize(
    "lines",
    [
        ["data:"],
        ["- data:"],
        ["- name: password", "  value: |"],
        ["kind: List", "data: x"],
        ["@@ -1 +1 @@", "   data:"],
    ],
)
def test_many_lines_take_no_long_time(lines: list[str]) -> None:
    assert seconds(lines * 3000, False) < 1
    assert seconds(lines * 3000, True) < 1
