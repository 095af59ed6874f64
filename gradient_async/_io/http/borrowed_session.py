"""Requests over an aiohttp session that belongs to the caller.

Its connections and settings are used, except those that would break a promise: retries of aiohttp, ``raise_for_status``
and credentials other than the key. So each request is sent by a copy of the session, over the same pool and checked by
`CheckingConnector`; the caller's own requests are not affected, and what the caller changes later counts.

Contract: of aiohttp's private names, this module uses the attributes of a session that its constructor sets.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from gradient_async._io.http.connector import CheckingConnector


@contextmanager
def borrow_session(client_session: aiohttp.ClientSession, *, bare: bool = False) -> Iterator[aiohttp.ClientSession]:
    """Yield a copy of *client_session* for one request.

    The copy takes neither credentials nor proxies from the environment: aiohttp would look into ``~/.netrc``, too, and
    refuse or replace the key. `ProxyFinder` finds the proxy.

    Args:
        client_session: The caller's session, which is open.
        bare: Whether to leave out its headers, cookies, traces and middlewares.
    """
    assert client_session.connector is not None  # noqa: S101 - the session is open
    connector: Any = CheckingConnector(client_session.connector)  # Any: not a subclass, but all that a session uses
    if bare:
        jar = aiohttp.DummyCookieJar()
        session = aiohttp.ClientSession(connector=connector, connector_owner=False, cookie_jar=jar)
        session._default_proxy = client_session._default_proxy
        session._default_proxy_auth = client_session._default_proxy_auth
    else:
        session = copy.copy(client_session)
        session._connector, session._connector_owner, session._trust_env = connector, False, False
    try:
        yield session
    finally:
        session.detach()  # else aiohttp would warn that the copy was not closed
