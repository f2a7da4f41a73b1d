# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let every certificate of a node expire: each is issued again, with the same names and key, for a year that has passed.

Runs on the host, with openssl 3.4 or later: ``python3 expire.py FOLDER``; FOLDER has ca.crt and ca.key of the cluster's CA. Authorities stay valid.
"""

from __future__ import annotations

import base64
import glob
import os
import re
import subprocess
import sys
import tempfile

FOLDER, KUBELET = "/etc/kubernetes", "/var/lib/kubelet/pki"
PAST = ("-not_before", "20240101000000Z", "-not_after", "20250101000000Z")


def expired(certificate: str, key: str, authority: str) -> str:
    """Return the certificate in PEM as if it had been issued for a year that has passed.

    :param authority: path of the CA without ".crt" and ".key".
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, name) for name in ("crt", "key", "csr", "new")}
        for name, text in (("crt", certificate), ("key", key)):
            with open(paths[name], "w", encoding="utf-8") as handle:
                handle.write(text)
        request = ("-x509toreq", "-in", paths["crt"], "-signkey", paths["key"], "-copy_extensions", "copyall")
        subprocess.run(["openssl", "x509", *request, "-out", paths["csr"]], check=True, capture_output=True)
        by = ("-CA", authority + ".crt", "-CAkey", authority + ".key", "-copy_extensions", "copyall")
        signed = ("-req", "-in", paths["csr"], *by, *PAST, "-out", paths["new"])
        subprocess.run(["openssl", "x509", *signed], check=True, capture_output=True)
        with open(paths["new"], encoding="utf-8") as handle:
            return handle.read()


def read(path: str) -> str:
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def main(folder: str) -> None:
    authority = os.path.join(folder, "ca")
    pki = FOLDER + "/pki"
    for path in (*glob.glob(pki + "/*.crt"), *glob.glob(pki + "/etcd/*.crt")):
        name = os.path.basename(path)
        if name in ("ca.crt", "front-proxy-ca.crt") or not os.path.exists(path[:-4] + ".key"):
            continue
        of_etcd = "/etcd/" in path or name == "apiserver-etcd-client.crt"
        by = pki + "/etcd/ca" if of_etcd else pki + "/front-proxy-ca" if name.startswith("front-proxy") else authority
        write(path, expired(read(path), read(path[:-4] + ".key"), by))
        print(path)
    for path in glob.glob(FOLDER + "/*.conf"):
        text = read(path)
        parts = dict(re.findall(r"client-(certificate|key)-data: (\S+)", text))
        if len(parts) == 2:
            certificate, key = (base64.b64decode(parts[name]).decode() for name in ("certificate", "key"))
            new = base64.b64encode(expired(certificate, key, authority).encode()).decode()
            write(path, text.replace(parts["certificate"], new))
            print(path)
    for kind in ("client", "server"):
        path = os.path.realpath(f"{KUBELET}/kubelet-{kind}-current.pem")
        pems = [
            match.group(0)
            for match in re.finditer(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----\n", read(path), re.S)
        ]
        certificate = next(pem for pem in pems if "BEGIN CERTIFICATE" in pem)
        key = next(pem for pem in pems if "PRIVATE KEY" in pem)
        write(path, expired(certificate, key, authority) + key)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1])
