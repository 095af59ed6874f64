"""Sends a caller's request upstream and passes the response on while it arrives.

Contract: the session's pipeline sends it, so limiter, retries and errors are those of every call. The body of a
response passes block by block, unbuffered and undecoded; a slow caller slows the service down. If the caller leaves,
the task is cancelled, and the connection upstream closes at once. A response that breaks off upstream breaks off here
too: it never looks complete.
"""

from __future__ import annotations

import attrs
from aiohttp import web
from multidict import CIMultiDict

from gradient_async._io.http.exchange import MAX_JSON_BYTES
from gradient_async._io.http.pipeline import Pipeline, _Attempt, _Call
from gradient_async._io.http.reply import EVENT_STREAM_TYPE, Reply
from gradient_async._io.http.target import Target
from gradient_async._io.stream.idle_watchdog import IdleWatchdog
from gradient_async.errors import APIStatusError, GradientError, ProtocolError
from gradient_async.gateway.failures import Failure
from gradient_async.gateway.forwarded_request import ForwardedRequest, Refusal
from gradient_async.gateway.headers import STREAM_HEADERS, list_response_headers
from gradient_async.gateway.usage_finder import NO_USAGE, TokenUsage, UsageFinder

_JSON_TYPE = "application/json"


class RelayPipeline(Pipeline):
    """A pipeline that keeps the service's error response of a `ForwardedRequest` beside the error."""

    def _process_response(self, call: _Call, attempt: _Attempt) -> None:
        super()._process_response(call, attempt)
        request, exchange = call.request, attempt.exchange
        if isinstance(request, ForwardedRequest):
            has_refusal = exchange is not None and isinstance(attempt.error, APIStatusError)
            request.refusal = _keep_refusal(attempt) if has_refusal else None


def _keep_refusal(attempt: _Attempt) -> Refusal:
    exchange = attempt.exchange
    assert exchange is not None  # noqa: S101 - checked by the caller; this tells mypy
    return Refusal(status=exchange.status, raw_headers=exchange.raw_headers, body=attempt.body)


def adapt_pipeline(pipeline: Pipeline) -> RelayPipeline:
    """Return a pipeline with the parts of *pipeline*, retry budget included."""
    return RelayPipeline(
        pipeline.transport,
        pipeline.retry,
        pipeline.hooks,
        pipeline.on_wait,
        budget=pipeline._budget,
        connection_reuse=pipeline._connection_reuse,
    )


@attrs.define(eq=False, repr=False)
class Relay:
    """One call through the gateway.

    Attributes:
        limiter_wait: Seconds that the call has waited at the limiter.
        response: The response to the caller once it has begun; None before that.
        lost: Whether the response broke off upstream.
        usage: The model tokens that the response has stated, after its end.
    """

    _pipeline: Pipeline
    limiter_wait: float = attrs.field(default=0.0, init=False)
    response: web.StreamResponse | None = attrs.field(default=None, init=False)
    lost: bool = attrs.field(default=False, init=False)
    usage: TokenUsage = attrs.field(default=NO_USAGE, init=False)

    async def relay_request(
        self, request: ForwardedRequest, target: Target, caller: web.BaseRequest
    ) -> web.StreamResponse:
        """Send *request* to *target* and return the response to *caller*, complete or sent to its end.

        Raises:
            GradientError: The call failed before a response to the caller began.
        """
        reply = await self._pipeline.send(request, target)
        self.limiter_wait = reply.meta.timings.limiter_wait
        usage = UsageFinder()
        try:
            body = reply.exchange.take_buffered_body()
            if body is None:
                return await self._relay_body(reply, usage, caller)
            usage.feed(body)
            return build_response(reply, body)
        finally:
            self.usage = usage.find_usage()
            if reply.permit is not None and (tokens := self.usage.total):
                reply.permit.settle(tokens)

    async def _relay_body(self, reply: Reply, usage: UsageFinder, caller: web.BaseRequest) -> web.StreamResponse:
        """Pass on a response that has not arrived completely, and watch its time limits."""
        exchange = reply.exchange
        watchdog = IdleWatchdog(exchange)
        watchdog.start()
        try:
            if exchange.content_type != _JSON_TYPE:
                return await self._pass_blocks(reply, watchdog, usage, caller)
            body = await _read_whole(watchdog)
            usage.feed(body)
            return build_response(reply, body)
        finally:
            watchdog.stop()
            exchange.close()

    async def _pass_blocks(
        self, reply: Reply, watchdog: IdleWatchdog, usage: UsageFinder, caller: web.BaseRequest
    ) -> web.StreamResponse:
        """Pass the body on while it arrives."""
        response = self.response = web.StreamResponse(status=reply.exchange.status, headers=_build_headers(reply))
        await response.prepare(caller)
        try:
            while block := await watchdog.read_block():
                usage.feed(block)
                await response.write(block)
            self.lost = watchdog.lost is not None
        except GradientError:
            self.lost = True
        if self.lost:
            break_connection(caller)
        return response


async def _read_whole(watchdog: IdleWatchdog) -> bytes:
    """Read a body that is complete only as a whole.

    Raises:
        GradientError: It broke off, or is larger than any JSON of the service.
    """
    blocks: list[bytes] = []
    size = 0
    while block := await watchdog.read_block():
        blocks.append(block)
        size += len(block)
        if size > MAX_JSON_BYTES:
            raise ProtocolError(f"The service sent a body of more than {MAX_JSON_BYTES} bytes.")
    if watchdog.lost is not None:
        raise watchdog.lost
    return b"".join(blocks)


def build_response(reply: Reply, body: bytes) -> web.Response:
    """Return *reply* with its whole *body* as a response."""
    return web.Response(status=reply.exchange.status, body=body, headers=_build_headers(reply))


def _build_headers(reply: Reply) -> CIMultiDict[str]:
    """Return the headers of *reply* that pass, and those of a stream if it is one."""
    headers = CIMultiDict(list_response_headers(reply.meta.raw_headers))
    if reply.exchange.content_type == EVENT_STREAM_TYPE:
        headers.update(STREAM_HEADERS)
    return headers


def build_failure_response(failure: Failure) -> web.Response:
    """Return *failure* as a response."""
    return web.Response(status=failure.status, body=failure.body, headers=CIMultiDict(failure.headers))


def break_connection(caller: web.BaseRequest) -> None:
    """Close the caller's connection once all bytes so far are out, so that the response looks incomplete."""
    if caller.transport is not None:
        caller.transport.close()
