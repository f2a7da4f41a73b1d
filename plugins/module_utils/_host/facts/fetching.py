# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests over HTTP with a timeout, and what their failures mean."""

from __future__ import annotations

import email.utils
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from .proxies import DIRECT, LOGIN_NEEDED, hide_logins

LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read at most."""


class FetchError(Exception):
    """A failed probe, with its reason.

    :param status: HTTP status, 0 without an answer.
    :param challenge: header WWW-Authenticate of the answer.
    """

    def __init__(self, message: str, status: int = 0, challenge: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.challenge = challenge


class Fetcher:
    """Downloads over HTTP with a timeout.

    :param timeout: seconds that one answer may take.
    :param authority: PEM text or path of a CA, "" for those of the system.
    :param verify: False accepts any certificate.
    :param headers: sent with each request; may hold a password, never shown.
    :param proxy: URL of a proxy, "" for that of the environment, DIRECT for none; may hold a password, never shown.

    After a request, ``clock`` is by how many seconds the host's clock is ahead of the server's; None where it is not known.
    """

    def __init__(self, timeout: float, authority: str, verify: bool, headers: dict[str, str], proxy: str) -> None:
        self.timeout = timeout
        self.headers = headers
        self.proxy = proxy
        self.clock: float | None = None
        if authority.startswith("-----BEGIN"):
            context = ssl.create_default_context(cadata=authority)
        else:
            context = ssl.create_default_context(cafile=authority or None)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.opener = self._opener(context)

    def _opener(self, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
        if self.proxy:
            proxies = {} if self.proxy == DIRECT else {"http": self.proxy, "https": self.proxy}
            handlers.append(urllib.request.ProxyHandler(proxies))
        return urllib.request.build_opener(*handlers)

    def fetch(self, url: str, accept: str = "*/*", method: str = "GET") -> tuple[int, Any, bytes]:
        """Return status, headers and body.

        :raises FetchError: there is no answer, or its status is 400 or higher.
        """
        request = urllib.request.Request(url, method=method, headers={"Accept": accept})
        for name, value in self.headers.items():
            request.add_unredirected_header(name, value)  # they may be secret, and are meant for this server only
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                self._compare_clocks(answer.headers)
                return answer.status, answer.headers, answer.read(LIMIT)
        except urllib.error.HTTPError as error:
            self._compare_clocks(error.headers)
            message = LOGIN_NEEDED if error.code == 407 else f"HTTP status {error.code}"
            raise FetchError(message, error.code, error.headers.get("WWW-Authenticate") or "") from error
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, ssl.SSLCertVerificationError):
                self._ask_for_the_time(url)
            if "407" in str(reason) and "Tunnel connection failed" in str(reason):
                raise FetchError(LOGIN_NEEDED, 407) from error
            raise FetchError(describe_error(reason)) from error

    def _compare_clocks(self, headers: Any) -> None:
        """Compare the header Date with the host's time; Age is how long a cache has kept the answer (RFC 9111, section 5.1)."""
        try:
            date = email.utils.parsedate_to_datetime(headers["Date"]).timestamp() + float(headers["Age"] or 0)
        except (TypeError, ValueError, OverflowError):
            return
        self.clock = time.time() - date

    def _ask_for_the_time(self, url: str) -> None:
        """Ask a server whose certificate is not valid for its time: a wrong clock is a usual cause. Sends and trusts nothing else."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        request = urllib.request.Request(urllib.parse.urljoin(url, "/"), method="HEAD")
        try:
            with self._opener(context).open(request, timeout=self.timeout) as answer:
                self._compare_clocks(answer.headers)
        except urllib.error.HTTPError as error:
            self._compare_clocks(error.headers)
        except (OSError, ValueError):
            return


def describe_error(reason: Any) -> str:
    """Return a network error as a text that does not depend on the platform's error numbers."""
    if isinstance(reason, socket.timeout) or "timed out" in str(reason):
        return "no answer in time"
    if isinstance(reason, socket.gaierror):
        return f"the name cannot be resolved ({reason.strerror or reason})"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    return hide_logins(getattr(reason, "strerror", None) or str(reason))
