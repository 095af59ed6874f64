"""Proxies that the environment names: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

Contract: looked up here and not by aiohttp, which would also take credentials for the host from ``~/.netrc``.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def find_environment_proxy(url: str) -> str | None:
    """Return the address of the proxy for *url*, None if the environment names none for it.

    One without a scheme, as ``proxy:3128``, is spoken to in HTTP.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
