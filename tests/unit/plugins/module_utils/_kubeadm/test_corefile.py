# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about names comes into the Corefile and leaves it again; all else stays to the letter."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.corefile import (
    Names,
    configured,
    names_of,
    parse,
    render,
)

# What kubeadm writes (cmd/kubeadm/app/phases/addons/dns/manifests.go).
KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
THEIRS = """# ours, do not touch
{$ZONE}:53, dns://lab.example.org:53 {
    forward . 10.9.9.9 # { a comment
}

"""
WANT = names_of(
    {
        "forwarders": ["10.0.0.1", "10.0.0.2"],
        "stub_domains": {"corp.example.com.": "10.1.0.53", "b.example.com": ["10.1.0.1", "10.1.0.2:5353"]},
        "hosts": {"10.0.0.80": ["registry.example.com", "git.example.com"]},
    }
)
NOTHING = Names()


def test_what_is_read_is_written_the_same():
    for text in (KUBEADM, THEIRS + KUBEADM, KUBEADM + THEIRS, "\n# only this\n", ""):
        assert render(parse(text)) == text


def test_everything_comes_and_goes_again():
    made = configured(THEIRS + KUBEADM, WANT, NOTHING)
    assert "    forward . 10.0.0.1 10.0.0.2 {\n       max_concurrent 1000\n" in made
    assert "    hosts {\n       10.0.0.80 registry.example.com git.example.com\n       fallthrough\n    }\n" in made
    assert "\ncorp.example.com:53 {\n    errors\n    cache 30\n    forward . 10.1.0.53\n}\n" in made
    assert made.startswith(THEIRS)
    assert configured(made, WANT, WANT) == made
    assert configured(made, WANT, NOTHING) == made, "also where the record of it was lost"
    assert configured(made, NOTHING, WANT) == THEIRS + KUBEADM


def test_what_kubeadm_has_indented_anew_is_still_known():
    made = (
        configured(KUBEADM, WANT, NOTHING)
        .replace("\n       ", "\n        ")
        .replace("10.1.0.53\n", "10.1.0.53 # stub\n")
    )
    again = configured(made, WANT, NOTHING)
    assert again.count("hosts {") == 1 and again.count("corp.example.com:53") == 1
    assert configured(again, NOTHING, WANT) == KUBEADM.replace("\n       ", "\n        ")


def test_values_change():
    made = configured(KUBEADM, WANT, NOTHING)
    other = names_of({"forwarders": ["10.0.0.3"], "stub_domains": {"corp.example.com": ["10.2.0.53"]}})
    changed = configured(made, other, WANT)
    assert "forward . 10.0.0.3 {" in changed and "hosts" not in changed and "b.example.com" not in changed
    assert "forward . 10.2.0.53\n" in changed and changed.count("corp.example.com") == 1
    assert configured(changed, NOTHING, other) == KUBEADM


def test_forwarders_that_somebody_else_has_set_since_stay():
    made = configured(KUBEADM, WANT, NOTHING).replace("forward . 10.0.0.1 10.0.0.2 {", "forward . 9.9.9.9 {")
    assert "forward . 9.9.9.9 {" in configured(made, NOTHING, WANT)


@pytest.mark.parametrize(
    ("corefile", "want", "told"),
    [
        (THEIRS + KUBEADM, {"stub_domains": {"lab.example.org": ["10.0.0.1"]}}, "configured by others"),
        (
            KUBEADM.replace("    ready\n", "    ready\n    hosts /etc/more {\n    }\n"),
            {"hosts": {"10.0.0.1": "a"}},
            "kube_dns_hosts",
        ),
        (
            KUBEADM.replace("forward . /etc/resolv.conf {", "alternate {"),
            {"forwarders": ["10.0.0.1"]},
            "no line 'forward",
        ),
        (THEIRS, {"forwarders": ["10.0.0.1"]}, "no server block for all names"),
        (KUBEADM + "}\n", {"forwarders": ["10.0.0.1"]}, "not balanced"),
        (KUBEADM.rstrip("}\n"), {"forwarders": ["10.0.0.1"]}, "not balanced"),
    ],
)
def test_what_is_in_the_way_is_told(corefile, want, told):
    with pytest.raises(HostError, match=told):
        configured(corefile, names_of(want), NOTHING)
