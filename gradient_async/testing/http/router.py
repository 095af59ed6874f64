"""The routing of requests to endpoints.

Contract: pure. Each of the two hosts knows its own paths only. An unknown path gives a 404, a known path with another
method a 405 with an ``allow`` header.
Source: the paths of the Inference API reference; RFC 9110 section 15.5.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, error_response


def accept_all(_: RecordedRequest) -> Response | None:
    """Accept every request."""
    return None


@attrs.frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: The HTTP method.
        path: The path; ``{name}`` matches one segment, whose value is in the record's ``params``.
        respond: Builds the response from the request and the scripted reply, if there is one.
        check: Builds the error response to a malformed request; None for a well-formed request.
        generates: Whether it generates content, so that `ScriptingAPI.reply` applies to it without a path.
        agent: Whether it is on the agent host, and needs the key of that host.
        public: Whether it needs no key and does not count for the rate limits.
        upstream: The path on an upstream server; None if it is never forwarded.
        takes_json: Whether a body must be sent as JSON.
    """

    method: str
    path: str
    respond: Callable[[RecordedRequest, Reply | None], Response]
    check: Callable[[RecordedRequest], Response | None] = accept_all
    generates: bool = False
    agent: bool = False
    public: bool = False
    upstream: str | None = None
    takes_json: bool = True

    def match_path(self, path: str) -> dict[str, str] | None:
        """Return the values of the placeholders in *path*; None if *path* does not match."""
        match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), path)
        return match.groupdict() if match else None


@attrs.frozen
class Router:
    """Finds the endpoint of a request."""

    endpoints: tuple[Endpoint, ...]

    def find_endpoint(self, request: RecordedRequest) -> Endpoint | Response:
        """Return the endpoint of *request* and set its ``params`` and ``generates``; else return a 404 or 405."""
        local = (endpoint for endpoint in self.endpoints if endpoint.agent == request.agent)
        found = {endpoint: endpoint.match_path(request.path) for endpoint in local}
        candidates = [endpoint for endpoint, params in found.items() if params is not None]
        for endpoint in candidates:
            if endpoint.method == request.method:
                request.params = found[endpoint] or {}
                request.generates = endpoint.generates
                return endpoint
        allowed = ", ".join(sorted({endpoint.method for endpoint in candidates}))
        if not allowed:
            return error_response(404, request_id=request.request_id)
        message = f"{request.method} is not allowed here; use {allowed}."
        response = error_response(405, request_id=request.request_id, message=message)
        return attrs.evolve(response, headers={"allow": allowed})
