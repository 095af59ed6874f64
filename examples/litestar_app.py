"""A Litestar service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``uvicorn --app-dir examples litestar_app:app``; the key comes from MODEL_ACCESS_KEY. `web_parts` says how
several workers share one budget.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.response import Stream
from web_parts import MODEL, STREAM_HEADERS, describe_error, open_session

from gradient_async import GradientError, run_until_disconnected


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with open_session() as session:
        app.state.session = session
        yield


@post("/stream", status_code=200)
async def stream(request: Request[Any, Any, State]) -> Stream:
    """Stream a response; when the client disconnects, the server cancels it and the upstream request."""
    messages = (await request.json())["messages"]
    upstream = await request.app.state.session.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return Stream(upstream.sse(), media_type="text/event-stream", headers=STREAM_HEADERS)


@post("/chat", status_code=200)
async def chat(request: Request[Any, Any, State]) -> dict[str, Any] | None:
    """Return a completion, unless the client disconnects first."""
    messages = (await request.json())["messages"]
    call = request.app.state.session.chat.completions.create(model=MODEL, messages=messages)
    completion = await run_until_disconnected(request, call)
    return completion and completion.to_dict()


def respond_to_error(request: Request[Any, Any, State], error: GradientError) -> Response[dict[str, str | None]]:
    """Tell the client what went wrong, before the first byte of a stream as well."""
    status, headers, body = describe_error(error, request.app.state.session)
    return Response(body, status_code=status, headers=headers)


app = Litestar([stream, chat], lifespan=[lifespan], exception_handlers={GradientError: respond_to_error})
