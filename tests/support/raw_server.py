"""A raw TCP server, for responses that a test writes byte by byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.support.waiting import HANG_SECONDS

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@contextlib.asynccontextmanager
async def run_raw_server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve each connection with *handler* and yield ``host:port``; at exit, wait until all clients have disconnected."""
    open_connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            await handler(reader, writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        async with asyncio.timeout(HANG_SECONDS):
            await asyncio.gather(*open_connections)
            await asyncio.sleep(0)  # a closed transport closes its socket in the next iteration of the loop


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return head and body of the next request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))
