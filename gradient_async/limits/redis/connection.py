"""Connections to Redis: one server, the server that Sentinel names, a cluster, or a client of the caller.

Contract: nothing here waits, except `RedisConnection.evaluate` and `RedisConnection.aclose`. Exceptions of the client
come through; `failures` describes them. The client never repeats a call: retries are `store`'s alone.

All connections of one limiter wait for each other: it has one call at a time.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.address import RedisAddress, parse_address
from gradient_async.limits.redis.lua_script import EXCHANGE, EXCHANGE_SHA

__all__ = ["Connect", "RedisConnection", "connect_address", "connect_client"]

_STEPS_TO_FIND_SERVER = 3
"""Calls until Sentinel or a cluster has named the server, and it has replied."""
_INSTALL_HINT = "RedisLimiter needs an extra: pip install 'gradient-async[redis]'"


class ScriptClient(Protocol):
    """The part of an asyncio Redis client that runs scripts."""

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: str) -> Awaitable[Any]:
        """Run a script by its hash."""

    def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Awaitable[Any]:
        """Run a script."""


class UnknownServiceError(Exception):
    """Sentinel answers, and does not know the service."""


class SingleConnection:
    """Runs scripts over one connection of redis-py, which connects when it is not connected.

    A client of redis-py asks its pool for a connection and measures each call, which takes half of the time of a call.

    Args:
        connection: A connection of redis-py that never repeats a call.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def evalsha(self, sha: str, numkeys: int, *keys_and_args: str) -> Any:
        """Run a script by its hash."""
        return await self._call("EVALSHA", sha, numkeys, *keys_and_args)

    async def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any:
        """Run a script."""
        return await self._call("EVAL", script, numkeys, *keys_and_args)

    async def _call(self, *command: str | int) -> Any:
        await self._connection.send_command(*command)
        return await self._connection.read_response()

    async def aclose(self) -> None:
        """Disconnect; the next call connects again."""
        await self._connection.disconnect()


class RedisConnection:
    """Runs the script.

    Args:
        client: Runs it on the server that has the key.
        close: Functions that close the client; none for a client of the caller.
        steps: Calls that the first one consists of: it may have to find the server first.

    Attributes:
        steps: As the argument.
    """

    def __init__(
        self, client: ScriptClient, close: tuple[Callable[[], Awaitable[object]], ...] = (), *, steps: int = 1
    ) -> None:
        self._client, self._close, self.steps = client, close, steps

    async def evaluate(self, keys: list[str], argument: str) -> Any:
        """Run the script; send it if the server does not know it yet."""
        try:
            return await self._client.evalsha(EXCHANGE_SHA, len(keys), *keys, argument)
        except Exception as error:
            # The class is looked up by its name: a client of the caller may be of another package.
            if type(error).__name__ != "NoScriptError":
                raise
        return await self._client.eval(EXCHANGE, len(keys), *keys, argument)

    async def aclose(self) -> None:
        """Close the connections that are ours; the next call opens new ones."""
        for close in self._close:
            await close()


Connect = Callable[[], RedisConnection]
"""Opens a connection for the running loop."""


def connect_client(client: Any) -> Connect:
    """Return a function that uses *client*, which stays the caller's.

    Raises:
        ConfigurationError: It is not an asyncio client.
    """
    methods = [getattr(client, name, None) for name in ("evalsha", "eval")]
    execute: Any = getattr(client, "execute_command", None)
    if isinstance(client, type) or not all(map(callable, [*methods, execute])):
        raise ConfigurationError(f"client is a {type(client).__name__}: give a redis.asyncio.Redis or RedisCluster")
    if not inspect.iscoroutinefunction(inspect.unwrap(execute)):
        raise ConfigurationError(
            f"client is a {type(client).__name__} that blocks the event loop: give one of redis.asyncio"
        )
    return lambda: RedisConnection(client, steps=_STEPS_TO_FIND_SERVER)


def connect_address(url: str, *, timeout: float) -> Connect:
    """Return a function that connects to *url*, whose connections and replies may take *timeout* seconds.

    Raises:
        ConfigurationError: The extra is not installed, or the address is invalid.
    """
    address = parse_address(url)
    try:
        import redis.asyncio  # noqa: F401  an extra, imported on first use
    except ImportError:
        raise ConfigurationError(_INSTALL_HINT) from None
    connect = {"server": _connect_server, "sentinel": _connect_sentinel, "cluster": _connect_cluster}[address.kind]
    is_valid = True
    try:
        connect(address, timeout)  # a client that is not used has no connection yet
    except Exception:  # noqa: BLE001  redis-py has no common class for what is wrong with an address
        is_valid = False
    if not is_valid:
        # Raised here, where no exception with the address in its text becomes the context.
        raise ConfigurationError("url is not a Redis address, or has options that redis does not know")
    return lambda: connect(address, timeout)


def _build_options(address: RedisAddress, timeout: float) -> dict[str, Any]:
    """Return the arguments of a connection that never repeats a call."""
    from redis.asyncio.connection import parse_url
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options = dict(parse_url(address.server_url))
    options |= {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    return options


def _connect_server(address: RedisAddress, timeout: float) -> RedisConnection:
    from redis.asyncio import ConnectionPool

    # `store` limits the time of an exchange. Limits of redis-py's own for each write and read double the CPU of a call.
    options = _build_options(address, timeout) | {"socket_timeout": None, "socket_connect_timeout": None}
    pool = ConnectionPool(**options)  # knows which options are those of a connection
    client = SingleConnection(pool.connection_class(**pool.connection_kwargs))  # raises for unknown options
    return RedisConnection(client, (client.aclose,))


def _connect_sentinel(address: RedisAddress, timeout: float) -> RedisConnection:
    from redis.asyncio.connection import SSLConnection
    from redis.asyncio.sentinel import MasterNotFoundError, Sentinel

    class ServiceSentinel(Sentinel):
        """Tells a service that Sentinel does not know from one whose primary is away."""

        async def discover_master(self, service_name: str) -> Any:
            try:
                return await super().discover_master(service_name)
            except MasterNotFoundError:
                if not await self._is_unknown(service_name):
                    raise
            raise UnknownServiceError

        async def _is_unknown(self, service_name: str) -> bool:
            for sentinel in self.sentinels:
                try:
                    return service_name not in await sentinel.sentinel_masters()
                except Exception:  # noqa: BLE001, S112  the next one may answer
                    continue
            return False

    options = _build_options(address, timeout)
    uses_tls = options.pop("connection_class", None) is SSLConnection
    for name in ("host", "port"):
        options.pop(name, None)
    # Each Sentinel gets a part of the time, so that the next one is asked before it ends.
    part = timeout / (len(address.hosts) + 1)
    sentinel_options = {"retry": options["retry"], "socket_timeout": part, "socket_connect_timeout": part}
    if uses_tls:
        sentinel_options |= {"ssl": True} | {name: options[name] for name in options if name.startswith("ssl_")}
    sentinel_options |= address.sentinel_options
    make_sentinel: Callable[..., Any] = ServiceSentinel  # redis-py does not annotate it
    sentinel = make_sentinel(list(address.hosts), sentinel_kwargs=sentinel_options)
    client = sentinel.master_for(address.service, ssl=uses_tls, **options)
    close = (client.aclose, *(each.aclose for each in sentinel.sentinels))
    return RedisConnection(client, close, steps=_STEPS_TO_FIND_SERVER)


def _connect_cluster(address: RedisAddress, timeout: float) -> RedisConnection:
    from redis.asyncio import RedisCluster
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.connection import SSLConnection

    options = _build_options(address, timeout)
    uses_tls = options.pop("connection_class", None) is SSLConnection
    for name in ("host", "port", "db"):
        options.pop(name, None)
    nodes = [ClusterNode(host, port) for host, port in address.hosts]
    client = RedisCluster(startup_nodes=nodes, ssl=uses_tls, require_full_coverage=False, **options)
    return RedisConnection(client, (client.aclose,), steps=_STEPS_TO_FIND_SERVER)
