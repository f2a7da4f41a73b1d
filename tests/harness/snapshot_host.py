# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print as JSON what the host that this runs on is: {section: {thing: what it is}}.

``snapshot_host.py whole`` lists the host: files, units, processes, ports, packages, sysctls, interfaces, routes, rules, mounts, swap.
``snapshot_host.py running`` lists what a run that changes nothing must leave alone: when files of the cluster were written, which
incarnation of each unit and container runs, and the content of the cluster's objects.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time

# Not the host's state: the kernel's views, what a boot makes anew, logs, caches, and what any use of the host moves.
NOT_LISTED = (
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/var/cache",
    "/var/log",
    "/var/tmp",
    "/etc/group-",  # the version before, which useradd and userdel keep
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/root/.ansible",
    "/home/*/.ansible",
    "/var/lib/apt/extended_states",
    "/var/lib/apt/lists",
    "/var/lib/apt/periodic",
    "/var/lib/dpkg/available",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/status*",  # packages are listed one by one
    "/var/lib/dnf",  # its history; packages are listed one by one
    "/var/lib/dpkg/triggers/*",
    "/var/lib/rpm",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/timers/*",
)
# The resolver that Docker has in each container, at other ports after each start of the container.
DOCKER_RESOLVER = "127.0.0.11"
# Units that come with a login, with the time of day, or with the first boot only (ConditionNeedsUpdate).
PASSING_UNITS = (
    "apt-daily*",
    "dpkg-db-backup*",
    "e2scrub*",
    "fstrim*",
    "ldconfig.service",
    "run-user-*",
    "session-*",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean*",
    "systemd-update-done.service",
    "user-*",
    "user@*",
)
# Counters, clocks and identities among the sysctls, and what a boot works out anew.
PASSING_SYSCTLS = (
    "fs/*-nr",
    "fs/*-state",
    "fs/binfmt_misc/*",
    "fs/quota/*",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random/*",
    "net/*/route/flush",
    "net/ipv4/tcp_fastopen_key",
    "net/netfilter/nf_conntrack_count",
    "vm/user_reserve_kbytes",
)
CLUSTER_FOLDERS = (
    "/etc/cni",
    "/etc/containerd",
    "/etc/kubernetes",
    "/etc/systemd/system",
    "/opt/cni",
    "/root/.kube/config",
    "/var/lib/slipway",
)
CLUSTER_FILES = ("/etc/fstab", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env")
CONTAINERS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
# What the cluster itself moves all the time.
PASSING_KINDS = (
    "bindings",
    "componentstatuses",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
)


def output(*command: str) -> str:
    """Return what a command prints; nothing where the host does not have it."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.decode("utf-8", "replace")


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def label(path: str) -> str:
    """Return a space and a file's SELinux label; nothing where it has none."""
    try:
        return f" {os.getxattr(path, 'security.selinux', follow_symlinks=False).rstrip(bytes(1)).decode()}"
    except OSError:
        return ""


def content(path: str) -> str:
    """Return a file's type, mode, owner, for a plain file its size and digest, and its SELinux label."""
    info = os.lstat(path)
    text = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
    if stat.S_ISLNK(info.st_mode):
        return f"{text} -> {os.readlink(path)}{label(path)}"
    if not stat.S_ISREG(info.st_mode):
        return text + label(path)
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return f"{text} {info.st_size} {digest.hexdigest()[:16]}{label(path)}"


def files(top: str = "/") -> dict[str, str]:
    found = {}
    for folder, names, leaves in os.walk(top):
        names[:] = [name for name in names if not matches(os.path.join(folder, name), NOT_LISTED)]
        for path in [os.path.join(folder, name) for name in names + leaves]:
            if not matches(path, NOT_LISTED):
                try:
                    found[path] = content(path)
                except FileNotFoundError:
                    pass
    return found


def lines(text: str, skip: str = "") -> dict[str, str]:
    """Return each line of a text as a thing of its own, numbered where it comes more than once."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.rstrip()
        if not line or (skip and re.search(skip, line)):
            continue
        name, number = line, 2
        while name in found:
            name, number = f"{line} ({number})", number + 1
        found[name] = "present"
    return found


def unit_files() -> dict[str, str]:
    rows = (line.split() for line in output("systemctl", "list-unit-files", "--no-legend", "--plain").splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and not matches(row[0], PASSING_UNITS)}


def units() -> dict[str, str]:
    listed = output(
        "systemctl",
        "list-units",
        "--all",
        "--no-legend",
        "--plain",
        "--type=service,socket,mount,slice,swap,timer,path",
    )
    rows = (line.split() for line in listed.splitlines())
    return {row[0]: " ".join(row[1:3]) for row in rows if len(row) > 3 and not matches(row[0], PASSING_UNITS)}


def in_container() -> bool:
    return any(os.path.exists(path) for path in ("/run/systemd/container", "/.dockerenv", "/run/.containerenv"))


def sysctls() -> dict[str, str]:
    """All that can be read; in a container those of its own network alone, because the others are the surrounding machine's."""
    top = "/proc/sys/net" if in_container() else "/proc/sys"
    found = {}
    for folder, _names, leaves in os.walk(top):
        for name in leaves:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, "/proc/sys")
            if not matches(key, PASSING_SYSCTLS):
                try:
                    with open(path, encoding="utf-8", errors="replace") as handle:
                        found[key] = " ".join(handle.read().split())
                except OSError:
                    pass
    return found


def interfaces() -> dict[str, str]:
    found = {}
    for link in json.loads(output("ip", "-json", "-details", "address", "show") or "[]"):
        if link:
            addresses = [f"{item['local']}/{item['prefixlen']}" for item in link.get("addr_info", [])]
            kind = link.get("linkinfo", {}).get("info_kind", "")
            up = "up" if "UP" in link["flags"] else "down"
            found[link["ifname"]] = (
                f"{kind} {up} mtu {link['mtu']} {link.get('address', '')} {' '.join(sorted(addresses))}"
            )
    return found


def without_passing_ports(text: str) -> str:
    """Return packet filter rules in which the ports of Docker's resolver are the same after each start."""
    resolver = re.escape(DOCKER_RESOLVER)
    text = re.sub(rf"({resolver}):\d+", r"\1:PORT", text)
    return re.sub(rf"^(.*{resolver}.* (?:--)?sport) \d+", r"\1 PORT", text, flags=re.MULTILINE)


def rules() -> dict[str, str]:
    """The packet filters' rules, without counters, as each program that there is tells them."""
    found = {}
    for command in ("iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"):
        table = ""
        for line in without_passing_ports(output(command)).splitlines():
            table = line if line.startswith("*") else table
            if line[:1] in "*:-":
                rule = re.sub(r" *\[[0-9:]+\]$", "", line)
                found[f"{command} {table} {rule}"] = "present"
    for line in lines(without_passing_ports(output("nft", "--stateless", "list", "ruleset"))):
        found[f"nft {line}"] = "present"
    for name in output("ipset", "list", "-name").split():
        found[f"ipset {name}"] = "present"
    for line in output("ip", "rule", "show").splitlines() + output("ip", "-6", "rule", "show").splitlines():
        found[f"ip rule {line}"] = "present"
    return found


def mounts() -> dict[str, str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as handle:
        rows = [line.split() for line in handle]
    passing = ("/run/user/*", "/run/credentials/*")
    return {row[4]: f"{row[3]} {row[row.index('-') + 1]}" for row in rows if not matches(row[4], passing)}


def packages() -> dict[str, str]:
    """Each package with its version and what the package manager means to do with it (a hold); with rpm, also the keys it trusts."""
    text = output("dpkg-query", "-W", "-f", "${binary:Package} ${db:Status-Abbrev} ${Version}\n") or output(
        "rpm", "-qa", "--qf", "%{NAME} - %{EVR}\n"
    )
    pairs = (line.split(" ", 1) for line in text.splitlines())
    # Every trusted key is a package of the same name.
    found = {f"{name} {rest}" if name == "gpg-pubkey" else name: rest for name, rest in pairs}
    for line in output("dnf", "-q", "-C", "versionlock", "list").splitlines():
        found[f"lock {line}"] = "held"
    return found


def processes() -> dict[str, str]:
    """The programs that run, but for those of logins and the kernel's own."""
    found = {}
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as handle:
                groups = handle.read()
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            continue
        if "/user.slice" not in groups and "/ssh" not in groups and int(pid) != os.getpid():
            found[program] = "runs"
    return found


def ports() -> dict[str, str]:
    """TCP ports on which somebody listens."""
    resolver = socket.inet_aton(DOCKER_RESOLVER)[::-1].hex().upper()  # as the kernel writes it
    found = {}
    for family in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{family}", encoding="utf-8") as handle:
                rows = [line.split() for line in handle][1:]
        except OSError:
            continue
        listening = [row[1].rsplit(":", 1) for row in rows if row[3] == "0A"]
        found.update({f"{family} {int(port, 16)}": "listens" for address, port in listening if address != resolver})
    return found


def routes() -> dict[str, str]:
    text = output("ip", "route", "show", "table", "all") + output("ip", "-6", "route", "show", "table", "all")
    return lines(re.sub(r" (expires \S+|pref \S+|linkdown)", "", text))


def swap() -> dict[str, str]:
    with open("/proc/swaps", encoding="utf-8") as handle:
        return {} if in_container() else {line.split()[0]: line.split()[1] for line in handle.read().splitlines()[1:]}


def whole() -> dict[str, dict[str, str]]:
    sections = (files, unit_files, units, processes, ports, packages, sysctls, interfaces, routes, rules, mounts, swap)
    return {section.__name__: section() for section in sections}


def written() -> dict[str, str]:
    """The cluster's files: what is in them, and when and as which inode it was written."""
    found = {}
    for top in CLUSTER_FOLDERS + CLUSTER_FILES:
        paths = (
            [top]
            if os.path.isfile(top)
            else [os.path.join(folder, name) for folder, _names, leaves in os.walk(top) for name in leaves]
        )
        for path in paths:
            info = os.lstat(path)
            found[path] = f"{content(path)} inode {info.st_ino} written {info.st_mtime_ns}"
    return found


def incarnations() -> dict[str, str]:
    """Which start of each service runs (systemd's invocation id)."""
    names = [name for name, state in units().items() if name.endswith(".service") and state.endswith(" active")]
    if not names:
        return {}
    blocks = output("systemctl", "show", "--property=Id,InvocationID,MainPID,NRestarts", *names).strip().split("\n\n")
    shown = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks)
    return {
        one["Id"]: f"{one.get('InvocationID')} pid {one.get('MainPID')} restarts {one.get('NRestarts')}"
        for one in shown
    }


def containers() -> dict[str, str]:
    """Ids of running containers and the process of each."""
    found = {}
    for name in sorted(os.listdir(CONTAINERS)) if os.path.isdir(CONTAINERS) else []:
        try:
            with open(os.path.join(CONTAINERS, name, "init.pid"), encoding="utf-8") as handle:
                found[name] = f"pid {handle.read()}"
        except OSError:
            found[name] = "no process"
    return found


KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
LEAVING = 60  # seconds that a namespace may take to go


def await_leaving() -> None:
    """Wait until every namespace that is being deleted is gone: whether it is still listed is a matter of the moment."""
    end = time.monotonic() + LEAVING
    while "Terminating" in output(*KUBECTL, "get", "namespaces", "--output=jsonpath={.items[*].status.phase}"):
        if time.monotonic() > end:
            sys.exit(f"A namespace is still being deleted after {LEAVING} seconds: see kubectl get namespaces.")
        time.sleep(0.5)


def objects() -> dict[str, str]:
    """The cluster's objects on a control plane: identity and content, without status and the server's own bookkeeping."""
    kinds = [
        kind
        for kind in output(*KUBECTL, "api-resources", "--verbs=list", "--output=name").split()
        if kind not in PASSING_KINDS
    ]
    if not kinds:
        return {}
    await_leaving()
    found = {}
    for item in json.loads(
        output(*KUBECTL, "get", ",".join(kinds), "--all-namespaces", "--output=json") or '{"items": []}'
    )["items"]:
        meta = item["metadata"]
        name = f"{item['kind']} {meta.get('namespace', '')}/{meta['name']}"
        kept = {key: meta.get(key) for key in ("labels", "annotations", "finalizers", "ownerReferences")}
        rest = {key: value for key, value in item.items() if key not in ("status", "metadata")}
        digest = hashlib.sha256(json.dumps([kept, rest], sort_keys=True).encode()).hexdigest()
        found[name] = f"{meta['uid']} generation {meta.get('generation', '-')} {digest[:16]}"
    return found


def running() -> dict[str, dict[str, str]]:
    return {section.__name__: section() for section in (written, incarnations, containers, objects)}


if __name__ == "__main__":
    json.dump({"whole": whole, "running": running}[sys.argv[1]](), sys.stdout, indent=0, sort_keys=True)
