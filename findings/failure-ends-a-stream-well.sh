#!/usr/bin/env bash
# A generator that raises cuts the stream off, until somebody adds a middleware: then the client gets a whole response.
#
# Versions:  fastapi 0.165.0 with starlette 1.10.0 and uvicorn 0.54.0, sanic 25.12.1, tornado 6.6.1, aiohttp 3.14.5;
#            httpx 0.28.1 reads.
# Input:     an endpoint that streams `One`, and raises. With FastAPI also behind `@app.middleware("http")` with a function
#            that only returns what `call_next` returns.
# Seen:      FastAPI on uvicorn and aiohttp close the connection without the last chunk, and httpx raises. With the
#            middleware, with Sanic and with Tornado the body has its proper end: status 200 and `One`, whole by HTTP.
# Matters:   a plain text that is relayed so is half an answer that nobody can tell from a whole one. Send events with an
#            end of their own, and the error as an event; a reader believes that end alone.
. "$(dirname "$0")/lib/run.sh"
run_python fastapi==0.165.0 starlette==1.10.0 uvicorn==0.54.0 sanic==25.12.1 tornado==6.6.1 aiohttp==3.14.5 httpx==0.28.1 <<'PY'
import os
import sys
import tempfile
from pathlib import Path

import httpx
from serve import Gateway, expect

APPS = '''
import asyncio, sys

async def pieces():
    yield "One"
    await asyncio.sleep(0.2)
    raise ValueError("lost")

def fastapi_app(layered):
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.get("/stream")
    async def stream():
        return StreamingResponse(pieces(), media_type="text/plain")

    @app.get("/ready")
    async def ready():
        return "ready"

    if layered:
        @app.middleware("http")
        async def pass_on(request, call_next):
            return await call_next(request)

    return app

def run_sanic(port):
    from sanic import Sanic, text

    app = Sanic("app")

    @app.get("/stream")
    async def stream(request):
        response = await request.respond(content_type="text/plain")
        async for piece in pieces():
            await response.send(piece)

    @app.get("/ready")
    async def ready(request):
        return text("ready")

    app.run("127.0.0.1", port, single_process=True)

def run_tornado(port):
    import tornado.web

    class Stream(tornado.web.RequestHandler):
        async def get(self):
            async for piece in pieces():
                self.write(piece)
                await self.flush()

    class Ready(tornado.web.RequestHandler):
        def get(self):
            self.write("ready")

    async def main():
        tornado.web.Application([("/stream", Stream), ("/ready", Ready)]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())

def run_aiohttp(port):
    from aiohttp import web

    async def stream(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in pieces():
            await response.write(piece.encode())
        return response

    async def ready(request):
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/stream", stream), web.get("/ready", ready)])
    web.run_app(app, host="127.0.0.1", port=port, print=None)

if __name__ == "__main__":
    globals()["run_" + sys.argv[1]](int(sys.argv[2]))
else:
    plain, layered = fastapi_app(False), fastapi_app(True)
'''
folder = Path(tempfile.mkdtemp())
(folder / "apps.py").write_text(APPS)
os.chdir(folder)
programs = Path(sys.executable).parent


def read(*command):
    server = Gateway(*command, ready="/ready", environ={"PYTHONPATH": str(folder)})
    text = ""
    try:
        with httpx.stream("GET", server.root + "/stream", timeout=3) as response:
            for piece in response.iter_text():
                text += piece
    except httpx.TransportError as error:
        return text, type(error).__name__
    return text, "whole"


def uvicorn(app):
    return read(str(programs / "uvicorn"), "--port", "{port}", f"apps:{app}")


expect(
    {
        "fastapi": uvicorn("plain"),
        "fastapi, middleware": uvicorn("layered"),
        "sanic": read(sys.executable, "apps.py", "sanic", "{port}"),
        "tornado": read(sys.executable, "apps.py", "tornado", "{port}"),
        "aiohttp": read(sys.executable, "apps.py", "aiohttp", "{port}"),
    },
    {
        "fastapi": ("One", "RemoteProtocolError"),
        "fastapi, middleware": ("One", "whole"),
        "sanic": ("One", "whole"),
        "tornado": ("One", "whole"),
        "aiohttp": ("One", "RemoteProtocolError"),
    },
)
PY
