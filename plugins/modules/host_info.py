#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Gather facts about a host as a Kubernetes node
version_added: 0.1.0
description:
  - Returns everything that the roles of this collection need to know about a host, in one call, so that Ansible facts need not be gathered.
  - Does not change the host, and requires only Python's standard library. Takes less than a second if no URLs are probed.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    description: Works the same in check mode.
  diff_mode:
    support: none
  platform:
    platforms: linux
options:
  ports:
    description: TCP ports whose listening processes are returned.
    type: list
    elements: int
    default: [2379, 2380, 6443, 10250, 10256, 10257, 10259]
  asked:
    description: Addresses for which it is looked up whether a machine in a directly connected network answers on them.
    type: list
    elements: str
    default: []
  record_dir:
    description: Directory of the record that this collection keeps on the host.
    type: path
    default: /var/lib/slipway
  urls:
    description:
      - URLs that the host must be able to reach. They are probed in parallel.
      - A request for a package repository uses the proxy that apt or dnf is configured with.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: The URL; C(tcp://HOST:PORT) for O(urls[].kind=tcp).
        type: str
        required: true
      kind:
        description:
          - V(http) expects an answer with a status below 400.
          - V(deb) expects the index of an apt repository, V(rpm) that of an rpm repository; package versions are read from it. Variables of
            dnf in the URL (C($releasever), C($basearch) and those in C(/etc/dnf/vars)) are replaced.
          - V(registry) expects C(/v2/) of a registry from which images can be pulled without a login, or with O(urls[].headers).
          - V(manifest) expects the manifest of an image with the correct media type and, where a digest is known, the correct content.
          - V(tcp) expects a connection.
        type: str
        choices: [http, deb, rpm, registry, manifest, tcp]
        default: http
      suite:
        description: Suite, for O(urls[].kind=deb). It ends with a slash if the repository is flat.
        type: str
        default: /
      components:
        description: Components, for O(urls[].kind=deb) with a suite that is not flat.
        type: list
        elements: str
        default: []
      key_url:
        description: URL of the key that must have signed the repository, for O(urls[].kind=deb). It is checked where the host has C(gpgv).
        type: str
        default: ""
      image:
        description: Image as C(NAME:TAG), for O(urls[].kind=registry), to find out whether it can be pulled without a login.
        type: str
        default: ""
      packages:
        description: Packages whose versions are returned, for O(urls[].kind=deb) and O(urls[].kind=rpm).
        type: list
        elements: str
        default: []
      ca:
        description: CA certificate, as PEM text or as a path on the host. Empty for the CA certificates of the system.
        type: str
        default: ""
      verify:
        description: Whether the certificate of the server must be valid.
        type: bool
        default: true
      headers:
        description: HTTP headers to send, for example C(Authorization).
        type: dict
        default: {}
      proxy:
        description: URL of an HTTP proxy. Empty for the proxy of the environment.
        type: str
        default: ""
  timeout:
    description: Timeout of each request in seconds.
    type: float
    default: 4
  controller_time:
    description: Time of the control node (seconds since 1970) when the task started. It is returned unchanged, for comparison with RV(time).
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Gather host facts
  slipway.kube.host_info:
  register: kube_host

- name: Gather host facts and check that a package repository can be reached
  slipway.kube.host_info:
    urls:
      - url: https://pkgs.k8s.io/core:/stable:/v1.37/deb/
        kind: deb
        packages: [kubeadm]
  register: kube_host
"""

RETURN = r"""
os:
  description: Operating system, from os-release(5).
  returned: always
  type: dict
  contains:
    id: {description: Identifier., type: str, sample: debian}
    id_like: {description: Identifiers of related systems., type: list, elements: str, sample: [rhel, fedora]}
    version_id: {description: Version., type: str, sample: "12"}
    codename: {description: Codename of the release., type: str, sample: bookworm}
    family: {description: Family by package manager. One of debian rhel other., type: str, sample: debian}
    name: {description: Name for display., type: str, sample: Debian GNU/Linux 12 (bookworm)}
architecture:
  description: Architecture of the processor, by Go's name.
  returned: always
  type: str
  sample: amd64
hostname:
  description: Host name.
  returned: always
  type: str
  sample: cp1
kernel:
  description: Kernel and its features.
  returned: always
  type: dict
  contains:
    release: {description: Release., type: str, sample: 6.1.0-32-amd64}
    modules_builtin:
      description: Modules in RV(kernel.features) that are built in, or whose feature works without a visible module.
      type: list
      elements: str
    modules_loaded: {description: Loaded modules., type: list, elements: str}
    modules_loadable: {description: Whether modules can be loaded., type: bool}
    read_only_sysctls:
      description: Kernel parameters that a node sets and that are read-only on this host.
      type: list
      elements: str
      sample: [net.netfilter.nf_conntrack_max]
    features:
      description: Whether the kernel has a feature (built in, loaded or loadable). Null if that cannot be determined.
      type: dict
      sample: {overlay: true, br_netfilter: true, nf_tables: true, vxlan: true, ipip: false, wireguard: null, ip_vs: false}
cpus:
  description: Number of processors that the host can use.
  returned: always
  type: int
memory_mb:
  description: Memory in MiB.
  returned: always
  type: int
disks:
  description: Space for the data of kubelet, containerd and etcd.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: Directory. If it does not exist yet its nearest parent is measured., type: str}
    filesystem: {description: Type of the file system., type: str}
    total_mb: {description: Size in MiB., type: int}
    available_mb: {description: Space in MiB that users other than root can use., type: int}
    available_percent: {description: Available space as a percentage of the size., type: float}
    inodes_free_percent: {description: Percentage of free inodes., type: float}
cgroup:
  description: Control groups.
  returned: always
  type: dict
  contains:
    version: {description: 1 or 2., type: int}
    controllers: {description: Usable controllers., type: list, elements: str}
capabilities:
  description: Capabilities of the host's processes, which a container can restrict.
  returned: always
  type: dict
  contains:
    sys_resource: {description: Whether CAP_SYS_RESOURCE is available., type: bool}
    missing: {description: Capabilities that are not available., type: list, elements: str}
container:
  description: Kind of container that the host is. Empty for a machine.
  returned: always
  type: str
  sample: docker
init:
  description: Name of the first process.
  returned: always
  type: str
  sample: systemd
swap:
  description: Swap, active now and activated at boot.
  returned: always
  type: dict
  contains:
    active: {description: Active swap areas with device type and size_mb., type: list, elements: dict}
    fstab: {description: Lines of /etc/fstab that activate swap., type: list, elements: str}
    units: {description: Swap units of systemd., type: list, elements: str}
    zram: {description: Whether swap in compressed memory (zram) is configured., type: bool}
selinux:
  description: One of enforcing, permissive, disabled, absent.
  returned: always
  type: str
firewall:
  description: Active firewalls.
  returned: always
  type: dict
  contains:
    firewalld: {description: Whether firewalld is running., type: bool}
    ufw: {description: Whether ufw is enabled., type: bool}
    ufw_rules:
      description: What an enabled ufw allows, as rules with route (whether it is forwarded), protocol, ports, destination and source.
      type: list
      elements: dict
    zones:
      description: >-
        Active zones of firewalld, each with C(zone), C(target) and the lists C(interfaces), C(sources), C(ports) and C(protocols).
      type: list
      elements: dict
network:
  description: Network configuration of the host.
  returned: always
  type: dict
  contains:
    ipv6: {description: Whether the kernel has IPv6 and it is not disabled., type: bool}
    default_address: {description: Address on the interface of the default route., type: str}
    default_interface: {description: Interface of the default route., type: str}
    gateway: {description: Gateway of the default route., type: str}
    addresses:
      description: All addresses except loopback and link-local ones, with interface, address, prefix, family, mac and mtu.
      type: list
      elements: dict
    answering:
      description: MAC address of the machine that answers, by address, for O(asked). Empty if none does.
      type: dict
    resolver:
      description:
        - The resolver, with path, nameservers and loopback (whether one of them is a loopback address).
        - The key usable_path is the first resolver file without a loopback address. Empty if there is none.
      type: dict
    tables:
      description: nftables tables, each with its family.
      type: list
      elements: str
      sample: [inet filter, ip kube-proxy]
cni:
  description:
    - Files in C(/etc/cni/net.d) that a container runtime reads, in its order, with path, network (its name) and owner (the pod network or
      container engine that it belongs to). The last two are empty if unknown.
  returned: always
  type: list
  elements: dict
  sample: [{path: /etc/cni/net.d/10-calico.conflist, network: k8s-pod-network, owner: Calico}]
privileged:
  description: Whether the facts were gathered as root. Otherwise they are not complete.
  returned: always
  type: bool
machine_id:
  description: Content of /etc/machine-id.
  returned: always
  type: str
product_uuid:
  description: Identifier of the machine in its firmware.
  returned: always
  type: str
time:
  description: Time of the host, in seconds since 1970.
  returned: always
  type: float
controller_time:
  description: The value of O(controller_time).
  returned: always
  type: float
ports:
  description: Listening process, as process(pid), by port, for O(ports).
  returned: always
  type: dict
  sample: {"6443": kube-apiserver(812)}
packages:
  description: Versions of installed packages by name, of those that are relevant for a node.
  returned: always
  type: dict
  sample: {kubelet: 1.37.2-1.1}
held:
  description: Names of these packages that are held at their version.
  returned: always
  type: list
  elements: str
reboot_required:
  description: Why a reboot is required, by C(/run/reboot-required), or by kernels and, with rpm, libraries that were installed since the boot.
  returned: always
  type: list
  elements: str
repositories:
  description:
    - Enabled binary repositories in the source files of apt, one for each URL and suite, with the path and line of the entry, url (without
      a password and a trailing slash), suite, components, architectures, signed_by and key_missing (whether a key file does not exist).
    - Empty on hosts with dnf.
  returned: always
  type: list
  elements: dict
  sample:
    - path: /etc/apt/sources.list.d/docker.list
      line: 1
      url: https://download.docker.com/linux/debian
      suite: bookworm
      components: [stable]
      architectures: [amd64]
      signed_by: /etc/apt/keyrings/docker.asc
      key_missing: false
units:
  description: State of the units that are relevant for a node and exist, by name, with active, enabled and masked.
  returned: always
  type: dict
  sample: {kubelet.service: {active: true, enabled: true, masked: false}}
cluster:
  description: Cluster that the host belongs to, according to its files.
  returned: always
  type: dict
  contains:
    member: {description: Whether the kubelet has a configuration and credentials for a cluster or runs a member of an external etcd., type: bool}
    role: {description: One of control_plane worker etcd or empty., type: str}
    name: {description: Name of the cluster. Empty if unknown., type: str}
    endpoint: {description: Address of the API server as HOST:PORT., type: str}
    ca_hash: {description: Hash of the CA's public key as kubeadm pins it., type: str, sample: "sha256:0123"}
    version: {description: Version of the API server or on a worker of the kubelet., type: str, sample: 1.37.2}
    kubelet_version: {description: Version of the kubelet., type: str}
    components: {description: Version of each static pod of the control plane on this host., type: dict, sample: {kube-apiserver: 1.37.2, etcd: 3.7.0}}
    healthy: {description: Whether the health check of the local API server (or on a worker of the kubelet) succeeds., type: bool}
    bootstrapping: {description: Whether a join has started and not finished., type: bool}
    manifests: {description: Manifests of static pods., type: list, elements: str}
    rotating: {description: Whether the rotation of the cluster's authorities is not finished on this control plane., type: bool}
    etcd_data: {description: Whether the data of an etcd member exist., type: bool}
    etcd_ca_hash: {description: Hash of the public key of etcd's CA., type: str, sample: "sha256:0123"}
    etcd_servers: {description: URLs of etcd that the API server of this host uses., type: list, elements: str, sample: ["https://127.0.0.1:2379"]}
kubeconfigs:
  description:
    - The kubeconfig in the home of each user who has one, by user, with its C(path) and the C(server) and C(ca_hash) of its C(clusters).
  returned: always
  type: dict
  sample: {root: {path: /root/.kube/config, clusters: [{server: "https://192.0.2.11:6443", ca_hash: "sha256:0123"}]}}
record:
  description: Record of the host's state before this collection changed it.
  returned: always
  type: dict
  contains:
    marked: {description: Whether there is a record that names a cluster., type: bool}
    cluster: {description: Name of that cluster., type: str}
    operation: {description: Operation that has started and not finished. One of init join reset restore or empty., type: str}
    restored: {description: Digest of the backup that the cluster was restored from on this host. Empty for none., type: str}
    upgrade: {description: Arguments of a C(kubeadm upgrade) that has started and not finished., type: str}
    readable: {description: Whether the record is valid. True if there is none., type: bool}
proxies:
  description:
    - Proxies in C(/etc/environment) (V(environment)), in the configuration of V(apt) and in that of V(dnf), by scheme, without user and password.
    - Those that apt uses for a single host are listed by SCHEME://HOST. The value V(DIRECT) means that apt uses none.
  returned: always
  type: dict
  sample: {apt: {http: "http://proxy.example.com:3128", https: "http://proxy.example.com:3128"}}
reach:
  description:
    - Result of each of O(urls) by URL, with kind, ok, status, error and (by kind) packages. The suite of an apt repository follows its URL.
    - The key clock is by how many seconds the host's clock is ahead of the server's. Null if the server did not send its time.
    - The key signature is the reason why the signature of an apt repository is not valid.
  returned: always
  type: dict
  sample: {"https://registry.k8s.io/v2/": {kind: registry, ok: true, status: 200, error: "", clock: 0.4}}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host.facts.gather import gather_facts


def main() -> None:
    urls = dict(
        url=dict(type="str", required=True),
        kind=dict(type="str", choices=["http", "deb", "rpm", "registry", "manifest", "tcp"], default="http"),
        suite=dict(type="str", default="/"),
        components=dict(type="list", elements="str", default=[]),
        key_url=dict(type="str", default="", no_log=False),
        image=dict(type="str", default=""),
        packages=dict(type="list", elements="str", default=[]),
        ca=dict(type="str", default=""),
        verify=dict(type="bool", default=True),
        headers=dict(type="dict", default={}, no_log=True),
        proxy=dict(type="str", default="", no_log=True),
    )
    module = AnsibleModule(
        argument_spec=dict(
            ports=dict(type="list", elements="int", default=[2379, 2380, 6443, 10250, 10256, 10257, 10259]),
            asked=dict(type="list", elements="str", default=[]),
            record_dir=dict(type="path", default="/var/lib/slipway"),
            urls=dict(type="list", elements="dict", default=[], options=urls),
            timeout=dict(type="float", default=4),
            controller_time=dict(type="float", default=0),
        ),
        supports_check_mode=True,
    )
    params = module.params
    facts = gather_facts(
        params["ports"], params["urls"], params["timeout"], params["record_dir"], asked=params["asked"]
    )
    module.exit_json(changed=False, controller_time=params["controller_time"], **facts)


if __name__ == "__main__":
    main()
