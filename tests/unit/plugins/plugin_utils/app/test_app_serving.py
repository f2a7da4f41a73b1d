# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How clients reach an application, its identity in the API, its hooks and overrides."""

from __future__ import annotations

import base64
import json

HTTP = {"http": {"port": 80, "target_port": 8080}}
DNS = {
    "to": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def test_dns_on_another_port_stays_allowed(make) -> None:
    network = {"allow_to": ["10.0.0.0/8"], "dns_ports": [53, 5353]}
    (dns, _other) = make(network=network).one("NetworkPolicy")["spec"]["egress"]
    assert [(port["protocol"], port["port"]) for port in dns["ports"]] == [
        *(("UDP", 53), ("TCP", 53)),
        *(("UDP", 5353), ("TCP", 5353)),
    ]


def app(name: str) -> dict:
    return {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}


def test_ports_make_a_service(make) -> None:
    made = make(ports=dict(HTTP, dns={"port": 53, "protocol": "UDP"}, metrics={"port": 9090, "service": False}))
    assert made.one("Service")["spec"] == {
        "type": "ClusterIP",
        "selector": {"app.kubernetes.io/name": "web", "slipway.kube/part": "app"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
            {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
        ],
    }
    assert [port["containerPort"] for port in made.container["ports"]] == [8080, 53, 9090]
    assert not make(ports=HTTP, service=False).all("Service")
    assert not make().all("Service")


def test_a_node_port_says_the_type(make) -> None:
    spec = make(
        ports={"http": {"port": 80, "target_port": 8080, "node_port": 30080}},
        service={"session_affinity_timeout_seconds": 10800, "external_traffic_policy": "Local"},
    ).one("Service")["spec"]
    assert spec["type"] == "NodePort" and spec["ports"][0]["nodePort"] == 30080
    assert spec["sessionAffinity"] == "ClientIP"
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert spec["externalTrafficPolicy"] == "Local"


def test_a_load_balancer(make) -> None:
    service = make(
        ports=HTTP, service={"type": "LoadBalancer", "name": "front", "annotations": {"a": "b"}, "labels": {"c": "d"}}
    ).one("Service")
    assert service["metadata"]["name"] == "front"
    assert service["metadata"]["annotations"] == {"a": "b"} and service["metadata"]["labels"]["c"] == "d"
    assert make(ports=HTTP, service="LoadBalancer").one("Service")["spec"]["type"] == "LoadBalancer"


def test_an_ingress(make) -> None:
    made = make(ports=HTTP, ingress={"host": "app.example.com", "class": "traefik", "tls": "example-tls"})
    assert made.one("Ingress")["spec"] == {
        "ingressClassName": "traefik",
        "rules": [
            {
                "host": "app.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "web", "port": {"name": "http"}}},
                        }
                    ]
                },
            }
        ],
        "tls": [{"hosts": ["app.example.com"], "secretName": "example-tls"}],
    }


def test_an_ingress_with_paths_of_other_services(make) -> None:
    ingress = {"host": "app.example.com", "paths": {"/": "http", "/api": {"service": "backend", "port": 80}}}
    paths = make(ports=HTTP, ingress=ingress).one("Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert [(path["path"], path["backend"]["service"]) for path in paths] == [
        ("/", {"name": "web", "port": {"name": "http"}}),
        ("/api", {"name": "backend", "port": {"number": 80}}),
    ]


def test_an_ingress_with_hosts_that_differ(make) -> None:
    made = make(
        ports=HTTP,
        ingress={
            "rules": [{"host": "a.example.com", "path": "/v1", "path_type": "Exact"}, {"host": "b.example.com"}],
            "tls": {"cluster_issuer": "letsencrypt"},
            "annotations": {"x": "y"},
        },
    )
    ingress = made.one("Ingress")
    assert [(rule["host"], rule["http"]["paths"][0]["path"]) for rule in ingress["spec"]["rules"]] == [
        ("a.example.com", "/v1"),
        ("b.example.com", "/"),
    ]
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Exact"
    assert ingress["spec"]["tls"] == [{"hosts": ["a.example.com", "b.example.com"], "secretName": "web-tls"}]
    assert ingress["metadata"]["annotations"] == {"x": "y", "cert-manager.io/cluster-issuer": "letsencrypt"}
    two = make(ports=HTTP, ingress={"host": ["a.example.com", "b.example.com"]}).one("Ingress")["spec"]["rules"]
    assert [rule["host"] for rule in two] == ["a.example.com", "b.example.com"]


def test_nothing_is_restricted_unless_asked(make) -> None:
    assert not make().all("NetworkPolicy")


def test_allow_from_denies_the_rest_and_leaves_the_way_out_open(make) -> None:
    policy = make(
        ports=HTTP,
        network={
            "allow_from": [
                {"app": "frontend", "ports": "http"},
                {"namespace": "monitoring", "app": "prometheus", "ports": [9090]},
                {"app": "*"},
                {"cidr": "10.0.0.0/8", "except": "10.1.0.0/16"},
                {"labels": {"role": "x"}, "namespace_labels": {"team": "y"}},
                {"namespace": "*"},
            ]
        },
    ).one("NetworkPolicy")["spec"]
    assert policy["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "web"}}
    assert policy["policyTypes"] == ["Ingress"] and "egress" not in policy

    def space(name: str) -> dict:
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}

    assert policy["ingress"] == [
        # The port of the pod, not that of the Service.
        {"from": [app("frontend")], "ports": [{"protocol": "TCP", "port": 8080}]},
        {"from": [dict(space("monitoring"), **app("prometheus"))], "ports": [{"protocol": "TCP", "port": 9090}]},
        {"from": [{"podSelector": {}}]},
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"team": "y"}},
                    "podSelector": {"matchLabels": {"role": "x"}},
                }
            ]
        },
        {"from": [{"namespaceSelector": {}}]},
    ]


def test_the_way_out_never_loses_dns_by_accident(make) -> None:
    policy = make(network={"allow_to": [{"cidr": "10.0.0.0/24", "ports": 5978}, "db"]}).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Egress"] and "ingress" not in policy
    assert policy["egress"] == [
        DNS,
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"protocol": "TCP", "port": 5978}]},
        {"to": [app("db")]},
    ]
    nothing = make(network={"allow_from": [], "allow_to": []}).one("NetworkPolicy")["spec"]
    assert nothing["policyTypes"] == ["Ingress", "Egress"]
    assert (nothing["ingress"], nothing["egress"]) == ([], [DNS])
    assert make(network={"allow_to": [], "dns": False}).one("NetworkPolicy")["spec"]["egress"] == []


def test_an_account_gets_its_token_with_rules_only(make) -> None:
    assert make().pod["automountServiceAccountToken"] is False
    made = make(
        rbac={
            "rules": [{"resources": "pods", "verbs": ["get", "list"]}],
            "cluster_rules": [{"non_resource_urls": "/healthz", "verbs": "get"}],
            "roles": ["reader"],
            "cluster_roles": ["view"],
        }
    )
    assert made.pod["automountServiceAccountToken"] is True
    assert made.one("Role")["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    wide = made.one("ClusterRole")
    assert wide["rules"] == [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]
    assert wide["metadata"]["name"] == "shop-web" and "namespace" not in wide["metadata"]
    bound = {content["metadata"]["name"]: content["roleRef"] for content in made.all("RoleBinding")}
    assert {name: (role["kind"], role["name"]) for name, role in bound.items()} == {
        "web": ("Role", "web"),
        "web-reader": ("Role", "reader"),
        "web-cluster-view": ("ClusterRole", "view"),
    }
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    assert all(content["subjects"] == [subject] for content in made.all("RoleBinding") + made.all("ClusterRoleBinding"))
    assert make(rbac=[{"resources": ["pods"], "verbs": ["get"]}]).one("Role")


def test_another_account(make) -> None:
    made = make(service_account="there")
    assert made.pod["serviceAccountName"] == "there" and not made.all("ServiceAccount")
    made = make(service_account={"name": "own", "create": True, "annotations": {"a": "b"}, "token": True})
    assert made.one("ServiceAccount")["metadata"]["annotations"] == {"a": "b"}
    assert made.pod["automountServiceAccountToken"] is True


def test_pull_secrets(make) -> None:
    made = make(pull_secrets=["there", {"registry": "r.example.com", "username": "u", "password": "p"}])
    secret = made.one("Secret")
    assert secret["type"] == "kubernetes.io/dockerconfigjson" and secret["immutable"] is True
    login = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert login == {
        "auths": {"r.example.com": {"username": "u", "password": "p", "auth": base64.b64encode(b"u:p").decode()}}
    }
    assert made.pod["imagePullSecrets"] == [{"name": "there"}, {"name": secret["metadata"]["name"]}]


def test_hooks_are_jobs_with_the_applications_environment_in_their_order(make) -> None:
    made = make(
        env={"A": "1"},
        secret_env={"P": "x"},
        config_files={"/etc/a": "a"},
        node_selector={"disktype": "ssd"},
        hooks={
            "pre": {
                "seed": {"command": ["seed"], "after": "migrate"},
                "migrate": {"command": ["migrate"], "active_deadline_seconds": 60},
            },
            "post": {"smoke": {"image": "curl:1", "args": ["http://web"], "inherit": False, "backoff_limit": 0}},
        },
    )
    pre, post = made.expansion.hooks["pre"], made.expansion.hooks["post"]
    assert [job["metadata"]["name"] for job in pre] == ["web-migrate", "web-seed"]
    spec = pre[0]["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (2, 60)
    container = spec["template"]["spec"]["containers"][0]
    assert (container["image"], container["command"]) == ("web:1", ["migrate"])
    assert container["envFrom"] == made.container["envFrom"]
    assert container["volumeMounts"] == made.container["volumeMounts"]
    assert spec["template"]["spec"]["nodeSelector"] == {"disktype": "ssd"}
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    # A Service must not lead to a hook's pod, a policy for the application counts for it too.
    assert spec["template"]["metadata"]["labels"] == {"app.kubernetes.io/name": "web", "slipway.kube/part": "hook"}
    alone = post[0]["spec"]["template"]["spec"]["containers"][0]
    assert alone["image"] == "curl:1" and "envFrom" not in alone and "volumeMounts" not in alone
    assert post[0]["spec"]["backoffLimit"] == 0
    assert len(made.all("ConfigMap")) == 2


def test_a_hook_can_say_something_else(make) -> None:
    made = make(
        env={"A": "1", "B": "1"},
        secret_env={"P": "x", "Q": "y"},
        hooks={"pre": {"m": {"command": ["m"], "env": {"A": "2", "Q": "plain"}, "secret_env": {"B": "secret"}}}},
    )
    own = {
        (content["kind"], key): value
        for content in made.objects
        if content["metadata"]["name"].startswith("web-m-env-")
        for key, value in content["data"].items()
    }

    def coded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    assert own == {
        ("ConfigMap", "A"): "2",
        ("ConfigMap", "Q"): "plain",
        ("Secret", "P"): coded("x"),
        ("Secret", "B"): coded("secret"),
    }


def test_overrides_reach_every_object(make) -> None:
    made = make(
        ports=HTTP,
        env={"A": "1"},
        hooks={"pre": {"migrate": {"command": ["x"]}}},
        overrides=[
            {
                "kind": "Deployment",
                "spec": {
                    "template": {
                        "spec": {
                            "shareProcessNamespace": True,
                            "containers": [{"name": "web", "tty": True}, {"name": "more", "image": "more:1"}],
                            "topologySpreadConstraints": None,
                        }
                    }
                },
            },
            {"kind": "Service", "spec": {"ports": [{"port": 80, "nodePort": 30080}]}},
            {"kind": "ConfigMap", "metadata": {"name": "web-env", "labels": {"a": "b"}}},
            {"kind": "Job", "spec": {"backoffLimit": 7}},
        ],
    )
    assert made.pod["shareProcessNamespace"] is True and "topologySpreadConstraints" not in made.pod
    assert [container["name"] for container in made.pod["containers"]] == ["web", "more"]
    assert made.container["tty"] is True and made.container["image"] == "web:1"
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30080}
    assert made.one("Service")["spec"]["ports"] == [port]
    assert made.one("ConfigMap")["metadata"]["labels"]["a"] == "b"
    assert made.expansion.hooks["pre"][0]["spec"]["backoffLimit"] == 7


def test_an_override_of_a_job_counts_for_its_name(make) -> None:
    plain = make(kind="Job").workload
    changed = make(kind="Job", overrides=[{"kind": "Job", "spec": {"backoffLimit": 1}}]).workload
    assert plain["metadata"]["name"] != changed["metadata"]["name"]


def test_an_override_that_fits_several_objects_names_one(make, refused) -> None:
    fields = {"kind": "StatefulSet", "ports": HTTP}
    problem = "overrides[0]: matches several objects. Set metadata.name to one of web, web-headless."
    assert refused(**fields, overrides=[{"kind": "Service", "metadata": {"labels": {}}}]) == [problem]
    patch = {"kind": "Service", "metadata": {"name": "web-headless", "labels": {"a": "b"}}}
    assert make(**fields, overrides=[patch]).one("Service", "web-headless")["metadata"]["labels"]["a"] == "b"


def test_a_route_of_a_gateway(make) -> None:
    made = make(
        ports={"http": {"port": 80, "target_port": 8080}}, route={"gateway": "public", "host": "shop.example.com"}
    )
    route = made.one("HTTPRoute")
    assert (route["apiVersion"], route["metadata"]["namespace"]) == ("gateway.networking.k8s.io/v1", "shop")
    assert route["spec"] == {
        "parentRefs": [{"name": "public"}],
        "hostnames": ["shop.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": "web", "port": 80}],
            }
        ],
    }


def test_a_route_with_headers_rewriting_and_timeouts(make) -> None:
    rules = [
        {"path": "/api", "rewrite": "/", "timeout": "30s", "service": "backend", "port": 8080},
        {"path": "/old", "path_type": "Exact", "rewrite": "/new"},
        {"path": "/", "headers": {"x-beta": "yes"}, "method": "GET", "port": "beta"},
    ]
    gateway = {"name": "public", "namespace": "gateways", "section": "https"}
    ports = {"http": 8080, "beta": 8081}
    made = make(ports=ports, route={"gateway": [gateway, "internal"], "rules": rules, "annotations": {"a": "b"}})
    route = made.one("HTTPRoute")
    spec = route["spec"]
    assert route["metadata"]["annotations"] == {"a": "b"} and "hostnames" not in spec
    assert spec["parentRefs"] == [
        {"name": "public", "namespace": "gateways", "sectionName": "https"},
        {"name": "internal"},
    ]
    api, old, beta = spec["rules"]
    rewriting = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert api["filters"] == [{"type": "URLRewrite", "urlRewrite": {"path": rewriting}}]
    assert (api["timeouts"], api["backendRefs"]) == ({"request": "30s"}, [{"name": "backend", "port": 8080}])
    assert old["matches"] == [{"path": {"type": "Exact", "value": "/old"}}]
    rewriting = {"type": "ReplaceFullPath", "replaceFullPath": "/new"}
    assert old["filters"][0]["urlRewrite"]["path"] == rewriting and "timeouts" not in old
    header = {"type": "Exact", "name": "x-beta", "value": "yes"}
    assert beta["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [header], "method": "GET"}]
    assert beta["backendRefs"] == [{"name": "web", "port": 8081}]


def test_a_gateway_outside_of_what_may_connect_is_a_warning(make) -> None:
    network = {"allow_from": ["other"]}
    (warning,) = [
        line for line in make(ports=HTTP, route={"gateway": "g"}, network=network).warnings if "allow" in line
    ]
    assert "so the gateway cannot reach the pods" in warning


def test_the_address_of_the_cluster_dns_can_be_allowed_as_the_guide_on_add_ons_shows(make) -> None:
    """With Calico, NodeLocal DNSCache answers there on the node, so that no selector of pods matches."""
    peer = {"cidr": "10.96.0.10/32", "ports": [53, {"port": 53, "protocol": "UDP"}]}
    (_dns, rule) = make(network={"allow_to": [peer]}).one("NetworkPolicy")["spec"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.96.0.10/32"}}]
    assert [(port["protocol"], port["port"]) for port in rule["ports"]] == [("TCP", 53), ("UDP", 53)]
