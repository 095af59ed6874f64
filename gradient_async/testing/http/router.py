"""Which endpoint answers a request.

Contract: pure. An unknown path is a 404, a known path with another method a 405 with an ``allow`` header.
Source: the paths of the Inference API reference; RFC 9110 section 15.5.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, error_answer


def accept(_: RecordedRequest) -> Answer | None:
    """Find nothing wrong with a request."""
    return None


@attrs.frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: The HTTP method.
        path: The path; ``{name}`` stands for one segment and is found in the record's ``params``.
        answer: Makes the answer, from the request and the scripted reply if there is one.
        check: Makes the answer to a request that is malformed; None if it is not.
        generates: Whether scripted replies are meant for it.
        agent: Whether it takes the agent's key.
        public: Whether it takes no key and is not counted by the limits.
        upstream: The path that stands for it on an upstream server; None if it is never forwarded.
    """

    method: str
    path: str
    answer: Callable[[RecordedRequest, Reply | None], Answer]
    check: Callable[[RecordedRequest], Answer | None] = accept
    generates: bool = False
    agent: bool = False
    public: bool = False
    upstream: str | None = None

    def match(self, path: str) -> dict[str, str] | None:
        """Return what the placeholders stand for in *path*; None if it is another path."""
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), path)
        return found.groupdict() if found else None


@attrs.frozen
class Router:
    """All endpoints."""

    endpoints: tuple[Endpoint, ...]

    def find(self, request: RecordedRequest) -> Endpoint | Answer:
        """Return the endpoint of *request* and note its parameters, or return the error."""
        found = {endpoint: endpoint.match(request.path) for endpoint in self.endpoints}
        candidates = [endpoint for endpoint, params in found.items() if params is not None]
        for endpoint in candidates:
            if endpoint.method == request.method:
                request.params = found[endpoint] or {}
                request.generates = endpoint.generates
                return endpoint
        return _refuse(request, allowed=[endpoint.method for endpoint in candidates])


def _refuse(request: RecordedRequest, *, allowed: Iterable[str]) -> Answer:
    methods = ", ".join(sorted(allowed))
    if not methods:
        return error_answer(404, request_id=request.request_id)
    message = f"{request.method} is not allowed here; use {methods}."
    refusal = error_answer(405, request_id=request.request_id, message=message)
    return attrs.evolve(refusal, headers={"allow": methods})
