"""When to poll a job (a batch or an invocation) again, and which errors to wait out.

Contract: pure; *now* is in seconds, *chance* in [0, 1).

The delay after a poll is a tenth of the job's age, so that its end is noticed within a tenth of its duration. When
the counts reveal the pace of the job, the delay is at most the time that the remaining requests need. The result is
kept between ``Poll.first`` and ``Poll.longest``, then up to 20 % of jitter are added.

Example: 600 requests at 1 a second, then 3 seconds of finalizing; ``Poll(first=2, longest=60)``, no jitter:

    seconds   0.0  2.0 ... 20.0  22.0  24.2 ... 101  111 ... 511   562   599.4  601.4  603.4
    done        0    2       20    22    24     101  111     510   562     599    600  completed
    delay     2.0  2.0      2.0   2.2   2.4    10.1 11.1    51.1  37.3     2.0    2.0

Until second 20 a tenth of the age is below *first*; from then on each delay is 1.1 times the last one. At second 562
a tenth of the age would be 56.2, but 38 requests at the last pace of (562 - 510) / 51.1 a second need 37.3. All done,
or ``finalizing``, means *first*. These are 49 polls; a job that runs for a day takes fewer than 1,700.

A poll of a split job may take several requests: one for each page of the list of jobs, and one for each job that the
pages lack. The delay after it is at least *first* for each of them, so no job is polled faster than one request in
*first* seconds: 30 a minute by default.

After a failed poll the delay is *first*, doubled for each failure in a row, up to *longest*; never below the
``Retry-After`` of the service. Connection errors, 408, 412, 429 and 5xx are waited out without a limit; a malformed
response at most 4 times in a row, because it may be the lasting answer of a proxy. Any other error is final.
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
    is_number,
    quote_argument,
)
from gradient_async.models.batch import Batch, RequestCounts

_SHARE_OF_AGE = 0.1
_JITTER = 0.2
_MAX_MALFORMED_RESPONSES = 5
_TRANSIENT_STATUSES = frozenset({408, 412, 429})


class PollableJob(Protocol):
    """A job that can be polled until it has ended."""

    status: str

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        ...


@attrs.frozen(kw_only=True)
class Poll:
    """The bounds of the delay between two polls of a job.

    The delay grows with the age of the job, to a tenth of it, and shrinks when the job is nearly done.

    Attributes:
        first: Shortest delay in seconds, used at first.
        longest: Longest delay in seconds; up to 20 % of jitter are added.

    Raises:
        ConfigurationError: Not ``0 < first <= longest``, or *longest* is infinite.
    """

    first: float = 2.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        are_numbers = is_number(self.first) and is_number(self.longest)
        if not are_numbers or not 0 < self.first <= self.longest < math.inf:
            first, longest = quote_argument(self.first), quote_argument(self.longest)
            raise ConfigurationError(f"Poll(first={first}, longest={longest}): give seconds with 0 < first <= longest.")


@attrs.define
class PollSchedule:
    """Computes the delay before each poll from the results of the earlier ones.

    Attributes:
        began: Time of the first poll, in seconds of the clock that gives *now*.
    """

    poll: Poll
    began: float
    _failures: int = attrs.field(default=0, init=False)
    _malformed_responses: int = attrs.field(default=0, init=False)
    _last_change: tuple[float, int] | None = attrs.field(default=None, init=False)
    """Time of the last poll that found more requests done, and their number."""
    _rate: float = attrs.field(default=0.0, init=False)
    """Requests a second between the last two changes; 0.0 if unknown."""

    def next_delay(self, job: PollableJob, *, now: float, chance: float, requests: int = 1) -> float:
        """Return the seconds until the next poll, after one at *now* of so many *requests* that returned *job*."""
        self._failures = self._malformed_responses = 0
        delay = (now - self.began) * _SHARE_OF_AGE
        usual = self._clamp_delay(min(delay, self._estimate_remaining(job, now)), chance)
        return max(usual, requests * self.poll.first)

    def next_delay_after_error(self, error: GradientError, *, chance: float) -> float | None:
        """Return the seconds until the next poll, after one that failed with *error*; None if the error is final."""
        if not self._is_transient(error):
            return None
        self._failures += 1
        backoff = self.poll.first * 2.0 ** min(self._failures - 1, 30)
        return max(self._clamp_delay(backoff, chance), requested_delay(error))

    def _clamp_delay(self, delay: float, chance: float) -> float:
        return min(max(delay, self.poll.first), self.poll.longest) * (1 + _JITTER * chance)

    def _estimate_remaining(self, job: PollableJob, now: float) -> float:
        """Return the seconds that the remaining requests need at the last rate; inf if the rate is unknown."""
        counts = _request_counts(job)
        done = counts.completed + counts.failed
        if self._last_change is None or done > self._last_change[1]:
            if self._last_change is not None and now > self._last_change[0]:
                self._rate = (done - self._last_change[1]) / (now - self._last_change[0])
            self._last_change = now, done
        if job.status == "finalizing" or (counts.total and done >= counts.total):
            return self.poll.first
        return (counts.total - done) / self._rate if self._rate else math.inf

    def _is_transient(self, error: GradientError) -> bool:
        if isinstance(error, APIConnectionError | BatchNotReadyError):
            return True
        if isinstance(error, APIStatusError):
            return error.status in _TRANSIENT_STATUSES or error.status >= 500
        self._malformed_responses += isinstance(error, ProtocolError)
        return isinstance(error, ProtocolError) and self._malformed_responses < _MAX_MALFORMED_RESPONSES


def results_retry_delay(batch: Batch, attempt: int) -> float | None:
    """Return the seconds until the results of an ended job are requested again; None to give up.

    Results have been observed to appear shortly after the end. If some are expected there are 8 retries (64 s in all);
    a failed job without any completed request has none, and any other job without one gets 2 retries.
    """
    retries = 8 if expects_results(batch) else 0 if batch.status == "failed" else 2
    return None if attempt > retries else 0.25 * 2.0 ** (attempt - 1)


def expects_results(batch: Batch) -> bool:
    """Whether an ended job must have results: it completed, or some of its requests were processed."""
    counts = batch.request_counts
    return batch.status == "completed" or counts.completed + counts.failed > 0


def cancel_retry_delay(batch: Batch, attempt: int) -> float | None:
    """Return the seconds until a refused cancellation is sent again; None if the refusal is final.

    The service may refuse to cancel a job that was just created, and accept it seconds later.
    """
    return None if batch.is_terminal or attempt > 4 else 0.5 * 2.0 ** (attempt - 1)


def is_cancelled(batch: Batch, refusal: APIStatusError) -> bool:
    """Whether the job is cancelled although the service refused to cancel it.

    A job that was found ``cancelled`` counts only if the call took several attempts: an earlier one, whose response
    was lost, then cancelled it.
    """
    return batch.status == "cancelling" or (batch.status == "cancelled" and refusal.attempts > 1)


def pages_to_search(jobs: int, page_size: int) -> int:
    """Return the pages of the list of jobs to look up *jobs* of them in: those they need, and one for newer jobs."""
    return -(-jobs // page_size) + 1


def snapshot_key(job: PollableJob) -> tuple[object, ...]:
    """Return the fields of *job* that make a poll worth reporting when they change."""
    counts = _request_counts(job)
    return job.status, counts.total, counts.completed, counts.failed


def _request_counts(job: PollableJob) -> RequestCounts:
    """Return the counts of *job*; zeros for a job that is not a batch."""
    return job.request_counts if isinstance(job, Batch) else RequestCounts()
