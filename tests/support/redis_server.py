"""A redis-server of a test's own, and limiters that use it."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.limits import RedisLimiter


class RedisServer:
    """A redis-server on a free port of loopback, without persistence.

    Attributes:
        url: Address for clients.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server; return when it accepts connections."""
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.1):
                return
            time.sleep(0.02)
        raise RuntimeError("redis-server did not start")

    def stop(self) -> None:
        """Kill the server; its data is lost."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def run_redis_server() -> Iterator[RedisServer]:
    """Yield a server that runs; skip the test where redis-server is not installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def open_limiter(
    url: str, *windows: tuple[int, float], key: str, guard: float = 0.0, **options: Any
) -> AsyncIterator[RedisLimiter]:
    """Open a limiter without jitter, and close it at the end."""
    limits = RateLimits(windows=windows)
    limiter = RedisLimiter(url, limits=limits, key=key, guard=guard, chance=lambda: 0.0, **options)
    try:
        yield limiter
    finally:
        await limiter.aclose()


@contextlib.asynccontextmanager
async def open_two_limiters(
    url: str, *windows: tuple[int, float], key: str
) -> AsyncIterator[tuple[RedisLimiter, RedisLimiter]]:
    """Open two limiters with one budget, as two processes have them."""
    async with open_limiter(url, *windows, key=key) as one, open_limiter(url, *windows, key=key) as two:
        yield one, two
