# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say which cluster, and as whom; they have the names that kubernetes.core gives them."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment slipway.kube.auth."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig on the host where the module runs (several with C(:) between them are merged as kubectl does), or a kubeconfig as a mapping.
      - Without it, E(KUBECONFIG), C(~/.kube/config), C(/etc/kubernetes/admin.conf) and, in a pod, its service account are tried in this order.
      - Programs that prove who one is (C(exec)) are run.
      - Can also be given as E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description:
      - Context of the kubeconfig; its current one when not given.
      - Can also be given as E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server. Without O(kubeconfig) and O(context), no kubeconfig is read then.
      - Can also be given as E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Token that proves who one is. It replaces what the kubeconfig says about the user.
      - Can also be given as E(K8S_AUTH_API_KEY).
    type: str
  username:
    description:
      - Name for HTTP basic authentication, which only a server in front of the API server can check.
      - Can also be given as E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - Password for O(username).
      - Can also be given as E(K8S_AUTH_PASSWORD).
    type: str
  client_cert:
    description:
      - Path of a client certificate (PEM).
      - Can also be given as E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert) (PEM).
      - Can also be given as E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - Path of the certificate authority that the server's certificate must come from (PEM).
      - Can also be given as E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether the server's certificate is checked. What the kubeconfig says counts when not given.
      - Can also be given as E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy (C(http://)). The kubeconfig's C(proxy-url) counts when not given; E(HTTPS_PROXY) is not looked at.
      - Can also be given as E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Names, domains, addresses and networks that are spoken to without the proxy, with commas between them.
      - Can also be given as E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for proxies.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - User and password for the proxy, with a colon between them.
          - Can also be given as E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description:
          - User and password for a server in front of the API server, with a colon between them. Goes before a token.
          - Can also be given as E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description:
          - How the client calls itself.
          - Can also be given as E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  persist_config:
    description:
      - Taken so that one C(module_defaults) serves both collections, and without effect. No kubeconfig is ever written.
      - Can also be given as E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description:
      - User to act as.
      - Can also be given as E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - Groups to act as, with O(impersonate_user).
      - Can also be given as E(K8S_AUTH_IMPERSONATE_GROUPS), with commas between them.
    type: list
    elements: str
notes:
  - The host where the module runs needs Python, and its yaml (PyYAML) or kubectl to read a kubeconfig file; no Python client for Kubernetes.
"""
