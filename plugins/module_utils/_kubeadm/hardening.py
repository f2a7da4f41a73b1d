# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a new control plane harder to misuse than kubeadm's defaults: flags, files and kubelet settings. These functions are pure.

Formats: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/, https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/
and https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/
"""

from __future__ import annotations

import json
from typing import Any, Mapping

# Files that the API server reads, and its audit log. Both folders are mounted into its pod.
FOLDER = "/etc/kubernetes/apiserver"
AUDIT_FOLDER = "/var/log/kubernetes/audit"
AUDIT_POLICY = f"{FOLDER}/audit-policy.json"
ADMISSION = f"{FOLDER}/admission.json"
AUTHENTICATION = f"{FOLDER}/authentication.json"
ENCRYPTION = f"{FOLDER}/encryption.yaml"
ENCRYPTION_FLAG = "encryption-provider-config"

# A host that joins reads it before it has credentials (kubeadm's discovery with a token).
CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
CONFIG_API = "apiserver.config.k8s.io/v1"
# Who reads all the time, as part of what a cluster is.
COMPONENTS = ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]
GROUPS = ["system:nodes", "system:serviceaccounts:kube-system"]
SECRETS = [
    {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
    {"group": "authentication.k8s.io", "resources": ["tokenreviews", "tokenrequests"]},
]


def audit_policy() -> dict[str, Any]:
    """Return the default audit policy: who did what to which object and when, never the content of a request.

    Health checks, leases, events and what components of the cluster read are left out, other than their access to Secrets.
    """
    noise = [{"group": "coordination.k8s.io", "resources": ["leases"]}]
    noise += [{"group": group, "resources": ["events"]} for group in ("", "events.k8s.io")]
    reads = {"level": "None", "verbs": ["get", "list", "watch"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]},
            {"level": "None", "resources": noise},
            {"level": "Metadata", "resources": SECRETS},
            {**reads, "users": COMPONENTS},
            {**reads, "userGroups": GROUPS},
            {"level": "Metadata"},
        ],
    }


def pod_security(levels: Mapping[str, str], exempt_namespaces: list[str]) -> dict[str, Any]:
    """Return the AdmissionConfiguration with the Pod Security levels of namespaces that have no labels.

    :param levels: ``enforce``, ``audit`` and ``warn``, each ``privileged``, ``baseline`` or ``restricted``; the first is the default.
    """
    defaults = {mode: str(levels.get(mode, "privileged")) for mode in ("enforce", "audit", "warn")}
    configuration = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {**defaults, **{f"{mode}-version": "latest" for mode in defaults}},
        "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": list(exempt_namespaces)},
    }
    return {
        "apiVersion": CONFIG_API,
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": configuration}],
    }


def authentication(paths: list[str]) -> dict[str, Any]:
    """Return the AuthenticationConfiguration that lets anonymous requests reach these paths only, and what a joining host reads."""
    conditions = [{"path": path} for path in dict.fromkeys([*paths, CLUSTER_INFO])]
    return {
        "apiVersion": CONFIG_API,
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": conditions},
    }


def encryption(key: str) -> str:
    """Return the EncryptionConfiguration that encrypts Secrets with XSalsa20 and Poly1305, as YAML, in which people and benchmarks read it.

    Of the providers with a local key, this one is rated strong and needs no rotation by the number of writes, as AES-GCM does
    (https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#providers). What was written in plain text stays readable.

    :param key: 32 random bytes in base64.
    """
    return f"""\
apiVersion: {CONFIG_API}
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - name: key1
              secret: {key}
      - identity: {{}}
"""


def _is_own(flags: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether these flags are set here: they are not if the inventory has one of them."""
    return bool(flags) and not any(name in given for name in flags)


def _parts(hardening: Mapping[str, Any], given: Mapping[str, Any]) -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Return flags, path and content of each file of the API server.

    :param given: flags of the inventory.
    """
    parts: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
    audit = hardening.get("audit") or {}
    if audit:
        flags = {"audit-policy-file": AUDIT_POLICY, "audit-log-path": f"{AUDIT_FOLDER}/audit.log"}
        parts.append((flags, AUDIT_POLICY, dict(audit.get("policy") or audit_policy())))
    if hardening.get("pod_security"):
        exempt = list(hardening.get("pod_security_exempt") or [])
        parts.append(
            ({"admission-control-config-file": ADMISSION}, ADMISSION, pod_security(hardening["pod_security"], exempt))
        )
    # These exclude each other in kube-apiserver.
    other_authentication = "anonymous-auth" in given or any(name.startswith("oidc-") for name in given)
    if hardening.get("anonymous_paths") and not other_authentication:
        paths = list(hardening["anonymous_paths"])
        parts.append(({"authentication-config": AUTHENTICATION}, AUTHENTICATION, authentication(paths)))
    return [part for part in parts if _is_own(part[0], given)]


def apiserver_files(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the files that the API server reads, but for the key of encryption at rest, as ``path`` and ``content``.

    :param settings: as :func:`.config.build_init` takes them.
    """
    given = (settings.get("extra_args") or {}).get("api_server") or {}
    parts = _parts(settings.get("hardening") or {}, given)
    return [{"path": path, "content": json.dumps(content, indent=2) + "\n"} for _flags, path, content in parts]


def apiserver(hardening: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of kube-apiserver.

    :param given: flags of the inventory, which replace them.
    """
    flags: dict[str, Any] = {"profiling": False, **tls(hardening)}
    for own, _path, _content in _parts(hardening, given):
        flags.update(own)
    if "audit-policy-file" in flags:
        audit = hardening["audit"]
        flags.update({f"audit-log-{name}": audit[name] for name in ("maxsize", "maxbackup", "maxage") if name in audit})
    if hardening.get("encryption") and ENCRYPTION_FLAG not in given:
        # Another key takes effect without a restart.
        flags.update({ENCRYPTION_FLAG: ENCRYPTION, f"{ENCRYPTION_FLAG}-automatic-reload": True})
    if hardening.get("verify_kubelets"):
        flags["kubelet-certificate-authority"] = "/etc/kubernetes/pki/ca.crt"
    return flags


def volumes(flags: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the folders of the host that kube-apiserver needs for its flags."""
    texts = [str(value) for value in flags.values()]
    result = []
    if any(text.startswith(f"{FOLDER}/") for text in texts):
        place = {"hostPath": FOLDER, "mountPath": FOLDER, "readOnly": True, "pathType": "DirectoryOrCreate"}
        result.append({"name": "slipway-apiserver", **place})
    if any(text.startswith(f"{AUDIT_FOLDER}/") for text in texts):
        place = {"hostPath": AUDIT_FOLDER, "mountPath": AUDIT_FOLDER, "pathType": "DirectoryOrCreate"}
        result.append({"name": "slipway-audit", **place})
    return result


def suites(hardening: Mapping[str, Any]) -> list[str]:
    """Return the cipher suites of TLS 1.2: those of TLS 1.3 cannot be chosen, and etcd refuses a list with it."""
    return [] if hardening.get("tls_min_version") == "VersionTLS13" else list(hardening.get("tls_cipher_suites") or [])


def tls(hardening: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of a component that serves over TLS."""
    wanted = {"tls-min-version": hardening.get("tls_min_version"), "tls-cipher-suites": ",".join(suites(hardening))}
    return {name: value for name, value in wanted.items() if value}


def component_flags(settings: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of ``api_server``, ``controller_manager``, ``scheduler`` or ``etcd``, {} without ``hardening`` in the settings."""
    hardening = settings.get("hardening") or {}
    if not hardening:
        return {}
    if name == "api_server":
        return apiserver(hardening, given)
    if name != "etcd":
        garbage = {"terminated-pod-gc-threshold": hardening.get("terminated_pods", 12500)}
        return {"profiling": False, **tls(hardening), **(garbage if name == "controller_manager" else {})}
    flags: dict[str, Any] = {"auto-compaction-mode": "periodic", "auto-compaction-retention": "8h"}
    if hardening.get("etcd_quota_mib"):
        flags["quota-backend-bytes"] = int(hardening["etcd_quota_mib"]) << 20
    if hardening.get("tls_min_version"):
        flags["tls-min-version"] = str(hardening["tls_min_version"]).replace("Version", "").replace("TLS1", "TLS1.")
    if suites(hardening):
        flags["cipher-suites"] = ",".join(suites(hardening))
    return flags


def kubelet(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of the KubeletConfiguration of the cluster."""
    hardening = settings.get("hardening") or {}
    if not hardening:
        return {}
    # The kubelet's defaults, written so that they can be read (and are looked at by benchmarks), and its profiler turned off.
    fields: dict[str, Any] = {
        "enableProfilingHandler": False,
        "eventRecordQPS": 50,
        "streamingConnectionIdleTimeout": "4h0m0s",
    }
    if hardening.get("tls_min_version"):
        fields["tlsMinVersion"] = hardening["tls_min_version"]
    if suites(hardening):
        fields["tlsCipherSuites"] = suites(hardening)
    if hardening.get("pod_pids_limit"):
        fields["podPidsLimit"] = int(hardening["pod_pids_limit"])
    return fields
