"""The proxy of a request: the session's, or the one that the environment names.

Contract: looked up here and not by aiohttp, which would also take credentials for the host from ``~/.netrc``.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import attrs

from gradient_async._protocol.http.proxies import Proxy, choose_proxy, parse_proxy


@attrs.frozen(eq=False, repr=False)
class ProxyFinder:
    """Finds the proxy of a request.

    Attributes:
        proxy: The proxy of every request; None for the environment's.
        trust_env: Whether ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name proxies.
    """

    proxy: Proxy | None = None
    trust_env: bool = False

    async def find(self, url: str) -> Proxy | None:
        """Return the proxy for *url*, None to connect to its host.

        Raises:
            ConfigurationError: The environment names a proxy that cannot be used.
        """
        if self.proxy is not None or not self.trust_env:
            return self.proxy
        return await find_environment_proxy(url)


async def find_environment_proxy(url: str) -> Proxy | None:
    """Return the proxy for *url* that the environment names, None if it names none.

    Without any of these variables, the settings of macOS or Windows count.

    Raises:
        ConfigurationError: The variable does not hold the address of an HTTP proxy.
    """
    if (variables := getproxies_environment()) or getproxies is getproxies_environment:
        return choose_proxy(url, variables)
    return await asyncio.to_thread(_find_system_proxy, url)  # it may ask a name server


def _find_system_proxy(url: str) -> Proxy | None:
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    address = getproxies().get(parts.scheme)
    return parse_proxy(address, "The system's proxy") if address else None
