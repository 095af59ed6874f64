"""How often to ask for the status of a job, a batch or an invocation, and what may go wrong meanwhile.

Contract: pure; time and chance are arguments, in seconds and in [0, 1).

The wait grows with the age of the job, so that its end is noticed within a tenth of its duration, and shrinks again
when the counts say that the end is near. Jitter is only added.
"""

from __future__ import annotations

import math
from typing import Protocol

import attrs

from gradient_async._protocol.http.retry import requested_delay
from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    BatchNotReadyError,
    ConfigurationError,
    GradientError,
    ProtocolError,
)
from gradient_async.models.batch import Batch, RequestCounts

_SHARE_OF_AGE = 0.1
_JITTER = 0.2
_PATIENCE = 5
_PASSING = frozenset({408, 412, 429})


class PollableJob(Protocol):
    """What can be looked at until it has ended."""

    status: str

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended, one way or another."""
        ...


@attrs.frozen(kw_only=True)
class Poll:
    """How often a job is looked at: *first* seconds apart at first, *longest* seconds apart at most."""

    first: float = 2.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        if not 0 < self.first <= self.longest < math.inf:
            raise ConfigurationError(f"Poll(first={self.first}, longest={self.longest}): give 0 < first <= longest.")


@attrs.define
class PollSchedule:
    """Says when to look again; told of every look.

    Attributes:
        began: When the first look was taken.
    """

    poll: Poll
    began: float
    _failures: int = attrs.field(default=0, init=False)
    _malformed_responses: int = attrs.field(default=0, init=False)
    _moved: tuple[float, int] | None = attrs.field(default=None, init=False)
    _rate: float = attrs.field(default=0.0, init=False)

    def next_delay(self, job: PollableJob, *, now: float, chance: float) -> float:
        """Return the seconds until the next look, after one that saw *job*."""
        self._failures = self._malformed_responses = 0
        wait = (now - self.began) * _SHARE_OF_AGE
        return self._within(min(wait, self._until_end(job, now)), chance)

    def next_delay_after_error(self, error: GradientError, *, chance: float) -> float | None:
        """Return the seconds until the next look, after one that failed; None if looking again cannot help."""
        if not self._may_pass(error):
            return None
        self._failures += 1
        backoff = self.poll.first * 2.0 ** min(self._failures - 1, 30)
        return max(self._within(backoff, chance), requested_delay(error))

    def _within(self, wait: float, chance: float) -> float:
        return min(max(wait, self.poll.first), self.poll.longest) * (1 + _JITTER * chance)

    def _until_end(self, job: PollableJob, now: float) -> float:
        """Return the seconds that the requests still need at the pace of the last ones; inf if it is not known."""
        counts = _counts(job)
        done = counts.completed + counts.failed
        if self._moved is None or done > self._moved[1]:
            if self._moved is not None and now > self._moved[0]:
                self._rate = (done - self._moved[1]) / (now - self._moved[0])
            self._moved = now, done
        if job.status == "finalizing" or (counts.total and done >= counts.total):
            return self.poll.first
        return (counts.total - done) / self._rate if self._rate else math.inf

    def _may_pass(self, error: GradientError) -> bool:
        if isinstance(error, APIConnectionError | BatchNotReadyError):
            return True
        if isinstance(error, APIStatusError):
            return error.status in _PASSING or error.status >= 500
        self._malformed_responses += isinstance(error, ProtocolError)
        return isinstance(error, ProtocolError) and self._malformed_responses < _PATIENCE


def results_retry_delay(batch: Batch, attempt: int) -> float | None:
    """Return the seconds until the results of an ended job are asked for again; None to give up.

    Results have been seen to come a moment after the end. A job of which nothing was done may have none at all, and
    one that failed so has none.
    """
    patience = 8 if expects_results(batch) else 0 if batch.status == "failed" else 2
    return None if attempt > patience else 0.25 * 2.0 ** (attempt - 1)


def expects_results(batch: Batch) -> bool:
    """Whether there are results of an ended job, now or soon: its requests were done, or some of them."""
    counts = batch.request_counts
    return batch.status == "completed" or counts.completed + counts.failed > 0


def cancel_retry_delay(batch: Batch, attempt: int) -> float | None:
    """Return the seconds until a job is cancelled once more that could not be; None if it cannot be.

    Right after a job is created the service may refuse to cancel it, and take it a little later.
    """
    return None if batch.is_terminal or attempt > 4 else 0.5 * 2.0 ** (attempt - 1)


def is_cancelled(batch: Batch, refusal: APIStatusError) -> bool:
    """Whether a job that could not be cancelled is so already: by an attempt whose answer was lost, if at its end."""
    return batch.status == "cancelling" or (batch.status == "cancelled" and refusal.attempts > 1)


def snapshot_key(job: PollableJob) -> tuple[object, ...]:
    """Return what has to differ for a look to be news."""
    counts = _counts(job)
    return job.status, counts.total, counts.completed, counts.failed


def _counts(job: PollableJob) -> RequestCounts:
    """Return how many requests *job* has; only a batch has any."""
    return job.request_counts if isinstance(job, Batch) else RequestCounts()
