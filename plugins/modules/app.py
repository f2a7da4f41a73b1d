#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name; it expands the description and hands it to the module release."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: app
short_description: Deploy an application from a short description
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Describes an application in a few lines. They are expanded to manifests (workload, Service, Ingress, autoscaler, policies,
    volumes, configuration, account) with good defaults, and applied, waited for and kept as one release,
    as M(slipway.kube.release) does it. When it does not become ready, the task says why, and the last good revision comes back.
  - Only O(name), O(namespace) and O(image) are required. Everything else is left out of the manifests, or has the default that is
    written here. With O(render_only=true) nothing is sent to a cluster and the manifests are returned.
  - A field that is unknown or misspelt, has the wrong type or does not fit the others is refused before anything is applied,
    with its path, and all such fields in one list.
  - "Where a description says B(name), the value is a mapping whose keys you choose. Names of fields are those of the Kubernetes
    API in snake case: C(minReadySeconds) is O(min_ready_seconds)."
  - "The fields B(of a container) are O(image), O(image_pull_policy), O(command), O(args), O(working_dir), O(env), O(secret_env),
    O(env_from), O(config_files), O(secret_files), O(resources), O(ports), O(probe), O(readiness), O(startup), O(liveness),
    O(pre_stop) and O(post_start). At the top they describe the application's main container; O(sidecars), O(containers), O(init)
    and O(hooks) take them too, and also C(mounts) (names of O(volumes), each with the path where this container sees it) and
    C(security) (the fields of O(security) that a container has)."
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
attributes:
  check_mode:
    support: full
    description: The API server answers a dry run of every object, and nothing is kept.
  diff_mode:
    support: full
    description: Values of Secrets are masked; which keys changed is told.
  platform:
    support: full
    platforms: posix
options:
  name:
    description:
      - Name of the application, of its release, and of most of its objects. At most 52 characters.
      - All its pods have the label C(app.kubernetes.io/name) with this value.
    type: str
    required: true
  namespace:
    description: Namespace of the application.
    type: str
    required: true
  create_namespace:
    description: Make the namespace where it is missing.
    type: bool
    default: false
  state:
    description: Whether the application is to be there. With V(absent), only O(name) and O(namespace) count.
    type: str
    choices: [present, absent]
    default: present
  render_only:
    description: Return the manifests and send nothing to a cluster. Values of Secrets are masked.
    type: bool
    default: false
  kind:
    description:
      - Kind of the workload.
      - A Job's name ends in a hash of its content. The same description does not run it again, a changed one does.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet, Job, CronJob]
    default: Deployment
  image:
    description: Image of the main container. Required with O(state=present).
    type: str
  image_pull_policy:
    description: When the image is pulled. Kubernetes decides by the tag when left out.
    type: str
    choices: [IfNotPresent, Always, Never]
  command:
    description: Command that takes the place of the image's entry point, a word for each item.
    type: list
    elements: str
  args:
    description: Arguments of the command, a word for each item.
    type: list
    elements: str
  working_dir:
    description: Folder in which the command starts.
    type: str
  env:
    description:
      - "Environment variables by name. The value is a text (a number or truth value is taken by its YAML spelling), or a mapping:
        C({config_map: NAME, key: KEY}) or C({secret: NAME, key: KEY}), where NAME is one of O(config_maps) and O(secrets) or an
        object that is there (C(optional: true) lets it be missing); C({field: metadata.name}) for a field of the pod;
        C({resource: limits.memory}) for a resource of the container."
      - Plain values are kept in an immutable ConfigMap whose name ends in a hash, so that a changed value replaces the pods,
        and a revision that comes back finds what it had. The newest five are kept.
      - References to other variables, C($) with a name in parentheses, are replaced in O(env), not in O(secret_env).
    type: dict
    default: {}
  secret_env:
    description: As O(env), kept in a Secret. The values are in no output.
    type: dict
    default: {}
  env_from:
    description: ConfigMaps and Secrets, all of whose keys become environment variables.
    type: list
    elements: dict
    default: []
    suboptions:
      config_map:
        description: Name of one of O(config_maps), or of a ConfigMap that is there.
        type: str
      secret:
        description: Name of one of O(secrets), or of a Secret that is there.
        type: str
      prefix:
        description: What the names of the variables begin with.
        type: str
      optional:
        description: Whether it may be missing.
        type: bool
  config_files:
    description:
      - "Files by absolute path in the container. The value is the content, or a mapping: C(src), a file of the control node, found
        as M(ansible.builtin.copy) finds it and decrypted where Ansible Vault encrypted it; C(template), a Jinja template;
        C(base64), binary content; or C(content)."
      - Each file is mounted by itself and hides nothing else. They are kept in an immutable ConfigMap whose name ends in a hash.
    type: dict
    default: {}
  secret_files:
    description: As O(config_files), kept in a Secret. The contents are in no output.
    type: dict
    default: {}
  config_maps:
    description:
      - "ConfigMaps by name, each with its keys. A value is written as one of O(config_files). Their names in the cluster end in a hash;
        here they are referred to by the plain name, in O(env), O(env_from) and O(volumes)."
    type: dict
    default: {}
  secrets:
    description: As O(config_maps), for Secrets. The values are in no output.
    type: dict
    default: {}
  ports:
    description:
      - "Ports by name. The value is a number, or a mapping: C(port), that of the Service; C(target_port), that of the container where
        it differs; C(protocol), TCP when left out; C(node_port), which makes the Service a NodePort; C(host_port);
        C(app_protocol); C(service: false) for a port that the Service leaves out."
      - Where there are any, a Service of the application's name is made.
    type: dict
    default: {}
  service:
    description: The Service, its type as a text, or V(false) for none.
    type: raw
    suboptions:
      type:
        description: V(ClusterIP) when left out, or V(NodePort) where a port has a C(node_port).
        type: str
        choices: [ClusterIP, NodePort, LoadBalancer]
      name:
        description: Name, the application's when left out.
        type: str
      headless:
        description: Give every pod an address of its own in DNS instead of one for all.
        type: bool
        default: false
      labels:
        description: Labels.
        type: dict
        default: {}
      annotations:
        description: Annotations.
        type: dict
        default: {}
      session_affinity:
        description: V(ClientIP) leads the requests of a client to the same pod.
        type: str
        choices: [ClientIP, None]
      session_affinity_timeout_seconds:
        description: Seconds for which it does; Kubernetes takes 10800 (three hours) when left out.
        type: int
      external_traffic_policy:
        description: Whether traffic from outside stays on the node that it reached (V(Local)), which keeps the client's address.
        type: str
        choices: [Cluster, Local]
      internal_traffic_policy:
        description: Whether traffic from inside stays on its node.
        type: str
        choices: [Cluster, Local]
      traffic_distribution:
        description: Which endpoints are preferred, for example C(PreferSameZone).
        type: str
      load_balancer_class:
        description: Class of the load balancer.
        type: str
      load_balancer_source_ranges:
        description: Ranges of addresses that the load balancer lets in.
        type: list
        elements: str
      ip_family_policy:
        description: How many address families.
        type: str
        choices: [SingleStack, PreferDualStack, RequireDualStack]
      ip_families:
        description: Which address families.
        type: list
        elements: str
      publish_not_ready_addresses:
        description: Whether pods that are not ready are in DNS.
        type: bool
  probe:
    description:
      - "How to see that the main container is well: a path that is asked by HTTP at the first of O(ports), or a mapping."
      - It becomes the readiness probe and, with five minutes of patience, the startup probe. Requests have 5 seconds to be answered.
      - A liveness probe, which restarts a container, is made only with O(liveness).
    type: raw
    suboptions:
      path:
        description: Path of an HTTP request.
        type: str
      command:
        description: Command inside of the container, a word for each item.
        type: list
        elements: str
      tcp:
        description: Whether it is enough that the port takes connections.
        type: bool
      grpc:
        description: Name of a service of gRPC's health protocol, empty for the server.
        type: str
      port:
        description: Name or number of the port; the first of O(ports) when left out.
        type: raw
      scheme:
        description: Scheme of the request.
        type: str
        choices: [HTTP, HTTPS]
      headers:
        description: Headers of the request.
        type: dict
      initial_delay_seconds:
        description: Seconds before the first probe.
        type: int
      period_seconds:
        description: Seconds from one probe to the next.
        type: int
      timeout_seconds:
        description: Seconds that an answer may take, V(5) when left out.
        type: int
      success_threshold:
        description: How many must succeed.
        type: int
      failure_threshold:
        description: How many must fail.
        type: int
  readiness:
    description: The readiness probe, written as O(probe), in its place; V(false) for none.
    type: raw
  startup:
    description: The startup probe, written as O(probe), in its place; V(false) for none.
    type: raw
  liveness:
    description: A liveness probe, written as O(probe). A container that fails it is restarted.
    type: raw
  pre_stop:
    description:
      - "What happens before the container is told to stop: C({sleep: 5}) for seconds, C({command: [...]}), or C({path: /stop})."
    type: dict
  post_start:
    description: What happens right after the start, written as O(pre_stop).
    type: dict
  resources:
    description: What the main container needs and may use. Requests that are absent are warned of.
    type: dict
    suboptions:
      requests:
        description: "What is set aside for it, for example C({cpu: 250m, memory: 64Mi})."
        type: dict
      limits:
        description: What it gets at most.
        type: dict
  init:
    description: Init containers by name, run one after the other before the others start. Their image is the application's when left out.
    type: dict
    default: {}
  sidecars:
    description: Containers by name that start before the main one, in their order, and end after it (sidecar containers of Kubernetes).
    type: dict
    default: {}
  containers:
    description: Further containers of the pod by name.
    type: dict
    default: {}
  volumes:
    description:
      - "Volumes by name. Each has C(path), where the main container sees it, C(read_only), C(sub_path), and one source:
        C(size), for example V(10Gi), which makes a claim, with C(class) (the cluster's default when left out, V('') for none), C(mode)
        (V(RWO) when left out, V(ROX), V(RWX), V(RWOP)), C(volume_name) and C(selector); C(claim), one that is there; C(empty_dir: true);
        C(host_path); C(nfs) with C(server) and C(path); C(config_map); C(secret); or C(source), any other as the API has it."
      - A StatefulSet gets a claim for each pod. Claims are never pruned, unless O(prune_kinds) names them.
    type: dict
    default: {}
  security:
    description:
      - Rights of the pod and its main container. The defaults meet the restricted level of the Pod Security Standards.
      - An image whose user is root needs O(security.run_as_user), or O(security.run_as_non_root=false).
    type: dict
    suboptions:
      run_as_non_root:
        description: Whether the kubelet refuses to run it as root. V(true) when left out, unless O(security.run_as_user) is 0.
        type: bool
      run_as_user:
        description: User ID; the image's when left out.
        type: int
      run_as_group:
        description: Group ID.
        type: int
      fs_group:
        description: Group ID to which volumes belong.
        type: int
      fs_group_change_policy:
        description: When files of volumes are given to that group.
        type: str
        choices: [OnRootMismatch, Always]
      supplemental_groups:
        description: Further group IDs.
        type: list
        elements: int
        default: []
      read_only_root_filesystem:
        description: Whether the image's files cannot be written.
        type: bool
      allow_privilege_escalation:
        description: Whether a process can get more rights than its parent has.
        type: bool
        default: false
      privileged:
        description: Whether it has all rights on the node.
        type: bool
        default: false
      capabilities:
        description: Linux capabilities to C(add) and to C(drop); all are dropped when left out.
        type: dict
      seccomp:
        description: The seccomp profile, V(RuntimeDefault), V(Unconfined), or the path of one on the node.
        type: str
        default: RuntimeDefault
      sysctls:
        description: Kernel parameters of the pod.
        type: dict
  replicas:
    description: Number of pods, V(1) when left out. Left out of the manifest where O(scaling) is set.
    type: int
  scaling:
    description: Let the cluster decide on the number of pods (HorizontalPodAutoscaler).
    type: dict
    suboptions:
      min:
        description: The fewest pods.
        type: int
        default: 1
      max:
        description: The most pods.
        type: int
        required: true
      cpu:
        description: Per cent of the requested CPU that pods use on average. V(80) when no metric is named.
        type: int
      memory:
        description: Per cent of the requested memory.
        type: int
      metrics:
        description: Further metrics, as the API has them.
        type: list
        elements: dict
        default: []
      scale_down:
        description:
          - Rules for fewer pods, C(stabilization_window_seconds), C(select_policy) and C(policies) (each with C(type), C(value) and C(period_seconds)).
          - The window is 300 seconds when left out.
        type: dict
      scale_up:
        description: Rules for more pods, written as O(scaling.scale_down).
        type: dict
  strategy:
    description: How pods are replaced, its type as a text or a mapping.
    type: raw
    suboptions:
      type:
        description:
          - V(RollingUpdate), V(Recreate) (Deployment) or V(OnDelete) (StatefulSet, DaemonSet).
          - V(RollingUpdate) when left out, but V(Recreate) for a Deployment with a volume that only one node can mount.
        type: str
        choices: [RollingUpdate, Recreate, OnDelete]
      max_surge:
        description: How many more pods there may be, a number or a percentage. V(25%) for a Deployment when left out.
        type: raw
      max_unavailable:
        description: How many pods may be missing, a number or a percentage. V(0) for a Deployment when left out.
        type: raw
      partition:
        description: A StatefulSet's pods with a lower number stay as they are.
        type: int
  min_ready_seconds:
    description: Seconds that a new pod must be ready before it counts.
    type: int
  progress_deadline_seconds:
    description: Seconds after which a rollout that does not go on has failed. Nine tenths of O(timeout) when left out, at most 600.
    type: int
  revision_history_limit:
    description: Old revisions that Kubernetes keeps.
    type: int
  paused:
    description: Whether a changed template waits (Deployment).
    type: bool
  pod_management_policy:
    description: Whether a StatefulSet starts its pods one after the other or all at once.
    type: str
    choices: [OrderedReady, Parallel]
  keep_claims:
    description: Whether the claims of a StatefulSet stay when it is scaled down or deleted.
    type: bool
    default: true
  termination_grace_period_seconds:
    description: Seconds that a pod has to end.
    type: int
  disruption_budget:
    description:
      - How many pods may be missing while nodes are drained. One at a time where there can be more than one pod; V(false) for no budget.
    type: raw
    suboptions:
      max_unavailable:
        description: How many may be missing, a number or a percentage.
        type: raw
      min_available:
        description: How many must be there.
        type: raw
      unhealthy_pod_eviction_policy:
        description: Whether pods that are not ready can be evicted at any time.
        type: str
        choices: [AlwaysAllow, IfHealthyBudget]
        default: AlwaysAllow
  schedule:
    description: When a CronJob runs, for example V('*/5 * * * *'). Required for it.
    type: str
  job:
    description: More of a Job or CronJob.
    type: dict
    suboptions:
      completions:
        description: Pods that must succeed.
        type: int
      parallelism:
        description: Pods at once.
        type: int
      completion_mode:
        description: Whether each pod has an index.
        type: str
        choices: [NonIndexed, Indexed]
      backoff_limit:
        description: Pods that may fail.
        type: int
      backoff_limit_per_index:
        description: Pods that may fail for each index.
        type: int
      active_deadline_seconds:
        description: Seconds that all of it may take.
        type: int
      ttl_seconds_after_finished:
        description: Seconds after which the finished Job is deleted. It then runs again with the next task.
        type: int
      pod_failure_policy:
        description: What failures mean, as the API has it.
        type: dict
      suspend:
        description: Whether it waits.
        type: bool
      restart_policy:
        description: V(Never) makes a new pod for each try, so that the logs of failed ones stay.
        type: str
        choices: [Never, OnFailure]
        default: Never
      time_zone:
        description: Time zone of O(schedule), for example V(Etc/UTC).
        type: str
      concurrency_policy:
        description: What happens when the last run is not over.
        type: str
        choices: [Forbid, Allow, Replace]
        default: Forbid
      starting_deadline_seconds:
        description: Seconds that a start may be late.
        type: int
      successful_jobs_history_limit:
        description: Successful Jobs to keep.
        type: int
      failed_jobs_history_limit:
        description: Failed Jobs to keep.
        type: int
  ingress:
    description: How the application is reached by HTTP from outside.
    type: dict
    suboptions:
      host:
        description: Name of the host, or a list of names.
        type: list
        elements: str
        default: []
      path:
        description: Path, V(/) when left out.
        type: str
      path_type:
        description: How paths are matched, V(Prefix) when left out.
        type: str
        choices: [Prefix, Exact, ImplementationSpecific]
      port:
        description: Name or number of the Service's port, its first when left out.
        type: raw
      paths:
        description:
          - "Paths, each with a port of this application, or with C({service: NAME, port: PORT}) of another Service."
        type: dict
      rules:
        description: Rules of hosts that differ, each with C(host), C(path), C(path_type), C(port) and C(paths).
        type: list
        elements: dict
        default: []
      class:
        description: Class of the Ingress; the cluster's default when left out.
        type: str
      tls:
        description: Name of the Secret with the certificate, or a mapping.
        type: raw
        suboptions:
          secret:
            description: Name of the Secret. With an issuer, C(NAME-tls) when left out.
            type: str
          issuer:
            description: Issuer of cert-manager that makes the certificate.
            type: str
          cluster_issuer:
            description: ClusterIssuer of cert-manager that makes the certificate.
            type: str
          hosts:
            description: Hosts of the certificate; all of the rules when left out.
            type: list
            elements: str
      annotations:
        description: Annotations for the controller.
        type: dict
        default: {}
  network:
    description:
      - Whom the pods talk to (NetworkPolicy). Nothing is restricted when left out.
      - "An entry is the name of an application of the same namespace, a range of addresses, or a mapping with C(app) (V('*') for every pod), C(labels),
        C(namespace) (V('*') for all), C(namespace_labels), C(cidr), C(except) and C(ports) (names of O(ports), or numbers of the pods' ports)."
    type: dict
    suboptions:
      allow_from:
        description: Who may reach the pods. All others are denied, everyone with an empty list.
        type: list
        elements: raw
      allow_to:
        description: Whom the pods may reach. All others are denied, except for the cluster's DNS.
        type: list
        elements: raw
      dns:
        description: Whether DNS stays reachable.
        type: bool
        default: true
  spread:
    description:
      - How pods are spread. Over hostnames as far as possible when left out (Deployment, StatefulSet); V(false) for no rule.
      - A topology key, a mapping with C(topology_key), C(max_skew), C(min_domains) and C(when_unsatisfiable), or a list of these.
    type: raw
  node_selector:
    description: "Labels that a node must have, for example C({disktype: ssd})."
    type: dict
    default: {}
  tolerations:
    description: Taints that the pods tolerate, as kubectl writes them (V(dedicated=gpu:NoSchedule)) or as mappings of the API.
    type: list
    elements: raw
    default: []
  affinity:
    description: Affinity as the API has it.
    type: dict
  anti_affinity:
    description: Keep the pods on different nodes, where possible (V(preferred), weight 100) or always (V(required)).
    type: str
    choices: [preferred, required]
  priority_class:
    description: Priority class of the pods.
    type: str
  runtime_class:
    description: Runtime class of the pods.
    type: str
  scheduler:
    description: Name of the scheduler.
    type: str
  host_network:
    description: Whether the pods use the node's network.
    type: bool
  host_aliases:
    description: Addresses with their names, for the pods' hosts file.
    type: dict
  dns_policy:
    description: Where the pods look names up.
    type: str
    choices: [ClusterFirst, ClusterFirstWithHostNet, Default, None]
  dns_config:
    description: More of DNS, as the API has it.
    type: dict
  service_account:
    description:
      - Name of a ServiceAccount that is there, or a mapping. When left out, the application gets one of its own.
    type: raw
    suboptions:
      name:
        description: Name.
        type: str
      create:
        description: Whether it is made. Unless a name is given, when left out.
        type: bool
      annotations:
        description: Annotations, for example of a cloud's workload identity.
        type: dict
        default: {}
      token:
        description: Whether pods get its token. Only with O(rbac), when left out.
        type: bool
  rbac:
    description:
      - What the pods may do in the API. A list is that of O(rbac.rules).
      - A rule has C(api_groups) (the core group when left out), C(resources), C(verbs), C(resource_names) and C(non_resource_urls).
    type: raw
    suboptions:
      rules:
        description: Rules in the namespace (Role and RoleBinding).
        type: list
        elements: dict
        default: []
      cluster_rules:
        description: Rules in the whole cluster (ClusterRole and ClusterRoleBinding).
        type: list
        elements: dict
        default: []
      roles:
        description: Roles of the namespace that are there.
        type: list
        elements: str
        default: []
      cluster_roles:
        description: ClusterRoles that are there, for the namespace, for example V(view).
        type: list
        elements: str
        default: []
  pull_secrets:
    description:
      - Names of Secrets with which images are pulled, or credentials as mappings with C(registry), C(username) and C(password).
    type: list
    elements: raw
    default: []
  hooks:
    description:
      - Jobs that run before and after the application is applied. When one fails, the release has failed.
      - "A hook is a container (O(image) and, unless C(inherit: false), environment and files are the application's) with C(command) or C(args), and
        C(after) (names of hooks that come first), C(backoff_limit) (V(2) when left out) and C(active_deadline_seconds)."
      - Their names end in a hash of their content. One that ran does not run again until it, or the configuration that it uses, changes.
    type: dict
    suboptions:
      pre:
        description: Hooks by name that run before.
        type: dict
        default: {}
      post:
        description: Hooks by name that run after it is ready.
        type: dict
        default: {}
  labels:
    description: Labels of all objects and pods.
    type: dict
    default: {}
  annotations:
    description: Annotations of all objects.
    type: dict
    default: {}
  pod_labels:
    description: Labels of the pods.
    type: dict
    default: {}
  pod_annotations:
    description: Annotations of the pods.
    type: dict
    default: {}
  overrides:
    description:
      - Patches for what no field describes. Each is a part of an object with its C(kind), and C(metadata.name) where there are several of it.
      - They are merged as kubectl does it (strategic merge patch). Containers, volumes and the like merge by their names, null removes.
    type: list
    elements: dict
    default: []
  manifests:
    description: Further objects of the same release, as they are.
    type: list
    elements: dict
    default: []
  force_conflicts:
    description: Take over fields that another field manager owns. Otherwise such a conflict is explained and nothing is changed.
    type: bool
    default: false
  take_over:
    description: Field managers of older tools, for example V(kubectl-client-side-apply), whose fields become those of this release.
    type: list
    elements: str
    default: []
  replace:
    description: Whether an object is deleted and made again when a field that cannot be changed differs.
    type: str
    choices: [never, immutable]
    default: never
  prune:
    description: Delete what an earlier revision had and this one does not, when this one is ready.
    type: bool
    default: true
  prune_kinds:
    description: Kinds that are pruned only when named here.
    type: list
    elements: str
    choices: [PersistentVolumeClaim, Namespace]
    default: []
  wait:
    description: Wait until all of it is ready.
    type: bool
    default: true
  timeout:
    description: Seconds that all of it may take. What cannot become ready ends the wait at once.
    type: int
    default: 600
  on_failure:
    description: Whether the last good revision comes back when this one fails. What failed is looked at before.
    type: str
    choices: [rollback, keep]
    default: rollback
  history:
    description: Revisions to keep.
    type: int
    default: 10
  lock_timeout:
    description: Seconds to wait for another run of the same application.
    type: int
    default: 120
seealso:
  - module: slipway.kube.release
  - module: slipway.kube.rollout
  - module: slipway.kube.health_info
  - name: Pod Security Standards
    description: The restricted level, which the defaults meet.
    link: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

EXAMPLES = r"""
- name: A web application in twenty lines
  slipway.kube.app:
    name: shop
    namespace: shop
    create_namespace: true
    image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
    args: [netexec, --http-port=8080]
    ports:
      http: {port: 80, target_port: 8080}
    env:
      LOG_LEVEL: INFO
    secret_env:
      DATABASE_PASSWORD: "{{ shop_database_password }}"
    probe: /healthz
    resources:
      requests: {cpu: 250m, memory: 64Mi}
      limits: {cpu: 500m, memory: 128Mi}
    security: {run_as_user: 65534}
    scaling: {min: 2, max: 10, cpu: 70}
    ingress: {host: shop.example.com, tls: shop-tls}
    network:
      allow_from: [{namespace: ingress}]

- name: See its manifests first
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
    ports: {http: 8080}
    render_only: true
  register: shop

- name: A database with a volume for each pod
  slipway.kube.app:
    name: db
    namespace: shop
    kind: StatefulSet
    image: docker.io/library/postgres:15-bookworm
    ports: {postgres: 5432}
    secret_env: {POSTGRES_PASSWORD: "{{ shop_database_password }}"}
    volumes:
      data: {path: /var/lib/postgresql/data, size: 10Gi}
    security: {run_as_user: 999, fs_group: 999}
    network:
      allow_from: [shop]

- name: A migration before each new version
  slipway.kube.app:
    name: shop
    namespace: shop
    image: "registry.example.com/shop:{{ shop_version }}"
    ports: {http: 8080}
    hooks:
      pre:
        migrate: {command: [shop, migrate]}
        seed: {command: [shop, seed], after: migrate}

- name: Something every night
  slipway.kube.app:
    name: report
    namespace: shop
    kind: CronJob
    schedule: 30 2 * * *
    job: {time_zone: Etc/UTC}
    image: registry.example.com/report:1.4
    command: [report, --yesterday]

- name: What no field describes
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.example.com/shop:1.4
    overrides:
      - kind: Deployment
        spec: {template: {spec: {shareProcessNamespace: true}}}

- name: Take it away
  slipway.kube.app:
    name: shop
    namespace: shop
    state: absent
"""

RETURN = r"""
msg:
  description: What was done in one sentence, or, on failure, what failed, why, and which revision is back in place.
  returned: always
  type: str
  sample: Release shop/shop, revision 3, is deployed.
problems:
  description: Every reason for which the description was refused, each beginning with the path of its field.
  returned: when it was refused
  type: list
  elements: str
  sample: ['ingress.hots: there is no such field; did you mean ingress.host?']
manifests:
  description: The objects. Values of Secrets are masked.
  returned: with O(render_only=true)
  type: list
  elements: dict
hooks:
  description: The Jobs before (C(pre)) and after (C(post)) it.
  returned: with O(render_only=true)
  type: dict
needs:
  description: What the cluster must be able to do.
  returned: with O(render_only=true)
  type: list
  elements: str
  sample: [ingress_class, metrics]
revision:
  description: Number of the revision.
  returned: success
  type: int
status:
  description: What became of the revision, V(deployed) for one that runs.
  returned: success
  type: str
objects:
  description: The objects and what became of each, in check mode what would become of it.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: API version.
      type: str
    kind:
      description: Kind.
      type: str
    namespace:
      description: Namespace, empty for an object of the whole cluster.
      type: str
    name:
      description: Name.
      type: str
    action:
      description: V(create), V(change) or V(none), among others.
      type: str
pruned:
  description: Objects that were deleted because this revision does not have them.
  returned: success
  type: list
  elements: raw
findings:
  description: What is wrong, with evidence and advice, as M(slipway.kube.health_info) returns it.
  returned: on failure
  type: list
  elements: dict
rolled_back_to:
  description: The revision that is back in place.
  returned: when there was one
  type: int
waited_for:
  description: What is ready.
  returned: with O(wait=true)
  type: list
  elements: str
seconds:
  description: Seconds that each phase took.
  returned: success
  type: dict
"""
