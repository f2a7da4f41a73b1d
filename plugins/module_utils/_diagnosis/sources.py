# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that the rules know, and how they are listed."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """How a kind is listed. C(names_only): without contents; C(fields): a field selector."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True
    names_only: bool = False
    fields: str = ""

    def path(self, namespace: str) -> str:
        """Return the path of the list; an empty namespace stands for all."""
        root = "/apis/" + self.api_version if "/" in self.api_version else "/api/" + self.api_version
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}"


SOURCES = {
    source.kind: source
    for source in (
        Source("Pod", "v1", "pods"),
        Source("Node", "v1", "nodes", False),
        Source("Namespace", "v1", "namespaces", False),
        Source("Event", "v1", "events", fields="type=Warning"),
        # Not a kind of its own: the events that tell why the kubelet ends a container are no warnings.
        Source("Killing", "v1", "events", fields="type=Normal,reason=Killing"),
        # Another: a run of a CronJob that the controller did not start, because the previous one is active.
        Source("Skipped", "v1", "events", fields="type=Normal,reason=JobAlreadyActive"),
        # Another: a pod that the scheduler deleted in favour of one of a higher priority.
        Source("Preempted", "v1", "events", fields="type=Normal,reason=Preempted"),
        Source("Deployment", "apps/v1", "deployments"),
        Source("ReplicaSet", "apps/v1", "replicasets"),
        Source("StatefulSet", "apps/v1", "statefulsets"),
        Source("DaemonSet", "apps/v1", "daemonsets"),
        Source("Job", "batch/v1", "jobs"),
        Source("CronJob", "batch/v1", "cronjobs"),
        Source("Service", "v1", "services"),
        Source("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
        Source("Ingress", "networking.k8s.io/v1", "ingresses"),
        Source("IngressClass", "networking.k8s.io/v1", "ingressclasses", False),
        Source("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Source("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
        Source("PersistentVolume", "v1", "persistentvolumes", False),
        Source("StorageClass", "storage.k8s.io/v1", "storageclasses", False),
        Source("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        Source("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Source(
            "ValidatingWebhookConfiguration",
            "admissionregistration.k8s.io/v1",
            "validatingwebhookconfigurations",
            False,
        ),
        Source(
            "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", False
        ),
        Source("APIService", "apiregistration.k8s.io/v1", "apiservices", False),
        Source("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions", False, True),
        Source("ResourceQuota", "v1", "resourcequotas"),
        Source("Secret", "v1", "secrets", True, True),
        Source("ConfigMap", "v1", "configmaps", True, True),
    )
}
NAMESPACED_KINDS = tuple(kind for kind, source in SOURCES.items() if source.namespaced)
CLUSTER_KINDS = tuple(kind for kind, source in SOURCES.items() if not source.namespaced)
