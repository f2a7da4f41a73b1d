# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates made for the time of the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    """A certificate for 127.0.0.1 and its key, as files."""

    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def make_certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pair]:
    """Makes a certificate that is valid for some days."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(days: int, *extensions: str, issuer: Pair | None = None) -> Pair:
        name = f"{days}{'-'.join(extensions)}"
        pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
        if not pair.certificate.exists():
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            command += [
                "-keyout",
                str(pair.key),
                "-out",
                str(pair.certificate),
                "-days",
                str(days),
                "-subj",
                f"/CN=me-{days}",
            ]
            command += ["-addext", "subjectAltName=IP:127.0.0.1"]
            command += [part for extension in extensions for part in ("-addext", extension)]
            if extensions:  # these and no others
                (folder / "bare.cnf").write_text("[req]\ndistinguished_name=name\n[name]\n")
                command += ["-config", str(folder / "bare.cnf")]
            if issuer:
                command += ["-CA", str(issuer.certificate), "-CAkey", str(issuer.key)]
            subprocess.run(command, check=True, capture_output=True)
        return pair

    return make
