# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for the connection to a cluster. Their names are those of kubernetes.core."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.auth."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig on the host where the module runs, or a kubeconfig as a mapping. Several paths, separated by C(:), are merged as kubectl
        does.
      - If not set, E(KUBECONFIG), C(~/.kube/config), C(/etc/kubernetes/admin.conf) and, in a pod, its service account are tried in this order.
      - Credential plugins (C(exec)) are supported.
      - Can also be specified as E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description:
      - Context of the kubeconfig. If not set, its current context is used.
      - Can also be specified as E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server. If it is set without O(kubeconfig) and O(context), no kubeconfig is read.
      - Can also be specified as E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token. It replaces the user of the kubeconfig.
      - Can also be specified as E(K8S_AUTH_API_KEY).
    type: str
  username:
    description:
      - User name for HTTP basic authentication. Only a proxy in front of the API server can check it.
      - Can also be specified as E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - Password for O(username).
      - Can also be specified as E(K8S_AUTH_PASSWORD).
    type: str
  client_cert:
    description:
      - Path of a client certificate (PEM).
      - Can also be specified as E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert) (PEM).
      - Can also be specified as E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - Path of the certificate authority (PEM) that must have signed the certificate of the server.
      - Can also be specified as E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether to verify the certificate of the server. If not set, the kubeconfig decides.
      - Can also be specified as E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of a proxy, C(http://) or C(socks5://). If not set, the C(proxy-url) of the kubeconfig is used, and then, as by kubectl, the proxy in the
        environment of the module (E(HTTPS_PROXY), and E(HTTP_PROXY) for an API server without TLS), except for addresses of this host and
        those in E(NO_PROXY). With a kubeconfig in C(/etc/kubernetes), as on a control plane, the environment is ignored.
      - Can also be specified as E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Comma-separated list of names, domains, addresses and networks that are contacted without the proxy.
      - Can also be specified as E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for proxies.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - User name and password for the proxy, separated by a colon.
          - Can also be specified as E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description:
          - User name and password for a proxy in front of the API server, separated by a colon. It takes precedence over a token.
          - Can also be specified as E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description:
          - Value of the User-Agent header.
          - Can also be specified as E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  persist_config:
    description:
      - Has no effect. It is accepted so that one C(module_defaults) serves both collections. The modules never write a kubeconfig.
      - Can also be specified as E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description:
      - User to impersonate.
      - Can also be specified as E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - Groups to impersonate. Requires O(impersonate_user).
      - Can also be specified as E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas.
    type: list
    elements: str
notes:
  - The host where the module runs needs PyYAML or kubectl to read a kubeconfig file. It does not need the Python client for Kubernetes.
"""
