# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate whose end is known, for unit tests."""

from __future__ import annotations

# Self-signed, made for tests; ends 2036-11-18 12:16:29 UTC.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIUfly01Ji+Unv59fm0dJ3YABnwH1UwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjExMjE2MjlaFw0zNjExMTgxMjE2Mjla
MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASfKeIo
4xaF6pv+5rYrxqkCkaX1kjl7T+zBTfFGRq318CPcT2A/9w2+OlVeOuiS14vBbpuX
Ih4zStioI6yoHDsdo1MwUTAdBgNVHQ4EFgQUl7paTUBkzrRtSSznAI0xg/4TPAow
HwYDVR0jBBgwFoAUl7paTUBkzrRtSSznAI0xg/4TPAowDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNHADBEAiBjQ/yXMU9bPS+6RtdniWGUoKiF9qDwn1GiUTvE
O+RxrAIgBFrrFqg+7oF6xUt1s3BQn/r8FZWZSvY7Dwl1uZPaWK4=
-----END CERTIFICATE-----
"""
END = 2_110_623_389.0  # seconds since the epoch
