#!/usr/bin/env bash
# An aiohttp server that compresses keeps each event of a stream until the end; three ASGI middlewares send it at once.
#
# Versions:  aiohttp 3.14.5, brotli-asgi 1.7.0, zstd-asgi 1.0, starlette-compress 2.0.0; starlette 1.10.0, uvicorn 0.54.0.
# Input:     two events; the second is written when the client has the first, or after a second of waiting for that.
# Seen:      behind `enable_compression()` the client waits in vain: `write` never flushes the compressor. The middlewares
#            flush after each piece.
# Matters:   clients accept gzip unasked, so every stream is one late block, and looks like a slow model. Streams are
#            asked for with `identity`.
. "$(dirname "$0")/lib/run.sh"
run_python aiohttp==3.14.5 brotli-asgi==1.7.0 zstd-asgi==1.0 starlette-compress==2.0.0 starlette==1.10.0 uvicorn==0.54.0 <<'PY'
import asyncio
import contextlib
import socket

import aiohttp
import uvicorn
from aiohttp import web
from brotli_asgi import BrotliMiddleware
from serve import chunk, events, expect
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette_compress import CompressMiddleware
from zstd_asgi import ZstdMiddleware

has_first, waited_in_vain = asyncio.Event(), asyncio.Event()


async def pieces():
    yield events(chunk({"content": "One"}), end=b"")
    try:
        await asyncio.wait_for(has_first.wait(), 1)
    except TimeoutError:
        waited_in_vain.set()
    yield events(chunk({"content": " two"}))


async def stream_with_aiohttp(request):
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    response.enable_compression()
    await response.prepare(request)
    async for piece in pieces():
        await response.write(piece)
    return response


async def stream_with_starlette(request):
    return StreamingResponse(pieces(), media_type="text/event-stream")


@contextlib.asynccontextmanager
async def aiohttp_server():
    app = web.Application()
    app.router.add_get("/", stream_with_aiohttp)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@contextlib.asynccontextmanager
async def starlette_server(middleware):
    app = middleware(Starlette(routes=[Route("/", stream_with_starlette)]), minimum_size=1)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


async def read_first_event(server, encoding):
    has_first.clear()
    waited_in_vain.clear()
    async with server as port, aiohttp.ClientSession(headers={"accept-encoding": encoding}) as session:
        async with session.get(f"http://127.0.0.1:{port}") as response:
            await response.content.readline()
            has_first.set()
            await response.read()
    return response.headers.get("content-encoding"), "at the end" if waited_in_vain.is_set() else "at once"


async def main():
    expect(
        {
            "aiohttp": await read_first_event(aiohttp_server(), "gzip"),
            "brotli-asgi": await read_first_event(starlette_server(BrotliMiddleware), "br"),
            "zstd-asgi": await read_first_event(starlette_server(ZstdMiddleware), "zstd"),
            "starlette-compress": await read_first_event(starlette_server(CompressMiddleware), "gzip"),
        },
        {
            "aiohttp": ("gzip", "at the end"),
            "brotli-asgi": ("br", "at once"),
            "zstd-asgi": ("zstd", "at once"),
            "starlette-compress": ("gzip", "at once"),
        },
    )


asyncio.run(main())
PY
