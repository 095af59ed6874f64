"""A Litestar service that passes answers on: one session in each worker, nothing paid for clients that left.

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
    """Stream the answer; when the client leaves, the server cancels the response and with it the upstream."""
    messages = (await request.json())["messages"]
    answer = await request.app.state.session.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return Stream(answer.sse(), media_type="text/event-stream")


@post("/chat", status_code=200)
async def chat(request: Request[Any, Any, State]) -> dict[str, Any] | None:
    """Return the whole answer, unless the client leaves first."""
    messages = (await request.json())["messages"]
    call = request.app.state.session.chat.completions.create(model=MODEL, messages=messages)
    completion = await run_until_disconnected(request, call)
    return completion and completion.to_dict()


app = Litestar([stream, chat], lifespan=[lifespan])
