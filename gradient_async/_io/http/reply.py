"""The successful response of a call, on its way from the pipeline to its decoder.

Contract: built once per call, when the status line has arrived and, unless it is a stream, the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from gradient_async._io.http.exchange import Exchange
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.http.usage import find_used_tokens
from gradient_async.errors import GradientError, ResponseDecodeError
from gradient_async.models.response_meta import ResponseMeta

EVENT_STREAM_TYPE = "text/event-stream"
_STREAM_CHARS = 64 * 1024


class DecodedResult(Protocol):
    """An object that was decoded from a response body."""

    meta: ResponseMeta


R = TypeVar("R", bound=DecodedResult)


class Reply:
    """A successful response: its body, or for a stream the open exchange.

    Attributes:
        exchange: The response; of a stream, with its body still unread.
        body: The whole body; empty for a stream.
        meta: Status, request id, limits and timings of the call.
        deadline: When the call must have ended, on the loop's clock; infinite without a total limit.
        started_at: When the call began, on the loop's clock.
        on_end: Called with result, outcome and error when a stream ends; None without observers.
        permit: The permit to settle when the usage is known; None if no limit counts model tokens.
    """

    __slots__ = ("body", "deadline", "exchange", "meta", "on_end", "permit", "started_at")

    def __init__(
        self,
        exchange: Exchange,
        body: bytes,
        meta: ResponseMeta,
        deadline: float,
        started_at: float,
        on_end: Callable[[Any, str, BaseException | None], None] | None = None,
        permit: Permit | None = None,
    ) -> None:
        self.exchange = exchange
        self.body = body
        self.meta = meta
        self.deadline = deadline
        self.started_at = started_at
        self.on_end = on_end
        self.permit = permit

    def decode_body(self, decode: Callable[[bytes], R]) -> R:
        """Return the result of ``decode(body)`` with its meta; its errors get the request id and attempts."""
        try:
            result = decode(self.body)
        except GradientError as caught:
            error = self._name_event_stream(caught)
        else:
            result.meta = self.meta
            if self.permit is not None:
                self.settle_permit(self.permit, result)
            return result
        error.request_id, error.attempts = error.request_id or self.meta.request_id, self.meta.attempts
        raise error.with_traceback(
            None
        )  # the decoder's frames hold the body, and error trackers record their variables

    def _name_event_stream(self, error: GradientError) -> GradientError:
        """Return *error*, or that of an event stream which was sent in place of a whole response."""
        from gradient_async._protocol.stream.sse import begins_event_stream  # most bodies can be decoded

        is_stream = self.exchange.content_type == EVENT_STREAM_TYPE or begins_event_stream(self.body)
        if not (is_stream and isinstance(error, ResponseDecodeError)):
            return error
        return ResponseDecodeError(
            "The service sent an event stream in place of a whole response; what arrived is in .body. Read it with "
            "stream(), or check base_url and the gateways on the way.",
            body=shorten_text(self.body.decode(errors="replace"), _STREAM_CHARS),
        )

    def settle_permit(self, permit: Permit, result: object) -> None:
        """Replace the estimated tokens of *permit* by the usage that *result* states, if it states any."""
        tokens = find_used_tokens(result)
        if tokens is not None:
            permit.settle(tokens)

    def record_first_token(self) -> None:
        """Set the time to a stream's first token to now; seconds from the start of the call."""
        self.meta.timings.first_token = self.exchange.time() - self.started_at

    def record_total(self, output_tokens: int | None) -> None:
        """Set the duration of a stream, and its tokens per second after the first if *output_tokens* is known."""
        timings = self.meta.timings
        timings.total = self.exchange.time() - self.started_at
        if output_tokens is not None and timings.first_token is not None and timings.total > timings.first_token:
            timings.tokens_per_second = output_tokens / (timings.total - timings.first_token)
