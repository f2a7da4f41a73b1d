# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for how a release is applied."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.release."""

    DOCUMENTATION = r"""
options:
  force_conflicts:
    description:
      - Take over fields that another field manager has set to a different value, and objects of another release. Otherwise both are reported and nothing is
        changed.
      - Replicas that an autoscaler has set are never a conflict; they are left to it. If it is not part of the release, this is a warning.
    type: bool
    default: false
  take_over:
    description:
      - Field managers whose fields are taken over completely, such as V(kubectl-client-side-apply) or V(helm). Fields that they have set and the release does
        not contain are removed.
      - If Helm still has a release that such objects belong to, a warning names it with the command that deletes what Helm has stored of it. Do so when this
        release is deployed, because C(helm uninstall) would delete the objects.
    type: list
    elements: str
    default: []
  replace:
    description:
      - What to do if immutable fields differ. V(never) reports them and changes nothing. V(immutable) deletes the object and creates it again.
      - A StatefulSet is deleted without its pods, which the new one adopts and updates one after the other, unless its selector no longer matches them, its
        C(serviceName) differs, or it has a further claim for each pod. Then its pods are deleted as well. If its C(volumeClaimTemplates) request more storage
        than existing claims have, these claims grow, where their StorageClass allows it. The claims that grow, and those that cannot, are a warning.
      - PersistentVolumeClaims, PersistentVolumes, Namespaces and CustomResourceDefinitions are never replaced, because the data or objects that they hold
        would be deleted.
    type: str
    choices: [never, immutable]
    default: never
  prune:
    description:
      - Delete the objects that earlier revisions contain and this one does not, after everything else has succeeded, hooks included. An object that is not
        marked as part of this release is kept, and so is one with the annotation C(slipway.kube/keep=true) or C(helm.sh/resource-policy=keep).
      - Custom resources are finalized before their operator, its permissions and their definitions are deleted, here and with O(state=absent).
      - A CustomResourceDefinition is kept while objects of its kind exist, unless its annotation C(slipway.kube/objects=generated) says that only the
        application writes them.
      - Of objects with the same annotation C(slipway.kube/version-of), the newest five are kept.
    type: bool
    default: true
  prune_kinds:
    description:
      - The kinds V(PersistentVolumeClaim) and V(Namespace) are deleted only if they are listed here. This also applies to O(state=absent).
    type: list
    elements: str
    choices: [PersistentVolumeClaim, Namespace]
    default: []
  wait:
    description:
      - Wait until all objects are ready, or, with O(state=absent), until they are gone.
      - A Deployment or StatefulSet is ready when all pods of its newest revision are and no others are left, a DaemonSet when this is so on all nodes that are
        Ready (if, at the end, it is updated on all of them and no more pods than its C(maxUnavailable) are missing, this is a warning), a Job when it is
        complete, a Pod when it is Ready or has succeeded, a CustomResourceDefinition when it is established, a PersistentVolumeClaim when it is bound or waits
        for its first consumer, and a Service or Ingress when it has an address, if a controller assigns addresses. Any other object is ready unless it has a
        condition C(Ready) that is not true.
      - A Job with C(ttlSecondsAfterFinished) is applied without it and gets it back when its end was seen; it is not created again after it was deleted.
      - Waiting ends immediately if an object can never become ready, for example because an image does not exist. Problems that may be transient get a
        grace period, see O(grace).
      - Objects of Gateway API, OLM, Argo CD and Argo Rollouts, Flux, CloudNativePG, cert-manager, External Secrets, Kyverno, and packages and managed
        resources of Crossplane are ready when their controllers have reported so for the latest generation. What waits for a person counts as ready,
        which is a warning (an Application without automated synchronization, a paused Rollout, a Subscription with manual approval).
        Use O(wait_conditions) for other kinds.
      - An object with the annotation C(slipway.kube/wait=false), such as a long batch Job, is not waited for, and neither are those in O(wait_except).
        Deployments, Jobs and custom resources whose C(spec.paused) or C(spec.suspend) is true are not waited for either, which is a warning.
      - The objects are also checked if the run makes no changes.
      - With V(false), a revision counts as deployed as soon as it is applied.
    type: bool
    default: true
  wait_conditions:
    description:
      - When objects are ready, instead of the rule for their kind. All entries that are about an object must hold.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      name:
        description: Name of the object; by default all objects of the kind.
        type: str
      namespace:
        description: Namespace of the objects; by default all.
        type: str
      condition:
        description: Type of a condition in C(status.conditions).
        type: str
      jsonpath:
        description:
          - JSONPath of a field, as for C(kubectl wait), for example C(.status.phase) or C(.status.members[*].ready). If it selects several fields,
            all must have the value.
        type: str
      value:
        description: Value that the field must have, by default any; or status of the condition, by default V(True).
        type: raw
  wait_except:
    description: Objects that are not waited for.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      name:
        description: Name of the object; by default all objects of the kind.
        type: str
      namespace:
        description: Namespace of the objects; by default all.
        type: str
  waves:
    description:
      - Objects that are applied in waves. Those of a wave are applied when all objects of the earlier waves are ready, or, with O(wait=false), when these are
        applied. Each object has the wave of its annotation C(slipway.kube/wave), otherwise that of the first entry that is about it, otherwise V(0).
        Namespaces and CustomResourceDefinitions without a number belong to the first wave.
      - What the objects of a wave need to become ready, such as service accounts, configuration and Secrets, must not belong to a later one.
      - Operators need no waves. Custom resources are applied behind the workloads of the release and sent again until their webhooks respond.
      - A rollback applies the objects of the deployed revision in the waves that this had. Objects are deleted in the reverse order of their waves, and with
        O(wait) only when the workloads of the later waves, with their pods, and the custom resources are gone.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      name:
        description: Name of the object; by default all objects of the kind.
        type: str
      namespace:
        description: Namespace of the objects; by default all.
        type: str
      wave:
        description: Number of the wave, which may be negative.
        type: int
        required: true
  timeout:
    description: Timeout of the whole run in seconds. A rollback has the same time again.
    type: int
    default: 600
  grace:
    description:
      - Seconds for which a problem that may be transient is tolerated before the wait ends. V(0) waits until O(timeout).
      - If this is not set, pods that wait for what the cluster provides (a node, also one that an autoscaler is adding, a volume, an admission webhook) wait
        until O(timeout), and other problems get 60 seconds, such as a registry that does not respond, a failing liveness probe, or a Secret that a controller
        has not created yet.
    type: int
  delete_blocking_pods:
    description:
      - While waiting for a StatefulSet, delete a pod of an older revision that does not become ready, each once. Its controller waits for that pod even after
        the template was corrected (L(forced rollback,https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback)). This is about
        pods whose image or configuration is missing, which crash again and again, or (with C(podManagementPolicy=OrderedReady)) that were never ready although
        their containers run for more than a minute and for as long as their readiness probes need to fail. They are deleted one at a time. A pod that was
        ready once, or whose node is not ready, is left alone. The pod is named in the progress; its volumes stay.
      - A rollback does not wait for that minute with the pods of a revision that was not rolled out to all pods.
      - With V(false), a warning names the pod instead, and the wait ends with the timeout.
    type: bool
    default: true
  on_failure:
    description:
      - V(rollback) applies the last deployed revision again, and deletes the objects that only the failed revision created. The task still fails.
      - V(keep) keeps the applied objects.
    type: str
    choices: [rollback, keep]
    default: rollback
  ignore_differences:
    description:
      - Fields that others own, such as an injected CA bundle. They are applied when an object is created. From then on, the value that the cluster has is kept
        and is neither a change nor a difference.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      name:
        description: Name of the object; by default all objects of the kind.
        type: str
      namespace:
        description: Namespace of the objects; by default all.
        type: str
      fields:
        description:
          - JSON pointers (RFC 6901), for example C(/spec/replicas) or C(/metadata/annotations/example.com~1owner). C(*) stands for all keys of a mapping or all
            items of a list, as in C(/webhooks/*/clientConfig/caBundle). Items of a list that have a name are found by it.
        type: list
        elements: str
        required: true
  history:
    description: How many revisions to keep. The deployed revision is always kept.
    type: int
    default: 10
  lock_timeout:
    description: Seconds to wait for another run on the same release.
    type: int
    default: 120
"""
