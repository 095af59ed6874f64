"""A Django service that forwards responses: one session per worker, no cost for clients that disconnect.

Run it with ``uvicorn --app-dir examples django_app:application``; the key comes from MODEL_ACCESS_KEY. `web_parts` says
how several workers share one budget. Django 5 and newer cancel a view whose client has left.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path
from web_parts import MODEL, STREAM_HEADERS, describe_error, open_session

from gradient_async import AsyncSession, GradientError

sessions: list[AsyncSession] = []
"""The session of this worker."""


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Stream a response; when the client disconnects, Django cancels it and the upstream request."""
    messages = json.loads(request.body)["messages"]
    upstream = await sessions[0].chat.completions.create(model=MODEL, messages=messages, stream=True)
    return StreamingHttpResponse(upstream.sse(), content_type="text/event-stream", headers=STREAM_HEADERS)


async def chat(request: HttpRequest) -> JsonResponse:
    """Return a completion; when the client disconnects, Django cancels this view."""
    messages = json.loads(request.body)["messages"]
    completion = await sessions[0].chat.completions.create(model=MODEL, messages=messages)
    return JsonResponse(completion.to_dict())


class ErrorMiddleware:
    """Tells the client what went wrong, before the first byte of a stream as well."""

    async_capable, sync_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the response of the view."""
        return await self.get_response(request)

    def process_exception(self, _: HttpRequest, error: Exception) -> JsonResponse | None:
        """Return the response to an error of the library, None for any other."""
        if not isinstance(error, GradientError):
            return None
        status, headers, body = describe_error(error, sessions[0])
        return JsonResponse(body, status=status, headers=headers)


urlpatterns = [path("stream", stream), path("chat", chat)]

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.ErrorMiddleware"], SECRET_KEY=secrets.token_hex()
    )
serve_request = get_asgi_application()


async def run_lifespan(receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Open one session for this worker and close it in the end: Django itself does not take part in the lifespan."""
    await receive()
    async with open_session() as session:
        sessions[:] = [session]
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Serve one request, or the lifespan of the worker."""
    if scope["type"] == "lifespan":
        await run_lifespan(receive, send)
    else:
        await serve_request(scope, receive, send)
