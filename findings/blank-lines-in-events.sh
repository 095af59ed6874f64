#!/usr/bin/env bash
# Two of five web frameworks write a text with a line break into one `data:` line: the paragraphs of an answer are lost.
#
# Versions:  falcon 4.4.0, microdot 2.7.0, sse-starlette 3.7.0, litestar 2.25.0, fastapi 0.165.0; httpx-sse 0.4.3 with
#            httpx 0.28.1 reads.
# Input:     the pieces of an answer, `One`, an empty line, `two`, each given as the text of an event. The HTML standard
#            has a reader join several `data:` lines with line breaks, so every text can be sent; Falcon's `text` and
#            Microdot's `data` are described as any string.
# Seen:      with Falcon and Microdot the client has `Onetwo`, of one piece with all of it `One`: the rest of an event
#            stands in lines that are no fields, which readers have to skip. The other three write a line for a line.
# Matters:   a token of line breaks is in nearly every answer, so lists, code and paragraphs run together, and nothing
#            fails. Send JSON as data, which has no raw line breaks, or a `data:` line for each line.
. "$(dirname "$0")/lib/run.sh"
run_python falcon==4.4.0 microdot==2.7.0 sse-starlette==3.7.0 litestar==2.25.0 fastapi==0.165.0 httpx-sse==0.4.3 httpx==0.28.1 <<'PY'
import asyncio
import logging

import falcon.asgi
import fastapi
import httpx
from fastapi.sse import EventSourceResponse as FastAPIEvents
from fastapi.sse import ServerSentEvent as FastAPIEvent
from httpx_sse import aconnect_sse
from litestar import Litestar, get
from litestar.response import ServerSentEvent
from microdot.asgi import Microdot
from microdot.sse import with_sse
from serve import expect
from sse_starlette import EventSourceResponse

logging.disable()
PIECES, WHOLE = ["One", "\n\n", "two"], ["One\n\ntwo"]


def falcon_app(texts):
    class Events:
        async def on_get(self, request, response):
            async def emit():
                for text in texts:
                    yield falcon.asgi.SSEvent(text=text)

            response.sse = emit()

    app = falcon.asgi.App()
    app.add_route("/", Events())
    return app


def microdot_app(texts):
    app = Microdot()

    @app.get("/")
    @with_sse
    async def events(request, sse):
        for text in texts:
            await sse.send(text)

    return app


async def each(texts):
    for text in texts:
        yield text


def starlette_app(texts):
    return EventSourceResponse(each(texts))


def litestar_app(texts):
    @get("/")
    async def events() -> ServerSentEvent:
        return ServerSentEvent(each(texts))

    return Litestar([events])


def fastapi_app(texts):
    app = fastapi.FastAPI()

    @app.get("/", response_class=FastAPIEvents)
    async def events():
        for text in texts:
            yield FastAPIEvent(raw_data=text)

    return app


async def read(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        async with aconnect_sse(client, "GET", "/") as source:
            return "".join([event.data async for event in source.aiter_sse()])


async def main():
    apps = {
        "falcon": falcon_app,
        "microdot": microdot_app,
        "sse-starlette": starlette_app,
        "litestar": litestar_app,
        "fastapi": fastapi_app,
    }
    lost, kept = ("Onetwo", "One"), ("One\n\ntwo", "One\n\ntwo")
    expect(
        {name: (await read(app(PIECES)), await read(app(WHOLE))) for name, app in apps.items()},
        {"falcon": lost, "microdot": lost, "sse-starlette": kept, "litestar": kept, "fastapi": kept},
    )


asyncio.run(main())
PY
