"""What surrounds an answer: its request id, the rate-limit headers, the attempts and the timings."""

import attrs

from gradient_async.models._base import NOT_WIRE, Model


@attrs.frozen(kw_only=True)
class RateLimitInfo:
    """The rate-limit headers of one response; a field whose header is absent is None.

    The first three are the documented hourly quota; the others are the per-model quotas that the serverless
    hosts send. Every ``reset`` is in epoch seconds on the service's clock, where 0 means that capacity is free.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None
    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None
    limit_tokens_per_minute: int | None = None
    remaining_tokens_per_minute: int | None = None
    reset_tokens_per_minute: float | None = None
    limit_tokens_per_day: int | None = None
    remaining_tokens_per_day: int | None = None
    reset_tokens_per_day: float | None = None
    date: float | None = None
    """The service's own clock when it answered (the ``Date`` header), in epoch seconds."""


@attrs.define(kw_only=True)
class Timings:
    """Where the time of a call went, in seconds. None for what did not happen.

    Attributes:
        limiter_wait: Waiting for permits, all attempts together.
        connect: Opening the connection of the last attempt; None when a pooled one was used.
        first_byte: From sending the last attempt to its status line.
        first_token: From the start of the call to the first text of a stream.
        total: The whole call, from its start to its last byte.
        tokens_per_second: Of a stream whose usage is known: its tokens over the time from the first to the end.
    """

    limiter_wait: float = 0.0
    connect: float | None = None
    first_byte: float | None = None
    first_token: float | None = None
    total: float | None = None
    tokens_per_second: float | None = None


@attrs.define(kw_only=True)
class ResponseMeta:
    """What surrounds an answer.

    Attributes:
        status: The HTTP status.
        request_id: The service's id of the request, to quote in a support ticket.
        rate_limit: The rate-limit headers.
        attempts: How many times the request was sent, the successful one included.
        timings: Where the time went.
        raw_headers: Every response header as it arrived; `headers` is the readable form.
    """

    status: int = 200
    request_id: str | None = None
    rate_limit: RateLimitInfo = RateLimitInfo()  # one for all that have none: it never changes
    attempts: int = 1
    timings: Timings = attrs.field(factory=Timings)
    raw_headers: tuple[tuple[bytes, bytes], ...] = attrs.field(default=(), repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Every response header, names in lower case; of a repeated one the last."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseModel(Model):
    """A result that a call returned, with what surrounded it."""

    _meta: ResponseMeta | None = attrs.field(default=None, alias="meta", metadata=NOT_WIRE)

    @property
    def meta(self) -> ResponseMeta:
        """Request id, rate limits, attempts and timings of the call."""
        if self._meta is None:
            self._meta = ResponseMeta()
        return self._meta

    @meta.setter
    def meta(self, meta: ResponseMeta) -> None:
        self._meta = meta
