"""Requests as values: everything that goes on the wire, decided before anything waits.

Contract: pure. A request is built once and sent any number of times; nothing changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request:
    """One call of the API.

    Attributes:
        method: The HTTP method.
        path: Path and query below the base URL, as on the wire.
        body: The encoded body, None if there is none.
        headers: The caller's own headers.
        content_type: The type of the body; None if *headers* name it.
        timeouts: The time limits of the call.
        idempotent: Whether it is safe to send the request twice.
        stream: Whether the response is a stream, whose body is left open for the caller to read.
        accept: The media type that a stream asks for.
        priority: Place at the limiter: ``"bulk"`` waits behind ``"interactive"``.
        timeout_excludes_limiter_wait: Whether the time limits begin after the wait at the limiter, which is unlimited.
        model: The model that the body names, whose quotas the request uses; None if it names none.
        tokens: Model tokens that the request is expected to use; 0 if it uses none.
    """

    __slots__ = (
        "accept",
        "body",
        "content_type",
        "headers",
        "idempotent",
        "method",
        "model",
        "path",
        "priority",
        "stream",
        "timeout_excludes_limiter_wait",
        "timeouts",
        "tokens",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        content_type: str | None = "application/json",
        timeouts: Timeouts | None = None,
        idempotent: bool = False,
        stream: bool = False,
        accept: str = "text/event-stream",
        priority: Priority = "interactive",
        timeout_excludes_limiter_wait: bool = False,
        model: str | None = None,
        tokens: int = 0,
    ) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.headers = headers
        self.content_type = content_type
        self.timeouts = Timeouts() if timeouts is None else timeouts
        self.idempotent = idempotent
        self.stream = stream
        self.accept = accept
        self.priority = priority
        self.timeout_excludes_limiter_wait = timeout_excludes_limiter_wait
        self.model = model
        self.tokens = tokens


def mark_bulk(request: Request) -> Request:
    """Return *request*, which was just built, as one of many: it waits behind single calls, without a time limit.

    Hot: a copy would take as long as building the request did.
    """
    request.priority, request.timeout_excludes_limiter_wait = "bulk", True
    return request


def build_headers(request: Request, key: str, defaults: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return the headers of *request* sent with *key*, without duplicates that differ only in case.

    The caller's headers replace the session's *defaults* and our User-Agent, but not the headers that state the form of
    body and response.
    """
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "gradient-async", **dict(defaults), **request.headers}
    if request.body is not None and request.content_type is not None:
        headers["Content-Type"] = request.content_type
    if request.stream:
        headers |= {"Accept": request.accept, "Accept-Encoding": "identity"}
    return dict({name.lower(): (name, value) for name, value in headers.items()}.values())
