# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of the authorities of a running cluster, one step on one host: the core of the module kubeadm_authorities.

First every host trusts the old and the new authorities, then certificates and tokens are issued by the new ones, then the old ones are
dropped. Each step recognizes what is done already, so that a rotation that was interrupted goes on.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Callable, Mapping

from .._host.record import Record
from .._host.system import HostError, System, write_atomic
from .._kube.progress import tell
from .._kube.x509 import authority_key_id, ca_cert_hash, subject_key_id
from . import authorities, endpoint, etcd, kubelet_bootstrap, rotation_cluster, rotation_files
from .admin import connect
from .authorities import BASES, FINISHED, FOLDER, ISSUED, ISSUERS, PKI, TRUSTED, Files
from .certificates import COMPONENTS, RENEWABLE, outdated, processes, read_certificate, restart
from .endpoint import read
from .endpoint_config import set_authority
from .rotation_files import MANAGER
from .run import run_kubeadm
from .upgrade import wait_for_etcd

KUBERNETES = "/etc/kubernetes"
MANIFESTS = KUBERNETES + "/manifests"
KUBECONFIGS = ("admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf")
KUBELET_PKI = "/var/lib/kubelet/pki"
PHASES = {
    "trusted": TRUSTED,
    "refreshed": TRUSTED,
    "issued": ISSUED,
    "used": ISSUED,
    "renewed": ISSUED,
    "finished": FINISHED,
}


def is_control_plane() -> bool:
    """Return whether an API server runs on this host."""
    return Path(MANIFESTS, "kube-apiserver.yaml").exists()


def is_etcd_host() -> bool:
    """Return whether this host runs a member of an external etcd."""
    return Path(MANIFESTS, "etcd.yaml").exists() and not is_control_plane()


def _kept() -> str:
    """Return where the client certificate of a worker's kubelet is while it asks for a new one."""
    return kubelet_bootstrap.CLIENT + ".slipway"


def _bootstrap() -> str:
    return os.path.join(kubelet_bootstrap.FOLDER, kubelet_bootstrap.BOOTSTRAP)


class Step:
    """One step on this host.

    :ivar pairs: old and new certificates, or public keys, by the name of the authority.
    """

    def __init__(self, params: Mapping[str, Any], check_mode: bool, lock: Any) -> None:
        """Prepare."""
        self.params, self.check_mode, self.lock = params, check_mode, lock
        self.phase = PHASES[params["state"]]
        self.pairs = {name: (one["old"], one["new"]) for name, one in params["authorities"].items()}
        self.changes: list[str] = []

    def do(self, change: str, action: Callable[..., Any], *arguments: Any) -> None:
        """Note a change, and make it unless this is check mode."""
        self.changes.append(change)
        tell(change)
        if not self.check_mode:
            action(*arguments)

    def _kubeadm(self, arguments: list[str]) -> None:
        run_kubeadm(arguments, self.params["timeout"], self.lock, self.params["log"])

    def place_authorities(self) -> None:
        """Give the files that components read what they have in this phase; a host that is further already stays so."""
        old, new = (authorities.read_files(f"{FOLDER}/{kind}", self.pairs) for kind in ("old", "new"))
        live = authorities.read_files(PKI, self.pairs)
        words = {TRUSTED: "is trusted with the old one", ISSUED: "issues", FINISHED: "alone is trusted"}
        for name, pair in self.pairs.items():
            before, after = old.get(name, Files(pair[0])), new.get(name, Files(pair[1]))
            # A control plane of an external etcd only trusts its authority, which issues on the hosts of etcd.
            phase = self.phase if live[name].key or self.phase != ISSUED else TRUSTED
            if authorities.phase_of(live[name], before, after) < phase:
                self.do(
                    f"The new {name} {words[phase]}.", self._place, name, authorities.files_in(phase, before, after)
                )

    def _place(self, name: str, wanted: Files) -> None:
        write_atomic(f"{PKI}/{authorities.public_file(name)}", wanted.public.encode(), 0o644)
        if wanted.key:
            write_atomic(f"{PKI}/{authorities.key_file(name)}", wanted.key.encode(), 0o600)

    def place_signing_files(self) -> None:
        """Let kube-controller-manager sign with a single certificate."""
        live = authorities.read_files(PKI, ["ca"])
        if "ca" not in self.pairs or "ca" not in live:
            return
        old, new = (authorities.read_files(f"{FOLDER}/{kind}", ["ca"]).get("ca", Files()) for kind in ("old", "new"))
        phase = max(authorities.phase_of(live["ca"], old, new), self.phase) if old.public else FINISHED
        folder = {TRUSTED: f"{FOLDER}/old", ISSUED: f"{FOLDER}/new"}.get(phase, PKI)
        text = read(Path(MANAGER))
        wanted = authorities.set_signing_files(text, folder)
        if text != wanted:
            self.do(
                f"kube-controller-manager signs with {folder}/ca.crt.", write_atomic, MANAGER, wanted.encode(), 0o600
            )

    def issue(self) -> None:
        """Let kubeadm issue the certificates of this host anew that are not signed by a new authority.

        Without the authority's key, as on a control plane of an external etcd, they were issued before this step, which check mode predicts.
        """
        for file, name in ISSUERS.items():
            has_key = self.check_mode or Path(PKI, authorities.key_file(name)).exists()
            certificate = read_certificate(Path(KUBERNETES, file)) if name in self.pairs and has_key else ""
            if certificate and authority_key_id(certificate) != (subject_key_id(self.pairs[name][1]) or None):
                arguments = ["certs", "renew", RENEWABLE[file]]
                self.do(f"Certificate {RENEWABLE[file]} issued by the new {name}.", self._kubeadm, arguments)

    def place_kubeconfigs(self) -> None:
        """Let the kubeconfigs of this host trust what its file of the CA has."""
        if "ca" not in self.pairs:
            return
        wanted = read(Path(PKI, "ca.crt"))
        for name in KUBECONFIGS:
            path = Path(KUBERNETES, name)
            text = read(path)
            if text and set_authority(text, wanted) != text:
                content = set_authority(text, wanted).encode()
                self.do(f"{path} has the authorities that this host trusts.", write_atomic, str(path), content, 0o600)

    def restart_components(self) -> None:
        """Start the static pods again whose files are newer than they, one after the other."""
        if self.check_mode:
            if self.changes:
                every = "etcd" if is_etcd_host() else "etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
                self.changes.append(f"{every} restarted.")
            return
        if not is_etcd_host():
            self._wait_for_manager()
        for name in COMPONENTS:
            if name not in outdated(list(processes())):
                continue
            self._wait_for_etcd()
            pid = outdated(list(processes())).get(name)
            if pid:
                restart(name, pid, self.params["timeout"], self.params["server"])
            self.changes.append(f"{name} restarted.")
        self._wait_for_etcd()

    def _wait_for_etcd(self) -> None:
        if etcd.has_credentials() and Path(MANIFESTS, "etcd.yaml").exists():
            wait_for_etcd(self.params["timeout"])

    def _wait_for_manager(self) -> None:
        """Wait until the kubelet runs kube-controller-manager as its manifest says."""
        wanted = authorities.signing_files(read(Path(MANAGER)))
        end = time.monotonic() + self.params["timeout"]
        while True:
            running = [
                read(Path(f"/proc/{pid}/cmdline"))
                for program, pid, _start in processes()
                if program == "kube-controller-manager"
            ]
            # There may be others, of control planes that run in pods.
            if any(authorities.signing_files(line.replace("\0", " ")) == wanted for line in running):
                return
            if time.monotonic() > end:
                raise HostError(
                    f"kube-controller-manager does not run with --cluster-signing-cert-file={wanted[0]} within {self.params['timeout']} seconds."
                    " Other control planes were not changed. Remedy: see 'journalctl -u kubelet' and"
                    " /var/log/pods/kube-system_kube-controller-manager-*, then run again."
                    " [slipway:component_timeout]"
                )
            time.sleep(1)

    def restart_kubelet(self, force: bool = False) -> None:
        """Start the kubelet again if its files are newer than it; pods go on running."""
        files = [Path(PKI, "ca.crt"), Path(KUBERNETES, "kubelet.conf")]
        started = [start for _program, _pid, start in processes(programs=("kubelet",))]
        # A start is known from the time of the host's boot, which has whole seconds.
        late = not started or max(path.stat().st_mtime for path in files) > min(started) + 1
        if force or (late and "ca" in self.pairs) or (self.check_mode and self.changes):
            self.do("The kubelet is restarted.", endpoint.restart_kubelet, self.params["timeout"])

    def wait_for_pods(self) -> None:
        """Wait until the pods use the new authority, or tokens of the new key: the kubelet refreshes their volumes, and they read them again."""
        end = time.monotonic() + self.params["timeout"]
        while not self.check_mode:
            found, seconds = authorities.look_at_volumes(self.phase, self.pairs, time.time())
            if not found and not seconds:
                return
            tell(f"waits for the volumes of {len(found)} pods", *found)
            if found and time.monotonic() > end:
                what = "authority" if self.phase == TRUSTED else "token"
                raise HostError(
                    f"The kubelet has not refreshed the {what} of all pods within {self.params['timeout']} seconds, so the rotation does not continue."
                    f" Evidence: {'; '.join(found[:5])}. Remedy: see 'journalctl -u kubelet' on this host, or delete the pod with that UID, then run"
                    " again. [slipway:rotation_waits]"
                )
            time.sleep(2)

    def use(self) -> None:
        """Give the kubelet certificates that the new CA has issued."""
        wanted = subject_key_id(self.pairs["ca"][1]) if "ca" in self.pairs else ""
        server = Path(KUBELET_PKI, "kubelet-server-current.pem")
        client = authority_key_id(read(Path(kubelet_bootstrap.CLIENT)))
        # Without the link, an interrupted run has removed it, and the kubelet may still have the old certificate in memory.
        removed = not server.exists() and any(server.parent.glob("kubelet-server-*.pem"))
        serving = removed or (server.exists() and authority_key_id(read(server)) != wanted)
        if "ca" in self.pairs and serving:
            self.do("The kubelet requests a new serving certificate.", server.unlink, True)  # it may be missing
        if wanted and client == wanted and not is_control_plane():
            for path in (_kept(), _bootstrap()):
                if os.path.lexists(path):
                    self.do(f"{path}, which an interrupted run has left, is deleted.", os.unlink, path)
        if "ca" in self.pairs and (client != wanted or not wanted):
            self.do("The kubelet gets a new client certificate.", self._new_client)
            if self.check_mode:
                self.changes.append("The kubelet is restarted.")
        elif ("ca" in self.pairs and serving) or authorities.look_at_volumes(ISSUED, self.pairs, 0)[0]:
            self.restart_kubelet(force=True)  # it forgets the tokens of its pods, and so gets new ones at once

    def _new_client(self) -> None:
        if is_control_plane():
            kubelet_bootstrap.issue(
                self.params["node_name"],
                self._kubeadm,
                time.time(),
            )
            return
        if os.path.lexists(kubelet_bootstrap.CLIENT):
            os.replace(kubelet_bootstrap.CLIENT, _kept())  # without it, the kubelet asks with its bootstrap kubeconfig
        try:
            kubelet_bootstrap.recover(self.params["bootstrap_token"], self.params["timeout"])
        except BaseException:
            self._put_client_back()
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_kept())

    def _put_client_back(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_bootstrap())  # its token is revoked
        with contextlib.suppress(FileNotFoundError):
            os.replace(_kept(), kubelet_bootstrap.CLIENT)
        System().systemctl("restart", "kubelet.service")

    def require_new_certificates(self) -> None:
        """Refuse to drop an old authority while the kubelet of this host, or its API server as a client of etcd, uses a certificate of it.

        :raises HostError: it does.
        """
        users = {f"{KUBELET_PKI}/kubelet-{kind}-current.pem": "ca" for kind in ("client", "server")}
        users.update({f"{KUBERNETES}/{file}": name for file, name in ISSUERS.items() if name == "etcd-ca"})
        wanted = {name: subject_key_id(self.pairs[name][1]) for name in {*users.values()} & {*self.pairs}}
        late = [
            path
            for path, name in users.items()
            if wanted.get(name) and Path(path).exists() and authority_key_id(read(Path(path))) != wanted[name]
        ]
        if late and not self.check_mode:
            raise HostError(
                f"The old authority is not dropped: this host uses a certificate of it. Evidence: {', '.join(late)}. Remedy: see 'journalctl -u kubelet'"
                " on this host and 'kubectl get csr', then run again. [slipway:rotation_waits]"
            )

    def run(self) -> None:
        """Do the step."""
        state = self.params["state"]
        if os.path.lexists(_kept()) and not os.path.lexists(kubelet_bootstrap.CLIENT):
            self.do(
                "The kubelet has its client certificate again, which an interrupted run has moved away.",
                self._put_client_back,
            )
        if state in ("refreshed", "renewed"):
            self.wait_for_pods()
        elif state == "used":
            self.use()
        elif is_control_plane():
            self._run_on_control_plane()
        elif is_etcd_host():
            self._run_on_etcd_host()
        elif "ca" in self.pairs and state != "issued":
            if state == "finished":
                self.require_new_certificates()
            self.pairs = {"ca": self.pairs["ca"]}
            self._place_on_worker()
            self._identify()
            self.place_kubeconfigs()
            self.restart_kubelet()

    def _identify(self) -> None:
        """Record the CA of this host at once, since what follows may fail, and a reset compares the two."""
        if not self.check_mode:
            with contextlib.suppress(OSError):
                Record.load(self.params["record_dir"]).identify(ca_cert_hash(read(Path(PKI, "ca.crt"))), "")

    def _place_on_worker(self) -> None:
        live, (before, after) = Files(read(Path(PKI, "ca.crt"))), self.pairs["ca"]
        if authorities.phase_of(live, Files(before), Files(after)) < self.phase:
            wanted = authorities.files_in(self.phase, Files(before), Files(after)).public
            self.do(
                f"The new ca {'alone is trusted' if self.phase == FINISHED else 'is trusted with the old one'}.",
                write_atomic,
                f"{PKI}/ca.crt",
                wanted.encode(),
            )

    def _run_on_etcd_host(self) -> None:
        self.pairs = {name: pair for name, pair in self.pairs.items() if name == "etcd-ca"}
        if not self.pairs:
            return
        if self.phase == FINISHED:
            self.require_new_certificates()
        self.place_authorities()
        if self.phase >= ISSUED:
            self.issue()
        self.restart_components()
        if self.phase == FINISHED and rotation_files.remains():
            self.do("The old authorities are deleted.", rotation_files.remove)

    def _run_on_control_plane(self) -> None:
        if self.phase == FINISHED:
            self.require_new_certificates()
        if self.phase == TRUSTED:
            self.place_signing_files()  # kube-controller-manager does not start with two certificates
        self.place_authorities()
        self._identify()
        if self.phase >= ISSUED:
            self.issue()
            self.place_signing_files()
        self.place_kubeconfigs()
        self.restart_components()
        self.restart_kubelet()
        if not self.check_mode:
            client = connect(self.params["kubeconfig"], self.params["server"])
            if "ca" in self.pairs:
                self.changes += rotation_cluster.announce(client, read(Path(PKI, "ca.crt")))
            if self.phase == FINISHED:
                self.changes += rotation_cluster.forget(client, self.pairs)
        if self.phase == FINISHED and rotation_files.remains():
            self.do("The old authorities are deleted.", rotation_files.remove)


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Do one step of the rotation and return the result of the module.

    :raises HostError: the step is refused or fails; the next run goes on from there.
    """
    state = params["state"]
    keeps = is_control_plane() or is_etcd_host()
    result: dict[str, Any] = {"changes": [], "rotating": rotation_files.rotated() if keeps else []}
    if state == "planned":
        names = result["rotating"] or [name for name in BASES if {name, "all"} & {*params["rotate"]}]
        names = [name for name in names if name == "etcd-ca" or not is_etcd_host()]
        if "all" in params["rotate"] and not Path(MANIFESTS, "etcd.yaml").exists():
            names = [name for name in names if name != "etcd-ca"]  # etcd is external
        reason = rotation_files.refusal(names)
        if reason:
            raise HostError(reason)
        result["rotate"] = names
    elif state == "prepared":
        result.update(rotation_files.prepare(params, check_mode, lock))
    elif state == "workloads":
        result.update(rotation_cluster.restart_workloads(params, check_mode))
    elif state == "tokens":
        result.update(rotation_cluster.renew_tokens(params, check_mode))
    else:
        step = Step(params, check_mode, lock)
        step.run()
        result["changes"] = step.changes
    result["changed"] = bool(result["changes"])
    return result
