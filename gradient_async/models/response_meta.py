"""Metadata of a response: request id, rate-limit headers, attempts and timings."""

import attrs

from gradient_async._value import Value
from gradient_async.models._base import NOT_WIRE, Model


@attrs.define(kw_only=True, eq=False, repr=False)
class RateLimitInfo(Value):
    """The rate-limit headers of one response; None for a header that is absent.

    ``limit``, ``remaining`` and ``reset`` are the documented hourly quota of the key; those with a suffix are the
    quotas of a model, which the serverless hosts send. Every ``reset`` is in epoch seconds on the service's clock, 0 if
    there is capacity now; ``retry_after`` is in seconds.
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
    """The service's clock at the time of the response (the ``Date`` header), in epoch seconds."""


@attrs.define(kw_only=True, eq=False, repr=False)
class Timings(Value):
    """The durations of a call, in seconds; None for a phase that did not happen.

    Attributes:
        limiter_wait: Waiting for permits, summed over all attempts.
        connect: Opening the connection of the last attempt; None if a pooled one was used.
        first_byte: From sending the last attempt to its status line.
        first_token: From the start of the call to the first text of a stream.
        total: The whole call, from its start to its last byte.
        tokens_per_second: The output tokens of a stream with usage, per second from the first token to the end.
    """

    limiter_wait: float = 0.0
    connect: float | None = None
    first_byte: float | None = None
    first_token: float | None = None
    total: float | None = None
    tokens_per_second: float | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseMeta(Value):
    """Metadata of a response.

    Attributes:
        status: The HTTP status.
        request_id: The service's id of the request, to quote in a support ticket; None if it sent none.
        rate_limit: The rate-limit headers.
        attempts: The number of attempts, the successful one included.
        timings: The durations of the call, in seconds.
        raw_headers: Every response header as it arrived; `headers` is the readable form.
    """

    status: int = 200
    request_id: str | None = None
    rate_limit: RateLimitInfo = attrs.field(factory=RateLimitInfo)
    attempts: int = 1
    timings: Timings = attrs.field(factory=Timings)
    raw_headers: tuple[tuple[bytes, bytes], ...] = attrs.field(default=(), repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Every response header by its name in lower case; the last value of a repeated one."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseModel(Model):
    """A result of a call, with the metadata of its response."""

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
