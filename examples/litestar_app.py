"""A Litestar service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``uvicorn examples.litestar_app:app``; the key comes from MODEL_ACCESS_KEY.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, post
from litestar.datastructures import State
from litestar.response import Stream

from gradient_async import AsyncSession, run_until_disconnected

MODEL = "llama3.3-70b-instruct"


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with AsyncSession() as session:
        app.state.session = session
        yield


@post("/stream", status_code=200)
async def stream(request: Request[Any, Any, State]) -> Stream:
    """Stream a response; when the client disconnects, the server cancels it and the upstream request."""
    messages = (await request.json())["messages"]
    upstream = await request.app.state.session.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return Stream(upstream.sse(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@post("/chat", status_code=200)
async def chat(request: Request[Any, Any, State]) -> dict[str, Any] | None:
    """Return a completion, unless the client disconnects first."""
    messages = (await request.json())["messages"]
    call = request.app.state.session.chat.completions.create(model=MODEL, messages=messages)
    completion = await run_until_disconnected(request, call)
    return completion and completion.to_dict()


app = Litestar([stream, chat], lifespan=[lifespan])
