"""Proxies: their addresses, and which of the environment's is meant for an address.

Contract: pure; the environment is an argument. No message or ``repr`` shows the credentials of a proxy.

Source: the variables as curl, pip and requests read them; RFC 9110, section 11.7, for the credentials.
"""

# An entry of NO_PROXY, of which there may be many, separated by commas or spaces, is one of
#
#     *                        every host
#     example.com              the host, and every host below it
#     .example.com             the same, as *.example.com is
#     example.com:8443         only this port
#     10.1.2.3, [::1]:8080     an address of IP, with a port or without
#     10.0.0.0/8, fd00::/8     the addresses of a network

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from gradient_async._protocol.http.setting_values import read_setting
from gradient_async.errors import ConfigurationError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORM = "as http://host:3128 or http://user:password@host:3128"


@attrs.frozen(repr=False)
class Proxy:
    """The address of an HTTP proxy.

    Attributes:
        url: The address, with the credentials in it.
        authorization: The value of ``Proxy-Authorization``; None without credentials.
    """

    url: str
    authorization: str | None = None


def parse_proxy(address: object, source: str = "proxy") -> Proxy:
    """Return the proxy at *address*; one without a scheme, as ``proxy:3128``, is spoken to in HTTP.

    Args:
        address: The address, maybe with user and password; text, or a URL object.
        source: The argument or variable that *address* comes from, for errors.

    Raises:
        ConfigurationError: It is not the address of an HTTP proxy.
    """
    text = (address if isinstance(address, str) else read_setting(source, address)).strip()
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and text.isprintable()
        authorization = _encode_credentials(parts)
    except ValueError:  # a port out of range, or credentials that HTTP cannot carry
        is_usable, authorization = False, None
    if not is_usable or " " in text:
        raise ConfigurationError(f"{source} is not the address of a proxy, {_FORM}.")
    if parts.scheme not in _DEFAULT_PORTS:
        raise ConfigurationError(
            f"{source} names a proxy that speaks {parts.scheme}; give an HTTP proxy, {_FORM}, or a client_session "
            "whose connector speaks it."
        )
    return Proxy(text, authorization)


def choose_proxy(url: str, variables: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the environment names for *url*, None if it names none.

    Args:
        url: The address of a request.
        variables: The values of ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` by the part of the name
            before the underscore, in lower case.

    Raises:
        ConfigurationError: The variable does not hold the address of an HTTP proxy.
    """
    parts = urlsplit(url)
    scheme = next((name for name in (parts.scheme, "all") if variables.get(name)), None)
    if scheme is None or _is_excepted(parts, variables.get("no", "")):
        return None
    return parse_proxy(variables[scheme], f"{scheme.upper()}_PROXY")


def _encode_credentials(parts: SplitResult) -> str | None:
    if parts.username is None and parts.password is None:
        return None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode('latin-1')).decode()}"


def _is_excepted(parts: SplitResult, exceptions: str) -> bool:
    """Whether *exceptions*, the value of ``NO_PROXY``, holds the host of an address."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return any(_matches(entry.lower(), host, port) for entry in exceptions.replace(",", " ").split())


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _is_in_network(host, entry)
    name, entry_port = _split_port(entry)
    name = name.removeprefix("*").strip(".")
    return entry_port in ("", str(port)) and bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, str]:
    """Return the host and the port of an entry, ``""`` without a port; an address of IPv6 may be in brackets."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (name, port)


def _is_in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # the host is a name, or the entry is not a network
        return False
