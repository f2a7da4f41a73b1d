#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Look at a host as a future or present Kubernetes node
version_added: 0.1.0
description:
  - Brings back in one execution everything that the roles of this collection decide by, so that no facts need to be gathered.
  - Changes nothing. Needs Python's standard library only. Takes well under a second where no URLs are asked for.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    description: Looks the same way in check mode.
  diff_mode:
    support: none
  platform:
    platforms: linux
options:
  ports:
    description: TCP ports of which to say who listens on them.
    type: list
    elements: int
    default: [2379, 2380, 6443, 10250, 10256, 10257, 10259]
  record_dir:
    description: Folder of the record that this collection keeps on the host.
    type: path
    default: /var/lib/slipway
  urls:
    description:
      - What the host must be able to reach. All are tried at the same time.
      - A proxy is taken from the environment, see the keyword C(environment) of tasks.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: The address; C(tcp://HOST:PORT) for O(urls[].kind=tcp).
        type: str
        required: true
      kind:
        description:
          - V(http) wants any answer below status 400.
          - V(deb) wants the index of a flat apt repository, and V(rpm) that of an rpm repository, and reads versions from it.
          - V(registry) wants a registry's C(/v2/), also one that asks for a login.
          - V(manifest) wants an image's manifest with the right media type and, by digest, the right content.
          - V(tcp) wants a connection.
        type: str
        choices: [http, deb, rpm, registry, manifest, tcp]
        default: http
      suite:
        description: Folder of the index below the address, for O(urls[].kind=deb).
        type: str
        default: /
      packages:
        description: Packages of which to list the versions, for O(urls[].kind=deb) and O(urls[].kind=rpm).
        type: list
        elements: str
        default: []
      ca:
        description: Certificate of the authority, as PEM text or as a path on the host. The system's ones when empty.
        type: str
        default: ""
      verify:
        description: Whether the server's certificate must be valid.
        type: bool
        default: true
      headers:
        description: HTTP headers to send, for example C(Authorization).
        type: dict
        default: {}
      proxy:
        description: URL of an HTTP proxy. That of the environment when empty.
        type: str
        default: ""
      family:
        description: Only for hosts of this family of operating systems; for all when empty.
        type: str
        choices: ["", debian, rhel]
        default: ""
  urls_for_members:
    description: Whether a host that is in a cluster already is to try O(urls), too.
    type: bool
    default: true
  timeout:
    description: Seconds for one answer of a URL.
    type: float
    default: 4
  controller_time:
    description: The control node's time (seconds since 1970) when it asked. It comes back as it is, to be held against RV(time).
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Look at the host
  slipway.kube.host_info:
  register: kube_host

- name: Look at the host and whether it reaches a package repository with the wanted version
  slipway.kube.host_info:
    urls:
      - url: https://pkgs.k8s.io/core:/stable:/v1.36/deb/
        kind: deb
        packages: [kubeadm]
  register: kube_host
"""

RETURN = r"""
os:
  description: The operating system, from os-release(5).
  returned: always
  type: dict
  contains:
    id: {description: Its identifier., type: str, sample: debian}
    id_like: {description: Identifiers of its relatives., type: list, elements: str, sample: [rhel, fedora]}
    version_id: {description: Its version., type: str, sample: "12"}
    codename: {description: Its release's name., type: str, sample: bookworm}
    family: {description: Whose package manager it has. One of debian rhel other., type: str, sample: debian}
    name: {description: Its name for people., type: str, sample: Debian GNU/Linux 12 (bookworm)}
architecture:
  description: The processor's architecture by Go's name.
  returned: always
  type: str
  sample: amd64
hostname:
  description: The host's own name.
  returned: always
  type: str
  sample: cp1
kernel:
  description: The kernel and what it can do.
  returned: always
  type: dict
  contains:
    release: {description: Its release., type: str, sample: 6.1.0-32-amd64}
    modules_builtin:
      description: Those of the modules in RV(kernel.features) that are built in (or work without a module that could be seen).
      type: list
      elements: str
    modules_loaded: {description: Loaded modules., type: list, elements: str}
    modules_loadable: {description: Whether modules can be loaded at all., type: bool}
    read_only_sysctls:
      description: Kernel parameters that a node sets and that may not be written here.
      type: list
      elements: str
      sample: [net.netfilter.nf_conntrack_max]
    features:
      description: Whether the kernel has (built in, loaded or to be loaded) a feature; null where nothing tells.
      type: dict
      sample: {overlay: true, br_netfilter: true, nf_tables: true, vxlan: true, ipip: false, wireguard: null, ip_vs: false}
cpus:
  description: Processors that the host may use.
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
    path: {description: The folder. Its nearest parent is looked at where it is not there yet., type: str}
    filesystem: {description: Type of the file system., type: str}
    total_mb: {description: Size in MiB., type: int}
    available_mb: {description: Available in MiB to others than root., type: int}
    available_percent: {description: The same as a share of the size., type: float}
    inodes_free_percent: {description: Share of free inodes., type: float}
cgroup:
  description: Control groups.
  returned: always
  type: dict
  contains:
    version: {description: 1 or 2., type: int}
    controllers: {description: Controllers that can be used., type: list, elements: str}
capabilities:
  description: What processes of this host can never do, for example in a container.
  returned: always
  type: dict
  contains:
    sys_resource: {description: Whether CAP_SYS_RESOURCE is there., type: bool}
    missing: {description: Capabilities that are not there., type: list, elements: str}
container:
  description: Kind of container that the host is, empty for a machine.
  returned: always
  type: str
  sample: docker
init:
  description: Name of the first process.
  returned: always
  type: str
  sample: systemd
swap:
  description: Swap now and at the next boot.
  returned: always
  type: dict
  contains:
    active: {description: Swap areas in use with device type and size_mb., type: list, elements: dict}
    fstab: {description: Lines of /etc/fstab that bring swap back., type: list, elements: str}
    units: {description: systemd's swap units., type: list, elements: str}
    zram: {description: Whether swap in compressed memory is set up., type: bool}
selinux:
  description: One of enforcing, permissive, disabled, absent.
  returned: always
  type: str
firewall:
  description: Firewalls that filter now.
  returned: always
  type: dict
  contains:
    firewalld: {description: Whether firewalld runs., type: bool}
    ufw: {description: Whether ufw is enabled., type: bool}
network:
  description: How the host is connected.
  returned: always
  type: dict
  contains:
    default_address: {description: Address on the interface of the default route., type: str}
    default_interface: {description: Interface of the default route., type: str}
    gateway: {description: Gateway of the default route., type: str}
    addresses:
      description: All but loopback and link-local addresses, with interface, address, prefix, family, mac and mtu.
      type: list
      elements: dict
    resolver:
      description:
        - The resolver, with path, nameservers and loopback (whether one of them is this host itself).
        - The key usable_path is the first file without a loopback name server, empty when there is none.
      type: dict
privileged:
  description: Whether the look was taken as root. Otherwise it is not complete.
  returned: always
  type: bool
machine_id:
  description: Content of /etc/machine-id.
  returned: always
  type: str
product_uuid:
  description: The firmware's identifier of the machine.
  returned: always
  type: str
time:
  description: The host's time, in seconds since 1970.
  returned: always
  type: float
controller_time:
  description: O(controller_time) as it came.
  returned: always
  type: float
ports:
  description: Who listens, as process(pid), by port, among O(ports).
  returned: always
  type: dict
  sample: {"6443": kube-apiserver(812)}
packages:
  description: Versions of installed packages by name, among those that matter to a node.
  returned: always
  type: dict
  sample: {kubelet: 1.36.3-1.1}
held:
  description: Those of these packages that are held at their version.
  returned: always
  type: list
  elements: str
units:
  description: State of units that matter to a node, by name, with active, enabled and masked. Only those that are there.
  returned: always
  type: dict
  sample: {kubelet.service: {active: true, enabled: true, masked: false}}
cluster:
  description: The cluster that the host belongs to, as its files tell.
  returned: always
  type: dict
  contains:
    member: {description: Whether the kubelet has its configuration and its access to a cluster., type: bool}
    role: {description: control_plane or worker or empty., type: str}
    name: {description: The cluster's name. Empty when unknown., type: str}
    endpoint: {description: Address of the API as HOST:PORT., type: str}
    ca_hash: {description: Hash of the authority's public key as kubeadm pins it., type: str, sample: "sha256:0123"}
    version: {description: Version of the API server or else of the kubelet., type: str, sample: 1.36.3}
    kubelet_version: {description: Version of the kubelet., type: str}
    healthy: {description: Whether the local API server (or on a worker the kubelet) answers that it lives., type: bool}
    bootstrapping: {description: Whether a join has begun., type: bool}
    manifests: {description: Files of static pods., type: list, elements: str}
    etcd_data: {description: Whether an etcd member's data are there., type: bool}
kubeconfigs:
  description:
    - The kubeconfig in the home of each user who has one, by user. Its C(path), and C(server) and C(ca_hash) of each of the C(clusters) it leads to.
  returned: always
  type: dict
  sample: {root: {path: /root/.kube/config, clusters: [{server: "https://192.0.2.11:6443", ca_hash: "sha256:0123"}]}}
record:
  description: The record of what the host was before this collection changed it.
  returned: always
  type: dict
  contains:
    marked: {description: Whether there is one that names a cluster., type: bool}
    cluster: {description: Name of that cluster., type: str}
    operation: {description: Begun and not finished. One of init join or empty., type: str}
    readable: {description: Whether it could be understood. True also where there is none., type: bool}
reach:
  description: Result for each of O(urls) by its address, with kind, ok, status, error and (by kind) packages.
  returned: always
  type: dict
  sample: {"https://registry.k8s.io/v2/": {kind: registry, ok: true, status: 200, error: ""}}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host.facts.gather import gather_facts


def main() -> None:
    urls = dict(
        url=dict(type="str", required=True),
        kind=dict(type="str", choices=["http", "deb", "rpm", "registry", "manifest", "tcp"], default="http"),
        suite=dict(type="str", default="/"),
        packages=dict(type="list", elements="str", default=[]),
        ca=dict(type="str", default=""),
        verify=dict(type="bool", default=True),
        headers=dict(type="dict", default={}, no_log=True),
        proxy=dict(type="str", default="", no_log=True),
        family=dict(type="str", choices=["", "debian", "rhel"], default=""),
    )
    module = AnsibleModule(
        argument_spec=dict(
            ports=dict(type="list", elements="int", default=[2379, 2380, 6443, 10250, 10256, 10257, 10259]),
            record_dir=dict(type="path", default="/var/lib/slipway"),
            urls=dict(type="list", elements="dict", default=[], options=urls),
            urls_for_members=dict(type="bool", default=True),
            timeout=dict(type="float", default=4),
            controller_time=dict(type="float", default=0),
        ),
        supports_check_mode=True,
    )
    params = module.params
    facts = gather_facts(
        params["ports"], params["urls"], params["timeout"], params["record_dir"], params["urls_for_members"]
    )
    module.exit_json(changed=False, controller_time=params["controller_time"], **facts)


if __name__ == "__main__":
    main()
