"""The retry loop: acquire a permit, send, classify the response, wait, repeat.

Contract: each attempt takes a permit of the limiter, and refunds it when surely nothing was sent. Hooks see each
attempt. The error raised is that of the last attempt. `RetryPolicy` decides whether and after which delay an attempt
is repeated; this loop only waits.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from logging import DEBUG
from typing import TYPE_CHECKING

from gradient_async._io.deadline_timer import DeadlineTimer, get_loop
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.exchange import HTTP_OK_END, Exchange, build_response_error, read_body
from gradient_async._io.http.hooks import Hook, ToolHook, format_error, logger, report_attempt
from gradient_async._io.http.reply import R, Reply
from gradient_async._io.http.target import Target
from gradient_async._io.http.transport import Transport, build_closed_error
from gradient_async._protocol.http.connection_reuse import ConnectionReuse
from gradient_async._protocol.http.rate_limit_headers import get_request_id, parse_rate_limits
from gradient_async._protocol.http.retry import RetryBudget, RetryPolicy
from gradient_async.errors import (
    APIConnectionError,
    APITimeoutError,
    GradientError,
    RateLimitError,
    may_be_processed,
)
from gradient_async.models.response_meta import RateLimitInfo, ResponseMeta, Timings

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter, Permit
    from gradient_async._protocol.rate_limit.wait_details import WaitObserver
    from gradient_async._protocol.requests.request import Request


class _Call:
    """The state of one call across its attempts.

    Attributes:
        started_at: When the call began, on the loop's clock.
        deadline: When the call must have ended, on the loop's clock; infinite without a total limit.
        attempt: Number of attempts so far.
        limiter_wait: Seconds that all attempts have waited for the limiter.
        maybe_sent: Whether the service may have processed the request in an attempt that has ended.
        timer: The timer of the attempt under way; None between attempts.
        needs_new_connection: Whether pooled connections of the host are not to be used.
        rate_limit_error: The 429 that the previous attempt ended with.
    """

    __slots__ = (
        "attempt",
        "deadline",
        "deadline_timer",
        "limiter_wait",
        "maybe_sent",
        "needs_new_connection",
        "rate_limit_error",
        "request",
        "started_at",
        "target",
        "timer",
    )

    def __init__(
        self, request: Request, target: Target, deadline_timer: DeadlineTimer, started_at: float, deadline: float
    ) -> None:
        self.request = request
        self.target = target
        self.deadline_timer = deadline_timer
        self.started_at = started_at
        self.deadline = deadline
        self.attempt = 0
        self.limiter_wait = 0.0
        self.maybe_sent = False
        self.timer: AttemptTimer | None = None
        self.needs_new_connection = False
        self.rate_limit_error: RateLimitError | None = None


class _Attempt:
    """The result of one attempt: a response, an error, or both.

    Attributes:
        limiter_wait: Seconds that this attempt has waited for the limiter.
        body: The body of the response; empty for a successful stream.
    """

    __slots__ = ("body", "error", "exchange", "limiter_wait", "limits", "timer")

    def __init__(self, timer: AttemptTimer, limiter_wait: float) -> None:
        self.timer = timer
        self.limiter_wait = limiter_wait
        self.exchange: Exchange | None = None
        self.body = b""
        self.limits: RateLimitInfo | None = None
        self.error: GradientError | None = None

    def close_exchange(self) -> None:
        """Close the connection of the response, unless its body was read to the end."""
        if self.exchange is not None and not self.exchange.at_eof:
            self.exchange.close()


class Pipeline:
    """Sends requests until one attempt succeeds or the retry policy gives up.

    Attributes:
        transport: Makes the attempts.
        retry: The policy that decides about retries.
        hooks: Observers of attempts.
        on_wait: Observer of long waits at the limiter; None without one.
        tool_hooks: Observers of conversations with tools.
    """

    def __init__(
        self,
        transport: Transport,
        retry: RetryPolicy,
        hooks: Sequence[Hook] = (),
        on_wait: WaitObserver | None = None,
        tool_hooks: Sequence[ToolHook] = (),
        *,
        budget: RetryBudget,
        connection_reuse: ConnectionReuse,
    ) -> None:
        self.transport = transport
        self.retry = retry
        self.hooks = hooks
        self.on_wait = on_wait
        self.tool_hooks = tool_hooks
        self._budget = budget
        self._connection_reuse = connection_reuse

    async def send_and_decode(self, request: Request, target: Target, decode: Callable[[bytes], R]) -> R:
        """Send *request* and return its decoded response.

        Raises:
            GradientError: As `send`, or raised by *decode*.
        """
        return (await self.send(request, target)).decode_body(decode)

    async def send_and_decode_typed(self, request: Request, target: Target, decode: Callable[[bytes, str], R]) -> R:
        """Send *request* and return its response, decoded from its body and its ``Content-Type``.

        Raises:
            GradientError: As `send`, or raised by *decode*.
        """
        reply = await self.send(request, target)
        content_type = reply.exchange.headers.get("Content-Type", "")
        return reply.decode_body(lambda body: decode(body, content_type))

    def build_opener(self, request: Request, target: Target) -> Callable[[], Awaitable[Reply]]:
        """Return a function that sends *request*, for a stream."""
        return partial(self.send, request, target)

    async def send(self, request: Request, target: Target) -> Reply:
        """Send *request*, with retries, and return the successful response.

        Raises:
            APIConnectionError: No response arrived.
            APIStatusError: The response is an error.
            ProtocolError: The response is not as documented.
            SessionClosedError: The session is closed, or was closed while the call waited.
        """
        deadline_timer, total = (
            self.transport.get_deadline_timer(asyncio._get_running_loop() or get_loop()),
            request.timeouts.total,
        )
        now = deadline_timer.time()
        call = _Call(
            request, target, deadline_timer, started_at=now, deadline=math.inf if total is None else now + total
        )
        if self._connection_reuse.pauses:
            call.needs_new_connection = not self._connection_reuse.may_reuse(target.base_url, now)
        with self.transport.cancel_on_close():
            while True:
                try:
                    attempt = await self._make_attempt(call)
                except APITimeoutError as error:
                    if (rate_limit_error := call.rate_limit_error) is None:
                        error.attempts, error.maybe_sent = call.attempt, call.maybe_sent
                        raise
                    break
                if attempt.error is None:
                    self._budget.refill()
                    return _build_reply(call, attempt)
                delay = self._next_delay(call, attempt)
                call.maybe_sent = attempt.error.maybe_sent = attempt.error.maybe_sent or call.maybe_sent
                if delay is None:
                    raise attempt.error
                call.rate_limit_error = attempt.error if isinstance(attempt.error, RateLimitError) else None
                logger.info(
                    "%s %s: attempt %d failed (%s), next in %.2f s",
                    *(request.method, _describe_address(call), call.attempt, format_error(attempt.error), delay),
                )
                await asyncio.sleep(delay)
            raise rate_limit_error  # more informative than the limiter's timeout that its pause led to
        closed_error = build_closed_error(maybe_sent=call.maybe_sent or (call.timer is not None and call.timer.sent))
        closed_error.attempts = call.attempt
        raise closed_error

    async def _make_attempt(self, call: _Call) -> _Attempt:
        """Make one attempt. Its errors are returned in the result, except those of the limiter.

        Raises:
            APITimeoutError: The limiter granted no permit in time.
            SessionClosedError: The limiter was closed.
        """
        request, target = call.request, call.target
        permit = None if target.limiter is None else await self._acquire_permit(call, target.limiter)
        call.attempt += 1
        timer = call.timer = AttemptTimer(call.deadline_timer, call.deadline, request.timeouts, permit)
        timer.require_new_connection = call.needs_new_connection
        attempt = _Attempt(timer, 0.0 if permit is None else permit.waited)
        call.limiter_wait += attempt.limiter_wait
        is_observed = bool(self.hooks) or logger.isEnabledFor(DEBUG)
        started_at = call.deadline_timer.time() if is_observed else 0.0
        try:
            with timer:
                attempt.exchange = await self.transport.start_exchange(request, target, timer)
                if attempt.exchange.status >= HTTP_OK_END or not request.stream:
                    attempt.body = await read_body(attempt.exchange, timer)
        except GradientError as error:
            attempt.error = error
        except TimeoutError:
            is_refused = attempt.exchange is not None and attempt.exchange.status >= HTTP_OK_END  # which says more
            attempt.error = None if is_refused else timer.build_timeout_error(call.deadline_timer.time())
        except BaseException as caught:
            self._report_interrupted(call, attempt, started_at if is_observed else None, caught)
            raise
        finally:
            if permit is not None and not timer.sent:
                permit.refund()
            elif permit is not None and permit.held:  # the caller's own aiohttp session does not report the sending
                permit.sent()
        try:
            self._process_response(call, attempt)
            if is_observed:
                self._report_attempt(call, attempt, call.deadline_timer.time() - started_at)
        except BaseException:  # of a limiter or a hook of the caller
            attempt.close_exchange()
            raise
        if attempt.error is not None:
            attempt.close_exchange()
        call.timer = None
        return attempt

    async def _acquire_permit(self, call: _Call, limiter: Limiter) -> Permit:
        request, now = call.request, call.deadline_timer.time() if call.attempt else call.started_at
        is_unlimited = request.timeout_excludes_limiter_wait or call.deadline == math.inf
        timeout = None if is_unlimited else max(call.deadline - now, 0.0)
        permit = await limiter.acquire(
            request.priority if call.target.priority == "interactive" else call.target.priority,
            timeout=timeout,
            tokens=request.tokens,
            hold=True,
            model=request.model,
            on_wait=self.on_wait,
        )
        if request.timeout_excludes_limiter_wait:
            call.deadline += permit.waited
        return permit

    def _process_response(self, call: _Call, attempt: _Attempt) -> None:
        """Parse the rate-limit headers, apply them to the limiter, and turn an error status into an error."""
        exchange, limiter = attempt.exchange, call.target.limiter
        if exchange is not None:
            now = time.time()
            limits = attempt.limits = parse_rate_limits(exchange.headers, now=now, status=exchange.status)
            if limiter is not None:
                permit = attempt.timer.permit
                assert permit is not None  # noqa: S101 - a limiter grants one; this tells mypy
                limiter.apply_response(limits, status=exchange.status, sent_at=permit.sent_at, model=call.request.model)
                if exchange.status >= HTTP_OK_END and not may_be_processed(exchange.status):
                    permit.settle(0)
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
        if isinstance(error, APIConnectionError) and timer.reused and not timer.response_started:
            self._connection_reuse.record_loss(call.target.base_url, now)
            call.needs_new_connection = True
        delay = self.retry.next_delay(
            error,
            attempt=call.attempt,
            idempotent=call.request.idempotent,
            remaining=call.deadline - now,
            chance=random.random(),  # noqa: S311 - jitter, no secret
        )
        return delay if delay is not None and self._budget.try_spend(error) else None

    def _report_interrupted(
        self, call: _Call, attempt: _Attempt, started_at: float | None, caught: BaseException
    ) -> None:
        """Report an attempt that *caught* ended: its task was cancelled, or the session closed."""
        if started_at is None:
            return
        is_cancelled = isinstance(caught, asyncio.CancelledError)
        if is_cancelled and self.transport.closed:
            attempt.error = build_closed_error(maybe_sent=attempt.timer.sent)
        elapsed = call.deadline_timer.time() - started_at
        self._report_attempt(call, attempt, elapsed, cancelled=is_cancelled and attempt.error is None)

    def _report_attempt(self, call: _Call, attempt: _Attempt, elapsed: float, *, cancelled: bool = False) -> None:
        from gradient_async._io.http.call_details import AttemptDetails  # few programs observe attempts

        exchange = attempt.exchange
        details = AttemptDetails(
            method=call.request.method,
            url=_describe_address(call),
            attempt=call.attempt,
            limiter_wait=attempt.limiter_wait,
            status=exchange.status if exchange else None,
            request_id=get_request_id(exchange.headers) if exchange else None,
            error=attempt.error,
            elapsed=elapsed,
            cancelled=cancelled,
        )
        report_attempt(self.hooks, details)


def _describe_address(call: _Call) -> str:
    """Return the address of the call without its query."""
    return (call.target.base_url + call.request.path).partition("?")[0]


def _build_reply(call: _Call, attempt: _Attempt) -> Reply:
    exchange, timer = attempt.exchange, attempt.timer
    assert exchange is not None  # noqa: S101 - an attempt without an error has a response
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
    reply = Reply(exchange, attempt.body, meta, deadline=call.deadline, started_at=call.started_at)
    permit = timer.permit
    if permit is not None and (permit.spend is not None or permit.model_budget is not None):
        reply.permit = permit
    return reply
