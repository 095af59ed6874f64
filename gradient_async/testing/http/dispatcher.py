"""The decision which response a request gets.

Contract: pure; the time is an argument. The checks run in this order, and the first that applies decides: unknown path
(404, 405) unless a response is scripted for it, key (401), rate limit (429), malformed request (400), scripted
response, endpoint. For an endpoint that is forwarded the decision is the upstream path, which the caller requests.
Source: the authentication, rate limit and error sections of the Inference API reference; Anthropic's API for the
``x-api-key`` header of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from gradient_async.testing.http.rate_limits import RateLimit, Verdict
from gradient_async.testing.http.router import Endpoint, Router
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Response, error_response
from gradient_async.testing.scripting.faults import Disconnect, FaultPlan
from gradient_async.testing.scripting.queue import Failure, Script

NOT_FOUND = 404
_BYTES_PER_TOKEN = 4
_REFUSED_TYPES = ("text/", "application/x-www-form-urlencoded")


@attrs.frozen(kw_only=True)
class ApiKeys:
    """The key of each of the two hosts; None accepts any key but the other host's."""

    api_key: str | None = None
    agent_key: str | None = None

    def accepts_key(self, key: str, *, agent: bool) -> bool:
        """Return whether *key* is valid for an endpoint of the agent host, or of the serverless host."""
        expected, other = (self.agent_key, self.api_key) if agent else (self.api_key, self.agent_key)
        if expected is not None:
            return key == expected
        return key not in ("", other)


@attrs.frozen(kw_only=True)
class Decision:
    """The response to send and its faults; if *response* is None, the response of the path *upstream*.

    Attributes:
        response: The response; None to forward the request.
        plan: The faults of the response.
        headers: The rate-limit headers.
        upstream: The path to request from the upstream server.
    """

    response: Response | None = None
    plan: FaultPlan = attrs.field(factory=FaultPlan)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    upstream: str = ""


@attrs.define(kw_only=True)
class Dispatcher:
    """Decides the response of each request.

    Attributes:
        router: The endpoints.
        script: The scripted responses and faults.
        keys: The accepted keys.
        new_limit: Creates the rate limit of a key at its first request.
        forwards: Whether unscripted requests go to an upstream server.
        refusals: The number of requests that a rate limit refused.
    """

    router: Router
    script: Script
    keys: ApiKeys
    new_limit: Callable[[], RateLimit]
    forwards: bool = False
    refusals: int = 0
    _limits: dict[tuple[bool, str], RateLimit] = attrs.field(factory=dict, init=False)

    def decide_response(self, request: RecordedRequest, now: float) -> Decision:
        """Return the decision for *request*, which arrived at *now* in epoch seconds."""
        endpoint = self.router.find_endpoint(request)
        if isinstance(endpoint, Response):
            if endpoint.status != NOT_FOUND or not self.script.serves_path(request.path):
                return Decision(response=endpoint, headers=self._describe_quota(request, now))
            endpoint = _build_scripted_endpoint(request, endpoint)
        if endpoint.public:
            return self._decide_admitted(request, endpoint, {})
        key = request.key
        if not self.keys.accepts_key(key, agent=endpoint.agent):
            response = error_response(401, request_id=request.request_id)
            return Decision(response=response, headers=self._describe_quota(request, now))
        verdict = self._check_rate_limit((endpoint.agent, key), request, now)
        if not verdict.admitted:
            return Decision(response=error_response(429, request_id=request.request_id), headers=verdict.headers)
        return self._decide_admitted(request, endpoint, verdict.headers)

    def _describe_quota(self, request: RecordedRequest, now: float) -> Mapping[str, str]:
        """Return the rate-limit headers of a response that does not count: those of the key, if it is known."""
        limit = self._limits.get((request.agent, request.key)) or self.new_limit()
        return limit.describe_quota(now)

    def _check_rate_limit(self, key: tuple[bool, str], request: RecordedRequest, now: float) -> Verdict:
        if key not in self._limits:
            self._limits[key] = self.new_limit()
        tokens = len(request.body) // _BYTES_PER_TOKEN
        verdict = self._limits[key].admit_request(now, model=_find_model(request.json), tokens=tokens)
        self.refusals += not verdict.admitted
        return verdict

    def _decide_admitted(self, request: RecordedRequest, endpoint: Endpoint, headers: Mapping[str, str]) -> Decision:
        forwards = self.forwards and endpoint.upstream is not None
        malformed = (endpoint.takes_json and _check_media_type(request)) or endpoint.check(request)
        if malformed and not forwards:
            return Decision(response=malformed, headers=headers)
        scripted = self.script.take_response(request)
        if isinstance(scripted, Disconnect):
            return Decision(response=Response(), plan=FaultPlan([scripted]))
        if isinstance(scripted, Failure):
            return Decision(
                response=scripted.to_response(request.request_id), headers=scripted.rate_limit_headers(headers)
            )
        plan = self.script.take_faults(request)
        if forwards and scripted is None:
            return Decision(plan=plan, headers=headers, upstream=endpoint.upstream or "")
        literal = scripted and scripted.literal_response(streams=request.streams)
        response = malformed or literal or endpoint.respond(request, scripted)
        return Decision(response=response, plan=plan, headers=headers)


def _build_scripted_endpoint(request: RecordedRequest, not_found: Response) -> Endpoint:
    """Return an endpoint for a path of which only the script knows."""
    return Endpoint(
        method=request.method,
        path=request.path,
        respond=lambda _request, _reply: not_found,
        agent=request.agent,
        takes_json=False,
    )


def _check_media_type(request: RecordedRequest) -> Response | None:
    """Build the error response to a body that is declared as text or a form; None for another request.

    ``application/octet-stream`` passes: HTTP clients declare it for bytes whose type they were not told.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not request.body or not media_type.startswith(_REFUSED_TYPES):
        return None
    message = f"The Content-Type must be application/json, not {media_type}."
    return error_response(400, request_id=request.request_id, message=message)


def _find_model(body: object) -> str | None:
    """Return the model that a request names, None if it names none."""
    model = body.get("model", body.get("model_id")) if isinstance(body, dict) else None
    return model if isinstance(model, str) else None
