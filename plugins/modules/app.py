#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which expands the description and runs the module release."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: app
short_description: Deploy an application from a short description
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Describes an application in a few lines. The description is expanded to manifests (workload, Service, Ingress, autoscaler, policies,
    volumes, configuration, ServiceAccount) with proven defaults, and deployed as one release like those of M(slipway.kube.release). If the
    application does not become ready, the task reports the cause, and the last deployed revision is restored.
  - Only O(name), O(namespace) and O(image) are required. Other fields are left out of the manifests unless they are set or have a default.
    With O(render_only=true), the manifests are returned and nothing is sent to a cluster.
  - All fields that are unknown, have the wrong type or conflict with others are reported in one list, each with its path, before anything
    is applied.
  - "Where a description says B(by name), the value is a mapping whose keys you choose. Fields have the names of the Kubernetes API in
    snake case: C(minReadySeconds) is O(min_ready_seconds)."
  - "The fields B(of a container) are O(image), O(image_pull_policy), O(command), O(args), O(working_dir), O(env), O(secret_env),
    O(env_from), O(config_files), O(secret_files), O(resources), O(ports), O(probe), O(readiness), O(startup), O(liveness),
    O(pre_stop) and O(post_start). At the top level they describe the main container of the application. Entries of O(sidecars),
    O(containers), O(init) and O(hooks) have them too, and also C(mounts) (the mount path in this container for each of O(volumes), by
    name) and C(security) (the fields of O(security) that a container has)."
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - slipway.kube.auth
  - slipway.kube.release
attributes:
  check_mode:
    support: full
    description: A dry run of every object is requested from the API server, and nothing is stored.
  diff_mode:
    support: full
    description: Values of Secrets are masked; only the keys that changed are named.
  platform:
    support: full
    platforms: posix
options:
  name:
    description:
      - Name of the application, of its release and of most of its objects. At most 52 characters.
      - All its pods have the label C(app.kubernetes.io/name) with this value.
    type: str
    required: true
  namespace:
    description: Namespace of the application.
    type: str
    required: true
  create_namespace:
    description: Create the namespace if it does not exist.
    type: bool
    default: false
  state:
    description: V(present) deploys the application. V(absent) deletes it; then only O(name) and O(namespace) are used.
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
      - The name of a Job ends in a hash of its content. The same description does not run it again; a changed one does.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet, Job, CronJob]
    default: Deployment
  image:
    description: Image of the main container. Required with O(state=present).
    type: str
  image_pull_policy:
    description: When the image is pulled. By default, Kubernetes decides by the tag.
    type: str
    choices: [IfNotPresent, Always, Never]
  command:
    description: Command that replaces the entry point of the image, one item per argument.
    type: list
    elements: str
  args:
    description: Arguments of the command, one item per argument.
    type: list
    elements: str
  working_dir:
    description: Working directory of the command.
    type: str
  env:
    description:
      - "Environment variables by name. The value is a string (numbers and booleans are converted), or a mapping:
        C({config_map: NAME, key: KEY}) or C({secret: NAME, key: KEY}), where NAME is one of O(config_maps) or O(secrets) or an existing
        object (with C(optional: true) it may be missing); C({field: metadata.name}) for a field of the pod; or
        C({resource: limits.memory}) for a resource of the container."
      - Literal values are stored in an immutable ConfigMap whose name ends in a hash, so that a changed value replaces the pods and a
        rollback restores the previous values. The newest five are kept.
      - References to other variables, C($) with a name in parentheses, are expanded in O(env), but not in O(secret_env).
    type: dict
    default: {}
  secret_env:
    description: Like O(env), but stored in a Secret. The values are never shown.
    type: dict
    default: {}
  env_from:
    description: ConfigMaps and Secrets of which each key becomes an environment variable.
    type: list
    elements: dict
    default: []
    suboptions:
      config_map:
        description: Name of one of O(config_maps), or of an existing ConfigMap.
        type: str
      secret:
        description: Name of one of O(secrets), or of an existing Secret.
        type: str
      prefix:
        description: Prefix of the names of the variables.
        type: str
      optional:
        description: Whether the object may be missing.
        type: bool
  config_files:
    description:
      - "Files by their absolute path in the container. The value is the content, or a mapping: C(src), a file on the control node that is
        found like those of M(ansible.builtin.copy) and decrypted if it is encrypted with Ansible Vault; C(template), a Jinja template;
        C(base64), binary content; or C(content)."
      - Each file is mounted separately, so the other files of its folder stay visible. They are stored in an immutable ConfigMap whose
        name ends in a hash.
    type: dict
    default: {}
  secret_files:
    description: Like O(config_files), but stored in a Secret. The contents are never shown.
    type: dict
    default: {}
  config_maps:
    description:
      - "ConfigMaps by name, each with its keys. Values have the form of O(config_files). In the cluster, their names end in a hash;
        O(env), O(env_from) and O(volumes) refer to them by the plain name."
    type: dict
    default: {}
  secrets:
    description: Like O(config_maps), for Secrets. The values are never shown.
    type: dict
    default: {}
  ports:
    description:
      - "Ports by name. The value is a number, or a mapping: C(port) of the Service; C(target_port) of the container, if it differs;
        C(protocol), by default TCP; C(node_port), which makes the Service a NodePort; C(host_port); C(app_protocol);
        C(service: false) to leave the port out of the Service."
      - If any are set, a Service with the name of the application is created.
    type: dict
    default: {}
  service:
    description: The Service; its type as a string, or V(false) for none.
    type: raw
    suboptions:
      type:
        description: By default V(ClusterIP), or V(NodePort) if a port has a C(node_port).
        type: str
        choices: [ClusterIP, NodePort, LoadBalancer]
      name:
        description: Name of the Service; by default that of the application.
        type: str
      headless:
        description: Whether DNS returns the addresses of the pods instead of one cluster IP.
        type: bool
        default: false
      labels:
        description: Additional labels of the Service.
        type: dict
        default: {}
      annotations:
        description: Additional annotations of the Service.
        type: dict
        default: {}
      session_affinity:
        description: V(ClientIP) sends the requests of a client to the same pod.
        type: str
        choices: [ClientIP, None]
      session_affinity_timeout_seconds:
        description: Timeout of the session affinity in seconds; by default Kubernetes uses 10800 (three hours).
        type: int
      external_traffic_policy:
        description: With V(Local), external traffic stays on the node that receives it, and the client's address is preserved.
        type: str
        choices: [Cluster, Local]
      internal_traffic_policy:
        description: With V(Local), internal traffic stays on its node.
        type: str
        choices: [Cluster, Local]
      traffic_distribution:
        description: Which endpoints are preferred, for example C(PreferSameZone).
        type: str
      load_balancer_class:
        description: Class of the load balancer.
        type: str
      load_balancer_source_ranges:
        description: CIDR blocks from which the load balancer accepts traffic.
        type: list
        elements: str
      ip_family_policy:
        description: Whether the Service has one or two address families.
        type: str
        choices: [SingleStack, PreferDualStack, RequireDualStack]
      ip_families:
        description: The address families.
        type: list
        elements: str
      publish_not_ready_addresses:
        description: Whether DNS includes pods that are not ready.
        type: bool
  probe:
    description:
      - "How to check the main container: a path that is requested by HTTP at the first of O(ports), or a mapping."
      - It is used as the readiness probe and, with five minutes to start, as the startup probe. Requests time out after 5 seconds.
      - A liveness probe, which restarts the container, is only added with O(liveness).
    type: raw
    suboptions:
      path:
        description: Path of an HTTP request.
        type: str
      command:
        description: Command in the container, one item per argument.
        type: list
        elements: str
      tcp:
        description: Whether to check only that the port accepts connections.
        type: bool
      grpc:
        description: Name of a service of the gRPC health checking protocol; an empty string for the server as a whole.
        type: str
      port:
        description: Name or number of the port; by default the first of O(ports).
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
        description: Seconds between two probes.
        type: int
      timeout_seconds:
        description: Timeout of a probe in seconds; by default V(5).
        type: int
      success_threshold:
        description: How many consecutive probes must succeed.
        type: int
      failure_threshold:
        description: How many consecutive probes must fail.
        type: int
  readiness:
    description: Readiness probe in place of O(probe), with the same fields; V(false) for none.
    type: raw
  startup:
    description: Startup probe in place of O(probe), with the same fields; V(false) for none.
    type: raw
  liveness:
    description: Liveness probe, with the fields of O(probe). A container that fails it is restarted.
    type: raw
  pre_stop:
    description: "Handler that runs before the container is terminated: C({sleep: 5}) in seconds, C({command: [...]}), or C({path: /stop})."
    type: dict
  post_start:
    description: Handler that runs right after the container has started, with the fields of O(pre_stop).
    type: dict
  resources:
    description: Resources of the main container. The task warns about missing requests.
    type: dict
    suboptions:
      requests:
        description: "Reserved resources, for example C({cpu: 250m, memory: 64Mi})."
        type: dict
      limits:
        description: Maximum resources.
        type: dict
  init:
    description: Init containers by name, which run one after another before the other containers start. Their image is by default that of the application.
    type: dict
    default: {}
  sidecars:
    description: Sidecar containers by name, which start in their order before the main container and end after it.
    type: dict
    default: {}
  containers:
    description: Additional containers of the pod by name.
    type: dict
    default: {}
  volumes:
    description:
      - "Volumes by name. Each has C(path), the mount path in the main container, C(read_only), C(sub_path), and one source:
        C(size), for example V(10Gi), which creates a claim, with C(class) (by default the cluster's; V('') for none), C(mode) (by default
        V(RWO); also V(ROX), V(RWX) or V(RWOP)), C(volume_name) and C(selector); C(claim), an existing claim; C(empty_dir: true);
        C(host_path); C(nfs) with C(server) and C(path); C(config_map); C(secret); or C(source), any other source of the API."
      - A StatefulSet gets a claim for each pod. Claims are pruned only if O(prune_kinds) includes them.
    type: dict
    default: {}
  security:
    description:
      - Security context of the pod and its main container. The defaults comply with the restricted level of the Pod Security Standards.
      - An image that runs as root requires O(security.run_as_user), or O(security.run_as_non_root=false). One that also changes the owner of files or its user
        when it starts, as the official images of databases do, requires O(security.profile=baseline).
    type: dict
    suboptions:
      profile:
        description:
          - Level of the Pod Security Standards. With V(baseline), the user is that of the image, root included, and the containers keep the capabilities
            of the container runtime unless C(drop) lists some. The namespace must allow it.
        type: str
        choices: [restricted, baseline]
        default: restricted
      run_as_non_root:
        description: Whether the kubelet refuses to run the container as root. By default V(true), unless O(security.run_as_user) is 0.
        type: bool
      run_as_user:
        description: User ID; by default that of the image.
        type: int
      run_as_group:
        description: Group ID.
        type: int
      fs_group:
        description: Group ID that owns the volumes.
        type: int
      fs_group_change_policy:
        description: When the ownership of the files of volumes is changed to that group.
        type: str
        choices: [OnRootMismatch, Always]
      supplemental_groups:
        description: Additional group IDs.
        type: list
        elements: int
        default: []
      read_only_root_filesystem:
        description: Whether the root filesystem of the container is read-only.
        type: bool
      allow_privilege_escalation:
        description: Whether a process can gain more privileges than its parent.
        type: bool
        default: false
      privileged:
        description: Whether the container is privileged.
        type: bool
        default: false
      capabilities:
        description: Linux capabilities to C(add) and to C(drop); by default all are dropped, or none with O(security.profile=baseline).
        type: dict
      seccomp:
        description: Seccomp profile, V(RuntimeDefault), V(Unconfined), or the path of a profile on the node.
        type: str
        default: RuntimeDefault
      sysctls:
        description: Kernel parameters of the pod.
        type: dict
  replicas:
    description: Number of pods; by default V(1). Not part of the manifest if O(scaling) is set.
    type: int
  scaling:
    description: Scale the workload automatically (HorizontalPodAutoscaler).
    type: dict
    suboptions:
      min:
        description: Minimum number of pods.
        type: int
        default: 1
      max:
        description: Maximum number of pods.
        type: int
        required: true
      cpu:
        description: Target for the average CPU usage, in percent of the request. By default V(80) if no metric is set.
        type: int
      memory:
        description: Target for the average memory usage, in percent of the request.
        type: int
      metrics:
        description: Additional metrics, as in the API.
        type: list
        elements: dict
        default: []
      scale_down:
        description:
          - Rules for scaling down, C(stabilization_window_seconds), C(select_policy) and C(policies) (each with C(type), C(value) and C(period_seconds)).
          - The window is by default 300 seconds.
        type: dict
      scale_up:
        description: Rules for scaling up, with the fields of O(scaling.scale_down).
        type: dict
  strategy:
    description: How pods are replaced; the type as a string, or a mapping.
    type: raw
    suboptions:
      type:
        description:
          - V(RollingUpdate), V(Recreate), V(BlueGreen), V(Canary) (Deployment) or V(OnDelete) (StatefulSet, DaemonSet).
          - With V(BlueGreen), each version of the pods is a Deployment of its own, whose name ends in a hash of its pod template. All pods of a new version
            start while those of the old one keep running. When they are ready and O(hooks) after the deployment have succeeded, the Service is
            switched to them at once, and the old Deployment is deleted. If they do not become ready or a hook fails, they are deleted and the Service is
            not switched. The Service C(NAME-preview) selects the new version from the beginning, so that a hook can
            request it; such hooks run for each version.
          - V(BlueGreen) needs the resources of both versions for that time, a Service, and O(wait=true). It is not supported with O(scaling), ports of nodes
            and volumes that only one node can mount.
          - With V(Canary), a changed pod template is tried by a second Deployment, C(NAME-canary), with O(strategy.percent) of the pods that run, behind the
            same Service. When its pods are ready, have stayed so for O(strategy.observe) seconds without a restart, and O(hooks) after the deployment have
            succeeded, the Deployment itself is updated as with V(RollingUpdate), and the canary is deleted. If not, the canary is deleted with the reason and
            the Deployment was never touched (with O(on_failure=keep), the canary stays until the next run). The Service C(NAME-preview) selects the new
            version only, so that a hook can request it; such hooks run for each version.
          - V(Canary) needs a Service, O(wait=true) and a readiness probe to judge by. Everything but the Deployment is applied before the canary is tried. The
            first deployment, changes that leave the pods as they are, and a revision that is restored have no canary. With O(scaling), the autoscaler
            counts the pods of the canary for that time. It is not supported with ports of nodes and volumes that only one node can mount.
          - By default V(RollingUpdate), but V(Recreate) for a Deployment with a volume that only one node can mount.
        type: str
        choices: [RollingUpdate, Recreate, OnDelete, BlueGreen, Canary]
      max_surge:
        description: How many additional pods may exist during an update, a number or a percentage. By default V(25%) for a Deployment.
        type: raw
      max_unavailable:
        description: How many pods may be unavailable during an update, a number or a percentage. By default V(0) for a Deployment.
        type: raw
      partition:
        description: Pods of a StatefulSet with a lower ordinal are not updated.
        type: int
      percent:
        description: With V(Canary), how many pods the canary has, in percent of those that run, rounded up. By default V(20).
        type: int
      observe:
        description: With V(Canary), for how many seconds its pods must stay ready without a restart. They, the hooks and the Deployment itself are parts
          of O(timeout); the Deployment is not begun with when no time is left. By default V(30).
        type: int
  min_ready_seconds:
    description: Seconds for which a new pod must be ready before it counts as available.
    type: int
  progress_deadline_seconds:
    description: Seconds without progress after which a rollout has failed. By default nine tenths of O(timeout), at most 600.
    type: int
  revision_history_limit:
    description: How many old revisions of the workload Kubernetes keeps.
    type: int
  paused:
    description: Whether the rollout of a Deployment is paused.
    type: bool
  pod_management_policy:
    description: Whether a StatefulSet starts its pods one after another or in parallel.
    type: str
    choices: [OrderedReady, Parallel]
  keep_claims:
    description: Whether the claims of a StatefulSet are kept when it is scaled down or deleted.
    type: bool
    default: true
  termination_grace_period_seconds:
    description: Seconds that a pod has to terminate.
    type: int
  disruption_budget:
    description: How many pods may be unavailable while nodes are drained. By default one at a time if there can be several pods; V(false) for no budget.
    type: raw
    suboptions:
      max_unavailable:
        description: How many pods may be unavailable, a number or a percentage.
        type: raw
      min_available:
        description: How many pods must be available, a number or a percentage.
        type: raw
      unhealthy_pod_eviction_policy:
        description: Whether pods that are not ready can be evicted at any time.
        type: str
        choices: [AlwaysAllow, IfHealthyBudget]
        default: AlwaysAllow
  schedule:
    description: Schedule of a CronJob, for example V('*/5 * * * *'). Required for a CronJob.
    type: str
  job:
    description: Further fields of a Job or CronJob.
    type: dict
    suboptions:
      completions:
        description: How many pods must succeed.
        type: int
      parallelism:
        description: How many pods run in parallel.
        type: int
      completion_mode:
        description: With V(Indexed), each pod has an index.
        type: str
        choices: [NonIndexed, Indexed]
      backoff_limit:
        description: How many pods may fail.
        type: int
      backoff_limit_per_index:
        description: How many pods may fail for each index.
        type: int
      active_deadline_seconds:
        description: Timeout of the Job in seconds.
        type: int
      ttl_seconds_after_finished:
        description: Seconds after which a finished Job is deleted. The next run of the task then runs it again.
        type: int
      pod_failure_policy:
        description: Policy for failed pods, as in the API.
        type: dict
      suspend:
        description: Whether the Job or CronJob is suspended.
        type: bool
      restart_policy:
        description: With V(Never), each attempt is a new pod, so that the logs of failed ones are kept.
        type: str
        choices: [Never, OnFailure]
        default: Never
      time_zone:
        description: Time zone of O(schedule), for example V(Etc/UTC).
        type: str
      concurrency_policy:
        description: What happens if the previous run is still active.
        type: str
        choices: [Forbid, Allow, Replace]
        default: Forbid
      starting_deadline_seconds:
        description: Maximum delay of a start in seconds.
        type: int
      successful_jobs_history_limit:
        description: How many successful Jobs are kept.
        type: int
      failed_jobs_history_limit:
        description: How many failed Jobs are kept.
        type: int
  ingress:
    description: HTTP access from outside the cluster (Ingress).
    type: dict
    suboptions:
      host:
        description: Host name, or a list of them.
        type: list
        elements: str
        default: []
      path:
        description: Path; by default V(/).
        type: str
      path_type:
        description: How paths are matched; by default V(Prefix).
        type: str
        choices: [Prefix, Exact, ImplementationSpecific]
      port:
        description: Name or number of the port of the Service; by default its first.
        type: raw
      paths:
        description: "Paths, each with a port of this application, or with C({service: NAME, port: PORT}) of another Service."
        type: dict
      rules:
        description: Rules for different hosts, each with C(host), C(path), C(path_type), C(port) and C(paths).
        type: list
        elements: dict
        default: []
      class:
        description: Class of the Ingress; by default that of the cluster.
        type: str
      tls:
        description: Name of the Secret with the certificate, or a mapping.
        type: raw
        suboptions:
          secret:
            description: Name of the Secret. With an issuer, by default C(NAME-tls).
            type: str
          issuer:
            description: Issuer of cert-manager that issues the certificate.
            type: str
          cluster_issuer:
            description: ClusterIssuer of cert-manager that issues the certificate.
            type: str
          hosts:
            description: Hosts of the certificate; by default all hosts of the rules.
            type: list
            elements: str
      annotations:
        description: Annotations for the Ingress controller.
        type: dict
        default: {}
  route:
    description:
      - HTTP access from outside the cluster through a Gateway (HTTPRoute of the Gateway API, version 1), such as the Gateway C(traefik) in the namespace
        C(traefik) of the add-ons traefik and gateway_api. Which fields have an effect depends on the controller of the Gateway; the route is ready when its
        Gateways have accepted it.
    type: dict
    suboptions:
      gateway:
        description: Name of a Gateway, a mapping with C(name), C(namespace) and C(section) (the name of a listener), or a list of these.
        type: list
        elements: raw
        required: true
      host:
        description: Host name, or a list of them; by default those of the Gateway.
        type: list
        elements: str
        default: []
      rules:
        description: Rules; by default one for all paths.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path; by default V(/).
            type: str
          path_type:
            description: How the path is matched; by default V(Prefix).
            type: str
            choices: [Prefix, Exact]
          headers:
            description: Headers that a request must have, with their values.
            type: dict
            default: {}
          method:
            description: Method that a request must have.
            type: str
            choices: [GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH]
          service:
            description: Name of another Service.
            type: str
          port:
            description: Name or number of the port of the Service; by default its first. The number is required for another Service.
            type: raw
          rewrite:
            description: Path that replaces the matched one before the request is passed on, with V(Prefix) only the matched part.
            type: str
          timeout:
            description: Time for a request, for example V(30s).
            type: str
      annotations:
        description: Annotations of the HTTPRoute.
        type: dict
        default: {}
  network:
    description:
      - Allowed traffic of the pods (NetworkPolicy). By default it is not restricted.
      - "An entry is the name of an application in the same namespace, a CIDR block, or a mapping with C(app) (V('*') for every pod), C(labels),
        C(namespace) (V('*') for all), C(namespace_labels), C(cidr), C(except) and C(ports) (names of O(ports), or port numbers of the pods)."
    type: dict
    suboptions:
      allow_from:
        description: Allowed clients. All others are denied; an empty list denies all.
        type: list
        elements: raw
      allow_to:
        description: Allowed destinations. All others are denied, except for DNS.
        type: list
        elements: raw
      dns:
        description: Whether DNS stays allowed.
        type: bool
        default: true
      dns_ports:
        description:
          - Ports of the pods that answer DNS queries, in the namespace C(kube-system). A policy applies to the ports of pods and not to those of their Service,
            so that a cluster whose DNS listens on another port needs that one here.
        type: list
        elements: int
        default: [53]
  spread:
    description:
      - How pods are spread. By default over the nodes as far as possible (Deployment, StatefulSet); V(false) for no rule.
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
    description: Affinity, as in the API.
    type: dict
  anti_affinity:
    description: Run the pods on different nodes if possible (V(preferred), weight 100) or always (V(required)).
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
    description: Whether the pods use the network of the node.
    type: bool
  host_aliases:
    description: Names by IP address for the hosts file of the pods.
    type: dict
  dns_policy:
    description: DNS policy of the pods.
    type: str
    choices: [ClusterFirst, ClusterFirstWithHostNet, Default, None]
  dns_config:
    description: DNS configuration of the pods, as in the API.
    type: dict
  service_account:
    description: Name of an existing ServiceAccount, or a mapping. By default, a ServiceAccount is created for the application.
    type: raw
    suboptions:
      name:
        description: Name of the ServiceAccount.
        type: str
      create:
        description: Whether it is created. By default V(true), unless a name is set.
        type: bool
      annotations:
        description: Annotations, for example for the workload identity of a cloud.
        type: dict
        default: {}
      token:
        description: Whether its token is mounted into the pods. By default only with O(rbac).
        type: bool
  rbac:
    description:
      - Permissions of the pods in the API. A list is used as O(rbac.rules).
      - A rule has C(api_groups) (by default the core group), C(resources), C(verbs), C(resource_names) and C(non_resource_urls).
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
        description: Existing Roles of the namespace.
        type: list
        elements: str
        default: []
      cluster_roles:
        description: Existing ClusterRoles, granted in the namespace, for example V(view).
        type: list
        elements: str
        default: []
  pull_secrets:
    description: Names of Secrets with credentials for registries, or the credentials as mappings with C(registry), C(username) and C(password).
    type: list
    elements: raw
    default: []
  hooks:
    description:
      - Jobs that run before and after the application is applied. If one fails, the release fails.
      - "A hook has the fields of a container (O(image) and, unless C(inherit: false), environment and files are by default those of the
        application) with C(command) or C(args), and C(after) (names of hooks that complete first), C(backoff_limit) (by default V(2)) and
        C(active_deadline_seconds)."
      - Their names end in a hash of their content. A completed hook runs again only if it or the configuration that it uses changes.
    type: dict
    suboptions:
      pre:
        description: Hooks by name that run before the application is applied.
        type: dict
        default: {}
      post:
        description: Hooks by name that run after it has become ready.
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
      - Patches for fields that have no option. Each is a part of an object with its C(kind), and C(metadata.name) if there are several of
        that kind.
      - They are merged like those of kubectl (strategic merge patch). Containers, volumes and the like are merged by name; null removes a field.
    type: list
    elements: dict
    default: []
  manifests:
    description: Additional objects of the same release, applied unchanged.
    type: list
    elements: dict
    default: []
seealso:
  - module: slipway.kube.release
  - module: slipway.kube.rollout
  - module: slipway.kube.health_info
  - name: Pod Security Standards
    description: The restricted level, with which the defaults comply.
    link: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

EXAMPLES = r"""
- name: Deploy a web application in twenty lines
  slipway.kube.app:
    name: shop
    namespace: shop
    create_namespace: true
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1
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

- name: Publish a version for testers through a Gateway
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.example.com/shop:1.4
    ports: {http: 8080}
    strategy: BlueGreen
    route:
      gateway: {name: traefik, namespace: traefik}
      host: shop.example.com
      rules:
        - {headers: {x-preview: "yes"}, service: shop-preview, port: 8080}
        - {path: /api, rewrite: /, timeout: 30s}
        - {path: /}

- name: Try a new version with a tenth of the pods for two minutes before all of them follow
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.example.com/shop:1.5
    ports: {http: 8080}
    probe: /ready
    replicas: 10
    strategy: {type: Canary, percent: 10, observe: 120}
    hooks:
      post:
        check: {command: [/bin/check, 'http://shop-preview:8080']}

- name: Preview the manifests
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.k8s.io/e2e-test-images/agnhost:2.66.1
    ports: {http: 8080}
    render_only: true
  register: shop

- name: Deploy a database with a volume for each pod
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

- name: Migrate the database before each new version
  slipway.kube.app:
    name: shop
    namespace: shop
    image: "registry.example.com/shop:{{ shop_version }}"
    ports: {http: 8080}
    hooks:
      pre:
        migrate: {command: [shop, migrate]}
        seed: {command: [shop, seed], after: migrate}

- name: Run a report every night
  slipway.kube.app:
    name: report
    namespace: shop
    kind: CronJob
    schedule: 30 2 * * *
    job: {time_zone: Etc/UTC}
    image: registry.example.com/report:1.4
    command: [report, --yesterday]

- name: Set a field that has no option
  slipway.kube.app:
    name: shop
    namespace: shop
    image: registry.example.com/shop:1.4
    overrides:
      - kind: Deployment
        spec: {template: {spec: {shareProcessNamespace: true}}}

- name: Delete the application
  slipway.kube.app:
    name: shop
    namespace: shop
    state: absent
"""

RETURN = r"""
name:
  description: Name of the release.
  returned: when the cluster was contacted
  type: str
  sample: web
namespace:
  description: Its namespace.
  returned: when the cluster was contacted
  type: str
  sample: web
msg:
  description: A summary of what was done, or, on failure, what failed, why, and which revision was restored.
  returned: always
  type: str
  sample: Release shop/shop, revision 3, is deployed.
problems:
  description: The problems of the description, each starting with the path of its field.
  returned: when the description is invalid
  type: list
  elements: str
  sample: ['ingress.hots: unknown field; did you mean ingress.host?']
manifests:
  description: The objects of the application. Values of Secrets are masked.
  returned: with O(render_only=true)
  type: list
  elements: dict
hooks:
  description: The Jobs that run before (C(pre)) and after (C(post)) the application is applied, and with strategy V(Canary) the Deployment that tries
    a new version (C(canary)).
  returned: with O(render_only=true)
  type: dict
needs:
  description: Features that the cluster must support.
  returned: with O(render_only=true)
  type: list
  elements: str
  sample: [ingress_class, metrics]
revision:
  description: The number of the revision.
  returned: success
  type: int
status:
  description: The status of the revision, for example V(deployed).
  returned: success
  type: str
objects:
  description: The objects and the action taken for each; in check mode the action that would be taken.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: The API version.
      type: str
    kind:
      description: The kind.
      type: str
    namespace:
      description: The namespace; empty for a cluster-scoped object.
      type: str
    name:
      description: The name.
      type: str
    action:
      description: The action, for example V(create), V(change) or V(none).
      type: str
changes:
  description:
    - The same for a person. The first line counts the actions, and each further one is an object with what becomes of it and, if it changes, the fields that
      change. Values are shown for numbers, images and the like only.
    - In check mode, also what has changed in the cluster since the deployed revision, by object.
  returned: success
  type: list
  elements: str
  sample:
    - create 1, change 1, delete 1, unchanged 4
    - 'ConfigMap shop/shop-env-8b2f: create'
    - 'Deployment shop/shop: change (spec.template.spec.containers[shop].image shop:1.4 -> shop:1.5, spec.replicas 2 -> 3)'
    - 'Ingress shop/old: delete'
drift:
  description: What has changed in the cluster since the deployed revision, in the form of M(slipway.kube.release).
  returned: in check mode
  type: list
  elements: dict
schema_only:
  description: The objects that were only validated against the schema, because what they need comes with the same release.
  returned: in check mode
  type: list
  elements: str
pruned:
  description: Objects that were deleted because this revision no longer contains them.
  returned: success
  type: list
  elements: dict
findings:
  description: The causes of the failure with evidence and remedies, in the form of M(slipway.kube.health_info).
  returned: on failure
  type: list
  elements: dict
rolled_back_to:
  description: The revision that was restored.
  returned: after a rollback
  type: int
waited_for:
  description: The objects that became ready.
  returned: with O(wait=true)
  type: list
  elements: str
seconds:
  description: The duration of each phase in seconds.
  returned: success
  type: dict
requests:
  description: Number of requests that were sent to the API server.
  returned: success
  type: int
finished:
  description: Whether the run is finished.
  returned: unless O(render_only) is set
  type: bool
progress:
  description: Progress messages.
  returned: unless O(render_only) is set
  type: list
  elements: str
"""
