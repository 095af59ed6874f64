"""A FastAPI service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``uvicorn examples.fastapi_app:app``; the key comes from MODEL_ACCESS_KEY.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from gradient_async import APIStatusError, AsyncSession, run_until_disconnected

MODEL = "llama3.3-70b-instruct"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one session for this worker and close it in the end."""
    async with AsyncSession() as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/stream")
async def stream(request: Request) -> StreamingResponse:
    """Stream a response; when the client disconnects, the server cancels it and the upstream request."""
    messages = (await request.json())["messages"]
    upstream = await request.app.state.session.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return StreamingResponse(upstream.sse(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@app.post("/chat")
async def chat(request: Request) -> dict[str, Any] | None:
    """Return a completion, unless the client disconnects first."""
    messages = (await request.json())["messages"]
    call = request.app.state.session.chat.completions.create(model=MODEL, messages=messages)
    completion = await run_until_disconnected(request, call)
    return completion and completion.to_dict()


@app.exception_handler(APIStatusError)
async def refused(_: Request, error: APIStatusError) -> JSONResponse:
    """Tell the client what the service said, before the first byte of a stream as well."""
    return JSONResponse({"message": error.message, "request_id": error.request_id}, status_code=error.status)
