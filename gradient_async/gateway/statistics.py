"""Counts of the gateway: requests, errors and tokens by model, and the last minutes for a plot.

Contract: pure; times are arguments, in seconds on one clock. Memory is bounded: models beyond `MAX_MODELS` count as
one, because callers choose their names.
"""

from __future__ import annotations

from collections import Counter, deque

import attrs

from gradient_async.gateway.usage_finder import NO_USAGE, TokenUsage

MAX_MODELS = 200
MAX_NAME_CHARS = 100
OTHER_MODELS = "(other)"
NO_MODEL = "(none)"
BUCKET_SECONDS = 5.0
BUCKETS = 120
CALLER_LEFT = 499
"""The status that stands for a caller who left before the response was complete; nginx's number for it."""
_ERROR_START = 400


@attrs.define
class ModelCounts:
    """Counts of one model since the start.

    Attributes:
        statuses: Number of responses by status.
        input_tokens: Tokens of prompts, as far as responses stated them.
        output_tokens: Generated tokens, likewise.
        seconds: Duration of all requests, from their arrival to their last byte.
        limiter_wait: Seconds of it at the limiter.
    """

    statuses: Counter[int] = attrs.field(factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    limiter_wait: float = 0.0

    @property
    def requests(self) -> int:
        """Number of requests that have ended."""
        return self.statuses.total()

    @property
    def errors(self) -> int:
        """Number of errors, including callers that disconnected."""
        return sum(count for status, count in self.statuses.items() if status >= _ERROR_START)


@attrs.define
class Bucket:
    """Counts of a few seconds.

    Attributes:
        number: Time divided by the length of a bucket.
        requests: Requests that ended.
        errors: Those of them that failed.
        tokens: Model tokens of them.
        peak: Most requests at the same time, waiting ones included.
    """

    number: int
    requests: int = 0
    errors: int = 0
    tokens: int = 0
    peak: int = 0


@attrs.define(kw_only=True)  # frozen would double the time to create one
class FinishedRequest:
    """A request that has ended.

    Attributes:
        model: The model that it named; None for none.
        status: The status of its response.
        seconds: From its arrival to the last byte.
        limiter_wait: Seconds of it at the limiter.
        usage: The tokens that the response stated.
    """

    model: str | None
    status: int
    seconds: float
    limiter_wait: float = 0.0
    usage: TokenUsage = NO_USAGE


@attrs.define
class Statistics:
    """Counts requests while they run and when they have ended.

    Attributes:
        running: Requests under way, those that wait at the limiter included.
        models: Counts by model.
        history: The last minutes, oldest first; seconds in which nothing happened have no bucket.
    """

    running: int = 0
    models: dict[str, ModelCounts] = attrs.field(factory=dict)
    history: deque[Bucket] = attrs.field(factory=lambda: deque(maxlen=BUCKETS))

    def begin_request(self, now: float) -> None:
        """Count a request that has arrived."""
        self.running += 1
        bucket = self._find_bucket(now)
        bucket.peak = max(bucket.peak, self.running)

    def end_request(self, now: float, request: FinishedRequest) -> None:
        """Count a request that has ended."""
        self.running -= 1
        counts = self._select_counts(request.model)
        counts.statuses[request.status] += 1
        counts.input_tokens += request.usage.input
        counts.output_tokens += request.usage.output
        counts.seconds += request.seconds
        counts.limiter_wait += request.limiter_wait
        bucket = self._find_bucket(now)
        bucket.requests += 1
        bucket.errors += request.status >= _ERROR_START
        bucket.tokens += request.usage.total

    def list_history(self, now: float) -> list[Bucket]:
        """Return one bucket for each of the last few seconds up to *now*, empty ones included, oldest first."""
        last = int(now // BUCKET_SECONDS)
        known = {bucket.number: bucket for bucket in self.history}
        return [known.get(number) or Bucket(number) for number in range(last - BUCKETS + 1, last + 1)]

    def _find_bucket(self, now: float) -> Bucket:
        number = int(now // BUCKET_SECONDS)
        if not self.history or self.history[-1].number != number:
            self.history.append(Bucket(number, peak=self.running))
        return self.history[-1]

    def _select_counts(self, model: str | None) -> ModelCounts:
        name = NO_MODEL if model is None else model[:MAX_NAME_CHARS]
        if name not in self.models and len(self.models) >= MAX_MODELS:
            name = OTHER_MODELS
        return self.models.setdefault(name, ModelCounts())
