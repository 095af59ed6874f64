"""Faults between a limiter and Redis: a proxy that loses replies, and a server whose clock can be set."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.raw_server import run_raw_server
from tests.support.redis_server import RedisServer, run_redis_server

_SET_CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = syscall(SYS_gettimeofday, now, zone), file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    char text[32] = {0};
    if (file >= 0 && read(file, text, 31) > 0) now->tv_sec += atol(text);
    if (file >= 0) close(file);
    return result;
}
"""


class LossyProxy:
    """Forwards to a server.

    Attributes:
        url: Address for clients.
        target: Port to which new connections are forwarded.
        lose: Replies still to be lost with their connections.
        swallow: Whether replies are lost while their connections stay open.
        double: Replies still to be sent twice.
    """

    def __init__(self, target: int) -> None:
        self.url, self.target, self.lose, self.swallow, self.double = "", target, 0, False, 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, server_writer}
        try:
            copies = [self._copy(reader, server_writer), self._copy_replies(server_reader, writer)]
            tasks = [asyncio.create_task(copy) for copy in copies]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            server_writer.close()
            self._writers -= {writer, server_writer}

    def cut(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def _copy_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.lose:
                self.lose -= 1
                return
            if self.double:
                self.double -= 1
                writer.write(data)
            if not self.swallow:
                writer.write(data)


@contextlib.asynccontextmanager
async def run_lossy_proxy(server: RedisServer) -> AsyncIterator[LossyProxy]:
    """Run a proxy in front of *server*."""
    proxy = LossyProxy(server.port)
    async with run_raw_server(proxy.forward) as host:
        proxy.url = f"redis://{host}/0"
        yield proxy


class SettableClock:
    """Sets the clock of a server.

    Attributes:
        server: The server.
    """

    def __init__(self, server: RedisServer, file: Path) -> None:
        self.server, self._file = server, file

    def move(self, seconds: int) -> None:
        """Move the clock *seconds* away from the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._file)


@contextlib.contextmanager
def run_server_with_settable_clock() -> Iterator[SettableClock]:
    """Run a server whose clock can be set; skip the test where no C compiler is installed."""
    if not (compiler := shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("no C compiler is installed, so the clock of a server cannot be set")
    with tempfile.TemporaryDirectory() as name:
        source, library, file = Path(name, "clock.c"), Path(name, "clock.so"), Path(name, "offset")
        source.write_text(_SET_CLOCK)
        file.write_text("0")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        environ = os.environ | {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(file)}
        with run_redis_server(environ=environ) as server:
            yield SettableClock(server, file)
