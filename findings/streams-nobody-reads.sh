#!/usr/bin/env bash
# A client leaves a stream after its first piece: two of five ASGI frameworks make all of it for nobody.
#
# Versions:  blacksheep 2.6.4, falcon 4.4.0, starlette 1.10.0, litestar 2.25.0, quart 0.22.0; uvicorn 0.54.0.
# Input:     a response from a generator with ten pieces, three each second; the client closes its connection when
#            it has the first. The server tells the application so with `http.disconnect`.
# Seen:      Starlette, Litestar and Quart cancel the generator while it waits. BlackSheep, and Falcon's `stream`, hand
#            every piece to a server that drops it, and let the generator end as if all had been read. Falcon's `sse`
#            closes it when the next piece is there; BlackSheep's `request.is_disconnected()` is for the caller to ask.
# Matters:   behind the generator a model goes on, and its tokens are billed to the end, or for as long as it thinks
#            before the next one. There a second task has to watch the connection, and cancel the request upstream.
. "$(dirname "$0")/lib/run.sh"
run_python blacksheep==2.6.4 falcon==4.4.0 starlette==1.10.0 litestar==2.25.0 quart==0.22.0 uvicorn==0.54.0 <<'PY'
import asyncio
import contextlib
import socket

import blacksheep
import falcon.asgi
import uvicorn
from litestar import Litestar, get
from litestar.response import Stream
from quart import Quart
from serve import expect
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route


class Answer:
    """Ten pieces, and how they ended."""

    def __init__(self):
        self.made, self.ending, self.ended = 0, None, asyncio.Event()

    async def pieces(self):
        try:
            for _ in range(10):
                self.made += 1
                yield b"data: {}\n\n"
                await asyncio.sleep(0.3)
            self.ending = "read to its end"
        except asyncio.CancelledError:
            self.ending = "cancelled while it waits"
            raise
        except GeneratorExit:
            self.ending = "closed at a piece"
            raise
        finally:
            self.ended.set()


def starlette_app(answer):
    async def stream(request):
        return StreamingResponse(answer.pieces())

    return Starlette(routes=[Route("/", stream)])


def litestar_app(answer):
    @get("/")
    async def stream() -> Stream:
        return Stream(answer.pieces())

    return Litestar([stream])


def quart_app(answer):
    app = Quart("app")
    app.route("/")(lambda: answer.pieces())
    return app


def falcon_app(respond):
    class Resource:
        async def on_get(self, request, response):
            respond(response)

    app = falcon.asgi.App()
    app.add_route("/", Resource())
    return app


def falcon_stream_app(answer):
    return falcon_app(lambda response: setattr(response, "stream", answer.pieces()))


def falcon_sse_app(answer):
    async def events():
        async with contextlib.aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                yield falcon.asgi.SSEvent(data=piece)

    return falcon_app(lambda response: setattr(response, "sse", events()))


def blacksheep_app(answer):
    app = blacksheep.Application()

    @app.router.get("/")
    async def stream():
        return blacksheep.Response(200, content=blacksheep.StreamedContent(b"text/event-stream", answer.pieces))

    return app


async def leave(make_app):
    answer = Answer()
    server = uvicorn.Server(uvicorn.Config(make_app(answer), log_level="critical"))
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
    await reader.readuntil(b"data: {}")
    writer.close()
    await asyncio.wait_for(answer.ended.wait(), 30)
    server.should_exit = True
    await task
    return answer.ending, answer.made


async def main():
    apps = {
        "starlette": starlette_app,
        "litestar": litestar_app,
        "quart": quart_app,
        "falcon, sse": falcon_sse_app,
        "falcon, stream": falcon_stream_app,
        "blacksheep": blacksheep_app,
    }
    at_once, to_its_end = ("cancelled while it waits", 1), ("read to its end", 10)
    expect(
        {name: await leave(app) for name, app in apps.items()},
        {
            "starlette": at_once,
            "litestar": at_once,
            "quart": at_once,
            "falcon, sse": ("closed at a piece", 2),
            "falcon, stream": to_its_end,
            "blacksheep": to_its_end,
        },
    )


asyncio.run(main())
PY
