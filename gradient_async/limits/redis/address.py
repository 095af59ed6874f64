"""`RedisAddress`: where a budget is kept, read from one address.

Contract: pure. Errors never show the address, which may hold a password.

Addresses of one server are those of redis-py: ``redis://``, ``rediss://`` (TLS) and ``unix://``. Sentinel and cluster
have several hosts::

    redis+sentinel://user:password@one:26379,two:26379/service/0?sentinel_password=other
    redis+cluster://user:password@one:6379,two:6379

Both also exist as ``rediss+...`` for TLS. Options after ``?`` are those of redis-py's addresses, for every server;
``sentinel_username`` and ``sentinel_password`` are for the Sentinels.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import attrs

from gradient_async.errors import ConfigurationError

__all__ = ["RedisAddress", "parse_address"]

Kind = Literal["server", "sentinel", "cluster"]
Host = tuple[str, int]

_SERVER_SCHEMES = ("redis", "rediss", "unix")
_DEFAULT_PORTS: dict[Kind, int] = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_SENTINEL_OPTIONS = {"sentinel_username": "username", "sentinel_password": "password"}
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


@attrs.frozen(kw_only=True)
class RedisAddress:
    """A parsed address.

    Attributes:
        kind: A server of its own, one that Sentinel names, or a cluster.
        server_url: An address of redis-py's with user, database and options of the servers. Its host is the first one.
        hosts: Hosts and ports of the Sentinels, or of some nodes of the cluster.
        service: Name of the service that Sentinel knows.
        sentinel_options: User name and password of the Sentinels.
    """

    kind: Kind
    server_url: str = attrs.field(repr=False)
    hosts: tuple[Host, ...] = ()
    service: str = ""
    sentinel_options: dict[str, str] = attrs.field(factory=dict, repr=False)


def parse_address(url: str) -> RedisAddress:
    """Parse *url*.

    Raises:
        ConfigurationError: It is not an address of Redis.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme in _SERVER_SCHEMES:
        return RedisAddress(kind="server", server_url=url)
    scheme, _, kind = parts.scheme.partition("+")
    if scheme in ("redis", "rediss"):
        if kind == "sentinel":
            return _parse_sentinel(scheme, parts)
        if kind == "cluster":
            return _parse_cluster(scheme, parts)
    raise ConfigurationError(
        "url is not a Redis address: give redis://host:port/0, rediss://, unix://, redis+sentinel:// or redis+cluster://"
    )


def _parse_sentinel(scheme: str, parts: SplitResult) -> RedisAddress:
    hosts = _parse_hosts(parts, "sentinel", "redis+sentinel://host:26379,host:26379/service/0")
    service, _, database = parts.path.strip("/").partition("/")
    if not service or (database and not database.isdecimal()):
        raise ConfigurationError("url has no service for Sentinel: give redis+sentinel://host:26379/service/0")
    options = parse_qsl(parts.query, keep_blank_values=True)
    return RedisAddress(
        kind="sentinel",
        server_url=_build_server_url(scheme, parts, hosts[0], database, options),
        hosts=hosts,
        service=service,
        sentinel_options={_SENTINEL_OPTIONS[name]: value for name, value in options if name in _SENTINEL_OPTIONS},
    )


def _parse_cluster(scheme: str, parts: SplitResult) -> RedisAddress:
    hosts = _parse_hosts(parts, "cluster", "redis+cluster://host:6379,host:6379")
    if parts.path.strip("/") not in ("", "0"):
        raise ConfigurationError("url has a database, but a cluster has only number 0: leave it out")
    options = parse_qsl(parts.query, keep_blank_values=True)
    server_url = _build_server_url(scheme, parts, hosts[0], "", options)
    return RedisAddress(kind="cluster", server_url=server_url, hosts=hosts)


def _parse_hosts(parts: SplitResult, kind: Kind, example: str) -> tuple[Host, ...]:
    matches = [_HOST.fullmatch(host) for host in parts.netloc.rpartition("@")[2].split(",")]
    hosts = [(match["host"].strip("[]"), int(match["port"] or _DEFAULT_PORTS[kind])) for match in matches if match]
    if len(hosts) < len(matches) or any(port > 65535 for _, port in hosts):
        raise ConfigurationError(f"url has a host that is not one: give {example}")
    return tuple(hosts)


def _build_server_url(
    scheme: str, parts: SplitResult, host: Host, database: str, options: list[tuple[str, str]]
) -> str:
    user = parts.netloc.rpartition("@")[0]
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    query = urlencode([(option, value) for option, value in options if option not in _SENTINEL_OPTIONS])
    netloc = f"{user}@{name}:{host[1]}" if user else f"{name}:{host[1]}"
    return f"{scheme}://{netloc}/{database}?{query}".rstrip("?/")
