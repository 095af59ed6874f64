"""An HTTP proxy on a real socket, and a TLS server in front of another server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import attrs

from tests.support.raw_server import read_request, run_raw_server

REFUSAL = b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n\r\n"
BLOCK_BYTES = 65_536


@attrs.define
class ProxyServer:
    """A running proxy.

    Attributes:
        host: ``host:port``.
        heads: Request line and headers of each request that it was sent; of a tunnel only those of ``CONNECT``.
    """

    host: str
    heads: list[str] = attrs.field(factory=list)


@contextlib.asynccontextmanager
async def run_proxy(upstream: str | None = None, *, refuse: int | None = None) -> AsyncIterator[ProxyServer]:
    """Run a proxy that passes everything on to *upstream* (``host:port``), by default to the host that is asked for.

    With *refuse* it answers every request with that status.
    """
    proxy = ProxyServer("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = None
            while True:
                request = await read_request(reader)
                proxy.heads.append(request.partition(b"\r\n\r\n")[0].decode())
                if refuse is not None:
                    writer.write(REFUSAL % refuse)
                    continue
                asked = urlsplit(proxy.heads[-1].split()[1]).netloc
                if connection is None:
                    connection = await asyncio.open_connection(*(upstream or asked).split(":"))
                    stack.callback(connection[1].close)
                    back = asyncio.create_task(pass_on(connection[0], writer))
                    stack.callback(back.cancel)
                if request.startswith(b"CONNECT"):
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await pass_on(reader, connection[1])
                    return
                connection[1].write(request.replace(f"http://{asked}/".encode(), b"/", 1))

    async with run_raw_server(serve) as proxy.host:
        yield proxy


@contextlib.asynccontextmanager
async def run_tls_front(upstream: str, tls: ssl.SSLContext) -> AsyncIterator[str]:
    """Serve TLS for *upstream* (``host:port``), a server without it; yield ``localhost:port``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(*upstream.split(":"))
        back = asyncio.create_task(pass_on(back_reader, writer))
        try:
            await pass_on(reader, back_writer)
        finally:
            back.cancel()
            back_writer.close()

    async with run_raw_server(serve, tls) as host:
        yield host.replace("127.0.0.1", "localhost")


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy what arrives until the end."""
    while block := await reader.read(BLOCK_BYTES):
        writer.write(block)
        await writer.drain()
    writer.close()
