"""An aiohttp.web service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``python examples/aiohttp_app.py``; the key comes from MODEL_ACCESS_KEY. `web_parts` says how several
workers share one budget.
"""

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler
from web_parts import MODEL, STREAM_HEADERS, describe_error, open_session

from gradient_async import AsyncSession, GradientError, run_until_disconnected

SESSION = web.AppKey("session", AsyncSession)


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with open_session() as session:
        app[SESSION] = session
        yield


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream a response; a failed write to the client, or cancellation by the server, ends the upstream request."""
    messages = (await request.json())["messages"]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **STREAM_HEADERS})
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


@web.middleware
async def respond_to_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the client what went wrong, before the first byte of a stream as well."""
    try:
        return await handler(request)
    except GradientError as error:
        status, headers, body = describe_error(error, request.app[SESSION])
        return web.json_response(body, status=status, headers=headers)


def application() -> web.Application:
    """Return the application, with its session opened and closed by the server."""
    app = web.Application(middlewares=[respond_to_errors])
    app.cleanup_ctx.append(lifespan)
    app.add_routes([web.post("/stream", stream), web.post("/chat", chat)])
    return app


if __name__ == "__main__":
    web.run_app(application(), handler_cancellation=True)
