"""An aiohttp.web service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``python examples/aiohttp_app.py``; the key comes from MODEL_ACCESS_KEY.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from gradient_async import AsyncSession, run_until_disconnected

MODEL = "llama3.3-70b-instruct"
SESSION = web.AppKey("session", AsyncSession)


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with AsyncSession() as session:
        app[SESSION] = session
        yield


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream a response; a failed write to the client, or cancellation by the server, ends the upstream request."""
    messages = (await request.json())["messages"]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    async with request.app[SESSION].chat.completions.stream(model=MODEL, messages=messages) as upstream:
        await response.prepare(request)
        async for event in upstream.sse():
            await response.write(event)
    return response


async def chat(request: web.Request) -> web.Response:
    """Return a completion, unless the client disconnects first."""
    messages = (await request.json())["messages"]
    call = request.app[SESSION].chat.completions.create(model=MODEL, messages=messages)
    completion = await run_until_disconnected(request, call)
    return web.json_response(completion and completion.to_dict())


def application() -> web.Application:
    """Return the application, with its session opened and closed by the server."""
    app = web.Application()
    app.cleanup_ctx.append(lifespan)
    app.add_routes([web.post("/stream", stream), web.post("/chat", chat)])
    return app


if __name__ == "__main__":
    web.run_app(application(), handler_cancellation=True)
