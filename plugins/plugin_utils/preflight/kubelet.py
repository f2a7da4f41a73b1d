# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of fields in the settings of kubelets: the kubelet ignores one that it does not know in the file in which they are written.

https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/#kubelet-config-k8s-io-v1beta1-KubeletConfiguration
"""

from __future__ import annotations

from collections.abc import Iterator

from ...module_utils._kube.versions import minor_of
from .names import suggest
from .problem import Checks, Finding, Host

CHECKS = Checks()
# Where the inventory sets fields of the kubelet's configuration, the stronger first.
KUBELET_SETTINGS = ("kubernetes_kubelet_config", "control_plane_kubelet_configuration")
# fmt: off
FIELDS = (
    "address", "allowedUnsafeSysctls", "apiVersion", "authentication", "authorization", "cgroupDriver", "cgroupRoot", "cgroupsPerQOS", "clusterDNS",
    "clusterDomain", "configMapAndSecretChangeDetectionStrategy", "containerLogMaxFiles", "containerLogMaxSize", "containerLogMaxWorkers",
    "containerLogMonitorInterval", "containerRuntimeEndpoint", "contentType", "cpuCFSQuota", "cpuCFSQuotaPeriod", "cpuManagerPolicy",
    "cpuManagerPolicyOptions", "cpuManagerReconcilePeriod", "crashLoopBackOff", "enableContentionProfiling", "enableControllerAttachDetach",
    "enableDebugFlagsHandler", "enableDebuggingHandlers", "enableProfilingHandler", "enableServer", "enableSystemLogHandler", "enableSystemLogQuery",
    "enforceNodeAllocatable", "eventBurst", "eventRecordQPS", "evictionHard", "evictionMaxPodGracePeriod", "evictionMinimumReclaim",
    "evictionPressureTransitionPeriod", "evictionSoft", "evictionSoftGracePeriod", "failCgroupV1", "failSwapOn", "featureGates", "fileCheckFrequency",
    "hairpinMode", "healthzBindAddress", "healthzPort", "httpCheckFrequency", "imageGCHighThresholdPercent", "imageGCLowThresholdPercent",
    "imageMaximumGCAge", "imageMinimumGCAge", "imagePullCredentialsVerificationPolicy", "imageServiceEndpoint", "iptablesDropBit",
    "iptablesMasqueradeBit", "kernelMemcgNotification", "kind", "kubeAPIBurst", "kubeAPIQPS", "kubeReserved", "kubeReservedCgroup", "kubeletCgroups",
    "localStorageCapacityIsolation", "logging", "makeIPTablesUtilChains", "maxOpenFiles", "maxParallelImagePulls", "maxPods", "memoryManagerPolicy",
    "memorySwap", "memoryThrottlingFactor", "mergeDefaultEvictionSettings", "nodeLeaseDurationSeconds", "nodeStatusMaxImages",
    "nodeStatusReportFrequency", "nodeStatusUpdateFrequency", "oomScoreAdj", "podCIDR", "podLogsDir", "podPidsLimit", "podsPerCore", "port",
    "preloadedImagesVerificationAllowlist", "protectKernelDefaults", "providerID", "qosReserved", "readOnlyPort", "registerNode",
    "registerWithTaints", "registryBurst", "registryPullQPS", "reservedMemory", "reservedSystemCPUs", "resolvConf", "rotateCertificates", "runOnce",
    "runtimeRequestTimeout", "seccompDefault", "serializeImagePulls", "serverTLSBootstrap", "showHiddenMetricsForVersion", "shutdownGracePeriod",
    "shutdownGracePeriodByPodPriority", "shutdownGracePeriodCriticalPods", "singleProcessOOMKill", "staticPodPath", "staticPodURL",
    "staticPodURLHeader", "streamingConnectionIdleTimeout", "syncFrequency", "systemCgroups", "systemReserved", "systemReservedCgroup", "tlsCertFile",
    "tlsCipherSuites", "tlsMinVersion", "tlsPrivateKeyFile", "topologyManagerPolicy", "topologyManagerPolicyOptions", "topologyManagerScope",
    "tracing", "userNamespaces", "volumePluginDir", "volumeStatsAggPeriod",
)
# fmt: on
# What each minor version has in addition to the one before it. One that is not listed here is not checked.
ADDED = {"1.35": (), "1.36": ("memoryReservationPolicy", "tlsCurvePreferences"), "1.37": ("defaultPodSysctls",)}


def fields_of(minor: str) -> list[str]:
    """Return the names of the fields that the kubelet of a minor version knows; none for one that is not listed."""
    minors = list(ADDED)
    known = minors[: minors.index(minor) + 1] if minor in ADDED else []
    return [*FIELDS, *(name for one in known for name in ADDED[one])] if known else []


@CHECKS.host("kubelet_settings", facts=False)
def check_kubelet_settings(host: Host) -> Iterator[Finding]:
    """The kubelet of this version knows each field that the inventory sets."""
    version = str(host.variables.get("kube_version") or "")
    fields = fields_of(minor_of(version)) if version.count(".") == 2 else []
    for variable in KUBELET_SETTINGS if fields else ():
        given = host.variables.get(variable)
        for name in given if isinstance(given, dict) else ():
            if name not in fields:
                similar = suggest(str(name), fields)
                yield (
                    f"{variable} has a field that the kubelet does not know.",
                    f"'{name}' is not a field of KubeletConfiguration in Kubernetes {version}",
                    f"{f'Write {similar}' if similar else 'Correct the name'}. The kubelet would ignore it without a word.",
                )
