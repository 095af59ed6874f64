"""The one retry loop: permit, send, classify, wait, again.

Contract: a permit is taken for every attempt and given back when surely nothing was sent. Every attempt is shown to
the hooks. What is raised is the last attempt's error. Whether and how long to wait is decided by `RetryPolicy`.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from gradient_async._io.deadline_timer import DeadlineTimer
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.exchange import HTTP_OK_END, Exchange, build_response_error, read_body
from gradient_async._io.http.hooks import AttemptDetails, Hook, call_hook, logger
from gradient_async._io.http.reply import R, Reply
from gradient_async._io.http.target import Target
from gradient_async._io.http.transport import Transport, build_closed_error
from gradient_async._protocol.http.rate_limit_headers import get_request_id, parse_rate_limits
from gradient_async._protocol.http.retry import RetryBudget, RetryPolicy
from gradient_async.errors import APIConnectionError, APITimeoutError, GradientError, RateLimitError
from gradient_async.models.response_meta import RateLimitInfo, ResponseMeta, Timings

if TYPE_CHECKING:
    from gradient_async._protocol.requests.request import Request


STALE_SECONDS = 2.0
"""A closed connection says so within one round trip."""


@attrs.define(eq=False, repr=False)
class _Call:
    """What one call has come to so far."""

    request: Request
    target: Target
    deadline_timer: DeadlineTimer
    started_at: float
    deadline: float
    attempt: int = 0
    limiter_wait: float = 0.0
    resent_stale: bool = False
    refusal: RateLimitError | None = None


@attrs.define(eq=False, repr=False)
class _Attempt:
    """What one attempt has come to."""

    timer: AttemptTimer
    limiter_wait: float
    exchange: Exchange | None = None
    body: bytes = b""
    limits: RateLimitInfo | None = None
    error: GradientError | None = None


@attrs.define(eq=False, repr=False)
class Pipeline:
    """Sends requests until one succeeds or the policy gives up."""

    transport: Transport
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    hooks: Sequence[Hook] = ()
    _budget: RetryBudget = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._budget = RetryBudget(self.retry.budget)

    async def send_and_decode(self, request: Request, target: Target, decode: Callable[[bytes], R]) -> R:
        """Return what *decode* makes of the answer to *request*.

        Raises:
            GradientError: As `send`, or what *decode* raises.
        """
        return (await self.send(request, target)).decode_body(decode)

    def build_opener(self, request: Request, target: Target) -> Callable[[], Awaitable[Reply]]:
        """Return what sends *request* for a stream."""
        return partial(self.send, request, target)

    async def send(self, request: Request, target: Target) -> Reply:
        """Return the answer to *request*.

        Raises:
            APIConnectionError: No answer came.
            APIStatusError: The answer is an error.
            ProtocolError: The answer is not what the service documents.
            SessionClosedError: The session is closed, or was while the call waited for anything.
        """
        deadline_timer, total = self.transport.get_deadline_timer(asyncio.get_running_loop()), request.timeouts.total
        now = deadline_timer.time()
        call = _Call(
            request, target, deadline_timer, started_at=now, deadline=math.inf if total is None else now + total
        )
        with self.transport.cancel_on_close():
            while True:
                try:
                    attempt = await self._make_attempt(call)
                except APITimeoutError:
                    if (refusal := call.refusal) is None:
                        raise
                    break
                if attempt.error is None:
                    self._budget.refill()
                    return _build_reply(call, attempt)
                delay = self._next_delay(call, attempt)
                if delay is None:
                    raise attempt.error
                call.refusal = attempt.error if isinstance(attempt.error, RateLimitError) else None
                logger.info("attempt %d failed, next in %.2f s: %s", call.attempt, delay, attempt.error)
                await asyncio.sleep(delay)
            raise refusal  # what the service said tells more than that its pause does not fit
        error = build_closed_error()
        error.attempts = call.attempt
        raise error

    async def _make_attempt(self, call: _Call) -> _Attempt:
        """Make one attempt; an error of ours is its result, not raised.

        Raises:
            APITimeoutError: The limiter gave no permit in time.
            SessionClosedError: The limiter was closed.
        """
        request, target, limiter, permit = call.request, call.target, call.target.limiter, None
        if limiter is not None:
            now = call.deadline_timer.time() if call.attempt else call.started_at
            is_unlimited = request.timeout_excludes_limiter_wait or call.deadline == math.inf
            timeout = None if is_unlimited else max(call.deadline - now, 0.0)
            permit = await limiter.acquire(request.priority, timeout=timeout, hold=True)
            if request.timeout_excludes_limiter_wait:
                call.deadline += permit.waited
        call.attempt += 1
        timer = AttemptTimer(call.deadline_timer, call.deadline, request.timeouts, permit)
        timer.require_new_connection = call.resent_stale
        attempt = _Attempt(timer, 0.0 if permit is None else permit.waited)
        call.limiter_wait += attempt.limiter_wait
        began = call.deadline_timer.time() if self.hooks else 0.0
        try:
            with timer:
                attempt.exchange = await self.transport.start_exchange(
                    request, base_url=target.base_url, key=target.key, timer=timer
                )
                if attempt.exchange.status >= HTTP_OK_END or not request.stream:
                    attempt.body = await read_body(attempt.exchange, timer)
        except GradientError as error:
            attempt.error = error
        except TimeoutError:
            if attempt.exchange is None or attempt.exchange.status < HTTP_OK_END:  # else the status says it all
                attempt.error = timer.build_timeout_error(call.deadline_timer.time())
        finally:
            if permit is not None and not timer.sent:
                permit.refund()
            elif permit is not None and permit.held:  # a pool of the caller's did not tell when it was sent
                permit.sent()
        self._process_response(call, attempt)
        if self.hooks:
            self._report_attempt(call, attempt, call.deadline_timer.time() - began)
        return attempt

    def _process_response(self, call: _Call, attempt: _Attempt) -> None:
        """Read what the headers say, teach it the limiter, and see whether the answer is an error."""
        exchange, limiter = attempt.exchange, call.target.limiter
        if exchange is not None:
            now = time.time()
            limits = attempt.limits = parse_rate_limits(exchange.headers, now=now)
            if limiter is not None:
                sent_at = attempt.timer.sent_at or call.started_at
                limiter.apply_response(limits, status=exchange.status, sent_at=sent_at)
            if exchange.status >= HTTP_OK_END and attempt.error is None:
                attempt.error = build_response_error(exchange, attempt.body, now)
        if attempt.error is not None:
            attempt.error.with_traceback(None)
            attempt.error.attempts = call.attempt

    def _next_delay(self, call: _Call, attempt: _Attempt) -> float | None:
        """Return the seconds to wait before the next attempt, None to give up."""
        error, timer = attempt.error, attempt.timer
        if error is None:
            return None
        now = call.deadline_timer.time()
        if _is_stale_connection(error, timer, now) and not call.resent_stale:
            call.resent_stale = True
            return 0.0
        delay = self.retry.next_delay(
            error,
            attempt=call.attempt,
            idempotent=call.request.idempotent,
            remaining=call.deadline - now,
            chance=random.random(),  # noqa: S311 - jitter, no secret
        )
        return delay if delay is not None and self._budget.try_spend(error) else None

    def _report_attempt(self, call: _Call, attempt: _Attempt, elapsed: float) -> None:
        exchange = attempt.exchange
        details = AttemptDetails(
            method=call.request.method,
            url=(call.target.base_url + call.request.path).partition("?")[0],
            attempt=call.attempt,
            limiter_wait=attempt.limiter_wait,
            status=exchange.status if exchange else None,
            request_id=get_request_id(exchange.headers) if exchange else None,
            error=attempt.error,
            elapsed=elapsed,
        )
        for hook in self.hooks:
            call_hook(hook, details)


def _is_stale_connection(error: GradientError, timer: AttemptTimer, now: float) -> bool:
    """Whether a pooled connection turned out at once to be closed: nothing was answered on it, not even in part.

    One that is lost later had been open, and its request may have been processed.
    """
    is_lost = isinstance(error, APIConnectionError) and timer.reused and timer.lost_before_response
    return is_lost and timer.sent_at is not None and now - timer.sent_at <= STALE_SECONDS


def _build_reply(call: _Call, attempt: _Attempt) -> Reply:
    exchange, timer = attempt.exchange, attempt.timer
    assert exchange is not None  # noqa: S101 - an attempt without an error has an answer
    meta = ResponseMeta(
        status=exchange.status,
        request_id=get_request_id(exchange.headers),
        rate_limit=attempt.limits or RateLimitInfo(),
        attempts=call.attempt,
        raw_headers=exchange.raw_headers,
        timings=Timings(
            limiter_wait=call.limiter_wait,
            connect=timer.connect,
            first_byte=exchange.arrived_at - timer.sent_at if timer.sent_at is not None else None,
            total=None if call.request.stream else call.deadline_timer.time() - call.started_at,
        ),
    )
    return Reply(exchange, attempt.body, meta, deadline=call.deadline, started_at=call.started_at)
