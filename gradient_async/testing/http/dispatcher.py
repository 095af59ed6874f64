"""What a request is answered with: the decisions of the service, in their order.

Contract: pure, time is an argument. First the path, then the key, the limits, the form of the request, what
the test scripted, and at last the endpoint itself (or an upstream server, which the caller has to ask).
Source: the authentication, rate limit and error sections of the Inference API reference; messages also take the key
where Anthropic's clients put it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from gradient_async.testing.http.rate_limits import Limit, Verdict
from gradient_async.testing.http.router import Endpoint, Router
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, error_answer
from gradient_async.testing.scripting.faults import Plan, Sever
from gradient_async.testing.scripting.queue import Failure, Script

_ANTHROPIC = "/v1/messages"


@attrs.frozen(kw_only=True)
class Keys:
    """Which key each of the two hosts takes; None takes any but the other host's."""

    api_key: str | None = None
    agent_key: str | None = None

    def accept(self, key: str, *, agent: bool) -> bool:
        """Say whether *key* opens an endpoint of that host."""
        expected, other = (self.agent_key, self.api_key) if agent else (self.api_key, self.agent_key)
        if expected is not None:
            return key == expected
        return key not in ("", other)


@attrs.frozen(kw_only=True)
class Decision:
    """An answer and the faults that strike it; without an answer, the upstream path to get it from."""

    answer: Answer | None = None
    plan: Plan = attrs.field(factory=Plan)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    upstream: str = ""


@attrs.define(kw_only=True)
class Service:
    """The service behind the socket.

    Attributes:
        refusals: How many requests the limits refused.
    """

    router: Router
    script: Script
    keys: Keys
    new_limit: Callable[[], Limit]
    forwards: bool = False
    refusals: int = 0
    _limits: dict[tuple[bool, str], Limit] = attrs.field(factory=dict, init=False)

    def decide(self, request: RecordedRequest, now: float) -> Decision:
        """Decide what is sent for *request*, which arrived at *now*, in epoch seconds."""
        endpoint = self.router.find(request)
        if isinstance(endpoint, Answer):
            return Decision(answer=endpoint)
        if endpoint.public:
            return self._reply(request, endpoint, {})
        key = _key(request)
        if not self.keys.accept(key, agent=endpoint.agent):
            return Decision(answer=error_answer(401, request_id=request.request_id))
        verdict = self._admit((endpoint.agent, key), now)
        if not verdict.admitted:
            return Decision(answer=error_answer(429, request_id=request.request_id), headers=verdict.headers)
        return self._reply(request, endpoint, verdict.headers)

    def _admit(self, key: tuple[bool, str], now: float) -> Verdict:
        if key not in self._limits:
            self._limits[key] = self.new_limit()
        verdict = self._limits[key].admit(now)
        self.refusals += not verdict.admitted
        return verdict

    def _reply(self, request: RecordedRequest, endpoint: Endpoint, headers: Mapping[str, str]) -> Decision:
        forwards = self.forwards and endpoint.upstream is not None
        malformed = endpoint.check(request)
        if malformed and not forwards:
            return Decision(answer=malformed, headers=headers)
        scripted = self.script.next_answer(request)
        if isinstance(scripted, Sever):
            return Decision(answer=Answer(), plan=Plan([scripted]))
        if isinstance(scripted, Failure):
            return Decision(answer=scripted.answer(request.request_id), headers=scripted.limits(headers))
        plan = self.script.next_faults(request)
        if forwards and scripted is None:
            return Decision(plan=plan, headers=headers, upstream=endpoint.upstream or "")
        return Decision(answer=malformed or _answer(request, endpoint, scripted), plan=plan, headers=headers)


def _answer(request: RecordedRequest, endpoint: Endpoint, reply: Reply | None) -> Answer:
    spelled_out = reply and reply.verbatim(streams=request.streams)
    return spelled_out or endpoint.answer(request, reply)


def _key(request: RecordedRequest) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return request.headers.get("x-api-key", "") if request.path == _ANTHROPIC else ""
